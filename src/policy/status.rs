//! What caches know of statuses (RFC 9110 s15, RFC 9111 s3).

/// Whether a response of this status may be given a lifetime that it does not state (RFC 9110 s15.1: "heuristically
/// cacheable").
#[must_use]
pub const fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether it is final (RFC 9110 s15); what is no status at all is not.
#[must_use]
pub const fn is_final(status: u16) -> bool {
    matches!(status, 200..=599)
}

/// Whether what caches have to do with it is known and done here (RFC 9111 s3: "understood").
#[must_use]
pub const fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200..=206 | 300..=304 | 307 | 308 | 400..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431 | 451 | 500..=505 | 511
    )
}

/// Whether it speaks of one request or one client only, so that it answers nobody else's.
///
/// 304, 412, 416 and 417 answer fields that are no part of the key (RFC 9110 s13, s14.2, s10.1.1), 407 is between client and
/// proxy, 425 is about early data (RFC 8470 s5.2); 428, 429, 431 and 511 must not be stored (RFC 6585).
#[must_use]
pub const fn is_for_one_request(status: u16) -> bool {
    matches!(
        status,
        304 | 407 | 412 | 416 | 417 | 425 | 428 | 429 | 431 | 511
    )
}

/// Whether it tells what the URL's next requests will be answered with: it speaks neither of one request or client nor of the moment.
#[must_use]
pub const fn is_of_the_resource(status: u16) -> bool {
    matches!(
        status,
        200..=205 | 207..=303 | 305..=399 | 404 | 405 | 410 | 414 | 451
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_s15_1_heuristically_cacheable_statuses_are_twelve() {
        let found: Vec<u16> = (0..=u16::MAX)
            .filter(|&status| is_heuristically_cacheable(status))
            .collect();
        assert_eq!(
            found,
            [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]
        );
        assert!(found.into_iter().all(is_understood));
    }

    #[test]
    fn rfc9110_s15_only_three_digits_from_200_to_599_are_final() {
        for (status, wanted) in [
            (0, false),
            (100, false),
            (199, false),
            (200, true),
            (299, true),
            (599, true),
            (600, false),
            (999, false),
        ] {
            assert_eq!(is_final(status), wanted, "{status}");
        }
    }

    #[test]
    fn a_status_of_one_request_or_of_the_moment_is_not_of_the_resource() {
        for status in 0..=u16::MAX {
            let is_moment = matches!(status, 400 | 401 | 403 | 408 | 500..);
            let is_other = is_for_one_request(status) || is_moment || !is_final(status);
            assert!(!(is_other && is_of_the_resource(status)), "{status}");
        }
        assert!(is_of_the_resource(200) && is_of_the_resource(302) && is_of_the_resource(404));
        // A part is of one range.
        assert!(!is_of_the_resource(206));
    }

    #[test]
    fn rfc6585_statuses_of_one_client_are_known() {
        for status in [428, 429, 431, 511] {
            assert!(is_for_one_request(status), "{status}");
        }
        assert!(!is_for_one_request(200) && !is_for_one_request(404));
    }
}
