//! Selections in words, for those who ask why a stored response was chosen or not.

use super::{ABSENT, AS_CODINGS, Nominated, codings};

/// The fields of a selection with their values in normal form; no value where the request did not have the field. Ends where
/// the bytes are no selection.
pub fn fields(selection: &[u8]) -> impl Iterator<Item = (&str, Option<String>)> {
    let mut rest = selection;
    std::iter::from_fn(move || {
        let (nominated, after) = Nominated::split(rest)?;
        rest = after;
        let value = match nominated.kind {
            ABSENT => None,
            AS_CODINGS => Some(codings::words(nominated.value)),
            _ => Some(String::from_utf8_lossy(nominated.value).into_owned()),
        };
        Some((nominated.name, value))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Names, Vary, selection};
    use super::*;
    use crate::http::fields::Fields;

    fn words(vary: &str, request: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        let response: Fields = [("Vary", vary)].into_iter().collect();
        let Vary::By(names) = Names::of(&response) else {
            panic!("{vary}");
        };
        let request: Fields = request.iter().copied().collect();
        let selection = selection(&names, &request).unwrap();
        let words = fields(&selection);
        words
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    #[test]
    fn selection_is_told_field_by_field() {
        let found = words(
            "X-Shape, Accept-Language, Cookie",
            &[("accept-language", "DE, en;q=0.5"), ("x-shape", " round ")],
        );
        let expected = [
            ("accept-language", Some("de,en;q=0.5")),
            ("cookie", None),
            ("x-shape", Some("round")),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        assert_eq!(found, expected);
        assert_eq!(fields(b"").count(), 0);
        assert_eq!(fields(b"\x09short").count(), 0);
    }

    #[test]
    fn codings_are_told_as_the_set_that_may_be_sent() {
        let cases = [
            ("gzip;q=0.5, BR", "br, gzip"),
            ("identity", "identity"),
            ("gzip, identity;q=0", "gzip, identity;q=0"),
            ("*, br;q=0", "*, br;q=0"),
        ];
        for (sent, told) in cases {
            let found = words("Accept-Encoding", &[("Accept-Encoding", sent)]);
            assert_eq!(found[0].1.as_deref(), Some(told), "{sent}");
        }
    }
}
