#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;

/// The leader's end, the cluster's end, and what carries between them.
async fn carried(
    may_pass: impl Fn() -> bool + Send + Sync + 'static,
) -> (DuplexStream, TcpStream, tokio::task::JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let (leader, peer) = tokio::io::duplex(4096);
    let task = tokio::spawn(async move { carry(tokio::io::split(peer), near, may_pass, |_, _| {}).await });
    (leader, far, task)
}

#[tokio::test]
async fn each_direction_ends_by_itself_and_the_other_goes_on() {
    let (mut leader, mut far, task) = carried(|| true).await;
    leader.write_all(b"question").await.unwrap();
    leader.shutdown().await.unwrap();
    let mut heard = String::new();
    far.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "question");
    far.write_all(b"answer").await.unwrap();
    far.shutdown().await.unwrap();
    let mut heard = String::new();
    leader.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "answer");
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_leader_that_reads_nothing_has_little_held_for_it() {
    let (mut leader, mut far, _task) = carried(|| true).await;
    far.set_nodelay(true).unwrap();
    let taken = AtomicU64::new(0);
    let flood = async {
        let piece = vec![7; 64 * 1024];
        loop {
            taken.fetch_add(far.write(&piece).await.unwrap() as u64, Ordering::SeqCst);
        }
    };
    // Until the sockets in between are full: nothing more is taken.
    let mut before = u64::MAX;
    let is_full = async {
        while before != taken.load(Ordering::SeqCst) {
            before = taken.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::select! {
        () = flood => {}
        () = is_full => {}
    }
    let held = taken.load(Ordering::SeqCst);
    assert!(held < 32 * 1024 * 1024, "{held} bytes");
    let mut piece = vec![0; 4096];
    assert!(leader.read(&mut piece).await.unwrap() > 0, "what is held comes");
}

#[tokio::test]
async fn nothing_reaches_the_cluster_any_more_once_it_may_not() {
    static MAY: AtomicBool = AtomicBool::new(true);
    let (mut leader, mut far, task) = carried(|| MAY.load(Ordering::SeqCst)).await;
    leader.write_all(b"early").await.unwrap();
    let mut heard = [0; 5];
    far.read_exact(&mut heard).await.unwrap();
    MAY.store(false, Ordering::SeqCst);
    leader.write_all(b"late").await.unwrap();
    assert!(task.await.unwrap().is_err());
    assert_eq!(far.read(&mut heard).await.unwrap_or(0), 0, "it is closed without it");
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_comes_is_closed() {
    let (leader, far, task) = carried(|| true).await;
    let begun = Instant::now();
    assert_eq!(task.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(begun.elapsed() >= IDLE_DEADLINE);
    drop((leader, far));
}
