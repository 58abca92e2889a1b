//! FreeSWITCH's words for its HTTP cache (mod_http_cache), taken apart. Pure.
//!
//! ```text
//! http_get {name=value,name=value}{...}<url>         options in braces, in any number of groups
//! http_get {^^:name=value:name=value}<url>           another separator, for values with commas
//! ```
//!
//! Where a name comes twice the last one counts, and unknown ones are let be, as there. A value may stand in single quotes, and a backslash
//! takes the meaning from the letter behind it.

/// A command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// `http_get`.
    Get(Options, String),
    /// `http_tryget`.
    TryGet(Options, String),
    /// `http_prefetch`.
    Prefetch(Options, String),
    /// `http_put`: what is sent to the URL is the file at the path.
    Put(Options, String, String),
    /// `http_remove_cache`.
    Remove(String),
    /// `http_clear_cache`.
    Clear,
    /// Arguments that a word does not take: what it takes, as there.
    Usage(&'static str),
    /// Braces that are not closed: there is no URL.
    Unclosed,
    /// No word of these.
    Unknown(String),
}

/// The options in braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// What is stored is not good enough.
    pub(super) refresh: bool,
    /// Nobody wants to wait where somebody else fetches it already.
    pub(super) prefetch: bool,
    /// The credentials that the origin is asked with.
    pub(super) profile: Option<String>,
}

const USAGE_URL: &str = "{param=val}<url>";
const USAGE_PUT: &str = "{param=val}<url> <file>";
const USAGE_REMOVE: &str = "<url>";
const USAGE_CLEAR: &str = "";

/// Takes a command line apart.
pub(super) fn parse(line: &str) -> Words {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let with_url = |made: fn(Options, String) -> Words| match (rest, options(rest)) {
        ("", _) => Words::Usage(USAGE_URL),
        (_, Some((options, url))) => made(options, url.to_owned()),
        (_, None) => Words::Unclosed,
    };
    match word {
        "http_get" => with_url(Words::Get),
        "http_tryget" => with_url(Words::TryGet),
        "http_prefetch" => with_url(Words::Prefetch),
        "http_put" => put(rest),
        "http_remove_cache" => match (rest, options(rest)) {
            ("", _) => Words::Usage(USAGE_REMOVE),
            (_, Some((_, url))) => Words::Remove(url.to_owned()),
            (_, None) => Words::Unclosed,
        },
        "http_clear_cache" if rest.is_empty() => Words::Clear,
        "http_clear_cache" => Words::Usage(USAGE_CLEAR),
        unknown => Words::Unknown(unknown.to_owned()),
    }
}

fn put(rest: &str) -> Words {
    let Some((options, arguments)) = options(rest) else {
        return Words::Unclosed;
    };
    let mut arguments = separated(arguments, ' ')
        .into_iter()
        .filter(|it| !it.is_empty());
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(url), Some(file), None) => Words::Put(options, url, file),
        _ => Words::Usage(USAGE_PUT),
    }
}

/// The options at the start of `text`, and what is behind them; none where a brace is not closed.
fn options(text: &str) -> Option<(Options, &str)> {
    let mut options = Options::default();
    let mut rest = text.trim_start_matches(' ');
    while rest.starts_with('{') {
        let end = closing_brace(rest)?;
        let group = rest.get(1..end)?;
        rest = rest.get(end + 1..)?.trim_start_matches(' ');
        let (separator, group) = separator_of(group);
        for part in separated(group, separator) {
            if let Some((name, value)) = part.split_once('=') {
                options.set(name.trim(), value.trim());
            }
        }
    }
    Some((options, rest.trim()))
}

impl Options {
    fn set(&mut self, name: &str, value: &str) {
        match name {
            "refresh" => self.refresh = is_true(value),
            "prefetch" => self.prefetch = is_true(value),
            "profile" => self.profile = Some(value.to_owned()).filter(|name| !name.is_empty()),
            _ => {}
        }
    }
}

/// The place of the brace that closes the one at the start; none where none does.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (place, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(place);
                }
            }
            _ => {}
        }
    }
    None
}

/// What separates the options of a group, and the group without the mark that says so.
fn separator_of(group: &str) -> (char, &str) {
    let marked = group.strip_prefix("^^").and_then(|rest| {
        let separator = rest.chars().next()?;
        Some((separator, rest.get(separator.len_utf8()..)?))
    });
    marked.unwrap_or((',', group))
}

/// The parts of a text between separators, without the quotes and backslashes that keep them together.
fn separated(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let Some(part) = parts.last_mut() else {
            break;
        };
        match letter {
            '\'' => is_quoted = !is_quoted,
            '\\' => part.extend(letters.next()),
            letter if letter == separator && !is_quoted => parts.push(String::new()),
            letter => part.push(letter),
        }
    }
    parts
}

/// Whether a value means yes, there: one of these words, or a number that is not zero.
fn is_true(value: &str) -> bool {
    let words = ["yes", "on", "true", "t", "enabled", "active", "allow"];
    let is_word = words.iter().any(|word| value.eq_ignore_ascii_case(word));
    is_word || value.parse::<f64>().is_ok_and(|number| number != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(refresh: bool, prefetch: bool, profile: &str) -> Options {
        Options {
            refresh,
            prefetch,
            profile: Some(profile.to_owned()).filter(|name| !name.is_empty()),
        }
    }

    fn get(refresh: bool, prefetch: bool, profile: &str, url: &str) -> Words {
        Words::Get(options(refresh, prefetch, profile), url.to_owned())
    }

    #[test]
    fn options_in_braces_are_read_as_there() {
        let url = "http://a/b.wav";
        for (braces, expected) in [
            ("", options(false, false, "")),
            ("{}", options(false, false, "")),
            ("{refresh=true}", options(true, false, "")),
            ("{refresh=yes}", options(true, false, "")),
            ("{refresh=1}", options(true, false, "")),
            ("{refresh=false}", options(false, false, "")),
            ("{refresh=0}", options(false, false, "")),
            ("{refresh}", options(false, false, "")),
            ("{profile=s3}", options(false, false, "s3")),
            ("{refresh=true,profile=s3}", options(true, false, "s3")),
            ("{refresh=true}{profile=s3}", options(true, false, "s3")),
            ("{refresh=true} {profile=s3} ", options(true, false, "s3")),
            (
                "{ refresh = true , prefetch=true }",
                options(true, true, ""),
            ),
            ("{^^:refresh=true:profile=a,b}", options(true, false, "a,b")),
            ("{^^|profile=a:b|refresh=on}", options(true, false, "a:b")),
            ("{profile='a,b',refresh=true}", options(true, false, "a,b")),
            ("{profile=a\\,b}", options(false, false, "a,b")),
            ("{refresh=true,refresh=false}", options(false, false, "")),
            ("{unknown=x,profile=p=q}", options(false, false, "p=q")),
            ("{profile={x}}", options(false, false, "{x}")),
        ] {
            let words = parse(&format!("http_get {braces}{url}"));
            assert_eq!(words, Words::Get(expected, url.to_owned()), "{braces}");
        }
    }

    #[test]
    fn words_take_the_arguments_that_they_take_there() {
        let none = Options::default;
        let cases = [
            (
                "http_get http://a/?b={c}",
                get(false, false, "", "http://a/?b={c}"),
            ),
            (
                "  http_get   http://a/  ",
                get(false, false, "", "http://a/"),
            ),
            ("http_get", Words::Usage(USAGE_URL)),
            ("http_get  ", Words::Usage(USAGE_URL)),
            ("http_get {refresh=true", Words::Unclosed),
            ("http_get {refresh=true}", get(true, false, "", "")),
            (
                "http_tryget http://a/",
                Words::TryGet(none(), "http://a/".to_owned()),
            ),
            ("http_tryget", Words::Usage(USAGE_URL)),
            (
                "http_prefetch http://a/",
                Words::Prefetch(none(), "http://a/".to_owned()),
            ),
            ("http_prefetch", Words::Usage(USAGE_URL)),
            (
                "http_put {profile=p}http://a/b /tmp/c.wav",
                Words::Put(
                    options(false, false, "p"),
                    "http://a/b".to_owned(),
                    "/tmp/c.wav".to_owned(),
                ),
            ),
            (
                "http_put http://a/b '/tmp/c d.wav'",
                Words::Put(none(), "http://a/b".to_owned(), "/tmp/c d.wav".to_owned()),
            ),
            ("http_put", Words::Usage(USAGE_PUT)),
            ("http_put http://a/b", Words::Usage(USAGE_PUT)),
            ("http_put http://a/b c d", Words::Usage(USAGE_PUT)),
            (
                "http_remove_cache http://a/",
                Words::Remove("http://a/".to_owned()),
            ),
            (
                "http_remove_cache {x=y}http://a/",
                Words::Remove("http://a/".to_owned()),
            ),
            ("http_remove_cache", Words::Usage(USAGE_REMOVE)),
            ("http_clear_cache", Words::Clear),
            ("http_clear_cache now", Words::Usage(USAGE_CLEAR)),
            (
                "http_bake http://a/",
                Words::Unknown("http_bake".to_owned()),
            ),
            ("", Words::Unknown(String::new())),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), expected, "{line}");
        }
    }
}
