//! An entry that a later version wrote.

use crate::cluster::{Cluster, PATIENCE};
use serde::{Serialize, Serializer};
use std::error::Error;
use std::path::Path;
use tallyman_model::Principal;
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

/// A command that this version does not have.
struct Later;

impl Serialize for Later {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("Command", 200, "Later")
    }
}

/// Appends one, committed. Gives the entry before it.
fn append(dir: &Path) -> LogId {
    let log = Log::open(dir, LogOptions::default()).unwrap();
    let last = log.state().last.unwrap();
    let id = LogId { index: last.index + 1, ..last };
    let entry = Entry { clock_ms: 1, by: Principal::default(), key: None, command: Later };
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
    let mut cluster = Cluster::founded(1).await;
    cluster.write(0, 1).await;
    cluster.kill(0).await;
    let dir = cluster.places[0].dir.clone();
    let before = append(&dir);
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
        let words =
            format!("entry {} is intact and of a kind that this version does not know", before.index + 1);
        assert!(
            why.contains(&words) && why.contains("run the version that wrote it"),
            "start {start}: {why}"
        );
        let inventory = Inventory::open(InventoryOptions::new(&dir)).unwrap();
        assert_eq!(inventory.applied().last.map(|last| last.index), Some(before.index), "start {start}");
    }
}
