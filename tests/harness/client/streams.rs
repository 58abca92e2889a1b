//! Answers of a cache before an origin: their bodies may come in chunks, or end with the connection (RFC 9112 s6.3).

use super::{Broken, Client, shown};
use crate::harness::answer::Answer;
use crate::harness::request::Request;
use crate::harness::waiting::now;

impl Client {
    /// Sends a request and reads its final answer, however its body is delimited.
    #[track_caller]
    pub(crate) fn fetch(&mut self, request: &Request) -> Answer {
        self.send(request.bytes());
        self.fetched(&request.method)
    }

    /// Reads the final answer to a request with `method`, which must be whole.
    #[track_caller]
    pub(crate) fn fetched(&mut self, method: &str) -> Answer {
        self.try_fetched(method)
            .unwrap_or_else(|broken| panic!("no whole answer: {}", shown(&broken)))
    }

    /// Reads the final answer, or says how far it came; what was cut are the bytes of its body.
    #[track_caller]
    pub(crate) fn try_fetched(&mut self, method: &str) -> Result<Answer, Broken> {
        loop {
            let mut answer = self.head()?;
            if answer.status < 200 {
                continue;
            }
            answer.body = self.body(method, &answer)?;
            return Ok(answer);
        }
    }

    /// Reads a head, which may be a 1xx's.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Result<Answer, Broken> {
        let deadline = now() + self.patience;
        loop {
            let end = self.pending.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(at) = end {
                let rest = self.pending.split_off(at + 4);
                let head = std::mem::replace(&mut self.pending, rest);
                return Ok(Answer::from_head_of_any_date(&head));
            }
            assert!(self.pending.len() < 65_536, "a head without end");
            self.fill(deadline)?;
        }
    }

    /// Reads the body behind `answer`.
    #[track_caller]
    pub(crate) fn body(&mut self, method: &str, answer: &Answer) -> Result<Vec<u8>, Broken> {
        let mut body = Vec::new();
        if !answer.has_body(method) {
            return Ok(body);
        }
        let ended = if let Some(coding) = answer.field("transfer-encoding") {
            assert_eq!(coding, "chunked", "{answer}");
            assert!(answer.field("content-length").is_none(), "{answer}");
            self.chunks(&mut body)
        } else if let Some(length) = answer.field("content-length") {
            let length = length.parse().expect("a size");
            self.append(length, &mut body)
        } else {
            assert!(answer.closes(), "no end can be told: {answer}");
            self.until_the_end(&mut body)
        };
        match ended {
            Ok(()) => Ok(body),
            Err(Broken::Late(_)) => Err(Broken::Late(body)),
            Err(_) => Err(Broken::Cut(body)),
        }
    }

    /// Reads the next chunk; none behind the last one, whose trailers are read too.
    #[track_caller]
    pub(crate) fn chunk(&mut self) -> Result<Vec<u8>, Broken> {
        let mut line = self.line()?;
        if line.is_empty() {
            // The end of the chunk before, which is not waited for behind its bytes.
            line = self.line()?;
        }
        let size = usize::from_str_radix(&line, 16).expect("a chunk's size");
        let mut chunk = Vec::new();
        if size == 0 {
            while !self.line()?.is_empty() {}
            return Ok(chunk);
        }
        self.append(size, &mut chunk)?;
        Ok(chunk)
    }

    /// Reads `size` bytes of a body.
    #[track_caller]
    pub(crate) fn exactly(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(broken) = self.append(size, &mut bytes) {
            panic!("{} of {size} bytes, then {}", bytes.len(), shown(&broken));
        }
        bytes
    }

    /// The trailer lines behind the body in chunks that was read last.
    pub(crate) fn trailers(&self) -> &[String] {
        &self.trailers
    }

    /// Whether the server ended the connection by a reset.
    pub(crate) fn was_reset(&self) -> bool {
        self.is_reset
    }

    pub(crate) fn chunks(&mut self, body: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).expect("a chunk's size");
            if size == 0 {
                self.trailers.clear();
                loop {
                    match self.line()? {
                        line if line.is_empty() => return Ok(()),
                        line => self.trailers.push(line),
                    }
                }
            }
            self.append(size, body)?;
            assert_eq!(self.line()?, "", "a chunk ends with its line");
        }
    }

    fn line(&mut self) -> Result<String, Broken> {
        loop {
            let end = self.pending.windows(2).position(|two| two == b"\r\n");
            if let Some(end) = end {
                let rest = self.pending.split_off(end + 2);
                let line = std::mem::replace(&mut self.pending, rest);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill(now() + self.patience)?;
        }
    }

    fn append(&mut self, size: usize, body: &mut Vec<u8>) -> Result<(), Broken> {
        let mut left = size;
        while left > 0 {
            if self.pending.is_empty() {
                self.fill(now() + self.patience)?;
            }
            let taken = left.min(self.pending.len());
            body.extend(self.pending.drain(..taken));
            left -= taken;
        }
        Ok(())
    }

    fn until_the_end(&mut self, body: &mut Vec<u8>) -> Result<(), Broken> {
        loop {
            body.append(&mut self.pending);
            match self.fill(now() + self.patience) {
                Ok(()) => {}
                Err(Broken::Closed) if !self.is_reset => return Ok(()),
                Err(broken) => return Err(broken),
            }
        }
    }
}
