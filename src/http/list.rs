//! Comma-separated lists in field values (RFC 9110 s5.6.1).
//!
//! For lists whose elements cannot hold a comma. Entity-tags can: they have a reader of their own in `etag`.

use super::octets::trim_ows;

/// The elements of a list, trimmed. Empty ones are left out (RFC 9110 s5.6.1.2).
pub fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trim_ows)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod rfc9110_s5_6_1 {
    use super::elements;

    #[test]
    fn empty_elements_and_whitespace_are_dropped() {
        let cases: [(&[u8], &[&[u8]]); 6] = [
            (b"", &[]),
            (b" ,\t, ,", &[]),
            (b"a", &[b"a"]),
            (b" a ,b", &[b"a", b"b"]),
            (b",a,,\tb c\t,", &[b"a", b"b c"]),
            (b"\ta ", &[b"a"]),
        ];
        for (value, wanted) in cases {
            let found: Vec<&[u8]> = elements(value).collect();
            assert_eq!(found, wanted, "{:?}", value.escape_ascii().to_string());
        }
    }
}
