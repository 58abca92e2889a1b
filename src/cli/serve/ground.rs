//! What the machine gives before anything runs: sockets, cores, descriptors, and how those are shared out.

use super::fleet::LaunchError;
use crate::server::settings::{Limits, ServerSettings};
use crate::server::start::{self, Bound, Plan};
use crate::sys::descriptors::{self, DescriptorPlan};

/// What the machine gives, before anything runs.
pub(super) struct Ground {
    pub(super) descriptor_limit: u64,
    pub(super) limits: Limits,
    pub(super) shares: DescriptorPlan,
    pub(super) plan: Plan,
    pub(super) bound: Bound,
}

impl Ground {
    pub(super) fn find(settings: &ServerSettings) -> Result<Self, LaunchError> {
        let descriptor_limit = descriptors::raise_limit()
            .map_err(|error| LaunchError::System("read the limit of open files", error))?;
        let (limits, shares) = fit(settings.limits, descriptor_limit);
        let plan = start::plan(settings)?;
        let bound = start::bind(&settings.listen, plan.cores.len())?;
        Ok(Self {
            descriptor_limit,
            limits,
            shares,
            plan,
            bound,
        })
    }
}

/// How many files below roots each of `workers` may remember: together they keep at most half of those descriptors that the
/// fill threads may have, siblings included, so there is always one to let go of.
pub(super) fn files_max(roots_max: u64, workers: usize) -> usize {
    /// Enough for any worker's hot set of a second.
    const FILES_MAX: usize = 4096;
    /// A file and its siblings in three codings.
    const DESCRIPTORS_EACH: u64 = 4;
    let half = usize::try_from(roots_max / 2 / DESCRIPTORS_EACH).unwrap_or(FILES_MAX);
    (half / workers.max(1)).clamp(1, FILES_MAX)
}

/// Limits that the descriptors allow, and how those are shared out. Where they don't suffice for all the connections asked
/// for, files go first and the connections are fewer.
pub(super) fn fit(limits: Limits, descriptor_limit: u64) -> (Limits, DescriptorPlan) {
    /// Descriptors that files get before connections are cut, where a quarter of all is not less.
    const FILES: u64 = 4096;
    let files = FILES.min(descriptor_limit / 4);
    let asked = limits.connections as u64;
    if let Ok(shares) = descriptors::share_out(descriptor_limit, asked)
        && shares.pins_max + shares.roots_max + shares.bodies_max >= files
    {
        return (limits, shares);
    }
    let fitting = descriptor_limit
        .saturating_sub(descriptors::SERVER_RESERVE + files)
        .max(1);
    tracing::warn!(
        "this process may open {descriptor_limit} files: too few for limits.connections = {asked}; taking {fitting} \
         connections at most (raise the limit with `ulimit -n` or LimitNOFILE=)"
    );
    let shares = descriptors::share_out(descriptor_limit, fitting).unwrap_or(DescriptorPlan {
        pins_max: files / 2,
        roots_max: files / 4,
        bodies_max: files / 4,
    });
    let connections = usize::try_from(fitting).unwrap_or(usize::MAX);
    (
        Limits {
            connections,
            ..limits
        },
        shares,
    )
}
