//! A parser of structured fields (RFC 9651 s4.2), one function for each algorithm.

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The algorithm fails.
    Malformed,
    /// The algorithm leaves it to the parser.
    Unsure,
}

/// A bare item; of those that no field here has, only their kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bare {
    /// An integer.
    Integer(i64),
    /// A string's octets.
    String(Vec<u8>),
    /// A boolean.
    Boolean(bool),
    /// A decimal, token, byte sequence, date or display string.
    Other,
}

/// A member of a list or dictionary, without its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// An item.
    Item(Bare),
    /// An inner list.
    InnerList,
}

type Parsed<T> = Result<T, Failure>;

/// What is left to read.
struct Rest<'b>(&'b [u8]);

/// s4.2.1.
pub fn list(input: &[u8]) -> Parsed<Vec<Member>> {
    let mut rest = Rest(input);
    rest.skip(b" ");
    let mut members = Vec::new();
    while !rest.is_empty() {
        members.push(rest.member()?);
        rest.separator()?;
    }
    Ok(members)
}

/// s4.2.2; a key that comes again keeps its last value.
pub fn dictionary(input: &[u8]) -> Parsed<Vec<(String, Member)>> {
    let mut rest = Rest(input);
    rest.skip(b" ");
    let mut members: Vec<(String, Member)> = Vec::new();
    while !rest.is_empty() {
        let key = rest.key()?;
        let member = if rest.take(b'=') {
            rest.member()?
        } else {
            rest.parameters()?;
            Member::Item(Bare::Boolean(true))
        };
        members.retain(|(known, _)| *known != key);
        members.push((key, member));
        rest.separator()?;
    }
    Ok(members)
}

impl Rest<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Parsed<u8> {
        let (first, rest) = self.0.split_first().ok_or(Failure::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.0 = &self.0[1..];
        }
        is_next
    }

    fn skip(&mut self, octets: &[u8]) {
        while self.peek().is_some_and(|octet| octets.contains(&octet)) {
            self.0 = &self.0[1..];
        }
    }

    /// The comma after a member, with a member behind it, or the end.
    fn separator(&mut self) -> Parsed<()> {
        self.skip(b" \t");
        if self.is_empty() {
            return Ok(());
        }
        if !self.take(b',') {
            return Err(Failure::Malformed);
        }
        self.skip(b" \t");
        if self.is_empty() {
            Err(Failure::Malformed)
        } else {
            Ok(())
        }
    }

    /// s4.2.1.1.
    fn member(&mut self) -> Parsed<Member> {
        if self.peek() == Some(b'(') {
            self.inner_list()?;
            return Ok(Member::InnerList);
        }
        let bare = self.bare()?;
        self.parameters()?;
        Ok(Member::Item(bare))
    }

    /// s4.2.1.2.
    fn inner_list(&mut self) -> Parsed<()> {
        self.next()?;
        loop {
            self.skip(b" ");
            if self.take(b')') {
                return self.parameters();
            }
            self.bare()?;
            self.parameters()?;
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return Err(Failure::Malformed);
            }
        }
    }

    /// s4.2.3.2.
    fn parameters(&mut self) -> Parsed<()> {
        while self.take(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take(b'=') {
                self.bare()?;
            }
        }
        Ok(())
    }

    /// s4.2.3.3.
    fn key(&mut self) -> Parsed<String> {
        let first = self.peek().ok_or(Failure::Malformed)?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return Err(Failure::Malformed);
        }
        let is_inside = |octet: u8| {
            octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"_-.*".contains(&octet)
        };
        let mut key = String::new();
        while let Some(octet) = self.peek().filter(|octet| is_inside(*octet)) {
            key.push(char::from(octet));
            self.0 = &self.0[1..];
        }
        Ok(key)
    }

    /// s4.2.3.1.
    fn bare(&mut self) -> Parsed<Bare> {
        match self.peek().ok_or(Failure::Malformed)? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                let is_inside = |octet: u8| {
                    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&octet)
                };
                while self.peek().is_some_and(is_inside) {
                    self.0 = &self.0[1..];
                }
                Ok(Bare::Other)
            }
            b':' => self.octets(),
            b'?' => {
                self.next()?;
                match self.next()? {
                    b'0' => Ok(Bare::Boolean(false)),
                    b'1' => Ok(Bare::Boolean(true)),
                    _ => Err(Failure::Malformed),
                }
            }
            b'@' => {
                self.next()?;
                match self.number()? {
                    Bare::Integer(_) => Ok(Bare::Other),
                    _ => Err(Failure::Malformed),
                }
            }
            b'%' => self.display_string(),
            _ => Err(Failure::Malformed),
        }
    }

    /// s4.2.4.
    fn number(&mut self) -> Parsed<Bare> {
        let is_negative = self.take(b'-');
        let (mut digits, mut point) = (String::new(), None);
        while let Some(octet) = self.peek() {
            match (octet, point) {
                (b'0'..=b'9', _) => digits.push(char::from(octet)),
                (b'.', None) if digits.is_empty() => return Err(Failure::Malformed),
                (b'.', None) if digits.len() > 12 => return Err(Failure::Malformed),
                (b'.', None) => point = Some(digits.len()),
                _ => break,
            }
            self.0 = &self.0[1..];
            if digits.len() > 15 {
                return Err(Failure::Malformed);
            }
        }
        match point {
            Some(at) if (1..=3).contains(&(digits.len() - at)) => Ok(Bare::Other),
            Some(_) => Err(Failure::Malformed),
            None => {
                let number: i64 = digits.parse().map_err(|_| Failure::Malformed)?;
                Ok(Bare::Integer(if is_negative { -number } else { number }))
            }
        }
    }

    /// s4.2.5.
    fn string(&mut self) -> Parsed<Bare> {
        self.next()?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'\\' => match self.next()? {
                    octet @ (b'"' | b'\\') => text.push(octet),
                    _ => return Err(Failure::Malformed),
                },
                b'"' => return Ok(Bare::String(text)),
                octet @ b' '..=b'~' => text.push(octet),
                _ => return Err(Failure::Malformed),
            }
        }
    }

    /// s4.2.7. Padding and what it hides are the parser's to judge.
    fn octets(&mut self) -> Parsed<Bare> {
        self.next()?;
        let mut coded = Vec::new();
        loop {
            match self.next()? {
                b':' => break,
                octet if octet.is_ascii_alphanumeric() || b"+/=".contains(&octet) => {
                    coded.push(octet);
                }
                _ => return Err(Failure::Malformed),
            }
        }
        let is_plain = coded.len().is_multiple_of(4) && !coded.contains(&b'=');
        if is_plain {
            Ok(Bare::Other)
        } else {
            Err(Failure::Unsure)
        }
    }

    /// s4.2.10.
    fn display_string(&mut self) -> Parsed<Bare> {
        self.next()?;
        if !self.take(b'"') {
            return Err(Failure::Malformed);
        }
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'%' => {
                    let digits = [self.next()?, self.next()?];
                    let is_lower = digits
                        .iter()
                        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
                    let digits = std::str::from_utf8(&digits).map_err(|_| Failure::Malformed)?;
                    match u8::from_str_radix(digits, 16) {
                        Ok(octet) if is_lower => text.push(octet),
                        _ => return Err(Failure::Malformed),
                    }
                }
                b'"' => {
                    let is_text = std::str::from_utf8(&text).is_ok();
                    return is_text.then_some(Bare::Other).ok_or(Failure::Malformed);
                }
                octet @ b' '..=b'~' => text.push(octet),
                _ => return Err(Failure::Malformed),
            }
        }
    }
}
