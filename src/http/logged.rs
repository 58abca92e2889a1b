//! URLs as logs show them.

/// The URL without its query, which may be a signature or a token.
#[must_use]
pub fn without_query(url: &str) -> String {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
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
        for plain in ["https://a/b.wav", "", "no url"] {
            assert_eq!(without_query(plain), plain);
        }
    }
}
