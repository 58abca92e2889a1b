//! The normal form of Accept-Encoding: the set of codings that an answer may have (RFC 9110 s12.5.3).
//!
//! Weights above zero do not count: a client that accepts two codings can read both, whichever it would rather have. Nor
//! do order, case, and codings refused that were not accepted anyway. Codings that we do not know count like any other,
//! because the origin may know them. What is malformed, or names very many codings, has no normal form and is compared
//! octet by octet: nobody can tell what an origin makes of it.

use super::is_token;
use crate::http::list;

/// The most codings that a set may name apart from `*` and identity.
const CODINGS_MAX: usize = 16;

/// The codings that a request accepts. Holds no memory of its own.
pub(super) struct Accepted<'r> {
    /// Names and whether they are accepted; only the first `count`.
    named: [(&'r [u8], bool); CODINGS_MAX],
    count: usize,
    /// Whether codings that are not named are accepted.
    others: bool,
    identity: bool,
}

impl<'r> Accepted<'r> {
    /// Reads the field's lines; none where they have no normal form.
    pub(super) fn read(lines: impl Iterator<Item = &'r [u8]>) -> Option<Self> {
        let mut set = Self {
            named: [(&[], false); CODINGS_MAX],
            count: 0,
            others: false,
            identity: true,
        };
        let (mut star, mut identity) = (None::<bool>, None::<bool>);
        for element in lines.flat_map(list::elements) {
            let (name, is_accepted) = read_element(element)?;
            // As in `http::accept_encoding`: of a coding named twice, the higher weight counts.
            match name {
                b"*" => star = star.max(Some(is_accepted)),
                _ if name.eq_ignore_ascii_case(b"identity") => {
                    identity = identity.max(Some(is_accepted));
                }
                _ => set.note(name, is_accepted)?,
            }
        }
        set.others = star.unwrap_or(false);
        // Identity is acceptable unless it is excluded by name, or by `*` where it is not named.
        set.identity = identity.or(star).unwrap_or(true);
        set.keep_telling();
        Some(set)
    }

    /// Takes in a coding; none where there are too many.
    fn note(&mut self, name: &'r [u8], is_accepted: bool) -> Option<()> {
        let known = self.named.get_mut(..self.count)?;
        if let Some((_, accepted)) = known
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            *accepted |= is_accepted;
            return Some(());
        }
        *self.named.get_mut(self.count)? = (name, is_accepted);
        self.count += 1;
        Some(())
    }

    /// Keeps, in order, the codings that are treated otherwise than those not named.
    fn keep_telling(&mut self) {
        let mut kept = 0;
        for at in 0..self.count {
            if self.named[at].1 != self.others {
                self.named[kept] = self.named[at];
                kept += 1;
            }
        }
        self.count = kept;
        let lower = |name: &'r [u8]| name.iter().map(u8::to_ascii_lowercase);
        self.named[..kept].sort_unstable_by(|(left, _), (right, _)| lower(left).cmp(lower(right)));
    }

    /// The set as bytes: two flags, then the names in lower case, each with its size before it.
    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> {
        let flags = u8::from(self.others) | u8::from(self.identity) << 1;
        let names = self.named[..self.count].iter().flat_map(|(name, _)| {
            // `read_element` lets no longer name through.
            let size = u8::try_from(name.len()).unwrap_or(u8::MAX);
            std::iter::once(size).chain(name.iter().map(u8::to_ascii_lowercase))
        });
        std::iter::once(flags).chain(names)
    }
}

/// A set that [`Accepted::bytes`] gave, as an Accept-Encoding that has it.
pub(super) fn words(bytes: &[u8]) -> String {
    let (flags, mut rest) = bytes.split_first().unwrap_or((&0, &[]));
    let (others, identity) = (flags & 1 != 0, flags & 2 != 0);
    let mut words: Vec<String> = Vec::new();
    if others {
        words.push("*".to_owned());
    }
    while let Some((name, after)) = rest
        .split_first()
        .and_then(|(size, rest)| rest.split_at_checked(usize::from(*size)))
    {
        let name = String::from_utf8_lossy(name);
        words.push(if others {
            format!("{name};q=0")
        } else {
            name.into_owned()
        });
        rest = after;
    }
    match (identity, words.is_empty()) {
        (false, _) => words.push("identity;q=0".to_owned()),
        (true, true) => words.push("identity".to_owned()),
        (true, false) => {}
    }
    words.join(", ")
}

/// The coding that an element names, and whether it is accepted; none where it is malformed.
fn read_element(element: &[u8]) -> Option<(&[u8], bool)> {
    let mut parts = element.splitn(2, |byte| *byte == b';');
    let name = parts.next()?.trim_ascii();
    let is_accepted = match parts.next() {
        Some(parameter) => is_above_zero(parameter.trim_ascii())?,
        None => true,
    };
    if !is_token(name) || u8::try_from(name.len()).is_err() {
        return None;
    }
    // RFC 9110 s8.4.1: both names of these are the same coding.
    let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
    let name: &[u8] = match () {
        () if is(b"x-gzip") => b"gzip",
        () if is(b"x-compress") => b"compress",
        () => name,
    };
    Some((name, is_accepted))
}

/// Whether a weight, `q=` and a qvalue (RFC 9110 s12.4.2), is more than zero; none where it is malformed.
fn is_above_zero(parameter: &[u8]) -> Option<bool> {
    let [b'q' | b'Q', b'=', whole, fraction @ ..] = parameter else {
        return None;
    };
    let digits = match fraction {
        [] => fraction,
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    match whole {
        b'0' if digits.iter().all(u8::is_ascii_digit) => {
            Some(digits.iter().any(|digit| *digit != b'0'))
        }
        b'1' if digits.iter().all(|digit| *digit == b'0') => Some(true),
        _ => None,
    }
}
