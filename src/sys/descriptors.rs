//! How many descriptors this process may have, and how they are shared out.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open descriptors as far as the system lets this process, and returns it.
///
/// # Errors
/// Those of setrlimit(2); the limit stays as it was.
pub fn raise_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(limit.current.unwrap_or(u64::MAX));
    }
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// How the limit of open descriptors is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorPlan {
    /// For pinned files.
    pub pins_max: u64,
    /// For files below sites' roots.
    pub roots_max: u64,
    /// For bodies of stored responses: data files of the disk store, and anonymous memory.
    pub bodies_max: u64,
}

/// The limit of open descriptors does not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFewDescriptors {
    /// The limit.
    pub limit: u64,
    /// What connections and the server itself need.
    pub needed: u64,
}

/// What the server itself needs: listeners, rings, wake-ups, logs, the admin API.
pub const SERVER_RESERVE: u64 = 512;

/// The least that must be left for files.
const FILES_MIN: u64 = 64;

/// Most descriptors that files below roots ever take.
const ROOTS_MAX: u64 = 3 * 1024;

/// Most descriptors that bodies of stored responses ever take.
const BODIES_MAX: u64 = 16 * 1024;

/// Shares `limit` out: `connections` and the server's own first, then a quarter of the rest each for the roots' files and for
/// bodies, then pins.
///
/// # Errors
/// When hardly any would be left for files.
pub fn share_out(limit: u64, connections: u64) -> Result<DescriptorPlan, TooFewDescriptors> {
    let needed = connections.saturating_add(SERVER_RESERVE);
    let rest = limit.saturating_sub(needed);
    if rest < FILES_MIN {
        return Err(TooFewDescriptors {
            limit,
            needed: needed.saturating_add(FILES_MIN),
        });
    }
    let roots_max = (rest / 4).min(ROOTS_MAX);
    let bodies_max = (rest / 4).min(BODIES_MAX);
    Ok(DescriptorPlan {
        pins_max: rest - roots_max - bodies_max,
        roots_max,
        bodies_max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raised_limit_is_the_systems() {
        let raised = raise_limit().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(raised));
    }

    #[test]
    fn plan_never_exceeds_the_limit() {
        for limit in [0, 300, 1024, 20_000, 1 << 20, u64::MAX] {
            for connections in [0, 1, 700, 20_000] {
                match share_out(limit, connections) {
                    Ok(plan) => {
                        let files = plan.pins_max + plan.roots_max + plan.bodies_max;
                        assert!(files + connections + SERVER_RESERVE <= limit);
                        assert!(plan.pins_max > 0 && plan.roots_max > 0 && plan.bodies_max > 0);
                    }
                    Err(few) => assert!(few.needed > limit),
                }
            }
        }
    }
}
