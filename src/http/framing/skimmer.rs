//! Walks over a body to its end (RFC 9112 s6.2, s7.1) without keeping it; its content is shown in passing.
//!
//! ```text
//! SizeStart -> Size -+-------------------------------> SizeEnd -+-> Data -> DataEnd -> DataEndFeed -+
//!     ^              +-> extension places (s7.1.1) --^          |                                   |
//!     +---------------------------------------------------------|-----------------------------------+
//!                                                               +-> TrailerStart <-> trailer places -> End -> Done
//! ```
//!
//! Every place eats one byte, but for `Data`, which eats many at once: so the verdict can't depend on how the bytes
//! were split.

use super::RequestBody;
use crate::http::octets::{hex_value, is_field_content, is_tchar};
use crate::http::reject::Reject;

/// The most bytes between the size of a chunk and the end of its line.
pub const CHUNK_EXTENSION_MAX: u16 = 256;

/// The most bytes of a trailer section, with its line ends but without the one that ends the body.
pub const TRAILERS_MAX: u16 = 8 << 10;

/// The most hexadecimal digits of a chunk size, leading zeros included: as many as 64 bits have.
const SIZE_DIGITS_MAX: u16 = 16;

/// How far a body reaches into some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skim {
    /// The body ends after `used` of the bytes.
    Done {
        /// How many of the bytes belong to the body.
        used: usize,
    },
    /// All bytes belong to the body, and it goes on.
    More,
}

/// Finds the end of one body in bytes that come piece by piece.
#[derive(Debug)]
pub struct BodySkimmer {
    place: Place,
    /// Bytes left of the chunk or of the whole body; the chunk's size while its digits come.
    remaining: u64,
    /// Bytes of the part with a limit that the skimmer is in: digits, extensions or trailers.
    counted: u16,
}

/// What the next byte may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The first digit of a chunk size.
    SizeStart,
    /// A digit, or what may follow the size.
    Size,
    /// White space after a size, an extension name or its value; a semicolon must follow, or, after a name, `=`.
    ExtensionSpace { may_be_equals: bool },
    /// White space or the first byte of an extension name.
    ExtensionNameStart,
    /// The rest of an extension name.
    ExtensionName,
    /// White space or the first byte of an extension value.
    ExtensionValueStart,
    /// The rest of a token as value.
    ExtensionToken,
    /// Inside a quoted string.
    ExtensionQuoted,
    /// After the backslash in a quoted string.
    ExtensionEscaped,
    /// After the closing quote.
    ExtensionQuoteEnd,
    /// The LF of a chunk-size line.
    SizeEnd,
    /// Data of a chunk.
    Data,
    /// The CR after the data of a chunk.
    DataEnd,
    /// The LF after that CR.
    DataEndFeed,
    /// The first byte of a trailer line, or the CR that ends the body.
    TrailerStart,
    /// The rest of a trailer's name.
    TrailerName,
    /// A trailer's value.
    TrailerValue,
    /// The LF of a trailer line.
    TrailerEnd,
    /// The LF that ends the body.
    End,
    /// A body with a length.
    Length,
    /// After the body.
    Done,
    /// The body was refused; it stays so.
    Refused(Reject),
}

impl BodySkimmer {
    /// A skimmer at the first byte of `body`.
    #[must_use]
    pub fn new(body: RequestBody) -> Self {
        let (place, remaining) = match body {
            RequestBody::None => (Place::Done, 0),
            RequestBody::Length(size) => (Place::Length, size),
            RequestBody::Chunked => (Place::SizeStart, 0),
        };
        Self {
            place,
            remaining,
            counted: 0,
        }
    }

    /// Goes on with the next bytes of the connection. A body that has ended uses none of them.
    ///
    /// # Errors
    ///
    /// The first fault of the framing; every later call repeats it.
    pub fn skim(&mut self, bytes: &[u8]) -> Result<Skim, Reject> {
        self.read(bytes, |_| {})
    }

    /// As [`skim`](Self::skim), and gives the body's content piece by piece, without its framing.
    ///
    /// # Errors
    ///
    /// The first fault of the framing; every later call repeats it.
    pub fn read(&mut self, bytes: &[u8], mut content: impl FnMut(&[u8])) -> Result<Skim, Reject> {
        let mut rest = bytes;
        loop {
            match self.place {
                Place::Done => {
                    let used = bytes.len() - rest.len();
                    return Ok(Skim::Done { used });
                }
                Place::Refused(reject) => return Err(reject),
                Place::Length | Place::Data => {
                    let before = rest;
                    rest = self.skip(rest);
                    let count = before.len() - rest.len();
                    content(before.get(..count).unwrap_or_default());
                    if self.remaining > 0 {
                        return Ok(Skim::More);
                    }
                    self.place = match self.place {
                        Place::Data => Place::DataEnd,
                        _ => Place::Done,
                    };
                }
                place => {
                    let Some((&byte, after)) = rest.split_first() else {
                        return Ok(Skim::More);
                    };
                    rest = after;
                    self.place = self.after(place, byte).unwrap_or_else(Place::Refused);
                }
            }
        }
    }

    /// Skips what `rest` has of the remaining bytes.
    fn skip<'b>(&mut self, rest: &'b [u8]) -> &'b [u8] {
        let size = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        self.remaining -= size as u64;
        rest.get(size..).unwrap_or_default()
    }

    /// The place after `byte` of the chunked framing.
    fn after(&mut self, place: Place, byte: u8) -> Result<Place, Reject> {
        match place {
            Place::SizeStart => {
                self.remaining = 0;
                self.counted = 0;
                self.add_digit(byte).ok_or(Reject::ChunkSizeMalformed)?
            }
            Place::Size => match (byte, self.add_digit(byte)) {
                (_, Some(next)) => next,
                (b'\r', None) => Ok(Place::SizeEnd),
                (b';' | b' ' | b'\t', None) => {
                    self.counted = 0;
                    self.after_extension(
                        Place::ExtensionSpace {
                            may_be_equals: false,
                        },
                        byte,
                    )
                }
                _ => Err(Reject::ChunkSizeMalformed),
            },
            Place::SizeEnd => match (byte, self.remaining) {
                (b'\n', 0) => {
                    self.counted = 0;
                    Ok(Place::TrailerStart)
                }
                (b'\n', _) => Ok(Place::Data),
                _ => Err(Reject::ChunkLineEndMalformed),
            },
            Place::DataEnd if byte == b'\r' => Ok(Place::DataEndFeed),
            Place::DataEndFeed if byte == b'\n' => Ok(Place::SizeStart),
            Place::DataEnd | Place::DataEndFeed => Err(Reject::ChunkLineEndMalformed),
            Place::TrailerStart
            | Place::TrailerName
            | Place::TrailerValue
            | Place::TrailerEnd
            | Place::End => self.after_trailer(place, byte),
            _ => self.after_extension(place, byte),
        }
    }

    /// Adds a digit to the chunk size; `None` where `byte` is none.
    fn add_digit(&mut self, byte: u8) -> Option<Result<Place, Reject>> {
        let digit = hex_value(byte)?;
        if self.counted == SIZE_DIGITS_MAX {
            return Some(Err(Reject::ChunkSizeOverflow));
        }
        self.counted += 1;
        self.remaining = self.remaining << 4 | u64::from(digit);
        Some(Ok(Place::Size))
    }

    /// The place after `byte` of the chunk extensions (RFC 9112 s7.1.1).
    fn after_extension(&mut self, place: Place, byte: u8) -> Result<Place, Reject> {
        if self.counted == CHUNK_EXTENSION_MAX && byte != b'\r' {
            return Err(Reject::ChunkExtensionTooLong);
        }
        self.counted += u16::from(byte != b'\r');
        let is_space = matches!(byte, b' ' | b'\t');
        match place {
            Place::ExtensionSpace { .. }
            | Place::ExtensionNameStart
            | Place::ExtensionValueStart
                if is_space =>
            {
                Ok(place)
            }
            Place::ExtensionNameStart | Place::ExtensionName if is_tchar(byte) => {
                Ok(Place::ExtensionName)
            }
            Place::ExtensionValueStart | Place::ExtensionToken if is_tchar(byte) => {
                Ok(Place::ExtensionToken)
            }
            Place::ExtensionValueStart if byte == b'"' => Ok(Place::ExtensionQuoted),
            Place::ExtensionEscaped if is_field_content(byte) => Ok(Place::ExtensionQuoted),
            Place::ExtensionQuoted => match byte {
                b'"' => Ok(Place::ExtensionQuoteEnd),
                b'\\' => Ok(Place::ExtensionEscaped),
                _ if is_field_content(byte) => Ok(place),
                _ => Err(Reject::ChunkExtensionMalformed),
            },
            Place::ExtensionName
            | Place::ExtensionSpace {
                may_be_equals: true,
            } if byte == b'=' => Ok(Place::ExtensionValueStart),
            Place::ExtensionName | Place::ExtensionToken | Place::ExtensionQuoteEnd
                if is_space || byte == b'\r' =>
            {
                let may_be_equals = place == Place::ExtensionName;
                Ok(match byte {
                    b'\r' => Place::SizeEnd,
                    _ => Place::ExtensionSpace { may_be_equals },
                })
            }
            Place::ExtensionSpace { .. }
            | Place::ExtensionName
            | Place::ExtensionToken
            | Place::ExtensionQuoteEnd
                if byte == b';' =>
            {
                Ok(Place::ExtensionNameStart)
            }
            _ => Err(Reject::ChunkExtensionMalformed),
        }
    }

    /// The place after `byte` of the trailer section (RFC 9112 s7.1.2).
    fn after_trailer(&mut self, place: Place, byte: u8) -> Result<Place, Reject> {
        match (place, byte) {
            (Place::TrailerStart, b'\r') => return Ok(Place::End),
            (Place::End, b'\n') => return Ok(Place::Done),
            (Place::End, _) => return Err(Reject::ChunkLineEndMalformed),
            _ if self.counted == TRAILERS_MAX => return Err(Reject::TrailersTooLarge),
            _ => self.counted += 1,
        }
        match (place, byte) {
            (Place::TrailerStart | Place::TrailerName, _) if is_tchar(byte) => {
                Ok(Place::TrailerName)
            }
            (Place::TrailerName, b':') => Ok(Place::TrailerValue),
            (Place::TrailerValue, b'\r') => Ok(Place::TrailerEnd),
            (Place::TrailerValue, _) if is_field_content(byte) => Ok(Place::TrailerValue),
            (Place::TrailerEnd, b'\n') => Ok(Place::TrailerStart),
            _ => Err(Reject::TrailerMalformed),
        }
    }
}

#[cfg(test)]
mod tests;
