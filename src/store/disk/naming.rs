//! Names of data files: `ab/cdef0123456789.mp3` below `objects/`.
//!
//! A name is the object's number, scrambled one to one with the store's seed, so that a name tells whose file it is without
//! a table, and that the files of a store whose metadata was lost belong to nobody.

use std::path::PathBuf;

/// The number of an object; never given twice, and larger for what was begun later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u64);

/// Most letters of an extension.
const EXTENSION_MAX: usize = 8;

/// How many folders data files are spread over.
pub(super) const SHELVES: u16 = 256;

/// A file name's extension: `[a-z0-9]{1,8}`, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    length: u8,
    letters: [u8; EXTENSION_MAX],
}

impl Extension {
    /// The extension `text`; none where it is not of the form above.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::of_bytes(text.as_bytes())
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut letters = [0; EXTENSION_MAX];
        match letters.get_mut(..bytes.len()) {
            Some(part) if bytes.iter().all(is_plain) => {
                part.copy_from_slice(bytes);
                let length = u8::try_from(bytes.len()).unwrap_or(0);
                Self { length, letters }
            }
            _ => Self::default(),
        }
    }

    /// Its letters; empty where there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.letters.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

/// The name of an object's data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileName {
    scrambled: u64,
    extension: Extension,
}

impl FileName {
    /// The name of the data file of object `id`.
    pub(super) fn of(id: ObjectId, seed: u64, extension: Extension) -> Self {
        Self {
            scrambled: scramble(id.0 ^ seed),
            extension,
        }
    }

    /// The object that a name belongs to.
    pub(super) fn id(&self, seed: u64) -> ObjectId {
        ObjectId(unscramble(self.scrambled) ^ seed)
    }

    /// The shelf's name.
    pub(super) fn shelf(&self) -> String {
        format!("{:02x}", self.scrambled >> 56)
    }

    /// The path below `objects/`.
    pub(super) fn path(&self) -> PathBuf {
        let rest = self.scrambled & (u64::MAX >> 8);
        let shelf = self.shelf();
        if self.extension.length == 0 {
            format!("{shelf}/{rest:014x}").into()
        } else {
            format!("{shelf}/{rest:014x}.{}", self.extension.as_str()).into()
        }
    }

    /// Reads the name of a file on `shelf`; `None` for one that this store never gives.
    pub(super) fn parse(shelf: u8, name: &[u8]) -> Option<Self> {
        let (digits, rest) = name.split_at_checked(14)?;
        let extension = match rest.split_first() {
            None => Extension::default(),
            Some((b'.', letters)) => Extension::of_bytes(letters),
            Some(_) => return None,
        };
        let digits = std::str::from_utf8(digits).ok()?;
        let low = u64::from_str_radix(digits, 16).ok()?;
        let parsed = Self {
            scrambled: (u64::from(shelf) << 56) | low,
            extension,
        };
        // Only the very form that `path` gives: no sign, no capitals, no bad extension.
        let path = parsed.path();
        (path.file_name()?.as_encoded_bytes() == name).then_some(parsed)
    }
}

const MULTIPLIERS: [u64; 2] = [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb];
/// Their inverses modulo 2^64.
const INVERSES: [u64; 2] = [0x96de_1b17_3f11_9089, 0x3196_42b2_d24d_8ec3];

/// The finaliser of SplitMix64: one to one, and close numbers land far apart.
fn scramble(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(MULTIPLIERS[0]);
    number = (number ^ (number >> 27)).wrapping_mul(MULTIPLIERS[1]);
    number ^ (number >> 31)
}

fn unscramble(mut number: u64) -> u64 {
    number = (number ^ (number >> 31) ^ (number >> 62)).wrapping_mul(INVERSES[1]);
    number = (number ^ (number >> 27) ^ (number >> 54)).wrapping_mul(INVERSES[0]);
    number ^ (number >> 30) ^ (number >> 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_extension_is_none() {
        for odd in ["", "MP3", "a/b", "..", "ninechars", "ü", "a b"] {
            assert_eq!(Extension::new(odd), Extension::default());
        }
        assert_eq!(Extension::new("m4a").as_str(), "m4a");
        assert_eq!(Extension::new("12345678").as_str(), "12345678");
    }

    #[test]
    fn foreign_name_is_not_parsed() {
        let known = FileName::of(ObjectId(7), 9, Extension::new("mp3"));
        let name = known.path().file_name().unwrap().to_owned();
        let shelf = u8::from_str_radix(&known.shelf(), 16).unwrap();
        let name = name.into_string().unwrap();
        assert_eq!(FileName::parse(shelf, name.as_bytes()), Some(known));
        for foreign in [
            "",
            "+123456789abcd",
            "probe",
            "0123456789ABCD",
            "0123456789abcd.",
        ] {
            assert_eq!(FileName::parse(shelf, foreign.as_bytes()), None);
        }
        assert_eq!(
            FileName::parse(shelf, format!("{name}.bak").as_bytes()),
            None
        );
    }

    proptest! {
        #[test]
        fn name_tells_its_object(id: u64, seed: u64, extension in "[a-z0-9]{0,8}") {
            let name = FileName::of(ObjectId(id), seed, Extension::new(&extension));
            prop_assert_eq!(name.id(seed), ObjectId(id));
            let path = name.path().into_os_string().into_string().unwrap();
            let (shelf, file) = path.split_once('/').unwrap();
            let shelf = u8::from_str_radix(shelf, 16).unwrap();
            prop_assert_eq!(FileName::parse(shelf, file.as_bytes()), Some(name));
        }
    }
}
