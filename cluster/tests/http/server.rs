//! A server that says exactly what it is told to, byte by byte, and counts what it is asked.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does with one request, after reading all of it.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// These bytes, and the connection stays open for the next request.
    Bytes(String),
    /// These bytes, and then the connection is closed.
    Close(String),
    /// These bytes, and then nothing, for ever.
    Hang(String),
}

impl Say {
    /// A whole answer in JSON.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "", body)
    }

    /// A whole answer with more headers, each with its line end.
    pub(crate) fn with(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ))
    }

    /// The start of a watch: chunks in `lines`.
    pub(crate) fn chunks(lines: &[String]) -> String {
        let mut text =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
                .to_owned();
        for line in lines {
            text.push_str(&format!("{:x}\r\n{line}\r\n", line.len()));
        }
        text
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    dir: tempfile::TempDir,
    script: Arc<Mutex<VecDeque<Say>>>,
    requests: Arc<Mutex<Vec<String>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(script: impl IntoIterator<Item = Say>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script: Arc<Mutex<VecDeque<Say>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (says, notes) = (Arc::clone(&script), Arc::clone(&requests));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&says), Arc::clone(&notes)));
            }
        });
        let dir = tempfile::tempdir().unwrap();
        write_kubeconfig(&dir.path().join("kubeconfig"), &url);
        Self { url, dir, script, requests, accepting }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// Head and body of each request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn unsaid(&self) -> usize {
        self.script.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(crate) fn write_kubeconfig(path: &Path, url: &str) {
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, contexts: [{{name: c, context: {{cluster: k, user: u}}}}], \
         clusters: [{{name: k, cluster: {{server: '{url}'}}}}], users: [{{name: u, user: {{token: t0ken}}}}]}}"
    );
    std::fs::write(path, text).unwrap();
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<VecDeque<Say>>>, notes: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        notes.lock().unwrap().push(request);
        let say = script.lock().unwrap().pop_front().unwrap_or(Say::json(500, "{}"));
        let (Say::Bytes(text) | Say::Close(text) | Say::Hang(text)) = &say;
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
        match say {
            Say::Bytes(_) => {}
            Say::Close(_) => return,
            Say::Hang(_) => tokio::time::sleep(Duration::from_secs(3_600)).await,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok().filter(|&count| count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}
