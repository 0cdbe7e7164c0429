//! A server that is asked.

use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::http::uri::{Scheme, Uri};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Why a server cannot be asked. Nothing was sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not the URL of a server.
    #[error("failed to take {url:?} for a server: it must be http://HOST:PORT or https://HOST:PORT")]
    Url {
        /// What was given.
        url: String,
    },
    /// An https server, and nobody said who may vouch for it.
    #[error("failed to trust {url}: no file with the authorities of its certificate is named")]
    NoAuthority {
        /// The server.
        url: String,
    },
    /// The authorities cannot be read.
    #[error("failed to read the authorities in {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// The authorities cannot be used.
    #[error("failed to use TLS")]
    Tls(#[source] rustls::Error),
    /// The token cannot be sent.
    #[error("failed to use the token: it holds characters that a header cannot")]
    Token,
}

/// A server, and what every request to it carries. Clones share their TLS sessions.
#[derive(Clone)]
pub struct Target {
    /// `HOST:PORT`
    pub(super) address: String,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
    headers: HeaderMap,
}

impl std::fmt::Debug for Target {
    // Without its headers: the token is in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.address)
    }
}

impl Target {
    /// The server at `url`. An https one must show a certificate that an authority in `ca_file` vouches for.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn new(url: &str, ca_file: Option<&Path>, token: Option<&str>) -> Result<Self, TargetError> {
        let wrong = || TargetError::Url { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (is_tls, port) = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => (false, 80),
            Some(scheme) if *scheme == Scheme::HTTPS => (true, 443),
            _ => return Err(wrong()),
        };
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port));
        let tls = if is_tls {
            let file = ca_file.ok_or_else(|| TargetError::NoAuthority { url: url.to_owned() })?;
            Some((connector(file)?, ServerName::try_from(host).map_err(|_| wrong())?))
        } else {
            None
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
            headers.insert(AUTHORIZATION, bearer.map_err(|_| TargetError::Token)?);
        }
        Ok(Self { address, tls, headers })
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

fn connector(ca_file: &Path) -> Result<TlsConnector, TargetError> {
    let unreadable = |source| TargetError::Pem { path: ca_file.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(TargetError::Tls)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TargetError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn a_server_is_named_by_its_url_and_tls_needs_an_authority() {
        assert_eq!(Target::new("http://h:7001", None, None).unwrap().address, "h:7001");
        assert_eq!(Target::new("http://[::1]:7001", None, None).unwrap().address, "[::1]:7001");
        assert!(matches!(Target::new("ftp://h", None, None), Err(TargetError::Url { .. })));
        assert!(matches!(Target::new("https://h", None, None), Err(TargetError::NoAuthority { .. })));
        assert!(matches!(Target::new("http://h", None, Some("a\nb")), Err(TargetError::Token)));
        let shown = format!("{:?}", Target::new("http://h:1", None, Some("secret")).unwrap());
        assert_eq!(shown, "Target(h:1)");
    }
}
