//! Random entries, and what the model makes of them in memory.

use std::collections::BTreeMap;
use std::path::Path;
use tallyman_model::command::{
    AddCluster, Cancel, Delete, Expire, ManifestName, Patch, Submit, SubmitManifest, Target,
};
use tallyman_model::record::{Credentials, Kind, OnLate, Placement, RunSpec};
use tallyman_model::{
    Command, Ctx, Digest, Done, Entry, IdempotencyKey, Index, Key, MemoryView, Principal, Refusal, ReplicaId,
    Revision, Row, Tag, Uid, View,
};
use tallyman_store::{Inventory, InventoryOptions, LogId, Payload, Reader, ToApply};

/// Numbers from a seed.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

pub(crate) fn id(index: u64) -> LogId {
    LogId { term: 1 + index / 50, leader: 1 + index / 50 % 3, index }
}

/// `count` entries at log indexes 1, 2, ...
pub(crate) fn entries(seed: u64, count: u64) -> Vec<(LogId, Entry)> {
    let mut numbers = Numbers::new(seed);
    let mut clock_ms = 1_000_000;
    (1..=count)
        .map(|index| {
            clock_ms += numbers.below(1000);
            if numbers.below(20) == 0 {
                clock_ms += 40 * 24 * 3_600_000;
            }
            let command = command(&mut numbers);
            let key = (numbers.below(3) == 0).then(|| IdempotencyKey {
                namespace: "risk".to_owned(),
                route: "POST".to_owned(),
                key: format!("key-{}", numbers.below(40)),
                body: Digest::of(&[numbers.below(2) as u8]),
            });
            let by = Principal { user: "ada".to_owned(), ..Principal::default() };
            (id(index), Entry { clock_ms, by, key, command })
        })
        .collect()
}

fn command(numbers: &mut Numbers) -> Command {
    let name = format!("run-{}", numbers.below(30));
    let namespace = "risk".to_owned();
    match numbers.below(20) {
        0..10 => Command::Submit(Box::new(submit(name, numbers))),
        10..15 => Command::Patch(Patch {
            target: Target::named(&namespace, &name),
            labels: BTreeMap::from([("desk".to_owned(), Some(format!("d{}", numbers.below(5))))]),
            annotations: BTreeMap::new(),
        }),
        15 => Command::Cancel(Cancel { target: Target::named(&namespace, &name), why: "enough".to_owned() }),
        16 | 17 => Command::Delete(Delete { target: Target::named(&namespace, &name) }),
        18 => Command::AddCluster(AddCluster {
            uid: Uid::from_random([numbers.below(256) as u8; 16]),
            name: format!("cluster-{}", numbers.below(4)),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            credentials: Credentials::default(),
            cordoned: false,
            paused: false,
            via: String::new(),
            ..AddCluster::default()
        }),
        _ => Command::Expire(Expire {}),
    }
}

fn submit(name: String, numbers: &mut Numbers) -> Submit {
    let length = if numbers.below(6) == 0 { 150_000 } else { 700 };
    let manifests = vec![b'0' + numbers.below(10) as u8; length];
    let digest = Digest::of(&manifests);
    Submit {
        uid: Uid::from_random(std::array::from_fn(|_| numbers.below(256) as u8)),
        namespace: "risk".to_owned(),
        name: ManifestName::Fixed(name.clone()),
        labels: BTreeMap::from([("desk".to_owned(), "rates".to_owned())]),
        annotations: BTreeMap::new(),
        spec: RunSpec {
            placement: Placement::default(),
            attempts_max: 1,
            backoff_ms: 10_000,
            start_by_ms: 3_600_000,
            finish_by_ms: None,
            on_late: OnLate::Alert,
            ttl_after_finished_ms: 1000,
            approvals: None,
            allocations: Vec::new(),
            locks: Vec::new(),
            main_runs_ms: None,
            preflight: Default::default(),
            requires: Vec::new(),
        },
        digest,
        planned: vec![SubmitManifest {
            kind: Kind::Job,
            namespace: "risk".to_owned(),
            name: ManifestName::Fixed(name),
            digest,
            offset: 0,
            length: length as u32,
        }],
        main: 0,
        manifests,
    }
}

pub(crate) fn to_apply(entries: &[(LogId, Entry)]) -> Vec<ToApply> {
    entries
        .iter()
        .map(|(id, entry)| ToApply { id: *id, payload: Payload::Entry(Box::new(entry.clone())) })
        .collect()
}

pub(crate) fn options(dir: &Path) -> InventoryOptions {
    InventoryOptions {
        changes_bytes_max: 64 * 1024 * 1024,
        ledger_segment_records: 20,
        ..InventoryOptions::new(dir)
    }
}

pub(crate) fn open(dir: &Path) -> Inventory {
    Inventory::open(options(dir)).unwrap()
}

/// Applies what of the log is not applied yet.
pub(crate) fn replay(inventory: &mut Inventory, log: &[(LogId, Entry)]) {
    let applied = inventory.applied().last.map_or(0, |id| id.index);
    let rest: Vec<_> = log.iter().filter(|(id, _)| id.index > applied).cloned().collect();
    inventory.apply(to_apply(&rest)).unwrap();
}

pub(crate) type All = Vec<(Key, Row)>;

/// Everything that a view shows but the counters.
pub(crate) fn all_but_meta(view: &dyn View) -> All {
    let end = Key { tag: Tag::Lane, a: u64::MAX, b: u64::MAX, c: u64::MAX };
    let mut all = view.page(Key::META, end, usize::MAX).unwrap();
    all.retain(|(key, _)| *key != Key::META);
    all
}

/// What the model makes of a log.
pub(crate) struct Oracle {
    pub(crate) view: MemoryView,
    pub(crate) replies: Vec<Option<Result<Done, Refusal>>>,
    pub(crate) ledger: Vec<(u64, Vec<u8>, Digest)>,
    pub(crate) at_revision: BTreeMap<Revision, All>,
    pub(crate) revision: Revision,
}

impl Oracle {
    pub(crate) fn of(entries: &[(LogId, Entry)]) -> Self {
        let mut oracle = Self {
            view: MemoryView::default(),
            replies: Vec::new(),
            ledger: Vec::new(),
            at_revision: BTreeMap::new(),
            revision: Revision(0),
        };
        for (id, entry) in entries {
            let ctx = Ctx { index: id.index, term: id.term, leader: ReplicaId(id.leader) };
            let applied = tallyman_model::apply(&oracle.view, &ctx, entry.clone()).unwrap();
            oracle.view.commit(applied.writes);
            oracle.replies.push(Some(applied.reply));
            oracle.ledger.extend(applied.ledger.map(|record| (record.seq, record.bytes, record.hash)));
            if let Some(Row::Meta(meta)) = oracle.view.get(Key::META).unwrap() {
                oracle.revision = meta.revision;
                oracle.at_revision.insert(meta.revision, all_but_meta(&oracle.view));
            }
        }
        oracle
    }

    pub(crate) fn lookups(&self) -> Index {
        let mut index = Index::default();
        self.view.iter().for_each(|(key, _)| index.set(*key));
        index
    }

    /// That a reader shows exactly this.
    pub(crate) fn assert_is(&self, reader: &Reader) {
        reader.now(|view, revision| {
            assert_eq!(revision, self.revision);
            assert_eq!(view.get(Key::META).unwrap(), self.view.get(Key::META).unwrap());
            assert!(all_but_meta(view) == all_but_meta(&self.view), "rows or lookups differ");
        });
        assert_eq!(reader.ledger(1, usize::MAX).unwrap(), self.ledger);
    }
}
