"""How Hotplate is configured as a media library: a cache that hands out paths and takes files to upload."""

from caches import hotplate_command

# As many prefetches as a case orders at once; they run at the concurrency that the load it is compared with has.
PREFETCHES = 10_000
CONCURRENCY = 8


def hotplate(binary, driver):
    def configure(turn):
        more = f"""
[library]
queue = {PREFETCHES}
concurrency = {CONCURRENCY}
"""
        # Files go to the hosts that sites name.
        site = 'hosts = ["127.0.0.1"]\n'
        return hotplate_command(turn, binary, driver, True, f"127.0.0.1:{turn.admin}", more, site)

    return configure
