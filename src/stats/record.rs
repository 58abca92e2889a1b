//! The compact form of an access record, between a worker and the log thread of the same process.
//!
//! ```text
//! u64 seconds | u64 body bytes | u64 nanoseconds | u16 millis | u16 status | u16 port | u8 family | 16 B address
//! u16 target | u16 referer | u16 user agent | u8 method | u8 version | u8 outcome | u8 host     (lengths in bytes)
//! method, target, version, outcome, referer, user agent, host                                  (the bytes)
//! ```
//!
//! Little-endian. Never leaves the process, so it has no version. Strings over their limit are cut and end in `...`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::access::AccessRecord;
use crate::units::UnixSeconds;

/// Longest method kept, in bytes.
pub const METHOD_BYTES_MAX: usize = 32;
/// Longest target kept, in bytes.
pub const TARGET_BYTES_MAX: usize = 8 << 10;
/// Longest protocol version kept, in bytes.
pub const VERSION_BYTES_MAX: usize = 16;
/// Longest outcome kept, in bytes.
pub const OUTCOME_BYTES_MAX: usize = 128;
/// Longest Referer kept, in bytes.
pub const REFERER_BYTES_MAX: usize = 2 << 10;
/// Longest User-Agent kept, in bytes.
pub const USER_AGENT_BYTES_MAX: usize = 1 << 10;
/// Longest Host kept, in bytes: a DNS name fits.
pub const HOST_BYTES_MAX: usize = 255;

/// The largest encoded record, in bytes.
pub const RECORD_BYTES_MAX: usize = HEAD_BYTES
    + METHOD_BYTES_MAX
    + TARGET_BYTES_MAX
    + VERSION_BYTES_MAX
    + OUTCOME_BYTES_MAX
    + REFERER_BYTES_MAX
    + USER_AGENT_BYTES_MAX
    + HOST_BYTES_MAX;

/// The fixed part, in bytes.
const HEAD_BYTES: usize = 8 + 8 + 8 + 2 + 2 + 2 + 1 + 16 + 2 + 2 + 2 + 1 + 1 + 1 + 1;

/// What ends a string that was cut.
const CUT_MARK: &[u8] = b"...";

const FAMILY_V4: u8 = 4;
const FAMILY_V6: u8 = 6;

impl<'a> AccessRecord<'a> {
    /// The size of the encoded record in bytes.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.strings()
            .iter()
            .fold(HEAD_BYTES, |sum, (bytes, max)| sum + bytes.len().min(*max))
    }

    /// Appends the record to `out`. Does not allocate where `out` has [`RECORD_BYTES_MAX`] bytes of room.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (family, address) = match self.peer.ip() {
            IpAddr::V4(address) => (FAMILY_V4, address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => (FAMILY_V6, address.octets()),
        };
        let nanos = u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX);
        out.extend_from_slice(&self.at.0.to_le_bytes());
        out.extend_from_slice(&self.body_bytes.to_le_bytes());
        out.extend_from_slice(&nanos.to_le_bytes());
        let millis = u16::try_from(self.at_millis).unwrap_or(999);
        out.extend_from_slice(&millis.to_le_bytes());
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&self.peer.port().to_le_bytes());
        out.push(family);
        out.extend_from_slice(&address);

        let strings = self.strings();
        let size = |at: usize| strings[at].0.len().min(strings[at].1);
        // The limits above fit their length fields: two bytes for target, referer and user agent, one for the others.
        for at in [1, 4, 5] {
            out.extend_from_slice(&(size(at) as u16).to_le_bytes());
        }
        for at in [0, 2, 3, 6] {
            out.push(size(at) as u8);
        }
        for (bytes, max) in strings {
            if bytes.len() > max {
                out.extend_from_slice(&bytes[..max - CUT_MARK.len()]);
                out.extend_from_slice(CUT_MARK);
            } else {
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Takes the first record off `bytes`; none at the end, or where the bytes are no record.
    #[must_use]
    pub fn decode(bytes: &mut &'a [u8]) -> Option<Self> {
        let mut rest = *bytes;
        let at = UnixSeconds(u64::from_le_bytes(take(&mut rest)?));
        let body_bytes = u64::from_le_bytes(take(&mut rest)?);
        let duration = Duration::from_nanos(u64::from_le_bytes(take(&mut rest)?));
        let at_millis = u32::from(u16::from_le_bytes(take(&mut rest)?));
        let status = u16::from_le_bytes(take(&mut rest)?);
        let port = u16::from_le_bytes(take(&mut rest)?);
        let [family] = take(&mut rest)?;
        let address = std::net::Ipv6Addr::from(take::<16>(&mut rest)?);
        let address = match family {
            FAMILY_V4 => IpAddr::V4(address.to_ipv4_mapped()?),
            _ => IpAddr::V6(address),
        };
        let target = u16::from_le_bytes(take(&mut rest)?);
        let referer = u16::from_le_bytes(take(&mut rest)?);
        let user_agent = u16::from_le_bytes(take(&mut rest)?);
        let [method, version, outcome, host] = take(&mut rest)?;
        let mut string = |size: usize| {
            let (string, after) = rest.split_at_checked(size)?;
            rest = after;
            Some(string)
        };
        let record = Self {
            peer: SocketAddr::new(address, port),
            at,
            at_millis,
            status,
            body_bytes,
            duration,
            method: string(method.into())?,
            target: string(target.into())?,
            version: std::str::from_utf8(string(version.into())?).unwrap_or(""),
            outcome: std::str::from_utf8(string(outcome.into())?).unwrap_or(""),
            referer: string(referer.into())?,
            user_agent: string(user_agent.into())?,
            host: string(host.into())?,
        };
        *bytes = rest;
        Some(record)
    }

    /// The strings in their order in the record, each with its limit.
    fn strings(&self) -> [(&'a [u8], usize); 7] {
        [
            (self.method, METHOD_BYTES_MAX),
            (self.target, TARGET_BYTES_MAX),
            (self.version.as_bytes(), VERSION_BYTES_MAX),
            (self.outcome.as_bytes(), OUTCOME_BYTES_MAX),
            (self.referer, REFERER_BYTES_MAX),
            (self.user_agent, USER_AGENT_BYTES_MAX),
            (self.host, HOST_BYTES_MAX),
        ]
    }
}

/// Takes the first `N` bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..32)
    }

    #[test]
    fn strings_over_their_limit_are_cut_and_marked() {
        let long = vec![b'a'; 20_000];
        let record = AccessRecord {
            method: &long,
            target: &long,
            referer: &long,
            user_agent: &long,
            host: &long,
            ..AccessRecord::default()
        };
        let mut out = Vec::new();
        record.encode(&mut out);
        assert_eq!(out.len(), record.encoded_bytes());
        assert!(out.len() <= RECORD_BYTES_MAX);
        let decoded = AccessRecord::decode(&mut out.as_slice()).unwrap();
        assert_eq!(decoded.target.len(), TARGET_BYTES_MAX);
        assert_eq!(decoded.host.len(), HOST_BYTES_MAX);
        for string in [decoded.method, decoded.target, decoded.user_agent] {
            assert!(string.ends_with(b"a..."));
        }
    }

    proptest! {
        #[test]
        fn records_come_back_as_they_went_in(
            strings in [any_bytes(), any_bytes(), any_bytes(), any_bytes(), any_bytes()],
            peer in any::<SocketAddr>(),
            numbers in any::<(u64, u16, u16, u64, u64)>(),
        ) {
            // Flow label and scope of an IPv6 peer are not kept.
            let peer = SocketAddr::new(peer.ip(), peer.port());
            let record = AccessRecord {
                peer,
                at: UnixSeconds(numbers.0),
                at_millis: u32::from(numbers.1),
                status: numbers.2,
                body_bytes: numbers.3,
                duration: Duration::from_nanos(numbers.4),
                method: &strings[0],
                target: &strings[1],
                version: "HTTP/1.1",
                outcome: "hit; detail=pin-memory",
                referer: &strings[2],
                user_agent: &strings[3],
                host: &strings[4],
            };
            let mut out = Vec::new();
            record.encode(&mut out);
            record.encode(&mut out);
            prop_assert_eq!(out.len(), 2 * record.encoded_bytes());
            let mut rest = out.as_slice();
            prop_assert_eq!(AccessRecord::decode(&mut rest), Some(record));
            prop_assert_eq!(AccessRecord::decode(&mut rest), Some(record));
            prop_assert_eq!(AccessRecord::decode(&mut rest), None);
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn decode_of_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut rest = bytes.as_slice();
            while AccessRecord::decode(&mut rest).is_some() {}
        }
    }
}
