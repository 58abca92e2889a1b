//! HTTP dates (RFC 9110 s5.6.7).
//!
//! No clock enters here. So a two-digit year cannot be read against today, as RFC 9110 would have it: 70 to 99 are the
//! twentieth century, 00 to 69 the twenty-first.

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use httpdate::HttpDate;

use crate::units::UnixSeconds;

/// The last second that the format can express: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

/// The length of the longest date, which the RFC 850 form has: "Wednesday, 09-Nov-94 08:49:37 GMT".
const LENGTH_MAX: usize = 33;

/// Reads a date in any of the three forms: IMF-fixdate, RFC 850 and asctime.
///
/// Names of days and months are case-sensitive, and the day of the week must be the date's own. `None` for all else, for
/// dates before 1970 and for leap seconds.
#[must_use]
pub fn parse(value: &[u8]) -> Option<UnixSeconds> {
    // The library passes over white space at the ends, of any alphabet, and over what stands before an RFC 850 date's hour.
    let is_bare = |end: Option<&u8>| end.is_some_and(u8::is_ascii_alphanumeric);
    let is_spaced = match value {
        [.., b'G', b'M', b'T'] => matches!(
            value,
            [.., b' ', _, _, b':', _, _, b':', _, _, b' ', _, _, _]
        ),
        _ => true,
    };
    if value.len() > LENGTH_MAX || !is_bare(value.first()) || !is_bare(value.last()) || !is_spaced {
        return None;
    }
    let text = std::str::from_utf8(value).ok()?;
    let since_epoch = httpdate::parse_http_date(text)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    Some(UnixSeconds(since_epoch.as_secs()))
}

/// Reads a date as [`parse`] does, with letters in any case, as caches do to tell freshness (RFC 9111 s4.2).
#[must_use]
pub fn parse_in_any_case(value: &[u8]) -> Option<UnixSeconds> {
    let mut canonical = [0; LENGTH_MAX];
    let text = canonical.get_mut(..value.len())?;
    let mut is_inside_word = false;
    for (canonical, octet) in text.iter_mut().zip(value) {
        *canonical = if is_inside_word {
            octet.to_ascii_lowercase()
        } else {
            octet.to_ascii_uppercase()
        };
        is_inside_word = octet.is_ascii_alphabetic();
    }
    if let [.., b'G', m @ b'm', t @ b't'] = text {
        (*m, *t) = (b'M', b'T');
    }
    parse(text)
}

/// Writes `time` as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`. Times past the year 9999 become its last second.
#[must_use]
pub fn format(time: UnixSeconds) -> [u8; 29] {
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(time.0.min(LAST)));
    let written = write!(text.as_mut_slice(), "{date}");
    debug_assert!(written.is_ok(), "an IMF-fixdate has 29 bytes");
    text
}

#[cfg(test)]
mod tests;
