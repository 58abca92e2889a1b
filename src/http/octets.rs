//! Classes of octets that several grammars share.

/// Whether `byte` is a tchar (RFC 9110 s5.6.2).
pub(super) const fn is_tchar(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
}

/// Which octets are a tchar: a look at a table is quicker than a row of comparisons, and heads are full of names.
static TCHARS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_tchar(byte as u8);
        byte += 1;
    }
    table
};

/// Whether `bytes` are a token (RFC 9110 s5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| TCHARS[usize::from(byte)])
}

/// Whether `byte` may stand in a field value: VCHAR, obs-text, SP or HTAB (RFC 9110 s5.5).
pub(super) const fn is_field_content(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether all of `bytes` may stand in a field value. Looks at all of them, by many at a time.
pub(super) fn are_field_content(bytes: &[u8]) -> bool {
    let wrong = |all: bool, &byte: &u8| all | !is_field_content(byte);
    !bytes.iter().fold(false, wrong)
}

/// Whether `byte` is unreserved (RFC 3986 s2.3).
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether `byte` is one of the sub-delims (RFC 3986 s2.2).
pub(super) const fn is_sub_delim(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    )
}

/// Whether `byte` may stand literally in a path segment (RFC 3986 s3.3, pchar without pct-encoded).
pub(super) const fn is_pchar(byte: u8) -> bool {
    is_unreserved(byte) || is_sub_delim(byte) || matches!(byte, b':' | b'@')
}

/// The value of a hexadecimal digit of either case.
pub(super) const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The octet that two hexadecimal digits stand for, where both are digits.
pub(super) fn hex_octet(digits: &[u8]) -> Option<u8> {
    match *digits {
        [high, low, ..] => Some(hex_value(high)? << 4 | hex_value(low)?),
        _ => None,
    }
}

/// `bytes` without optional white space at either end (RFC 9110 s5.6.3).
pub(super) fn trim_ows(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
