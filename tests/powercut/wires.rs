//! The wires between the replicas: each connection of a peer goes through one that can be cut. What is on its way then
//! is not lost, as with TCP: it arrives, late, when the wire is whole again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Where the peers reach a replica, on the port that it listens on at another address.
pub(crate) const HOST: &str = "127.0.0.2";
/// Bytes that are taken at once.
const PIECE_BYTES: usize = 16 * 1024;
/// Between two looks at whose a connection is, and how many there are: its replica may have just been started.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 500;

/// Who is cut off from all others.
type Off = watch::Receiver<Option<usize>>;
type Pids = Arc<Mutex<Vec<i32>>>;

pub(crate) struct Wires {
    off: watch::Sender<Option<usize>>,
    pids: Pids,
    tasks: Vec<JoinHandle<()>>,
}

impl Wires {
    /// To the replicas that listen on these ports.
    pub(crate) async fn lay(ports: &[u16]) -> Self {
        let off = watch::Sender::new(None);
        let pids = Arc::new(Mutex::new(vec![0; ports.len()]));
        let mut tasks = Vec::new();
        for (to, port) in ports.iter().enumerate() {
            let listener = TcpListener::bind((HOST, *port)).await.unwrap();
            let target = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            tasks.push(tokio::spawn(serve(listener, to, target, off.subscribe(), Arc::clone(&pids))));
        }
        Self { off, pids, tasks }
    }

    /// The replica `i` has this process from now on.
    pub(crate) fn belongs(&self, i: usize, pid: i32) {
        self.pids.lock().unwrap()[i] = pid;
    }

    /// From now on nothing comes to the replica `i` from the others, or to them from it.
    pub(crate) fn cut_off(&self, i: usize) {
        self.off.send_replace(Some(i));
    }

    pub(crate) fn heal(&self) {
        self.off.send_replace(None);
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn serve(listener: TcpListener, to: usize, target: SocketAddr, off: Off, pids: Pids) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(wire(stream, to, target, off.clone(), Arc::clone(&pids)));
    }
}

/// One connection, until one of its ends is closed.
async fn wire(near: TcpStream, to: usize, target: SocketAddr, mut off: Off, pids: Pids) {
    // Nobody there: it need not be known who asks.
    let mut far = None;
    if off.borrow().is_none() {
        let Ok(stream) = TcpStream::connect(target).await else { return };
        far = Some(stream);
    }
    let Some(from) = dialler(&near, &pids).await else { return };
    whole(&mut off, from, to).await;
    let far = match far {
        Some(far) => far,
        None => match TcpStream::connect(target).await {
            Ok(far) => far,
            Err(_) => return,
        },
    };
    for stream in [&near, &far] {
        stream.set_nodelay(true).unwrap();
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        () = carry(near_read, far_write, off.clone(), (from, to)) => {}
        () = carry(far_read, near_write, off.clone(), (from, to)) => {}
    }
}

/// Waits until nothing between the two is cut.
async fn whole(off: &mut Off, from: usize, to: usize) {
    let _ = off.wait_for(|off| off.is_none_or(|off| off != from && off != to)).await;
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut off: Off,
    ends: (usize, usize),
) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await;
        // Neither bytes nor an end come through a wire that is cut.
        whole(&mut off, ends.0, ends.1).await;
        match read {
            Ok(length) if length > 0 => {
                if to.write_all(&piece[..length]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// Which replica has opened this connection; `None` also if it has given it up already.
async fn dialler(stream: &TcpStream, pids: &Pids) -> Option<usize> {
    let (theirs, ours) = (stream.peer_addr().ok()?.port(), stream.local_addr().ok()?.port());
    for _ in 0..LOOKS_MAX {
        let pids = pids.lock().unwrap().clone();
        let socket = format!("socket:[{}]", inode(theirs, ours)?);
        if let Some(i) = pids.iter().position(|pid| has_open(*pid, &socket)) {
            return Some(i);
        }
        sleep(LOOK).await;
    }
    None
}

/// The socket that is connected from port `from` to port `to`.
fn inode(from: u16, to: u16) -> Option<String> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let (from, to) = (format!(":{from:04X}"), format!(":{to:04X}"));
    let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = row.filter(|row| row.len() > 9 && row[1].ends_with(&from) && row[2].ends_with(&to));
    // What is closed belongs to nobody.
    rows.next().map(|row| row[9].to_owned()).filter(|inode| inode != "0")
}

fn has_open(pid: i32, socket: &str) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    open.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == socket))
}
