//! Why the admin room could not start. All of these are the operator's to mend.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the admin API or the access log could not start.
#[derive(Debug)]
pub enum AdminError {
    /// The address cannot be listened on.
    Bind {
        /// The address as configured.
        address: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The address can be reached from other machines, and no token is set.
    TokenNeeded(SocketAddr),
    /// Another process answers on this unix socket.
    SocketInUse(PathBuf),
    /// Something that is not a socket stands where the unix socket belongs.
    NotASocket(PathBuf),
    /// The access log cannot be opened.
    AccessLog {
        /// The log's name: a path, `stdout` or `stderr`.
        target: String,
        /// What the kernel said.
        cause: io::Error,
    },
    /// No thread or event loop could be made.
    Thread(io::Error),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, .. } => write!(f, "the admin API cannot listen on {address}"),
            Self::TokenNeeded(address) => write!(
                f,
                "the admin API on {address} can be reached from other machines and needs a token"
            ),
            Self::SocketInUse(path) => write!(
                f,
                "another process answers on the admin socket {}",
                path.display()
            ),
            Self::NotASocket(path) => write!(
                f,
                "{} exists and is not a socket; the admin API does not replace it",
                path.display()
            ),
            Self::AccessLog { target, .. } => write!(f, "the access log {target} cannot be opened"),
            Self::Thread(_) => write!(f, "no thread for the admin room"),
        }
    }
}

impl std::error::Error for AdminError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { cause, .. } | Self::AccessLog { cause, .. } | Self::Thread(cause) => {
                Some(cause)
            }
            Self::TokenNeeded(_) | Self::SocketInUse(_) | Self::NotASocket(_) => None,
        }
    }
}
