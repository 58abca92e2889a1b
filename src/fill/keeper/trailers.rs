//! Trailer fields of a response on their way to the clients that read its body while it comes (RFC 9110 s6.5).

use super::{Keeper, KeeperCount};
use crate::fill::origin::OriginBody;
use crate::http::fields::Fields;
use crate::policy::trailers;
use crate::store::tail::Tail;

/// Most bytes of trailer fields that go on.
const BYTES_MAX: usize = 8 << 10;

/// Says which trailer fields the head of a response announces.
pub(super) fn announce(tail: &Tail, head: &Fields) {
    let names = trailers::announced(head);
    if !names.is_empty() {
        tail.announce(names);
    }
}

impl Keeper {
    /// Has the trailer fields of a body that has come to its end go on behind it.
    pub(super) fn take_trailers(&self, tail: &Tail, body: &OriginBody) {
        let Some(received) = body.trailers() else {
            return;
        };
        let fields = trailers::forwarded(received);
        if fields.as_bytes().len() > BYTES_MAX {
            self.counts.bump(KeeperCount::TrailersDropped);
        } else if !fields.as_bytes().is_empty() {
            tail.put(fields.as_bytes().to_vec());
        }
    }
}
