//! Choice of a content coding (RFC 9110 s12.5.3).
//!
//! Malformed elements are ignored, as are codings that we do not have: neither can make a request fail.

use super::list::elements;
use super::octets::trim_ows;

/// A content coding that a representation can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// No coding.
    Identity,
    /// gzip (RFC 9110 s8.4.1.3).
    Gzip,
    /// br (RFC 7932).
    Brotli,
    /// zstd (RFC 8878).
    Zstd,
}

impl Coding {
    /// All codings, the one that we would rather send first: among equal weights the earlier wins.
    const PREFERRED: [Self; 4] = [Self::Brotli, Self::Zstd, Self::Gzip, Self::Identity];

    /// The Content-Encoding line of an answer in this coding; empty for identity.
    #[must_use]
    pub const fn content_encoding_line(self) -> &'static [u8] {
        match self {
            Self::Identity => b"",
            Self::Gzip => b"Content-Encoding: gzip\r\n",
            Self::Brotli => b"Content-Encoding: br\r\n",
            Self::Zstd => b"Content-Encoding: zstd\r\n",
        }
    }

    /// The coding of that name. Names are case-insensitive, `x-gzip` is gzip (RFC 9110 s8.4.1).
    fn named(name: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], Coding); 5] = [
            (b"gzip", Coding::Gzip),
            (b"br", Coding::Brotli),
            (b"zstd", Coding::Zstd),
            (b"identity", Coding::Identity),
            (b"x-gzip", Coding::Gzip),
        ];
        NAMES
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known))
            .map(|(_, coding)| *coding)
    }
}

/// A set of codings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codings(pub u8);

impl Codings {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// This set and `coding`.
    #[must_use]
    pub const fn with(self, coding: Coding) -> Self {
        Self(self.0 | 1 << coding as u8)
    }

    /// Adds `coding`.
    pub const fn insert(&mut self, coding: Coding) {
        *self = self.with(coding);
    }

    /// Whether `coding` is in the set.
    #[must_use]
    pub const fn contains(self, coding: Coding) -> bool {
        self.0 & 1 << coding as u8 != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// The coding to answer in: of those in `available`, and identity, the one with the highest weight.
///
/// `lines` are the values of all Accept-Encoding lines. Among equal weights: br, zstd, gzip, identity. Identity is always
/// at hand; where no line names it nor `*` it is acceptable, but anything named comes before it. Without the field it is
/// the answer. `None` where identity is excluded and nothing else fits: the caller serves identity anyway or says 406.
#[must_use]
pub fn choose<'a>(lines: impl Iterator<Item = &'a [u8]>, available: Codings) -> Option<Coding> {
    let available = available.with(Coding::Identity);
    let mut weights = Weights::default();
    for line in lines {
        elements(line).for_each(|element| weights.note(element));
    }
    let mut best: Option<(Coding, u16)> = None;
    for coding in Coding::PREFERRED
        .into_iter()
        .filter(|coding| available.contains(*coding))
    {
        if let Some(weight) = weights.of(coding)
            && best.is_none_or(|(_, highest)| weight > highest)
        {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// The weights of a request, in thousandths; `None` where not named.
#[derive(Default)]
struct Weights {
    named: [Option<u16>; Coding::PREFERRED.len()],
    star: Option<u16>,
}

impl Weights {
    /// Takes in one element: `codings [ OWS ";" OWS "q=" qvalue ]`. A coding that is named twice has the higher weight.
    fn note(&mut self, element: &[u8]) {
        let semicolon = element.iter().position(|byte| *byte == b';');
        let (name, weight) = match semicolon {
            Some(at) => (
                trim_ows(&element[..at]),
                read_weight(trim_ows(&element[at + 1..])),
            ),
            None => (element, Some(1000)),
        };
        let Some(weight) = weight else {
            return;
        };
        let slot = match Coding::named(name) {
            Some(coding) => &mut self.named[coding as usize],
            None if name == b"*" => &mut self.star,
            None => return,
        };
        *slot = (*slot).max(Some(weight));
    }

    /// The weight of `coding`; `None` where it is not acceptable.
    fn of(&self, coding: Coding) -> Option<u16> {
        match self.named[coding as usize].or(self.star) {
            Some(0) => None,
            None if coding == Coding::Identity => Some(0),
            weight => weight,
        }
    }
}

/// Reads `q=` and a qvalue (RFC 9110 s12.4.2), in thousandths.
fn read_weight(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', qvalue @ ..] = parameter else {
        return None;
    };
    let (whole, fraction) = match qvalue {
        [whole @ (b'0' | b'1')] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (*whole, fraction),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0');
    for at in 0..3 {
        let digit = fraction.get(at).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        weight = weight * 10 + u16::from(digit - b'0');
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests;
