//! Why the bytes that a body lacks do not come.

/// See the module's header. Whose fault it was stands at each cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// The origin broke off, sent other than it said, or was not to be had. The origin's.
    BrokenOff,
    /// The origin has another representation by now. The origin's; who asks again is given that one.
    Changed,
    /// What was stored of it was purged, evicted, or is not as it was written. Ours; who asks again has it fetched.
    Gone,
    /// Nobody seemed to want it any more. Ours; who asks again has it fetched.
    Unwanted,
    /// It is larger than what may be stored. Ours.
    TooLarge,
    /// The disk store has no room for it, and memory neither. Ours.
    NoRoom,
    /// The disk store fails, and memory has no room for it. Ours.
    StoreFailed,
    /// As many requests are with origins, or as much memory is in use, as may be. Ours.
    Busy,
}

impl BodyFault {
    /// Whether who asks again may be given it.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Changed | Self::Gone | Self::Unwanted)
    }
}
