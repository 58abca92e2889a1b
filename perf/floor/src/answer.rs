//! The one answer, prepared at start.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Head and body of the answer to every request. The head has the fields that a static server sends, so that the
/// floor's answer is as long as that of the servers beside it; its date stands still.
pub(crate) struct Answer {
    /// Status line and fields, with the blank line.
    pub(crate) head: Vec<u8>,
    /// The body's file, open for sendfile and splice.
    pub(crate) file: File,
    /// The body's size in bytes.
    pub(crate) body_bytes: usize,
}

impl Answer {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let body_bytes = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let head = format!(
            "HTTP/1.1 200 OK\r\n\
             Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
             Content-Length: {body_bytes}\r\n\
             Content-Type: application/octet-stream\r\n\
             Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
             ETag: \"0123456789abcdef-{body_bytes:x}\"\r\n\
             Accept-Ranges: bytes\r\n\
             Cache-Control: public, max-age=3600\r\n\r\n"
        );
        Ok(Self {
            head: head.into_bytes(),
            file,
            body_bytes,
        })
    }

    /// The body, read into memory.
    pub(crate) fn body(&self) -> io::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(self.body_bytes);
        (&self.file).read_to_end(&mut body)?;
        if body.len() == self.body_bytes {
            Ok(body)
        } else {
            Err(io::Error::other(
                "the body's size changed while it was read",
            ))
        }
    }
}
