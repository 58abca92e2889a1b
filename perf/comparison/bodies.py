"""The files that are served: bytes that nobody can guess, the same in every run."""

import functools
import hashlib
import random

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def name(size):
    return f"{size}.bin"


@functools.cache
def make(files, size):
    """The file of `size` bytes in `files`, made where it is missing: (path, digest)."""
    path, source, digest = files / name(size), random.Random(size), hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, size, MIB):
            piece = source.randbytes(min(MIB, size - start))
            digest.update(piece)
            file.write(piece)
    # Servers that drop privileges read it too.
    path.chmod(0o644)
    return path, digest.digest()
