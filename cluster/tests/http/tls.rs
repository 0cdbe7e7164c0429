//! TLS both ways, from files that the kubeconfig names.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::Path;
use std::sync::Arc;
use tallyman_cluster::{CallError, ClusterApi, NotSent};
use tallyman_model::record::Kind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto::ring};

struct Pki {
    ca: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { ca: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    fn leaf(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// Serves one request over TLS and asks for a certificate of the same authority.
async fn serve(pki: &Pki) -> u16 {
    let (cert, key) = pki.leaf("127.0.0.1");
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(pki.ca.der().clone()).unwrap();
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let body = job("7").to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    port
}

fn kubeconfig(dir: &Path, port: u16, ca: &Pki, client: &Pki) -> std::path::PathBuf {
    let (cert, key) = client.leaf("tallyman");
    std::fs::write(dir.join("ca.pem"), ca.ca.pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
    let text = format!(
        "{{current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}], clusters: [{{name: k, \
         cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: ca.pem}}}}], users: [{{name: u, \
         user: {{client-certificate: cert.pem, client-key: key.pem}}}}]}}"
    );
    let path = dir.join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn both_sides_prove_who_they_are() {
    let pki = Pki::new();
    let port = serve(&pki).await;
    let dir = tempfile::tempdir().unwrap();
    let api = KubeApi::connect(ConnectOptions::new(kubeconfig(dir.path(), port, &pki, &pki))).await.unwrap();
    assert!(api.get(&Kind::Job, "n", "a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_of_another_authority_is_told_nothing() {
    let pki = Pki::new();
    let port = serve(&pki).await;
    let dir = tempfile::tempdir().unwrap();
    let api =
        KubeApi::connect(ConnectOptions::new(kubeconfig(dir.path(), port, &Pki::new(), &pki))).await.unwrap();
    let error = api.create(&Kind::Job, "n", b"{}").await.unwrap_err();
    assert!(matches!(error, CallError::NotSent { why: NotSent::Connect, .. }), "{error:?}");
}
