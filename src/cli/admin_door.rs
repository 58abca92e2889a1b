//! Where a running server's admin API is, and what opens it.

use std::path::Path;

use hyper::StatusCode;
use hyper::body::Body;
use serde_json::Value;

use super::admin_client::{self, AskError, Question};
use super::exit_code::ExitCode;
use super::terminal;
use crate::admin::settings::AdminAddress;
use crate::config;

/// An admin address and its token. Has no debug form: it holds the token.
pub(super) struct AdminDoor {
    address: AdminAddress,
    token: String,
}

/// Reads the argument of `--admin`.
pub(super) fn address(text: &str) -> Result<AdminAddress, String> {
    match config::admin_address(text) {
        Ok(AdminAddress::Off) => Err("an address is needed: IP:PORT or unix:PATH".to_owned()),
        Ok(address) => Ok(address),
        Err(fault) => Err(format!("{fault}; must be IP:PORT or unix:PATH")),
    }
}

impl AdminDoor {
    /// The door at `admin`, or else at the config's admin address. The token comes from the config; with `admin` it is only
    /// sent when the config `is_named` too, as it is no other server's business. Where the config has mistakes, they
    /// are told, and the code is what the command ends with.
    pub(super) fn find(
        admin: Option<AdminAddress>,
        is_named: bool,
        config_path: &Path,
    ) -> Result<Self, ExitCode> {
        if let Some(address) = admin.clone()
            && !is_named
        {
            let token = String::new();
            return Ok(Self { address, token });
        }
        let settings = config::load(config_path);
        let settings = settings.map_err(|mistakes| terminal::mistakes(&mistakes))?;
        Ok(Self {
            address: admin.unwrap_or(settings.admin.address),
            token: settings.admin.token,
        })
    }

    /// Asks for JSON. Where there is no answer it is told why, and the code is what the command ends with.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<Value, ExitCode> {
        let answer = admin_client::ask(&self.address, &self.token, question);
        answer.map_err(|error| self.complain(&error))
    }

    /// As [`ask`](Self::ask), for text.
    pub(super) fn ask_text(&self, question: &Question<'_>) -> Result<String, ExitCode> {
        let answer = admin_client::ask_text(&self.address, &self.token, question);
        answer.map_err(|error| self.complain(&error))
    }

    /// Posts a body of any length; the answer's status and its JSON.
    pub(super) fn send<B>(&self, path: &str, body: B) -> Result<(StatusCode, Value), ExitCode>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let answer = admin_client::send(&self.address, &self.token, path, body);
        answer.map_err(|error| self.complain(&error))
    }

    /// As [`ask`](Self::ask); where the server says in JSON why it did not do it, that is the answer, with the code that the command
    /// ends with.
    pub(super) fn ask_all(&self, question: &Question<'_>) -> Result<(Value, ExitCode), ExitCode> {
        match admin_client::ask(&self.address, &self.token, question) {
            Ok(told) => Ok((told, ExitCode::Success)),
            Err(error) => {
                let code = self.complain(&error);
                match error {
                    AskError::Told(_, told) => Ok((told, code)),
                    _ => Err(code),
                }
            }
        }
    }

    /// As [`ask_text`](Self::ask_text), with the reason that stands beside the text.
    pub(super) fn ask_words(
        &self,
        question: &Question<'_>,
    ) -> Result<(String, Option<String>), ExitCode> {
        let answer = admin_client::ask_words(&self.address, &self.token, question);
        answer.map_err(|error| self.complain(&error))
    }

    /// As [`ask`](Self::ask), without a word of what went wrong, for those who try again.
    pub(super) fn try_ask(&self, question: &Question<'_>) -> Result<Value, AskError> {
        admin_client::ask(&self.address, &self.token, question)
    }

    /// Tells why there is no answer; the code is what the command ends with.
    pub(super) fn complain(&self, error: &AskError) -> ExitCode {
        match error {
            // Asking again won't help: what was typed is wrong.
            AskError::Refused(reason) => return terminal::complain(reason, ExitCode::Usage),
            AskError::Told(StatusCode::BAD_REQUEST, _) => {
                return terminal::complain(error, ExitCode::Usage);
            }
            AskError::Told(..) => return terminal::complain(error, ExitCode::Failure),
            _ => {}
        }
        let at = match &self.address {
            AdminAddress::Off => String::new(),
            AdminAddress::Tcp(address) => format!("{address}: "),
            AdminAddress::Unix(socket) => format!("unix:{}: ", socket.display()),
        };
        terminal::complain(format_args!("{at}{error}"), ExitCode::Failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_argument_is_an_address() {
        let tcp = AdminAddress::Tcp("127.0.0.1:9090".parse().unwrap());
        assert_eq!(address("127.0.0.1:9090"), Ok(tcp));
        let unix = AdminAddress::Unix("/run/a.sock".into());
        assert_eq!(address("unix:/run/a.sock"), Ok(unix));
        for text in ["", "localhost", "9090", "unix:"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn server_that_is_not_there_is_a_failure_and_a_wrong_config_is_usage() {
        let folder = tempfile::tempdir().unwrap();
        let socket = AdminAddress::Unix(folder.path().join("none.sock"));
        let config = folder.path().join("none.toml");
        let question = Question::get("/api/stats");
        let door = AdminDoor::find(Some(socket.clone()), false, &config);
        let code = door.and_then(|door| door.ask(&question)).unwrap_err();
        assert_eq!(code, ExitCode::Failure);
        let code = |admin, is_named| AdminDoor::find(admin, is_named, &config).err();
        assert_eq!(code(None, false), Some(ExitCode::Usage));
        assert_eq!(code(Some(socket), true), Some(ExitCode::Usage));
    }
}
