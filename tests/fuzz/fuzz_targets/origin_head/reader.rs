//! A bare reader of responses (RFC 9112 s2.2, s4, s5, s6.3, s7.1): one line after the other, nothing ahead.

/// A response.
pub struct Said<'b> {
    /// Its head.
    pub head: Head<'b>,
    /// Its body.
    pub body: Body<'b>,
}

/// A final response's head.
pub struct Head<'b> {
    /// The status.
    pub status: u16,
    /// Whether it is HTTP/1.0.
    pub is_old: bool,
    /// The field lines, values without white space at their ends.
    pub fields: Vec<(&'b [u8], &'b [u8])>,
}

/// What stands behind a head.
pub enum Body<'b> {
    /// Nothing belongs to it.
    None,
    /// All that there is, up to the connection's end.
    Close(&'b [u8]),
    /// A body with its length or its last chunk.
    Whole(Vec<u8>),
    /// The start of a body that ends too early, or whose chunks are broken.
    Broken(Vec<u8>),
    /// Two readers could end it in two places.
    Doubtful,
}

/// Reads the final response.
pub fn read(mut bytes: &[u8], is_head: bool) -> Option<Said<'_>> {
    loop {
        let (head, rest) = read_head(bytes)?;
        bytes = rest;
        if !(100..200).contains(&head.status) {
            let body = body(&head, bytes, is_head);
            return Some(Said { head, body });
        }
    }
}

/// A line without its end, which may lack the carriage return (s2.2), and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

fn read_head(mut bytes: &[u8]) -> Option<(Head<'_>, &[u8])> {
    // Empty lines before a head are passed over.
    let first = loop {
        let (first, rest) = line(bytes)?;
        bytes = rest;
        if !first.is_empty() {
            break first;
        }
    };
    let is_old = first.starts_with(b"HTTP/1.0 ");
    let rest = first.strip_prefix(b"HTTP/1.")?.get(2..)?;
    let (digits, reason) = rest.split_at_checked(3)?;
    assert!(
        reason.is_empty() || reason[0] == b' ',
        "{}",
        first.escape_ascii()
    );
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let mut fields = Vec::new();
    loop {
        let (text, rest) = line(bytes)?;
        bytes = rest;
        if text.is_empty() {
            let head = Head {
                status,
                is_old,
                fields,
            };
            return Some((head, bytes));
        }
        let colon = text.iter().position(|byte| *byte == b':')?;
        // White space before the colon is removed (s5.1).
        let name = text[..colon].trim_ascii_end();
        assert!(!name.is_empty() && name.iter().all(|byte| is_tchar(*byte)));
        fields.push((name, trimmed(&text[colon + 1..])));
    }
}

/// Without spaces and tabs at the ends.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl Head<'_> {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let lines = self.fields.iter();
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
            .collect()
    }
}

/// s6.3, in its order, with doubt wherever it lets a recipient choose.
fn body<'b>(head: &Head<'_>, bytes: &'b [u8], is_head: bool) -> Body<'b> {
    let (codings, lengths) = (
        head.values("transfer-encoding"),
        head.values("content-length"),
    );
    let is_length = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let is_doubtful = codings.len() > 1
        || lengths.len() > 1
        || !codings.is_empty() && (!lengths.is_empty() || head.is_old)
        || codings
            .iter()
            .any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
        || lengths.iter().any(|length| !is_length(length));
    if is_doubtful {
        return Body::Doubtful;
    }
    if is_head || matches!(head.status, 204 | 304) {
        return Body::None;
    }
    if !codings.is_empty() {
        return chunks(bytes);
    }
    let Some(length) = lengths.first() else {
        return Body::Close(bytes);
    };
    let length = std::str::from_utf8(length).expect("digits");
    match length.parse().ok().and_then(|length| bytes.get(..length)) {
        Some(body) => Body::Whole(body.to_vec()),
        None => Body::Broken(bytes.to_vec()),
    }
}

/// s7.1. Where a chunk's frame is broken, what came before it is the start of the body.
fn chunks(mut bytes: &[u8]) -> Body<'_> {
    let mut body = Vec::new();
    loop {
        let Some((frame, rest)) = line(bytes) else {
            return Body::Broken(body);
        };
        let digits = frame.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let (digits, extension) = frame.split_at(digits.count());
        let size = std::str::from_utf8(digits).expect("digits");
        let is_frame = matches!(trimmed(extension).first(), None | Some(b';'));
        let (Ok(size), true) = (usize::from_str_radix(size, 16), is_frame) else {
            return Body::Broken(body);
        };
        if size == 0 {
            return trailers(rest, body);
        }
        let Some((chunk, rest)) = rest.split_at_checked(size) else {
            body.extend_from_slice(rest);
            return Body::Broken(body);
        };
        body.extend_from_slice(chunk);
        match rest {
            [b'\r', b'\n', rest @ ..] => bytes = rest,
            _ => return Body::Broken(body),
        }
    }
}

fn trailers(mut bytes: &[u8], body: Vec<u8>) -> Body<'_> {
    while let Some((text, rest)) = line(bytes) {
        if text.is_empty() {
            return Body::Whole(body);
        }
        bytes = rest;
    }
    Body::Broken(body)
}
