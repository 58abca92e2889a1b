//! The admin API's and the access log's checked settings.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where the admin API listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdminAddress {
    /// Nowhere.
    #[default]
    Off,
    /// A TCP address; any but loopback needs a token.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Where access-log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Nowhere.
    #[default]
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to a file, which is opened anew at a reload.
    File(PathBuf),
}

/// The form of an access-log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// Apache's combined format, with the outcome and the time taken appended.
    #[default]
    Combined,
    /// One JSON object a line.
    Json,
}

/// The admin room's settings.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where the API listens.
    pub address: AdminAddress,
    /// Bearer token that requests must carry; empty asks for none.
    pub token: String,
    /// Where access-log lines go.
    pub access_log: AccessLogTarget,
    /// Their form.
    pub format: AccessLogFormat,
}

impl fmt::Debug for AdminSettings {
    /// Hides the token: settings end up in logs and bug reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_empty() { "none" } else { "set" };
        f.debug_struct("AdminSettings")
            .field("address", &self.address)
            .field("token", &format_args!("{token}"))
            .field("access_log", &self.access_log)
            .field("format", &self.format)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_form_hides_the_token() {
        let settings = AdminSettings {
            token: "s3cret".to_owned(),
            ..AdminSettings::default()
        };
        let text = format!("{settings:?}");
        assert!(!text.contains("s3cret") && text.contains("token: set"));
    }
}
