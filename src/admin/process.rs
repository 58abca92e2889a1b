//! What the kernel says about this process: memory, CPU time, descriptors.
//!
//! Read from `/proc/self` on the admin thread. A figure that cannot be read (no `/proc` mounted) is left out.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// The process's use of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Physical memory in bytes, mappings of pinned files that are resident included.
    pub resident_bytes: Option<u64>,
    /// CPU time spent in user space and in the kernel, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Descriptors open.
    pub descriptors_open: Option<u64>,
    /// The limit of open descriptors; none when unlimited.
    pub descriptors_max: Option<u64>,
}

impl ProcessUse {
    /// The use now.
    #[must_use]
    pub fn read() -> Self {
        Self {
            resident_bytes: fs::read_to_string("/proc/self/statm")
                .ok()
                .and_then(|text| resident_pages(&text))
                .map(|pages| pages.saturating_mul(page_size() as u64)),
            cpu_seconds: fs::read_to_string("/proc/self/stat")
                .ok()
                .and_then(|text| cpu_ticks(&text))
                .map(|ticks| ticks as f64 / clock_ticks_per_second() as f64),
            // The folder's own descriptor is among them.
            descriptors_open: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            descriptors_max: getrlimit(Resource::Nofile).current,
        }
    }
}

/// The second number of `statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// `utime` + `stime` of `stat`: fields 14 and 15; counted from the `)` that ends field 2, for the process's name may
/// hold spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user.saturating_add(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_right_fields() {
        assert_eq!(resident_pages("100 42 7 1 0 9 0\n"), Some(42));
        assert_eq!(resident_pages(""), None);
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 200 0 0 0 31 11 0 0 20 0 1 0 5 1000 42";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        let used = ProcessUse::read();
        assert!(used.resident_bytes.unwrap() > 100_000);
        assert!(used.descriptors_open.unwrap() >= 3);
        assert!(used.cpu_seconds.unwrap() >= 0.0);
    }
}
