//! TLS towards https origins: whom to trust, and what a certificate has to prove.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_rustls::TlsConnector;

use super::fault::{OriginFault, TlsFault};
use super::settings::{ClientIdentity, TlsSettings};

/// Why TLS can't be set up.
#[derive(Debug)]
pub enum TlsSetupError {
    /// The file of trusted certificates can't be read, or is not PEM.
    CaFile(PathBuf, rustls::pki_types::pem::Error),
    /// The file holds no certificate that can be trusted.
    CaFileEmpty(PathBuf),
    /// Nobody is trusted: this system has no certificates, and there is no file.
    NobodyTrusted,
    /// The file of our own certificate can't be read, or is not PEM.
    ClientCertificate(PathBuf, rustls::pki_types::pem::Error),
    /// The file of its key can't be read, or holds none.
    ClientKey(PathBuf),
    /// Our own certificate and its key don't belong together.
    ClientIdentity(PathBuf, Error),
    /// The library refuses the settings.
    Library(Error),
}

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaFile(path, error) => write!(f, "{}: {error}", path.display()),
            Self::CaFileEmpty(path) => {
                write!(f, "{}: no certificate that can be trusted", path.display())
            }
            Self::NobodyTrusted => f.write_str(
                "no certificate is trusted: this system has none; install its CA certificates or name a file",
            ),
            Self::ClientCertificate(path, error) => write!(f, "{}: {error}", path.display()),
            // What is wrong with a key is nobody's business.
            Self::ClientKey(path) => {
                write!(f, "{}: no PEM file of a private key", path.display())
            }
            Self::ClientIdentity(path, error) => {
                write!(f, "{} and its key: {error}", path.display())
            }
            Self::Library(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl std::error::Error for TlsSetupError {}

/// Makes TLS connections as `settings` ask for. Reads the trusted certificates, so it may wait for the disk.
///
/// # Errors
/// A file can't be used, or nobody is trusted.
pub fn connector(settings: &TlsSettings) -> Result<TlsConnector, TlsSetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = if settings.verify_peer {
        let roots = Arc::new(roots(settings)?);
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        Some(verifier.map_err(|_| TlsSetupError::NobodyTrusted)?)
    } else {
        None
    };
    let verifier = Verifier {
        chain,
        verify_host: settings.verify_host,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsSetupError::Library)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &settings.client {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (certificates, key) = own(identity)?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| {
                    TlsSetupError::ClientIdentity(identity.certificates.clone(), error)
                })?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Our own certificate, those between it and its authority, and its key.
fn own(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsSetupError> {
    let certificates = CertificateDer::pem_file_iter(&identity.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsSetupError::ClientCertificate(identity.certificates.clone(), error))?;
    let key = PrivateKeyDer::from_pem_file(&identity.key)
        .map_err(|_| TlsSetupError::ClientKey(identity.key.clone()))?;
    Ok((certificates, key))
}

fn roots(settings: &TlsSettings) -> Result<RootCertStore, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    if settings.system_roots {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a certificate of this system can't be read");
        }
        let (_, odd) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(trusted = roots.len(), odd, "certificates of this system");
    }
    if let Some(path) = &settings.ca_file {
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| TlsSetupError::CaFile(path.clone(), error))?;
        if let (0, _) = roots.add_parsable_certificates(certificates) {
            return Err(TlsSetupError::CaFileEmpty(path.clone()));
        }
    }
    if roots.is_empty() {
        return Err(TlsSetupError::NobodyTrusted);
    }
    Ok(roots)
}

/// Checks certificates as far as the settings want. Signatures of the handshake are always checked: without them, not even
/// the certificate that was shown would mean anything.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    verify_host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            if self.verify_host {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        };
        let verdict =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // The name is looked at last: all else is in order.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verify_host => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The fault of a handshake that failed.
pub(super) fn fault_of(error: &io::Error) -> OriginFault {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    let fault = match cause {
        Some(Error::InvalidCertificate(certificate)) => match certificate {
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongHost
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::OutOfTime,
            _ => TlsFault::BadCertificate,
        },
        Some(Error::AlertReceived(_)) => TlsFault::Alert,
        _ => TlsFault::Protocol,
    };
    OriginFault::Tls(fault)
}
