//! TLS on the listener.

use crate::memory::Memory;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tallyman_api::{ApiOptions, Identity, Limits, ServeOptions, Tls, serve};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

struct Secured {
    address: SocketAddr,
    roots: RootCertStore,
    _drain: watch::Sender<bool>,
}

async fn start() -> Secured {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let memory = Memory::founded();
    let (drain, draining) = watch::channel(false);
    let options = ApiOptions::new(memory.clone(), memory.env.clone(), Identity::Dev, draining.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { handshake_max: Duration::from_millis(300), ..Limits::default() };
    let tls = Some(Tls::load(&cert, &key).unwrap());
    serve(listener, tallyman_api::router(options), ServeOptions { tls, limits }, draining);
    Secured { address, roots, _drain: drain }
}

async fn connect(server: &Secured, protocol: &[u8]) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(server.roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

fn request() -> Request<Empty<Bytes>> {
    Request::get("https://localhost/livez").header("host", "localhost").body(Empty::new()).unwrap()
}

#[tokio::test]
async fn both_versions_of_http_are_served_over_tls() {
    let server = start().await;
    let io = TokioIo::new(connect(&server, b"http/1.1").await);
    let (mut one, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let body = one.send_request(request()).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "ok");
    let io = TokioIo::new(connect(&server, b"h2").await);
    let (mut two, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let response = two.send_request(request()).await.unwrap();
    assert_eq!(response.version(), hyper::Version::HTTP_2);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends_the_connection() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{rest:?}");
}

#[tokio::test]
async fn files_that_are_no_certificate_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    for text in ["", "-----BEGIN CERTIFICATE-----\nnonsense"] {
        std::fs::write(&cert, text).unwrap();
        let error = Tls::load(&cert, &key).unwrap_err().to_string();
        assert!(error.contains("cert.pem"), "{error}");
    }
}
