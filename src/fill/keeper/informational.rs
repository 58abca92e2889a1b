//! Informational (1xx) responses of an origin on their way to a client (RFC 9110 s15.2).
//!
//! They go to the client whose request is with the origin and to nobody else: not to those who wait for its answer too, not
//! to an HTTP/1.0 client (s15.2), and never into the store. 100 stays here: Expect does not go on, since a gateway answers
//! it like an origin server (s10.1.1), so that the client has had its 100. 101 is no informational response but a fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Keeper, KeeperCount};
use crate::cache::order::{Fetch, Filled, Outcome};
use crate::fill::origin::Informational;
use crate::http::fields::Fields;
use crate::http::head::Version;
use crate::http::message;
use crate::policy::forwarding;
use crate::sys::clock;

/// Most that are passed on for one request.
const COUNT_MAX: usize = 8;

/// Most bytes of one.
const BYTES_MAX: usize = 8 << 10;

impl Keeper {
    /// Takes what comes before the answer to `fetch`.
    pub(super) fn informational(&self, fetch: &Fetch) -> Informational {
        let asker = fetch.asker.filter(|_| fetch.version == Version::Http11);
        let counts = Arc::clone(&self.counts);
        let delivery = self.round.delivery();
        let passed = AtomicUsize::new(0);
        Informational::new(move |status, fields| {
            let Some(asker) = asker.filter(|_| status != 100) else {
                counts.bump(KeeperCount::InformationalKept);
                return;
            };
            let head = head_of(status, &fields);
            // The origin's connection calls this one after the other, on one thread.
            let number = passed.load(Ordering::Relaxed);
            if number >= COUNT_MAX || head.len() > BYTES_MAX {
                counts.bump(KeeperCount::InformationalDropped);
                return;
            }
            passed.store(number + 1, Ordering::Relaxed);
            counts.bump(KeeperCount::InformationalPassed);
            let filled = Filled {
                ticket: asker.ticket,
                outcome: Outcome::Informational(head.into()),
                checked_at: clock::mono(),
            };
            // Not with the round: what the origin's client calls may be called on any thread.
            delivery.put(asker.worker, filled);
            delivery.ring(asker.worker);
        })
    }
}

/// The response as it is sent.
fn head_of(status: u16, fields: &Fields) -> Vec<u8> {
    let fields = forwarding::informational_fields(fields);
    let mut head = Vec::with_capacity(64 + fields.as_bytes().len());
    message::append_status_line(&mut head, status);
    head.extend_from_slice(fields.as_bytes());
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_s15_2_a_head_has_no_fields_of_a_connection_or_of_a_body() {
        let fields: Fields = [
            ("Link", "</a.css>; rel=preload"),
            ("Connection", "X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Content-Length", "7"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", "X-Sum"),
            ("Proxy-Authenticate", "Basic"),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            head_of(103, &fields),
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        );
        assert_eq!(head_of(199, &Fields::new()), b"HTTP/1.1 199 \r\n\r\n");
    }
}
