//! Mutual TLS between peers: version 1.3 only, and both sides show a certificate of the same authority.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// The files of mutual TLS between peers, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerTls {
    /// This replica's certificate chain. It must be valid for the host in its advertised peer address.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authority whose certificates are accepted, of diallers and of listeners.
    pub ca: PathBuf,
}

/// Why TLS cannot be used. Nothing was started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("failed to read {} as PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("failed to find a certificate in {}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate, key or authority cannot be used.
    #[error("failed to use the peer certificates")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// TLS for both directions.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: &PeerTls) -> Result<Self, TlsError> {
        let certs = certificates(&files.cert)?;
        let key = || {
            PrivateKeyDer::from_pem_file(&files.key)
                .map_err(|source| TlsError::Pem { path: files.key.clone(), source })
        };
        let mut roots = RootCertStore::empty();
        for cert in certificates(&files.ca)? {
            roots.add(cert).map_err(config)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = &[&rustls::version::TLS13];
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(config)?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(config)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certs.clone(), key()?)
            .map_err(config)?;
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(config)?
            .with_root_certificates(roots)
            .with_client_auth_cert(certs, key()?)
            .map_err(config)?;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }
}

fn config(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TlsError {
    TlsError::Config(error.into())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::Pem { path: path.to_owned(), source };
    let certs = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    if certs.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned() });
    }
    Ok(certs)
}
