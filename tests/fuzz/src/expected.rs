//! What directives of responses say, from their names and arguments: the strictest of each, by the letter of RFC 9111 s5.2.2.

use crate::http::cache_control::{DELTA_MAX, Delta, Qualified, ResponseDirectives};

/// Fields that a response can't do without.
const ESSENTIAL: [&str; 3] = ["vary", "content-encoding", "content-type"];

/// A directive's argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// There is none.
    None,
    /// Text: a token, or what a quoted string stands for.
    Text(Vec<u8>),
    /// A number that came as one.
    Number(i64),
    /// Something that no directive has.
    Odd,
}

impl Argument {
    /// Its seconds; none where it is no non-negative integer.
    #[must_use]
    pub fn seconds(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number)
                .ok()
                .map(|value| value.min(DELTA_MAX)),
            Self::Text(text) if !text.is_empty() && text.iter().all(u8::is_ascii_digit) => {
                let digits = std::str::from_utf8(text).ok()?;
                // What is too long for a number is too long for the limit.
                Some(digits.parse().unwrap_or(DELTA_MAX).min(DELTA_MAX))
            }
            Self::Text(_) | Self::None | Self::Odd => None,
        }
    }

    /// Its field names; none where it is no list of them.
    fn names(&self) -> Option<Vec<String>> {
        let Self::Text(text) = self else {
            return None;
        };
        let text = std::str::from_utf8(text).ok()?;
        let names = text
            .split(',')
            .map(|name| name.trim_matches([' ', '\t']))
            .filter(|name| !name.is_empty());
        let is_name = |name: &str| name.bytes().all(is_tchar);
        let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
        (!names.is_empty() && names.iter().all(|name| is_name(name))).then_some(names)
    }
}

/// Whether an octet may stand in a token (RFC 9110 s5.6.2).
#[must_use]
pub fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What the directives say together.
#[must_use]
pub fn response(directives: &[(String, Argument)], targeted: bool) -> ResponseDirectives {
    let all = |wanted: &str| -> Vec<&Argument> {
        let named = directives.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, argument)| argument).collect()
    };
    let is_there = |name: &str| !all(name).is_empty();
    let is_bare = |name: &str| all(name).contains(&&Argument::None);
    let lifetime = |name: &str| {
        let read = |argument: &&Argument| argument.seconds().map_or(Delta::Invalid, Delta::Seconds);
        all(name).iter().map(read).min()
    };
    let window = |name: &str| {
        let read = |argument: &&Argument| argument.seconds().unwrap_or(0);
        all(name).iter().map(read).min()
    };
    ResponseDirectives {
        targeted,
        max_age: lifetime("max-age"),
        s_maxage: lifetime("s-maxage"),
        no_cache: qualified(&all("no-cache")),
        private: qualified(&all("private")),
        no_store: is_there("no-store"),
        must_understand: is_bare("must-understand"),
        must_revalidate: is_there("must-revalidate"),
        proxy_revalidate: is_there("proxy-revalidate"),
        public: is_bare("public"),
        no_transform: is_there("no-transform"),
        immutable: is_bare("immutable"),
        stale_while_revalidate: window("stale-while-revalidate"),
        stale_if_error: window("stale-if-error"),
    }
}

/// About some fields only where every occurrence says so, and none of them is essential.
fn qualified(arguments: &[&Argument]) -> Qualified {
    let mut fields = Vec::new();
    for argument in arguments {
        match argument.names() {
            Some(names) if names.iter().all(|name| !ESSENTIAL.contains(&name.as_str())) => {
                fields.extend(names.into_iter().map(String::into_boxed_str));
            }
            _ => return Qualified::Whole,
        }
    }
    if fields.is_empty() {
        Qualified::No
    } else {
        Qualified::Fields(fields)
    }
}
