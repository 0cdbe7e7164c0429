//! More than a replica can do: thousands of watchers that do not read, and ten times as many writers as it lets in.

use crate::dev::{Dev, PATIENCE, Replica, path, until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

/// Watchers that are open at a time.
const WATCHERS: usize = 2_000;
/// What one of them may add to the memory of its replica, in KiB: its connection, its events, and what was asked.
const WATCHER_KIB_MAX: u64 = 96;

/// One of these at a time: each takes the machine to its limit.
static ALONE: Mutex<()> = Mutex::const_new(());

/// This process may open as many files as it is allowed to: each connection is one.
fn raise_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Work that no cluster takes, so that the replicas have nothing else to do.
fn idle(name: &str, filler: usize) -> Value {
    json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"generateName": name},
        "spec": {
            "placement": {"clusterSelector": {"matchLabels": {"nowhere": "x"}}},
            "manifests": [{
                "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
                "spec": {"template": {"filler": "x".repeat(filler)}},
            }],
        },
    })
}

fn address(replica: &Replica) -> String {
    replica.url.trim_start_matches("http://").to_owned()
}

fn rss_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// Writes through one replica and reads back on another, some times over: how long each took.
async fn write_and_read(
    dev: &Dev,
    writer: &Replica,
    reader: &Replica,
    times: usize,
) -> (Vec<Duration>, Vec<Duration>) {
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let begun = Instant::now();
        let written = dev.submit(&writer.url, "risk", &idle("a-", 8 * 1024)).await.unwrap();
        assert_eq!(written.status, 201, "{written:?}");
        writes.push(begun.elapsed());
        let name = written.body["metadata"]["name"].as_str().unwrap();
        let token = path(&format!("namespaces/risk/runnables/{name}?resourceVersion={}", written.revision()));
        let begun = Instant::now();
        assert_eq!(dev.get(&reader.url, &token).await.unwrap().status, 200);
        reads.push(begun.elapsed());
    }
    (writes, reads)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_watchers_that_do_not_read_cost_little_and_slow_nobody() {
    let _alone = ALONE.lock().await;
    raise_files();
    let dev = Dev::start(&[]).await;
    let (leader, follower) = (dev.leader().await, dev.followers().await.remove(0));
    let (mut writes, mut reads) = write_and_read(&dev, &leader, &follower, 60).await;
    let (write_before, read_before) = (percentile(&mut writes, 99), percentile(&mut reads, 99));
    let from = dev.get(&follower.url, &path("runnables?limit=1")).await.unwrap().header("tallyman-revision");
    let before = rss_kib(follower.pid);
    let mut watchers = Vec::new();
    for i in 0..WATCHERS {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        let mut stream = socket.connect(address(&follower).parse().unwrap()).await.unwrap();
        // Lines and events, from now and from the beginning.
        let query = if i % 4 == 0 {
            "watch=true&resourceVersion=0".to_owned()
        } else {
            format!("watch=true&resourceVersion={from}")
        };
        let accept = if i % 2 == 0 { "application/json" } else { "text/event-stream" };
        let head = format!(
            "GET {}?{query} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\n\r\n",
            path("runnables")
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        watchers.push(stream);
    }
    until("all watches are open", async || {
        let metrics = dev.get(&follower.url, "/metrics").await?.body.as_str()?.to_owned();
        metrics.contains(&format!("tallyman_api_watches {WATCHERS}\n")).then_some(())
    })
    .await;
    // One that reads gets everything all the same.
    let query = path(&format!("runnables?watch=true&resourceVersion={from}"));
    let mut healthy = reqwest::get(format!("{}{query}", follower.url)).await.unwrap();
    let (mut writes, mut reads) = write_and_read(&dev, &leader, &follower, 60).await;
    let (write_p99, read_p99) = (percentile(&mut writes, 99), percentile(&mut reads, 99));
    let mut text = Vec::new();
    while text.windows(14).filter(|bytes| bytes == b"\"type\":\"ADDED\"").count() < 60 {
        text.extend(timeout(PATIENCE, healthy.chunk()).await.expect("events").unwrap().unwrap());
    }
    let each = rss_kib(follower.pid).saturating_sub(before) / WATCHERS as u64;
    eprintln!(
        "{WATCHERS} watchers: {each} KiB each; write p99 {write_before:?} -> {write_p99:?}, \
         read p99 {read_before:?} -> {read_p99:?}"
    );
    assert!(each <= WATCHER_KIB_MAX, "{each} KiB a watcher");
    // What else the machine does is in these figures, too.
    assert!(write_p99 < write_before * 10 + Duration::from_secs(1), "{write_before:?} -> {write_p99:?}");
    assert!(read_p99 < read_before * 10 + Duration::from_secs(1), "{read_before:?} -> {read_p99:?}");
    drop(watchers);
    until("their places are free", async || {
        let metrics = dev.get(&follower.url, "/metrics").await?.body.as_str()?.to_owned();
        metrics.contains("tallyman_api_watches 1\n").then_some(())
    })
    .await;
}

/// One answer on a connection that stays open: its status, and after how many seconds it says to come back.
async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut Vec<u8>,
) -> Option<(u16, Option<u64>)> {
    stream.write_all(request).await.ok()?;
    buffer.clear();
    let (head, length) = loop {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            let length: usize = length.parse().ok()?;
            break (head, end + 4 + length);
        }
    };
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let retry_after_s = head.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse().ok());
    Some((head.get(9..12)?.parse().ok()?, retry_after_s))
}

/// What came of the requests of all writers.
#[derive(Default)]
struct Score {
    taken: Vec<Duration>,
    refused: Vec<Duration>,
    /// Outcomes that are not known: a write took too long.
    unknown: usize,
    others: Vec<u16>,
}

/// Writes as fast as it is answered, until `over`; comes back after a refusal when it was told to.
async fn write_on(address: String, mut over: watch::Receiver<bool>, done: Arc<AtomicU64>) -> Score {
    let body = idle("b-", 64).to_string();
    let target = path("namespaces/flood/runnables");
    let length = body.len();
    let request =
        format!("POST {target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}");
    let (mut score, mut buffer) = (Score::default(), Vec::new());
    'connect: while !*over.borrow() {
        let Ok(mut stream) = TcpStream::connect(&address).await else { continue };
        while !*over.borrow() {
            let begun = Instant::now();
            match exchange(&mut stream, request.as_bytes(), &mut buffer).await {
                Some((201, _)) => score.taken.push(begun.elapsed()),
                Some((429 | 503, Some(seconds))) => {
                    score.refused.push(begun.elapsed());
                    let _ = timeout(Duration::from_secs(seconds), over.wait_for(|over| *over)).await;
                }
                Some((504, _)) => score.unknown += 1,
                Some((status, _)) => score.others.push(status),
                None => continue 'connect,
            }
            done.fetch_add(1, Relaxed);
        }
    }
    score
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_times_too_many_writers_are_refused_fast_and_it_is_over_with_them() {
    let _alone = ALONE.lock().await;
    raise_files();
    let dev = Dev::start(&[]).await;
    let follower = dev.followers().await.remove(0);
    let (over, done) = (watch::Sender::new(false), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..2_500)
        .map(|_| tokio::spawn(write_on(address(&follower), over.subscribe(), Arc::clone(&done))))
        .collect();
    until("the load is there", async || (done.load(Relaxed) > 2_000).then_some(())).await;
    // Meanwhile: whether it lives, what it knows, and the work of others.
    let (mut health, mut others) = (Vec::new(), 0);
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        for free in ["/livez", "/operator/status", "/metrics"] {
            let begun = Instant::now();
            let answer = dev.get(&follower.url, free).await.unwrap();
            assert_eq!(answer.status, 200, "{free}: {answer:?}");
            health.push(begun.elapsed());
        }
        let answer = dev.submit(&follower.url, "other", &idle("c-", 64)).await.unwrap();
        assert!(matches!(answer.status, 201 | 429 | 503 | 504), "{answer:?}");
        others += usize::from(answer.status == 201);
        sleep(Duration::from_millis(50)).await;
    }
    over.send_replace(true);
    let mut score = Score::default();
    for writer in writers {
        let one = timeout(PATIENCE, writer).await.expect("every writer is answered").unwrap();
        score.taken.extend(one.taken);
        score.refused.extend(one.refused);
        score.unknown += one.unknown;
        score.others.extend(one.others);
    }
    let begun = Instant::now();
    let after = dev.submit(&follower.url, "flood", &idle("d-", 64)).await.unwrap();
    let recovered = begun.elapsed();
    let (taken, refused) = (score.taken.len(), score.refused.len());
    let (taken_p99, refused_p50) = (percentile(&mut score.taken, 99), percentile(&mut score.refused, 50));
    let (refused_p99, health_p99) = (percentile(&mut score.refused, 99), percentile(&mut health, 99));
    eprintln!(
        "taken {taken} (p99 {taken_p99:?}), refused {refused} (p50 {refused_p50:?}, p99 {refused_p99:?}), \
         unknown {}, others taken {others}, health p99 {health_p99:?}, first write after {recovered:?}",
        score.unknown
    );
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
    assert!(score.unknown < taken, "{} writes were not answered in time", score.unknown);
    assert!(score.others.is_empty(), "{:?}", score.others);
    assert!(others > 0, "nobody else got in");
    assert!(refused_p99 < taken_p99.max(Duration::from_secs(5)), "{refused_p99:?} against {taken_p99:?}");
    assert!(health_p99 < Duration::from_secs(10), "{health_p99:?}");
    assert_eq!(after.status, 201);
    assert!(recovered < Duration::from_secs(10), "{recovered:?}");
}
