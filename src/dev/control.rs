//! What a drill does to a `dev`: on a socket in its directory, for as long as the drill keeps its connection, and never
//! for longer than it said. Whoever asked may die at any moment: its connection ends with it, and that heals.

use super::World;
use crate::screen::complain;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tallyman_chaos::FaultId;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

/// The longest time for which anything is done.
pub(crate) const HEAL_AFTER_S_MAX: u64 = 3600;
/// The longest request.
const REQUEST_BYTES_MAX: u64 = 4096;
/// How long a request may take to come.
const REQUEST_S_MAX: u64 = 5;
/// Connections at a time; all but one wait for nothing but an answer.
const CONNECTIONS_MAX: usize = 8;
/// How long a replica that is told to stop is given to do so before it counts as done.
const DOWN_S_MAX: u64 = 20;
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(2);
/// After a connection that could not be taken.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// What a simulated cluster answers that serves nobody.
const UNAVAILABLE: u16 = 503;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Fault {
    /// Replicas are killed, and not started again before it is healed.
    Kill { replicas: Vec<String> },
    /// Replicas are told to stop, and not started again before it is healed.
    Stop { replicas: Vec<String> },
    /// Replicas do nothing, with all their connections open.
    Freeze { replicas: Vec<String> },
    /// Simulated clusters are not reached.
    CutOff { clusters: Vec<String> },
    /// The kube-apiservers of simulated clusters answer 503 to everything.
    Refuse { clusters: Vec<String> },
}

/// What a drill asks for, in one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Wanted {
    pub(crate) fault: Fault,
    /// It is healed after this, whatever became of the drill.
    pub(crate) heal_after_ms: u64,
}

/// What is answered, in one line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Said {
    /// The fault is there.
    On,
    /// It is healed; in words why.
    Healed(String),
    /// Nothing was done, and why.
    Refused(String),
}

/// What a drill wants of a replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wish {
    #[default]
    Run,
    Frozen,
    Stopped,
    Killed,
}

/// The same of all, by slot.
#[derive(Debug)]
pub(super) struct Wishes(Vec<watch::Sender<Wish>>);

impl Wishes {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| watch::Sender::default()).collect())
    }

    /// What is wanted of the replica in that slot, from now on.
    pub(super) fn of(&self, slot: usize) -> watch::Receiver<Wish> {
        self.0.get(slot).map(watch::Sender::subscribe).unwrap_or_else(|| watch::Sender::default().subscribe())
    }

    fn set(&self, slots: &[usize], wish: Wish) {
        for sender in slots.iter().filter_map(|slot| self.0.get(*slot)) {
            sender.send_replace(wish);
        }
    }
}

/// Takes what drills do; drills are over when this is dropped.
pub(super) struct Control(Option<JoinHandle<()>>);

impl Drop for Control {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Opens the socket. Without it everything else works, so that it cannot be opened is only said.
pub(super) fn open(path: &Path, world: &Arc<World>) -> Control {
    // Nobody else uses this directory: what is there was left by one that was killed.
    let _ = std::fs::remove_file(path);
    match UnixListener::bind(path) {
        Ok(listener) => Control(Some(tokio::spawn(serve(listener, Arc::clone(world))))),
        Err(error) => {
            complain(&format!("no drills here: failed to open {}: {error}\n", path.display()));
            Control(None)
        }
    }
}

async fn serve(listener: UnixListener, world: Arc<World>) {
    let turn = Arc::new(Mutex::new(()));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = listener.accept().await;
        let Some((stream, _)) = accepted.ok().filter(|_| connections.len() < CONNECTIONS_MAX) else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        // Whoever may write to the socket's directory could connect; only who runs this may do something to it.
        let own = rustix::process::geteuid().as_raw();
        if stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0) {
            connections.spawn(one(stream, Arc::clone(&world), Arc::clone(&turn)));
        }
    }
}

/// One connection, from its request until what it asked for is healed.
async fn one(stream: UnixStream, world: Arc<World>, turn: Arc<Mutex<()>>) {
    let (read, mut write) = stream.into_split();
    let (wanted, rest) = match request(read).await {
        Ok(asked) => asked,
        Err(why) => return say(&mut write, &Said::Refused(why)).await,
    };
    // Two at a time would heal what the other wants.
    let Ok(_turn) = turn.try_lock() else {
        return say(&mut write, &Said::Refused("another drill is under way here".to_owned())).await;
    };
    match Done::of(&wanted.fault, &world).await {
        Err(why) => say(&mut write, &Said::Refused(why)).await,
        Ok(done) => {
            let after = wanted.heal_after_ms.min(HEAL_AFTER_S_MAX * 1000);
            say(&mut write, &Said::On).await;
            let gone = timeout(Duration::from_millis(after), ended(rest)).await;
            let why = if gone.is_ok() { "asked for, or the drill is gone" } else { "its time is over" };
            done.heal(&world).await;
            world.board.line(None, &format!("drill healed   {why}"));
            say(&mut write, &Said::Healed(why.to_owned())).await;
        }
    }
}

async fn request(read: OwnedReadHalf) -> Result<(Wanted, BufReader<OwnedReadHalf>), String> {
    let mut reader = BufReader::new(read);
    let mut line = Vec::new();
    let reading = async { (&mut reader).take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await };
    let read = timeout(Duration::from_secs(REQUEST_S_MAX), reading).await;
    read.map_err(|_| "no request came".to_owned())?.map_err(|error| error.to_string())?;
    let wanted =
        serde_json::from_slice(&line).map_err(|error| format!("failed to read the request: {error}"))?;
    Ok((wanted, reader))
}

/// Ready when the other end has closed its side, however that came.
async fn ended(mut reader: BufReader<OwnedReadHalf>) {
    let mut bytes = [0; 64];
    while matches!(reader.read(&mut bytes).await, Ok(length) if length > 0) {}
}

async fn say(write: &mut OwnedWriteHalf, said: &Said) {
    let line = serde_json::to_string(said).unwrap_or_default() + "\n";
    // Whoever does not listen any more needs no answer.
    let _ = write.write_all(line.as_bytes()).await;
}

/// What was done, and is to be healed.
enum Done {
    Replicas(Vec<usize>),
    CutOff(Vec<String>),
    Refuse(Vec<(String, FaultId)>),
}

impl Done {
    /// Does it, and waits until it is there.
    ///
    /// # Errors
    /// What it names is not here; nothing was done.
    async fn of(fault: &Fault, world: &World) -> Result<Self, String> {
        let (replicas, wish) = match fault {
            Fault::CutOff { clusters } => {
                for name in clusters {
                    cluster(world, name)?;
                }
                for name in clusters {
                    cluster(world, name)?.pause_listener().await;
                }
                told(world, "not reached", clusters);
                return Ok(Self::CutOff(clusters.clone()));
            }
            Fault::Refuse { clusters } => {
                for name in clusters {
                    cluster(world, name)?;
                }
                let refuse = |name: &String| {
                    Ok((name.clone(), cluster(world, name)?.faults().refuse_all(UNAVAILABLE)))
                };
                let faults = clusters.iter().map(refuse).collect::<Result<_, String>>()?;
                told(world, "answer 503 to everything", clusters);
                return Ok(Self::Refuse(faults));
            }
            Fault::Kill { replicas } => (replicas, Wish::Killed),
            Fault::Stop { replicas } => (replicas, Wish::Stopped),
            Fault::Freeze { replicas } => (replicas, Wish::Frozen),
        };
        let slot =
            |id: &String| world.state.slot_of(id).ok_or_else(|| format!("there is no replica {id} here"));
        let slots = replicas.iter().map(slot).collect::<Result<Vec<usize>, String>>()?;
        told(world, &format!("{wish:?}").to_lowercase(), replicas);
        world.wishes.set(&slots, wish);
        if wish != Wish::Frozen {
            let deadline = Instant::now() + Duration::from_secs(DOWN_S_MAX);
            while slots.iter().any(|slot| world.state.replica(*slot).is_up) && Instant::now() < deadline {
                sleep(LOOK).await;
            }
        }
        Ok(Self::Replicas(slots))
    }

    async fn heal(self, world: &World) {
        match self {
            Self::Replicas(slots) => world.wishes.set(&slots, Wish::Run),
            Self::CutOff(clusters) => {
                for name in clusters {
                    let Ok(cluster) = cluster(world, &name) else { continue };
                    // Only another program could have taken its port, and not for long.
                    while cluster.resume_listener().await.is_err() {
                        sleep(ACCEPT_AGAIN).await;
                    }
                }
            }
            Self::Refuse(faults) => {
                for (name, fault) in faults {
                    if let Ok(cluster) = cluster(world, &name) {
                        cluster.faults().remove(fault);
                    }
                }
            }
        }
    }
}

fn told(world: &World, what: &str, names: &[String]) {
    let line = format!("drill: {} {what}", names.join(", "));
    world.board.line(None, &world.board.screen.yellow(&line));
}

fn cluster<'a>(world: &'a World, name: &str) -> Result<&'a tallyman_chaos::SimulatedCluster, String> {
    let found = world.clusters.simulated(name);
    found.ok_or_else(|| format!("there is no simulated cluster {name} here"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_asked_for_reads_as_it_was_written_and_nothing_else_does() {
        let fault = Fault::Freeze { replicas: vec!["r1".to_owned()] };
        let wanted = Wanted { fault, heal_after_ms: 5 };
        let line = serde_json::to_string(&wanted).unwrap();
        assert_eq!(line, r#"{"fault":{"do":"freeze","replicas":["r1"]},"healAfterMs":5}"#);
        assert_eq!(serde_json::from_str::<Wanted>(&line).unwrap(), wanted);
        for wrong in
            [r#"{"fault":{"do":"freeze","replicas":["r1"]}}"#, r#"{"fault":{"do":"burn"},"healAfterMs":5}"#]
        {
            assert!(serde_json::from_str::<Wanted>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wish_reaches_the_replicas_that_it_names_only() {
        let wishes = Wishes::new(3);
        let (first, second) = (wishes.of(0), wishes.of(1));
        wishes.set(&[1], Wish::Frozen);
        assert_eq!((*first.borrow(), *second.borrow()), (Wish::Run, Wish::Frozen));
    }
}
