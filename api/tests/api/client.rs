//! The real server on a loopback socket, and a plain client.

use crate::memory::Memory;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tallyman_api::backend::Backend;
use tallyman_api::{ApiOptions, Identity, Limits, ServeOptions};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) memory: Arc<Memory>,
    drain: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// Starts a server on `memory`, set up by `change`.
pub(crate) async fn start_with(
    memory: &Arc<Memory>,
    change: impl FnOnce(&mut ApiOptions, &mut Limits),
) -> Server {
    start_on(memory.clone(), memory.clone(), change).await
}

/// Starts a server on any backend, with the clock and entropy of `memory`.
pub(crate) async fn start_on(
    backend: Arc<dyn Backend>,
    memory: Arc<Memory>,
    change: impl FnOnce(&mut ApiOptions, &mut Limits),
) -> Server {
    let (drain, draining) = watch::channel(false);
    let mut options = ApiOptions::new(backend, memory.env.clone(), Identity::Dev, draining.clone());
    options.bookmark_every = Duration::from_millis(50);
    let mut limits = Limits::default();
    change(&mut options, &mut limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = tallyman_api::router(options);
    let serving = tallyman_api::serve(listener, router, ServeOptions { tls: None, limits }, draining);
    Server { address, memory, drain, serving }
}

/// Starts a server on a founded replica.
pub(crate) async fn start() -> Server {
    start_with(&Memory::founded(), |_, _| {}).await
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn revision(&self) -> u64 {
        self.header("tallyman-revision").parse().unwrap()
    }

    /// Expects a `Status` of that code and reason, and gives its message.
    #[track_caller]
    pub(crate) fn refused(&self, code: u16, reason: &str) -> String {
        let status = self.json();
        assert_eq!(self.status.as_u16(), code, "{status}");
        assert_eq!(status["kind"], "Status", "{status}");
        assert_eq!(status["status"], "Failure", "{status}");
        assert_eq!(status["code"], code, "{status}");
        assert_eq!(status["reason"], reason, "{status}");
        status["message"].as_str().unwrap().to_owned()
    }

    /// Expects success, and gives the document.
    #[track_caller]
    pub(crate) fn done(&self, code: u16) -> Value {
        assert_eq!(self.status.as_u16(), code, "{}", self.text());
        self.json()
    }
}

impl Server {
    /// Sends one request on a connection of its own and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let response = self.open(method, path, headers, body).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// Sends one request and gives the answer as soon as its head is there.
    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        sender.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn merge(&self, path: &str, patch: &Value) -> Reply {
        self.send("PATCH", path, &[("content-type", "application/merge-patch+json")], patch.to_string()).await
    }

    /// Opens a watch.
    pub(crate) async fn watch(&self, path: &str) -> Watch {
        let response = self.open("GET", path, &[], "").await;
        assert_eq!(response.status(), StatusCode::OK);
        Watch { body: response.into_body(), rest: Vec::new() }
    }

    /// Tells the server to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.drain.send_replace(true);
        self.serving.await.unwrap();
    }
}

/// An open watch.
pub(crate) struct Watch {
    body: Incoming,
    rest: Vec<u8>,
}

impl Watch {
    /// The next event; `None` at the end. Fails after 5 s of silence.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame =
                tokio::time::timeout(Duration::from_secs(5), self.body.frame()).await.expect("an event");
            let Some(frame) = frame else {
                assert!(self.rest.is_empty());
                return None;
            };
            self.rest.extend(frame.unwrap().into_data().unwrap());
        }
    }

    /// The next event that is no bookmark, as type, name and revision.
    pub(crate) async fn event(&mut self) -> (String, String, u64) {
        loop {
            let event = self.next().await.expect("an event");
            if event["type"] != "BOOKMARK" {
                return words(&event);
            }
        }
    }
}

/// Type, name and revision of an event.
pub(crate) fn words(event: &Value) -> (String, String, u64) {
    let metadata = &event["object"]["metadata"];
    let revision = metadata["resourceVersion"].as_str().unwrap_or("0").parse().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&event["type"]), text(&metadata["name"]), revision)
}
