//! One replica's process: started, and started again when it ends.

use super::World;
use super::layout::Slot;
use super::ports::Held;
use std::net::UdpSocket;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How long a replica is given to hand over and close its files.
const STOP_S_MAX: u64 = 5;
/// A replica that lived for less is started again after a longer delay each time.
const LIFE_MS_MIN: u64 = 1000;
/// Long enough for the others to notice, short enough to be back within a second.
const RESTART_DELAY_MS_MIN: u64 = 400;
const RESTART_DELAY_MS_MAX: u64 = 2000;

/// What happens to replicas.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A process runs.
    Started { slot: usize, pid: u32, at: Instant },
    /// A process has ended, how in words.
    Ended { slot: usize, pid: u32, how: String, at: Instant },
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
    let mut delay_ms = 0;
    loop {
        let started = Instant::now();
        let how = match spawn(&slot) {
            Ok(mut child) => {
                // Waiting closes the child's input, and that is how it learns that we are gone: it is held here.
                let input = child.stdin.take();
                let pid = child.id().unwrap_or_default();
                world.state.set_up(number, pid);
                // Nobody waits for news for ever: a full queue loses some.
                let _ = events.try_send(Event::Started { slot: number, pid, at: started });
                let how = tokio::select! {
                    status = child.wait() => in_words(status, &slot),
                    _ = &mut stopped => return end(child, input).await,
                };
                world.state.set_down(number);
                let _ =
                    events.try_send(Event::Ended { slot: number, pid, how: how.clone(), at: Instant::now() });
                how
            }
            Err(error) => format!("did not start: {error}"),
        };
        if started.elapsed() >= Duration::from_millis(LIFE_MS_MIN) {
            delay_ms = 0;
        }
        delay_ms = (delay_ms * 2).clamp(RESTART_DELAY_MS_MIN, RESTART_DELAY_MS_MAX);
        tracing::debug!(how, delay_ms, "the replica is started again");
        tokio::select! {
            () = sleep(Duration::from_millis(delay_ms)) => {}
            _ = &mut stopped => return,
        }
    }
}

/// Its standard input is a pipe from us: it ends when we go, however we go.
fn spawn(slot: &Slot) -> std::io::Result<Child> {
    slot.prepare()?;
    let log = std::fs::File::options().create(true).append(true).open(slot.log_path())?;
    Command::new(std::env::current_exe()?)
        .args(["server", "--parent-pipe", "--config"])
        .arg(slot.config_path())
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

fn in_words(status: std::io::Result<ExitStatus>, slot: &Slot) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Ok(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => format!("killed by signal {signal}"),
            (None, Some(0)) => "stopped".to_owned(),
            (None, code) => {
                format!(
                    "ended with code {}: {}",
                    code.unwrap_or_default(),
                    last_words(slot).unwrap_or_default()
                )
            }
        },
        Err(error) => format!("lost: {error}"),
    }
}

/// The last line that is not empty of the end of its log.
fn last_words(slot: &Slot) -> Option<String> {
    let text = std::fs::read(slot.log_path()).ok()?;
    let end = text.get(text.len().saturating_sub(4096)..).unwrap_or_default();
    let end = String::from_utf8_lossy(end).into_owned();
    let complaint = |line: &&str| line.starts_with("error:");
    let line =
        end.lines().rev().find(complaint).or_else(|| end.lines().rev().find(|line| !line.trim().is_empty()));
    line.map(str::to_owned)
}
