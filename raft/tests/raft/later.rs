//! An entry that a later version wrote.

use crate::cluster::{Cluster, PATIENCE};
use serde::{Serialize, Serializer};
use std::error::Error;
use std::path::Path;
use tallyman_model::command::RaiseVersion;
use tallyman_model::{Command, Principal, ReplicaId};
use tallyman_store::codec::{self, Kind};
use tallyman_store::inventory::{Inventory, InventoryOptions};
use tallyman_store::log::{Log, LogId, LogOptions};

/// The content of a log entry, as far as it is needed here.
#[derive(Serialize)]
enum Content {
    _Blank,
    _Membership,
    Entry(u64, Entry),
}

#[derive(Serialize)]
struct Entry {
    clock_ms: u64,
    by: Principal,
    key: Option<()>,
    command: Later,
}

/// What a later build may write.
#[derive(Clone, Copy)]
enum Later {
    /// A command that this build does not have.
    Unknown,
    /// The group goes on at a version that this build does not understand.
    Raise,
}

impl Serialize for Later {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Later::Unknown => serializer.serialize_unit_variant("Command", 200, "Later"),
            Later::Raise => Command::RaiseVersion(RaiseVersion { to: 99, understood_by: vec![ReplicaId(1)] })
                .serialize(serializer),
        }
    }
}

/// Appends one, committed. Gives the entry before it.
fn append(dir: &Path, command: Later) -> LogId {
    let log = Log::open(dir, LogOptions::default()).unwrap();
    let last = log.state().last.unwrap();
    let id = LogId { index: last.index + 1, ..last };
    let entry = Entry { clock_ms: 1, by: Principal::default(), key: None, command };
    let bytes = codec::encode(Kind::LogContent, &Content::Entry(last.leader, entry)).unwrap();
    log.append(vec![(id, bytes)], Box::new(|_| {})).unwrap();
    log.save_committed(Some(id)).unwrap();
    log.sync().unwrap();
    last
}

fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_an_unknown_kind_stops_the_replica_and_is_never_skipped() {
    stops(Later::Unknown, |index| {
        let words = "is intact and of a kind that this version does not know";
        vec![format!("entry {index} {words}"), "run the version that wrote it".to_owned()]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_understood_stops_the_replica_before_it_is_applied() {
    stops(Later::Raise, |_| vec!["at version 99".to_owned(), "run a build that understands 99".to_owned()])
        .await;
}

async fn stops(later: Later, words: impl Fn(u64) -> Vec<String>) {
    let mut cluster = Cluster::founded(1).await;
    cluster.write(0, 1).await;
    cluster.kill(0).await;
    let dir = cluster.places[0].dir.clone();
    let before = append(&dir, later);
    // A second start is no way around it.
    for start in 1..=2 {
        let why = match cluster.try_start(0).await {
            Err(error) => {
                assert!(!error.is_damage(), "it is well, and only too new: {error}");
                chain(&error)
            }
            Ok(()) => {
                let mut status = cluster.group(0).status();
                let ended = status.wait_for(|status| status.fatal.is_some());
                let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().clone();
                cluster.kill(0).await;
                ended.fatal.unwrap()
            }
        };
        for words in words(before.index + 1) {
            assert!(why.contains(&words), "start {start}: {why}");
        }
        let inventory = Inventory::open(InventoryOptions::new(&dir)).unwrap();
        assert_eq!(inventory.applied().last.map(|last| last.index), Some(before.index), "start {start}");
    }
}
