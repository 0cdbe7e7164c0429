//! One replica's process: started, and started again when it ends.

use super::World;
use super::control::Wish;
use super::layout::Slot;
use super::ports::Held;
use rustix::process::{Pid, Signal, kill_process};
use std::net::UdpSocket;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How long a replica is given to hand over and close its files.
const STOP_S_MAX: u64 = 5;
/// A replica that lived for less is started again after a longer delay each time.
const LIFE_MS_MIN: u64 = 1000;
/// Short enough to be back within a second, also when it failed to start before.
const RESTART_DELAY_MS_MIN: u64 = 50;
const RESTART_DELAY_MS_MAX: u64 = 400;
/// How much of the end of a log is searched for the last words.
const LAST_WORDS_BYTES_MAX: usize = 4096;

/// What happens to replicas.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A process runs. `is_repeated`: the one before it ended as the one before that.
    Started { slot: usize, pid: u32, is_repeated: bool, at: Instant },
    /// A process has ended. `is_repeated`: soon, and as the one before it.
    Ended { slot: usize, pid: u32, how: How, is_repeated: bool, at: Instant },
}

/// How a process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct How {
    /// In words.
    pub(super) words: String,
    /// What it said may help; empty if it said nothing.
    pub(super) attempt: String,
}

/// A replica that is kept running.
pub(super) struct Replica {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    /// Nobody else takes its ports while it is down.
    _marks: Vec<UdpSocket>,
}

impl Replica {
    /// Keeps a replica running until it is stopped. Its addresses are held until just before it starts.
    pub(super) fn start(
        number: usize,
        slot: Slot,
        held: Option<Held>,
        world: Arc<World>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let marks = match held {
            Some(held) => held.let_listen().into(),
            // Of a directory that was used before: whoever has taken a port since keeps it, and the replica says so.
            None => [slot.config.api_listen, slot.config.peer_listen]
                .into_iter()
                .filter_map(|address| UdpSocket::bind(address).ok())
                .collect(),
        };
        let task = tokio::spawn(supervise(number, slot, world, events, stopped));
        Self { stop, task, _marks: marks }
    }

    /// Stops it; when it does not stop by itself it is killed.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

async fn supervise(
    number: usize,
    slot: Slot,
    world: Arc<World>,
    events: mpsc::Sender<Event>,
    mut stopped: oneshot::Receiver<()>,
) {
    let (mut delay_ms, mut before, mut is_repeated) = (0, How::default(), false);
    let mut wish = world.wishes.of(number);
    loop {
        tokio::select! {
            () = may_run(&mut wish) => {}
            _ = &mut stopped => return,
        }
        let started = Instant::now();
        let how = match spawn(&slot) {
            Ok(mut child) => {
                // Waiting closes the child's input, and that is how it learns that we are gone: it is held here.
                let input = child.stdin.take();
                let pid = child.id().unwrap_or_default();
                world.state.set_up(number, pid);
                // Nobody waits for news for ever: a full queue loses some.
                let _ = events.try_send(Event::Started { slot: number, pid, is_repeated, at: started });
                let how = tokio::select! {
                    status = live(&mut child, &mut wish) => in_words(status, &slot),
                    _ = &mut stopped => {
                        obey(&child, Wish::Run);
                        return end(child, input).await;
                    }
                };
                world.state.set_down(number);
                is_repeated = started.elapsed() < Duration::from_millis(LIFE_MS_MIN) && how == before;
                let (how_sent, at) = (how.clone(), Instant::now());
                let _ = events.try_send(Event::Ended { slot: number, pid, how: how_sent, is_repeated, at });
                how
            }
            Err(error) => How { words: format!("did not start: {error}"), ..How::default() },
        };
        if started.elapsed() >= Duration::from_millis(LIFE_MS_MIN) {
            delay_ms = 0;
        }
        delay_ms = next_delay_ms(delay_ms);
        tracing::debug!(how.words, delay_ms, "the replica is started again");
        before = how;
        tokio::select! {
            () = sleep(Duration::from_millis(delay_ms)) => {}
            _ = &mut stopped => return,
        }
    }
}

/// Waits until no drill wants it down.
async fn may_run(wish: &mut watch::Receiver<Wish>) {
    let _ = wish.wait_for(|wish| matches!(wish, Wish::Run | Wish::Frozen)).await.is_ok();
}

/// Waits for its end, and does meanwhile what a drill wants of it.
async fn live(child: &mut Child, wish: &mut watch::Receiver<Wish>) -> std::io::Result<ExitStatus> {
    loop {
        let wanted = *wish.borrow_and_update();
        obey(child, wanted);
        tokio::select! {
            status = child.wait() => return status,
            Ok(()) = wish.changed() => {}
        }
    }
}

/// Whoever has ended already has nothing to obey.
fn obey(child: &Child, wish: Wish) {
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let signal = match wish {
        Wish::Run => Signal::CONT,
        Wish::Frozen => Signal::STOP,
        Wish::Stopped => Signal::TERM,
        Wish::Killed => Signal::KILL,
    };
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
}

/// The delay before the next start, from the one before the last; 0 before the first.
fn next_delay_ms(delay_ms: u64) -> u64 {
    (delay_ms * 2).clamp(RESTART_DELAY_MS_MIN, RESTART_DELAY_MS_MAX)
}

/// Its standard input is a pipe from us: it ends when we go, however we go.
fn spawn(slot: &Slot) -> std::io::Result<Child> {
    slot.prepare()?;
    let log = std::fs::File::options().create(true).append(true).open(slot.log_path())?;
    Command::new(std::env::current_exe()?)
        .args(["server", "--parent-pipe", "--config"])
        .arg(slot.config_path())
        .arg("--dev-control")
        .arg(slot.control_path())
        .env_remove(crate::environment::ADVERTISE)
        .env_remove(crate::environment::DATACENTER)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C in a terminal is for us; we tell the replicas.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn end(mut child: Child, input: Option<ChildStdin>) {
    drop(input);
    if timeout(Duration::from_secs(STOP_S_MAX), child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn in_words(status: std::io::Result<ExitStatus>, slot: &Slot) -> How {
    use std::os::unix::process::ExitStatusExt as _;
    let plain = |words: String| How { words, ..How::default() };
    match status {
        Ok(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => plain(format!("killed by signal {signal}")),
            (None, Some(0)) => plain("stopped".to_owned()),
            (None, code) => {
                let said = last_words(&end_of_log(slot));
                How { words: format!("ended with code {}: {}", code.unwrap_or_default(), said.words), ..said }
            }
        },
        Err(error) => plain(format!("lost: {error}")),
    }
}

fn end_of_log(slot: &Slot) -> String {
    let bytes = std::fs::read(slot.log_path()).unwrap_or_default();
    let end = bytes.get(bytes.len().saturating_sub(LAST_WORDS_BYTES_MAX)..).unwrap_or_default();
    String::from_utf8_lossy(end).into_owned()
}

/// The last complaint of a log and what it says may help; without one the last line that is not empty.
fn last_words(log: &str) -> How {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let complaint = lines.iter().rposition(|line| line.starts_with("error:"));
    let words = complaint.map_or_else(|| lines.last(), |i| lines.get(i)).copied().unwrap_or_default();
    let rest = complaint.and_then(|i| lines.get(i..)).unwrap_or_default();
    let attempt = rest.iter().find_map(|line| line.strip_prefix("try: ")).unwrap_or_default();
    How { words: words.to_owned(), attempt: attempt.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_started_again_so_soon_that_it_is_back_within_a_second() {
        let delays: Vec<u64> =
            std::iter::successors(Some(0), |ms| Some(next_delay_ms(*ms))).take(7).collect();
        assert_eq!(delays, [0, 50, 100, 200, 400, 400, 400]);
    }

    #[test]
    fn the_last_complaint_is_told_with_what_may_help() {
        let log = "error: old\ntry: this\n{\"level\":\"INFO\"}\nerror: no port\n\ntry: free it\n\n";
        assert_eq!(
            last_words(log),
            How { words: "error: no port".to_owned(), attempt: "free it".to_owned() }
        );
        assert_eq!(last_words("a\nb\n"), How { words: "b".to_owned(), ..How::default() });
        assert_eq!(last_words("try: x\nerror: c"), How { words: "error: c".to_owned(), ..How::default() });
    }
}
