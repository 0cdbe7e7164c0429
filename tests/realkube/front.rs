//! A way to a real kube-apiserver on which creates of Jobs meet what networks do to them: `kubectl proxy`, and before it
//! a proxy that loses answers and delivers requests late.

use crate::control::Cluster;
use crate::dev::port;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;

/// Bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What becomes of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It takes effect, and its answer is lost.
    Lost,
    /// It arrives so much later, whoever has given up on it meanwhile.
    Late(Duration),
}

pub(crate) struct Front {
    address: SocketAddr,
    faults: Arc<Faults>,
    listening: AbortHandle,
    _kubectl: Child,
}

#[derive(Default)]
struct Faults {
    next: Mutex<VecDeque<Fault>>,
    met: AtomicUsize,
}

impl Front {
    /// Before a cluster, as whoever its kubeconfig is for.
    pub(crate) async fn before(cluster: &Cluster) -> Self {
        let plain = port();
        let mut kubectl = Command::new(crate::control::kubectl());
        kubectl.arg("proxy").arg(format!("--port={plain}")).env("KUBECONFIG", cluster.kubeconfig());
        let child = kubectl.stdout(std::process::Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let upstream = SocketAddr::from(([127, 0, 0, 1], plain));
        crate::stage::within("kubectl proxy listens", async || TcpStream::connect(upstream).await.ok()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, faults) = (listener.local_addr().unwrap(), Arc::<Faults>::default());
        let shared = Arc::clone(&faults);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { drop(serve(client, upstream, &shared).await) });
            }
        });
        Self { address, faults, listening: task.abort_handle(), _kubectl: child }
    }

    /// Where it is reached.
    pub(crate) fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A file that says so.
    pub(crate) fn kubeconfig(&self, folder: &std::path::Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{name}.front.kubeconfig"));
        let server = self.server();
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: front, users: [{{name: front, user: {{}}}}], \
             clusters: [{{name: front, cluster: {{server: {server:?}}}}}], \
             contexts: [{{name: front, context: {{cluster: front, user: front}}}}]}}\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The next creates of Jobs meet these.
    pub(crate) fn meet(&self, faults: &[Fault]) {
        self.faults.next.lock().unwrap().extend(faults);
    }

    /// How many have been met.
    pub(crate) fn met(&self) -> usize {
        self.faults.met.load(Ordering::SeqCst)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One request for each connection: its end is that of the connection.
async fn serve(mut client: TcpStream, upstream: SocketAddr, faults: &Faults) -> std::io::Result<()> {
    let Some(request) = read(&mut client).await? else { return Ok(()) };
    let is_create = request.starts_with(b"POST ") && first_line(&request).contains("/jobs");
    let fault = if is_create { faults.next.lock().unwrap().pop_front() } else { None };
    if fault.is_some() {
        faults.met.fetch_add(1, Ordering::SeqCst);
    }
    if let Some(Fault::Late(time)) = fault {
        tokio::time::sleep(time).await;
    }
    let mut server = TcpStream::connect(upstream).await?;
    server.write_all(&request).await?;
    if fault.is_some() {
        // The whole answer, so that it has taken effect.
        server.read_to_end(&mut Vec::new()).await?;
        return Ok(());
    }
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

fn first_line(request: &[u8]) -> String {
    let end = request.iter().position(|byte| *byte == b'\r').unwrap_or(request.len());
    String::from_utf8_lossy(&request[..end]).into_owned()
}

/// A request with its body, which asks that the connection be closed behind it; `None` at the end of the connection.
async fn read(client: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD_BYTES_MAX || client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head + 4 + length.unwrap_or(0);
    while bytes.len() < end {
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let mut request = text.into_bytes();
    request.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    request.extend_from_slice(&bytes[head + 4..end]);
    Ok(Some(request))
}
