//! The body of a request on its way to the origin.
//!
//! Nothing is kept but what the pipe holds: when it is full, the client has to wait.

use std::sync::Arc;

use bytes::Bytes;

use super::conn::Next;
use crate::http::framing::{BodySkimmer, RequestBody, Skim};
use crate::http::reject::Reject;
use crate::store::body::BodyState;
use crate::store::pipe::Pipe;

/// Most bytes that are taken at once, so that the pipe never holds much more than its limit.
const PIECE_MAX: usize = 64 << 10;

/// A body under way; dropped before its end, it breaks off the request to the origin.
#[derive(Debug)]
pub(super) struct Uploading {
    head: Box<[u8]>,
    skimmer: BodySkimmer,
    pipe: Arc<Pipe>,
    is_ended: bool,
}

impl Uploading {
    /// The body that follows `head`, through `pipe`.
    pub(super) fn new(head: &[u8], body: RequestBody, pipe: Arc<Pipe>) -> Self {
        // No byte will come that could tell so.
        let is_ended = body == RequestBody::Length(0);
        if is_ended {
            pipe.end(BodyState::Complete);
        }
        Self {
            head: head.into(),
            skimmer: BodySkimmer::new(body),
            pipe,
            is_ended,
        }
    }

    /// The request's head.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether the last byte has been taken.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether no more bytes are wanted for now.
    pub(super) fn holds(&self) -> bool {
        self.is_ended || !self.pipe.has_room()
    }

    /// Takes what there is room for; tells how many of the bytes were used, and what comes next.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(usize, Next), Reject> {
        let mut used = 0;
        while !self.is_ended {
            // Even where no bytes are left: those that come are kept until there is room, so somebody has to tell of it.
            if !self.pipe.has_room() {
                return Ok((used, Next::Hold(Some(Arc::clone(&self.pipe)))));
            }
            let rest = bytes.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return Ok((used, Next::Receive));
            }
            let piece = rest.get(..PIECE_MAX).unwrap_or(rest);
            let pipe = &self.pipe;
            let skimmed = self.skimmer.read(piece, |content| {
                // Where the origin has answered without reading on, what is left goes nowhere.
                let _reads_on: bool = pipe.write(Bytes::copy_from_slice(content));
            });
            match skimmed? {
                Skim::More => used += piece.len(),
                Skim::Done { used: last } => {
                    used += last;
                    self.is_ended = true;
                    self.pipe.end(BodyState::Complete);
                }
            }
        }
        Ok((used, Next::Hold(None)))
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        // Changes nothing where the body is at its end.
        self.pipe.end(BodyState::Failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(size: u64, room: usize) -> (Uploading, Arc<Pipe>) {
        let pipe = Arc::new(Pipe::new(room));
        let body = RequestBody::Length(size);
        (Uploading::new(b"head", body, Arc::clone(&pipe)), pipe)
    }

    /// It asked for more bytes, although the connection kept what came next until there was room: nobody told it then.
    #[test]
    fn bytes_that_fill_the_pipe_to_the_brim_wait_for_room() {
        let (mut upload, pipe) = upload(20, 10);
        let (used, next) = upload.take(b"0123456789").unwrap();
        assert!(matches!((used, next), (10, Next::Hold(Some(_)))));
        assert!(upload.holds());
        pipe.consume(1);
        assert!(!upload.holds());
        let (used, next) = upload.take(b"").unwrap();
        assert!(matches!((used, next), (0, Next::Receive)));
    }

    #[test]
    fn the_end_is_told_to_the_origin_and_what_follows_is_left() {
        let (mut upload, pipe) = upload(4, 10);
        let (used, next) = upload.take(b"bodyGET /").unwrap();
        assert!(matches!((used, next), (4, Next::Hold(None))));
        assert!(upload.is_ended() && upload.holds());
        pipe.consume(4);
        assert_eq!(pipe.front(), crate::store::pipe::Front::End);
    }

    #[test]
    fn an_upload_that_is_dropped_breaks_the_request_off() {
        let (upload, pipe) = upload(4, 10);
        drop(upload);
        assert_eq!(pipe.front(), crate::store::pipe::Front::Failed);
    }

    #[test]
    fn broken_chunks_are_refused() {
        let pipe = Arc::new(Pipe::new(10));
        let mut upload = Uploading::new(b"head", RequestBody::Chunked, Arc::clone(&pipe));
        assert!(upload.take(b"3\r\nabcX").is_err());
    }
}
