//! https origins with certificates of a made-up authority.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::fill::profile::{Environment, Profile, ProfileKind, ProfileRule, Secret};

/// An authority, and a server's settings for a certificate of it.
struct Authority {
    file: tempfile::NamedTempFile,
    /// The server's certificate and key, which a client may show as its own.
    identity: [tempfile::NamedTempFile; 2],
    server: Arc<ServerConfig>,
}

impl Authority {
    fn certifying(hosts: &[&str]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::default();
        // Each has a name of its own, else the certificate of one would look like a broken one of the other.
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::SeqCst));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let leaf = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        let mut identity = [(); 2].map(|()| tempfile::NamedTempFile::new().unwrap());
        identity[0].write_all(leaf.pem().as_bytes()).unwrap();
        identity[1]
            .write_all(key.serialize_pem().as_bytes())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(issuer.der().clone()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()
                .unwrap();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            file,
            identity,
            server: Arc::new(server),
        }
    }

    /// A peer that does what `serve` says on each TLS connection.
    fn peer(
        &self,
        serve: impl Fn(&mut StreamOwned<ServerConnection, std::net::TcpStream>) + Send + Sync + 'static,
    ) -> Peer {
        let server = Arc::clone(&self.server);
        Peer::each(move |_, talk| {
            let session = ServerConnection::new(Arc::clone(&server)).unwrap();
            serve(&mut StreamOwned::new(session, talk.into_stream()));
        })
    }

    fn trusted(&self) -> TlsSettings {
        TlsSettings {
            system_roots: false,
            ca_file: Some(self.file.path().to_owned()),
            ..TlsSettings::default()
        }
    }
}

/// Reads a head; false where the client closes instead.
fn has_head(stream: &mut impl std::io::Read) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn answering(authority: &Authority) -> Peer {
    authority.peer(|stream| {
        while has_head(stream) {
            let body = "x".repeat(100_000);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    })
}

fn tls_origin(peer: &Peer, host: &str, tls: TlsSettings) -> Origin {
    let mut settings = settings(&[peer]);
    settings.urls[0].https = true;
    settings.urls[0].host = host.to_owned();
    settings.tls = tls;
    origin(settings)
}

async fn ask(origin: &Origin) -> Result<usize, OriginFault> {
    let mut response = origin.send(get("/")).await?;
    Ok(whole(&mut response.body).await?.len())
}

#[test]
fn certificate_of_a_trusted_authority_for_the_host_is_accepted_and_the_connection_reused() {
    let authority = Authority::certifying(&["localhost", "127.0.0.1"]);
    let peer = answering(&authority);
    run(async {
        for host in ["localhost", "127.0.0.1"] {
            let origin = tls_origin(&peer, host, authority.trusted());
            for _ in 0..3 {
                assert_eq!(ask(&origin).await, Ok(100_000));
            }
            let figures = origin.counts().figures();
            assert_eq!((figures.connects, figures.reuses), (1, 2), "{host}");
        }
    });
}

#[test]
fn certificate_for_another_host_is_refused_unless_hosts_are_not_verified() {
    let authority = Authority::certifying(&["elsewhere.test"]);
    let peer = answering(&authority);
    run(async {
        let origin = tls_origin(&peer, "localhost", authority.trusted());
        assert_eq!(
            ask(&origin).await,
            Err(OriginFault::Tls(TlsFault::WrongHost))
        );
        assert_eq!(origin.counts().figures().connect_failures, 1);
        let lenient = TlsSettings {
            verify_host: false,
            ..authority.trusted()
        };
        assert_eq!(
            ask(&tls_origin(&peer, "localhost", lenient)).await,
            Ok(100_000)
        );
        // The name still counts where only the authority does not.
        let by_name = TlsSettings {
            verify_peer: false,
            ..authority.trusted()
        };
        let found = ask(&tls_origin(&peer, "localhost", by_name)).await;
        assert_eq!(found, Err(OriginFault::Tls(TlsFault::WrongHost)));
    });
}

#[test]
fn certificate_of_an_unknown_authority_is_refused_unless_nothing_is_verified() {
    let authority = Authority::certifying(&["localhost"]);
    let other = Authority::certifying(&["localhost"]);
    let peer = answering(&authority);
    run(async {
        for verify_host in [true, false] {
            let tls = TlsSettings {
                verify_host,
                ..other.trusted()
            };
            let found = ask(&tls_origin(&peer, "localhost", tls)).await;
            assert_eq!(found, Err(OriginFault::Tls(TlsFault::UnknownIssuer)));
            let tls = TlsSettings {
                verify_peer: false,
                verify_host,
                ..other.trusted()
            };
            assert_eq!(ask(&tls_origin(&peer, "localhost", tls)).await, Ok(100_000));
        }
    });
}

#[test]
fn peer_that_speaks_no_tls_is_a_tls_fault() {
    let peer = Peer::each(|_, mut talk| {
        talk.bytes(1);
        talk.say("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let tls = TlsSettings {
        verify_peer: false,
        ..TlsSettings::default()
    };
    run(async {
        let found = ask(&tls_origin(&peer, "localhost", tls)).await;
        assert_eq!(found, Err(OriginFault::Tls(TlsFault::Protocol)));
    });
}

#[test]
fn handshake_that_hangs_is_a_connect_timeout() {
    let peer = Peer::each(|_, mut talk| {
        talk.is_closed();
    });
    let tls = TlsSettings {
        verify_peer: false,
        ..TlsSettings::default()
    };
    run(async {
        let mut settings = settings(&[&peer]);
        settings.urls[0].https = true;
        settings.tls = tls;
        settings.connect_timeout = Duration::from_millis(60);
        let found = ask(&origin(settings)).await;
        assert_eq!(found, Err(OriginFault::ConnectTimeout));
    });
}

#[test]
fn rfc9112_s9_8_connection_cut_without_the_end_of_tls_is_never_a_clean_end() {
    let authority = Authority::certifying(&["localhost"]);
    let peer = authority.peer(|stream| {
        has_head(stream);
        write!(stream, "HTTP/1.1 200 OK\r\n\r\nup to").unwrap();
        stream.flush().unwrap();
        stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        // Waits for the client, so that its end is no reset.
        stream.sock.read_exact(&mut [0; 100]).ok();
    });
    run(async {
        let origin = tls_origin(&peer, "localhost", authority.trusted());
        assert_eq!(ask(&origin).await, Err(OriginFault::Truncated));
    });
}

#[test]
fn certificate_of_our_own_is_shown_to_who_asks_for_one() {
    let authority = Authority::certifying(&["localhost"]);
    let peer = authority.peer(|stream| {
        while has_head(stream) {
            let shown = stream.conn.peer_certificates().map_or(0, <[_]>::len);
            let body = "x".repeat(shown);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {shown}\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    let [certificates, key] = &authority.identity;
    let identity = ClientIdentity {
        certificates: certificates.path().to_owned(),
        key: key.path().to_owned(),
    };
    let with = |client: Option<ClientIdentity>| TlsSettings {
        client,
        ..authority.trusted()
    };
    run(async {
        let shown = ask(&tls_origin(
            &peer,
            "localhost",
            with(Some(identity.clone())),
        ))
        .await;
        assert_eq!(shown, Ok(1));
        assert_eq!(
            ask(&tls_origin(&peer, "localhost", with(None))).await,
            Ok(0)
        );
    });
    for (certificates, key) in [(certificates, certificates), (key, key)] {
        let mut settings = OriginSettings {
            urls: vec![url(1)],
            ..OriginSettings::default()
        };
        settings.urls[0].https = true;
        settings.tls = with(Some(ClientIdentity {
            certificates: certificates.path().to_owned(),
            key: key.path().to_owned(),
        }));
        let error = Origin::new(settings, Arc::default()).unwrap_err();
        assert!(!error.to_string().contains("BEGIN"), "{error}");
    }
}

#[test]
fn clients_read_objects_with_our_certificate_and_do_nothing_else() {
    let authority = Authority::certifying(&["localhost"]);
    let peer = answering(&authority);
    let [certificates, key] = &authority.identity;
    let rule = ProfileRule {
        kind: ProfileKind::Headers,
        request_headers: vec![("X-Own".to_owned(), Secret::new("1"))],
        ..ProfileRule::default()
    };
    let with = |asker| {
        let mut settings = settings(&[&peer]);
        settings.urls[0].https = true;
        settings.urls[0].host = "localhost".to_owned();
        settings.tls = TlsSettings {
            client: Some(ClientIdentity {
                certificates: certificates.path().to_owned(),
                key: key.path().to_owned(),
            }),
            ..authority.trusted()
        };
        settings.profile = Some(Arc::new(Profile::new(
            rule.clone(),
            &Environment::default(),
        )));
        settings.asker = asker;
        origin(settings)
    };
    run(async {
        let origin = with(Asker::Clients);
        assert_eq!(ask(&origin).await, Ok(100_000));
        for method in ["PUT", "POST", "DELETE", "OPTIONS", "get"] {
            let found = origin.send(request(method, "/")).await;
            assert_eq!(found.map(drop), Err(OriginFault::NotLent), "{method}");
        }
        assert_eq!(counted(&origin.counts().figures(), OriginFault::NotLent), 5);
        let own = with(Asker::Own).send(request("PUT", "/")).await;
        assert_eq!(own.map(|response| response.status), Ok(200));
    });
}

#[test]
fn trust_that_can_not_be_set_up_is_told() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let with = |ca_file: Option<&std::path::Path>| {
        let mut settings = OriginSettings {
            urls: vec![url(1)],
            ..OriginSettings::default()
        };
        settings.urls[0].https = true;
        settings.tls.system_roots = false;
        settings.tls.ca_file = ca_file.map(std::path::Path::to_owned);
        Origin::new(settings, Arc::default()).unwrap_err()
    };
    let error = with(Some(std::path::Path::new("/nonexistent/ca.pem")));
    assert!(
        matches!(error, OriginSetupError::Tls(TlsSetupError::CaFile(..))),
        "{error}"
    );
    let error = with(Some(empty.path()));
    assert!(
        matches!(error, OriginSetupError::Tls(TlsSetupError::CaFileEmpty(_))),
        "{error}"
    );
    let error = with(None);
    assert!(
        matches!(error, OriginSetupError::Tls(TlsSetupError::NobodyTrusted)),
        "{error}"
    );
}
