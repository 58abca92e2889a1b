//! Bytes of the fuzz engine as what a target reads.

use crate::http::fields::Fields;

/// Field lines of `text`: a name, a colon and a value on each line. What may not stand in a head is left out.
#[must_use]
pub fn fields(text: &[u8]) -> Fields {
    let mut fields = Fields::new();
    for line in text.split(|byte| *byte == b'\n') {
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let (name, value) = line.split_at(colon);
            fields.push(name, &value[1..]);
        }
    }
    fields
}

/// Splits at the first empty line; the second part is empty where there is none.
#[must_use]
pub fn split_at_empty_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&text[..=at], &text[at + 2..]),
        None => (text, &[]),
    }
}
