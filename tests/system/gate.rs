//! A cluster that only one machine can reach: a listener before it that looks which process has connected.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pids: Arc<Mutex<BTreeSet<u32>>>,
    turned_away: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Gate {
    /// Lets in nobody yet.
    pub(crate) async fn before(cluster: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pids, turned_away) = (Arc::<Mutex<BTreeSet<u32>>>::default(), Arc::<AtomicUsize>::default());
        let (known, counted) = (Arc::clone(&pids), Arc::clone(&turned_away));
        let task = tokio::spawn(async move {
            while let Ok((mut client, from)) = listener.accept().await {
                // Whoever connected may be gone already.
                let Some(socket) = socket(from, address) else { continue };
                let known = known.lock().unwrap().clone();
                if !known.iter().any(|pid| holds(*pid, &socket)) {
                    // Only who is found to hold it is somebody else: who was let in may have been killed meanwhile.
                    let is_others = processes().any(|pid| !known.contains(&pid) && holds(pid, &socket));
                    counted.fetch_add(usize::from(is_others), Ordering::SeqCst);
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(cluster).await else { return };
                    // Either side may end it.
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, pids, turned_away, task }
    }

    /// Lets the process `pid` in as well.
    pub(crate) fn let_in(&self, pid: u32) {
        self.pids.lock().unwrap().insert(pid);
    }

    /// Connections of others so far.
    pub(crate) fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::SeqCst)
    }
}

/// The socket at the far end of a connection, as processes hold it; `None` if none does any more.
fn socket(from: SocketAddr, to: SocketAddr) -> Option<String> {
    let ends = (format!(":{:04X}", from.port()), format!(":{:04X}", to.port()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&ends.0) && fields.get(2)?.ends_with(&ends.1);
        let inode = fields.get(9).filter(|inode| is_it && **inode != "0")?;
        Some(format!("socket:[{inode}]"))
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holds(pid: u32, socket: &str) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| link.to_string_lossy() == socket)
}
