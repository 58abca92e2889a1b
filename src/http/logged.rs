//! URLs as logs show them.

/// The URL without its query, which may be a signature or a token, and without a user, who may have a password.
#[must_use]
pub fn without_query(url: &str) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return "a URL with a user in it".to_owned();
    }
    let rest = if query.is_empty() { "" } else { "?..." };
    format!("{address}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_not_shown() {
        let signed = "https://a/b.wav?X-Amz-Signature=hidden?more";
        assert_eq!(without_query(signed), "https://a/b.wav?...");
        for user in ["http://a:hidden@b/c?d", "a:hidden@b"] {
            assert_eq!(without_query(user), "a URL with a user in it");
        }
        for plain in ["http://a/b@c", "https://a/b.wav", "", "no url"] {
            assert_eq!(without_query(plain), plain);
        }
    }
}
