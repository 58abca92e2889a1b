//! https in front of a scenario's origin, with certificates of a made-up authority. Only the test binaries that need it have it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::harness::origin::{Origin, PATIENCE};

/// How long one side is waited for before the other one has its turn.
const TURN: Duration = Duration::from_millis(3);

/// An authority with files of what it certifies.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::default();
        // Each has a name of its own, else the certificate of one would look like a broken one of the other.
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::SeqCst));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Self { folder, issuer };
        std::fs::write(authority.file(), authority.issuer.pem()).expect("a file");
        authority
    }

    /// The file of its own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Files of a certificate for `name` and of its key.
    pub(crate) fn identity(&self, name: &str) -> [PathBuf; 2] {
        let (certificate, key) = self.certified(name);
        let files = ["pem", "key"].map(|end| self.folder.path().join(format!("{name}.{end}")));
        std::fs::write(&files[0], certificate.pem()).expect("a file");
        std::fs::write(&files[1], key.serialize_pem()).expect("a file");
        files
    }

    /// https before `origin`, with a certificate for `name`.
    pub(crate) fn before(&self, origin: &Origin, name: &str) -> Front {
        Front::start(self.settings(name, false), origin.address())
    }

    /// As [`before`](Self::before), for those alone who show a certificate of this authority's.
    pub(crate) fn before_known_clients(&self, origin: &Origin, name: &str) -> Front {
        Front::start(self.settings(name, true), origin.address())
    }

    fn certified(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate, key)
    }

    fn settings(&self, name: &str, wants_clients: bool) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if wants_clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).expect("a root");
            let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(clients.build().expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = self.certified(name);
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        builder
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key")
    }
}

/// A listener for https that hands on what comes; it ends with its value.
pub(crate) struct Front {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Front {
    fn start(settings: ServerConfig, origin: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (is_over, settings) = (Arc::<AtomicBool>::default(), Arc::new(settings));
        let over = Arc::clone(&is_over);
        let listening = std::thread::spawn(move || {
            let mut threads = Vec::new();
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (over, settings) = (Arc::clone(&over), Arc::clone(&settings));
                threads.push(std::thread::spawn(move || {
                    // Why it is over, the scenario sees from its own side.
                    relay(settings, stream, origin, &over).ok();
                }));
            }
            for thread in threads {
                thread.join().ok();
            }
        });
        Self {
            address,
            is_over,
            listening: Some(listening),
        }
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener's thread.
        TcpStream::connect_timeout(&self.address, PATIENCE).ok();
        if let Some(listening) = self.listening.take() {
            listening.join().ok();
        }
    }
}

/// Carries bytes both ways until either side closes. The origin is connected to once a client has said something.
fn relay(
    settings: Arc<ServerConfig>,
    stream: TcpStream,
    origin: SocketAddr,
    is_over: &AtomicBool,
) -> std::io::Result<()> {
    let in_turns = |stream: &TcpStream| {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TURN))?;
        stream.set_write_timeout(Some(PATIENCE))
    };
    in_turns(&stream)?;
    let session = ServerConnection::new(settings).map_err(std::io::Error::other)?;
    let mut client = StreamOwned::new(session, stream);
    let mut server: Option<TcpStream> = None;
    let mut bytes = vec![0; 64 << 10];
    while !is_over.load(Ordering::SeqCst) {
        match came(client.read(&mut bytes))? {
            Some(0) => break,
            Some(size) => {
                if server.is_none() {
                    let stream = TcpStream::connect_timeout(&origin, PATIENCE)?;
                    in_turns(&stream)?;
                    server = Some(stream);
                }
                if let Some(server) = &mut server {
                    server.write_all(&bytes[..size])?;
                }
            }
            None => {}
        }
        let Some(server) = &mut server else { continue };
        match came(server.read(&mut bytes))? {
            Some(0) => {
                client.conn.send_close_notify();
                client.flush()?;
                break;
            }
            Some(size) => client.write_all(&bytes[..size])?,
            None => {}
        }
    }
    client.sock.shutdown(Shutdown::Both)
}

/// What one read brought; none where it was not there in its turn.
fn came(read: std::io::Result<usize>) -> std::io::Result<Option<usize>> {
    match read {
        Ok(size) => Ok(Some(size)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}
