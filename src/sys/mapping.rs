//! Shared read-only mappings that user space never reads.
//!
//! A file that is truncated below a mapping turns a read by user space into SIGBUS, while a system call that copies from
//! it fails with EFAULT, which its caller can handle. So a mapping gives no slice away: only a range for the kernel.
#![expect(
    unsafe_code,
    reason = "a file mapping is unsafe to make for those who would read it"
)]

use std::fs::File;
use std::io;
use std::marker::PhantomData;

use mmap_rs::{Mmap, MmapFlags, MmapOptions};

use super::file::HeldFile;

/// A mapping of a whole file.
#[derive(Debug)]
pub struct Mapping {
    /// Its memory; not to be read, see the module's header.
    memory: Mmap,
    size: usize,
}

/// A range of a mapping, for a system call to copy from. Made by mappings only, so that it never leads anywhere else, and
/// never outlives its own:
///
/// ```compile_fail,E0505
/// # use hotplate::sys::mapping::Mapping;
/// fn outlive(mapping: Mapping) -> usize {
///     let bytes = mapping.bytes_for_kernel(0, 1);
///     drop(mapping);
///     bytes.len()
/// }
/// ```
///
/// ```compile_fail,E0451
/// # use hotplate::sys::mapping::KernelSlice;
/// let anywhere = KernelSlice { address: std::ptr::null(), len: 1, of: std::marker::PhantomData };
/// ```
///
/// # In flight
/// The lifetime covers calls that return when the kernel is done. What is handed to a ring must own the mapping until its
/// completion.
#[derive(Clone, Copy, Debug)]
pub struct KernelSlice<'m> {
    address: *const u8,
    len: usize,
    of: PhantomData<&'m Mapping>,
}

impl KernelSlice<'_> {
    /// Where it starts; only the kernel may follow it.
    #[must_use]
    pub fn address(&self) -> *const u8 {
        self.address
    }

    /// How many bytes it spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it spans nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Mapping {
    /// Maps the first `size` bytes of `file`, which must be more than none.
    ///
    /// # Errors
    /// `InvalidInput` for an empty file; `OutOfMemory` where the process has no room or no mapping left
    /// (vm.max_map_count).
    pub fn of(file: &HeldFile, size: u64) -> io::Result<Self> {
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // The mapping keeps the open file itself; this second descriptor goes at once.
        let second = rustix::io::fcntl_dupfd_cloexec(file, 0)?;
        let second = File::from(second);
        let options = MmapOptions::new(size)
            .map_err(|_| io::ErrorKind::InvalidInput)?
            .with_flags(MmapFlags::SHARED);
        // SAFETY: unsafe because the file may change or shrink below the mapping. This module never reads it nor makes
        // a slice of it; `truncated_below_mapping_is_efault` would catch it.
        let options = unsafe { options.with_file(&second, 0) };
        let memory = options
            .map()
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Self { memory, size })
    }

    /// The size of the file when it was mapped.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size as u64
    }

    /// `length` bytes from `offset` on, cut at the mapping's end.
    #[must_use]
    pub fn bytes_for_kernel(&self, offset: u64, length: usize) -> KernelSlice<'_> {
        let start = usize::try_from(offset).map_or(self.size, |offset| offset.min(self.size));
        KernelSlice {
            address: self.memory.as_ptr().wrapping_add(start),
            len: length.min(self.size - start),
            of: PhantomData,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    fn write(slice: KernelSlice<'_>, to: &UnixStream) -> io::Result<usize> {
        // SAFETY: the range lies in a live mapping; the kernel checks it and fails with EFAULT where no page is.
        let wrote = unsafe { libc::write(to.as_raw_fd(), slice.address().cast(), slice.len()) };
        usize::try_from(wrote).map_err(|_| io::Error::last_os_error())
    }

    #[test]
    fn mapping_is_sent_by_the_kernel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = HeldFile::open(&path).unwrap();
        let mapping = Mapping::of(&file, 10).unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(write(mapping.bytes_for_kernel(2, 3), &near).unwrap(), 3);
        assert_eq!(mapping.bytes_for_kernel(8, 100).len(), 2);
        assert!(mapping.bytes_for_kernel(11, 1).is_empty());
        let mut buffer = [0; 3];
        far.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"234");
    }

    #[test]
    fn truncated_below_mapping_is_efault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, vec![7; 20_000]).unwrap();
        let file = HeldFile::open(&path).unwrap();
        let mapping = Mapping::of(&file, 20_000).unwrap();
        std::fs::File::create(&path).unwrap();
        let (near, _far) = UnixStream::pair().unwrap();
        let error = write(mapping.bytes_for_kernel(8192, 100), &near).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    }

    #[test]
    fn mapping_of_an_empty_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, b"").unwrap();
        let file = HeldFile::open(&path).unwrap();
        assert!(Mapping::of(&file, 0).is_err());
    }
}
