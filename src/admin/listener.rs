//! Where the admin API listens: a TCP address, or a unix socket that only this user may connect to.
//!
//! A unix socket's file is replaced only when nobody answers on it any more, and removed at the end only when it is
//! still the one that was made here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io::ErrorKind};

use socket2::{Domain, SockAddr, Socket, Type};

use super::error::AdminError;
use super::settings::{AdminAddress, AdminSettings};

/// Connections that wait for being accepted.
const BACKLOG: i32 = 128;

/// The unix socket's permissions.
const SOCKET_MODE: u32 = 0o600;

/// A bound listener, not blocking.
#[derive(Debug)]
pub enum Bound {
    /// TCP.
    Tcp(TcpListener, SocketAddr),
    /// A unix socket and its file.
    Unix(UnixListener, SocketFile),
}

/// Listens where `settings` ask for it; none when the admin API is off.
///
/// # Errors
/// [`AdminError::TokenNeeded`] for an address that is not loopback without a token, [`AdminError::SocketInUse`],
/// [`AdminError::NotASocket`], and [`AdminError::Bind`] for all that the kernel refuses.
pub fn bind(settings: &AdminSettings) -> Result<Option<Bound>, AdminError> {
    match &settings.address {
        AdminAddress::Off => Ok(None),
        AdminAddress::Tcp(address) => {
            if settings.token.is_empty() && !address.ip().to_canonical().is_loopback() {
                return Err(AdminError::TokenNeeded(*address));
            }
            bind_tcp(*address)
                .map(Some)
                .map_err(|cause| AdminError::Bind {
                    address: address.to_string(),
                    cause,
                })
        }
        AdminAddress::Unix(path) => {
            let refused = |cause| AdminError::Bind {
                address: format!("unix:{}", path.display()),
                cause,
            };
            make_way(path).map_err(|obstacle| match obstacle {
                Obstacle::Alive => AdminError::SocketInUse(path.clone()),
                Obstacle::NotASocket => AdminError::NotASocket(path.clone()),
                Obstacle::Kernel(cause) => refused(cause),
            })?;
            bind_unix(path).map(Some).map_err(refused)
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok(Bound::Tcp(listener, address))
}

fn bind_unix(path: &Path) -> io::Result<Bound> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before listen(2), so there is no moment at which others could.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    let file = SocketFile::of(path)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(Bound::Unix(UnixListener::from(socket), file))
}

/// What stands where a unix socket belongs.
enum Obstacle {
    /// A socket that somebody answers on.
    Alive,
    /// No socket.
    NotASocket,
    /// It can't be told.
    Kernel(io::Error),
}

/// Removes a socket file that a process left behind.
fn make_way(path: &Path) -> Result<(), Obstacle> {
    let standing = match fs::symlink_metadata(path) {
        Ok(standing) => standing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Obstacle::Kernel(error)),
    };
    if !standing.file_type().is_socket() {
        return Err(Obstacle::NotASocket);
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Obstacle::Alive),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(Obstacle::Kernel)
        }
        Err(error) => Err(Obstacle::Kernel(error)),
    }
}

/// The file of a unix socket made here; removed when dropped, unless another took its place meanwhile.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: file.dev(),
            inode: file.ino(),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode));
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the admin socket stays behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(path: &Path) -> AdminSettings {
        AdminSettings {
            address: AdminAddress::Unix(path.to_owned()),
            ..AdminSettings::default()
        }
    }

    fn tcp(address: &str, token: &str) -> AdminSettings {
        AdminSettings {
            address: AdminAddress::Tcp(address.parse().unwrap()),
            token: token.to_owned(),
            ..AdminSettings::default()
        }
    }

    #[test]
    fn address_off_binds_nothing() {
        assert!(bind(&AdminSettings::default()).unwrap().is_none());
    }

    #[test]
    fn address_reachable_from_elsewhere_needs_a_token() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let error = bind(&tcp(address, "")).unwrap_err();
            assert!(matches!(error, AdminError::TokenNeeded(_)), "{error}");
        }
        assert!(bind(&tcp("127.0.0.1:0", "")).unwrap().is_some());
        assert!(bind(&tcp("0.0.0.0:0", "secret")).unwrap().is_some());
    }

    #[test]
    fn unix_socket_is_for_this_user_alone_and_removed_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let bound = bind(&unix(&path)).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn unix_socket_left_behind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        assert!(bind(&unix(&path)).unwrap().is_some());
    }

    #[test]
    fn unix_socket_in_use_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let _alive = UnixListener::bind(&path).unwrap();
        let error = bind(&unix(&path)).unwrap_err();
        assert!(matches!(error, AdminError::SocketInUse(_)), "{error}");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        fs::write(&path, "precious").unwrap();
        let error = bind(&unix(&path)).unwrap_err();
        assert!(matches!(error, AdminError::NotASocket(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn socket_that_took_our_place_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let bound = bind(&unix(&path)).unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        let _successor = UnixListener::bind(&path).unwrap();
        drop(bound);
        assert!(path.exists());
    }
}
