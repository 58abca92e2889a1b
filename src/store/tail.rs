//! What comes behind a body on its way: announced before its first byte, there with its last one.
//!
//! The store does not look into it, and it goes with the body: nothing of it is kept with what is complete.

use std::sync::OnceLock;

/// What comes behind a body. Written once by whoever brings the body, read by those who send it.
#[derive(Debug, Default)]
pub struct Tail {
    announcement: OnceLock<Box<[u8]>>,
    bytes: OnceLock<Box<[u8]>>,
}

impl Tail {
    /// Says what is to come; before anybody reads the body. A second call changes nothing.
    pub fn announce(&self, announcement: Vec<u8>) {
        self.announcement.get_or_init(|| announcement.into());
    }

    /// Puts it there; before the body ends. A second call changes nothing.
    pub fn put(&self, bytes: Vec<u8>) {
        self.bytes.get_or_init(|| bytes.into());
    }

    /// What was said to come; empty where nothing was.
    #[must_use]
    pub fn announcement(&self) -> &[u8] {
        self.announcement.get().map_or(&[], |bytes| bytes)
    }

    /// What came; empty where nothing did. Asked once the body has ended.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get().map_or(&[], |bytes| bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_first_stays() {
        let tail = Tail::default();
        assert_eq!((tail.announcement(), tail.bytes()), (&b""[..], &b""[..]));
        tail.announce(b"a".to_vec());
        tail.announce(b"b".to_vec());
        tail.put(b"c".to_vec());
        tail.put(b"d".to_vec());
        assert_eq!((tail.announcement(), tail.bytes()), (&b"a"[..], &b"c"[..]));
    }
}
