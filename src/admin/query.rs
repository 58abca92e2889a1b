//! The query of a request to the admin API: `name=value` with `&` between, percent-encoded, `+` for a space.

/// A query's parameters in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query. None where it is not percent-encoded UTF-8, or has a parameter that is not among `known`.
    #[must_use]
    pub fn read(query: &str, known: &[&str]) -> Option<Self> {
        let parts = query.split('&').filter(|part| !part.is_empty());
        let parameters = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decoded(name)?;
            known
                .contains(&name.as_str())
                .then_some((name, decoded(value)?))
        });
        parameters.collect::<Option<Vec<_>>>().map(Self)
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// All values of a parameter.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }
}

/// The text that was percent-encoded.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [octet, after @ ..] = rest {
        rest = after;
        match octet {
            b'+' => octets.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_first_chunk::<2>()?;
                let digit = |octet: u8| char::from(octet).to_digit(16);
                let octet = digit(digits[0])? << 4 | digit(digits[1])?;
                octets.push(u8::try_from(octet).ok()?);
                rest = after;
            }
            octet => octets.push(*octet),
        }
    }
    String::from_utf8(octets).ok()
}

/// `text` as it may stand in a query's value.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut query = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~:/".contains(&octet) {
            query.push(char::from(octet));
        } else {
            query.push_str(&format!("%{octet:02X}"));
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_decoded_in_their_order() {
        let query = Query::read("a=1&b=x%20y+z&&a=%C3%A4%26", &["a", "b"]).unwrap();
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "ä&"]);
        assert_eq!(query.first("b"), Some("x y z"));
        assert_eq!(query.first("c"), None);
        assert_eq!(Query::read("", &[]), Some(Query::default()));
        assert_eq!(Query::read("a", &["a"]).unwrap().first("a"), Some(""));
    }

    #[test]
    fn query_that_is_unknown_or_broken_is_none() {
        for query in ["c=1", "a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert_eq!(Query::read(query, &["a"]), None, "{query}");
        }
    }

    #[test]
    fn text_comes_back_from_a_query() {
        for text in ["", "http://a/b?c=d&e=f#g", "a+b %41 ä\r\n"] {
            let query = format!("a={}", encoded(text));
            let read = Query::read(&query, &["a"]).unwrap();
            assert_eq!(read.first("a"), Some(text));
        }
    }
}
