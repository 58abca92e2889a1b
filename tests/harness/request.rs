//! Well-formed requests. Ill-formed ones are written out as bytes where they are tested.

/// A request, sent as HTTP/1.1 with a Host unless said otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    target: String,
    version: &'static str,
    host: Option<String>,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A GET.
pub(crate) fn get(target: &str) -> Request {
    Request::new("GET", target)
}

/// A HEAD.
pub(crate) fn head(target: &str) -> Request {
    Request::new("HEAD", target)
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1",
            host: Some("media.test".to_owned()),
            fields: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Adds a field line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Names another host.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// Makes it HTTP/1.0, without a Host.
    pub(crate) fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self.host = None;
        self
    }

    /// Asks for the connection to be closed.
    pub(crate) fn close(self) -> Self {
        self.with("Connection", "close")
    }

    /// Gives it a body with a Content-Length.
    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.with("Content-Length", &body.len().to_string())
    }

    /// What goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} {}\r\n", self.method, self.target, self.version);
        if let Some(host) = &self.host {
            text.push_str(&format!("Host: {host}\r\n"));
        }
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
