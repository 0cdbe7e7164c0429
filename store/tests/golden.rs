//! The bytes of every persisted kind, as they were first written. A difference here means that data directories of
//! released versions can no longer be read, or that replicas of two versions no longer write the same bytes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use tallyman_model::brake::{Brake, Scope};
use tallyman_model::command::{
    AddCluster, AddMember, Approve, Choice, Contact, Found, IdempotencyKey, Intend, Observe, Place, Target,
};
use tallyman_model::manifest::accept;
use tallyman_model::record::{Action, Credentials, Decision, Meta, Pace, Paused, Permit, Resource};
use tallyman_model::{
    Command, Ctx, Digest, Entry, MemoryView, Ordinal, Principal, ReplicaId, Revision, Row, Uid, apply,
};
use tallyman_store::changes::{Change, Changes};
use tallyman_store::codec::{self, Kind};
use tallyman_store::identity::Home;
use tallyman_store::ledger::{Ledger, LedgerLine, Seal};
use tallyman_store::log::{Log, LogId, LogOptions, Vote};
use tallyman_store::snapshot::{Contents, SnapshotReader, SnapshotWriter};
use tallyman_store::watermark::{Watermark, WatermarkFile};

fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[track_caller]
fn assert_golden(name: &str, bytes: &[u8]) {
    let expected = fs::read(golden_path(name)).unwrap_or_default();
    if expected != bytes {
        let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&written, bytes).unwrap();
        panic!("{name} is not as ever; what is written now is in {}", written.display());
    }
}

fn id(index: u64) -> LogId {
    LogId { term: 2, leader: 3, index }
}

#[test]
fn the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open(dir.path(), LogOptions::default()).unwrap();
    let vote = Vote { term: 2, voted_for: Some(3), committed: true };
    log.save_vote(vote).unwrap();
    log.append((0..5).map(|index| (id(index), vec![index as u8; 3])).collect(), Box::new(|_| {})).unwrap();
    // A record says how far the flushes before it came.
    log.sync().unwrap();
    log.save_committed(Some(id(2))).unwrap();
    log.truncate_after(Some(id(3))).unwrap();
    log.sync().unwrap();
    log.purge(id(0)).unwrap();
    log.sync().unwrap();
    drop(log);
    let name = "00000000000000000000.wal";
    let mut bytes = fs::read(dir.path().join("log").join(name)).unwrap();
    // Not all of the zeros that follow.
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).unwrap().next_multiple_of(512));
    assert_golden("log.wal", &bytes);
    fs::copy(golden_path("log.wal"), dir.path().join("log").join(name)).unwrap();
    let log = Log::open(dir.path(), LogOptions::default()).unwrap();
    assert_eq!(log.read(0, 10, 1000).unwrap(), [1, 2, 3].map(|index| (id(index), vec![index as u8; 3])));
    assert_eq!((log.state().vote, log.state().committed), (Some(vote), Some(id(2))));
}

#[test]
fn the_watermark() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("watermark");
    let vote = Vote { term: 2, voted_for: None, committed: false };
    let watermark = Watermark { position: 1234, last: Some(id(9)), vote: Some(vote) };
    WatermarkFile::create(&path).unwrap().put(watermark).unwrap();
    assert_golden("watermark.bin", &fs::read(&path).unwrap());
    fs::copy(golden_path("watermark.bin"), &path).unwrap();
    assert_eq!(WatermarkFile::open(&path).unwrap().unwrap().get(), watermark);
}

#[test]
fn the_identity() {
    let dir = tempfile::tempdir().unwrap();
    let mut home = Home::open(dir.path()).unwrap();
    home.bind_group([7; 16]).unwrap();
    home.bind_replica(3).unwrap();
    let path = dir.path().join("identity");
    assert_golden("identity.bin", &fs::read(&path).unwrap());
    drop(home);
    fs::copy(golden_path("identity.bin"), &path).unwrap();
    let identity = Home::open(dir.path()).unwrap().identity();
    assert_eq!((identity.group, identity.replica, identity.incarnation), (Some([7; 16]), Some(3), 2));
}

#[test]
fn the_change_file() {
    let dir = tempfile::tempdir().unwrap();
    let change = |revision: u64, before: Option<&[u8]>, after: Option<&[u8]>| Change {
        revision,
        index: revision + 10,
        key: vec![revision as u8; 16].into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    let all =
        [change(6, None, Some(b"new")), change(7, Some(b"old"), Some(b"new")), change(8, Some(b"old"), None)];
    Changes::open(dir.path(), 1 << 20, 5).unwrap().append(&all).unwrap();
    let path = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    assert_golden("changes.bin", &fs::read(&path).unwrap());
    fs::copy(golden_path("changes.bin"), &path).unwrap();
    assert_eq!(Changes::open(dir.path(), 1 << 20, 8).unwrap().newer_than(5).unwrap(), all);
}

#[test]
fn the_ledger() {
    let chain =
        |before: &[u8; 32], bytes: &[u8]| tallyman_model::ledger::next_hash(&Digest(*before), bytes).0;
    let dir = tempfile::tempdir().unwrap();
    let mut head = [0; 32];
    let lines: Vec<_> = (1..=2)
        .map(|seq| {
            let bytes = format!("{{\"seq\":{seq}}}").into_bytes();
            head = chain(&head, &bytes);
            LedgerLine { seq, bytes, hash: head }
        })
        .collect();
    Ledger::open_with(dir.path(), chain, 2).unwrap().append(&lines).unwrap();
    for (file, name) in [("000000000001.jsonl", "ledger.jsonl"), ("000000000001.seal", "ledger-seal.bin")] {
        assert_golden(name, &fs::read(dir.path().join(file)).unwrap());
        fs::copy(golden_path(name), dir.path().join(file)).unwrap();
    }
    let ledger = Ledger::open_with(dir.path(), chain, 2).unwrap();
    assert_eq!(ledger.verify().unwrap(), (2, head));
}

#[test]
fn a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = SnapshotWriter::create(dir.path(), "golden").unwrap();
    writer.row(&[1; 16], Some(b"row")).unwrap();
    writer.row(&[2; 16], None).unwrap();
    writer.ledger(vec![LedgerLine { seq: 3, bytes: b"{}".to_vec(), hash: [4; 32] }]).unwrap();
    let contents = Contents {
        last: Some(id(9)),
        membership: Some((id(1), vec![1, 2].into())),
        revision: 8,
        state_hash: [6; 16],
        seals: vec![Seal { first: 1, last: 2, count: 2, head: [5; 32], sha256: [6; 32] }],
    };
    let file = writer.finish(contents.clone()).unwrap();
    assert_eq!(file.path.name().unwrap(), "00000000000000000009-00000000000000000002.snapshot");
    assert_golden("snapshot.bin", &file.path.read().unwrap());
    let read = SnapshotReader::open(golden_path("snapshot.bin")).unwrap().verify().unwrap();
    assert_eq!(read.contents, contents);
}

#[test]
fn rows() {
    let part = Row::Part(b"{\"kind\":\"Job\"}".to_vec());
    let meta = Row::Meta(Box::new(Meta {
        group: Uid([1; 16]),
        revision: Revision(2),
        ordinal: Ordinal(3),
        clock_ms: 4,
        version: 5,
        ledger_len: 6,
        ledger_head: Digest([7; 32]),
        lineages: Vec::new(),
        expected: Vec::new(),
        preferred_datacenter: String::new(),
        paused: Some(Paused { by: "ann".to_owned(), at_ms: 8, why: "w".to_owned() }),
        paused_tenants: [("risk".to_owned(), Paused { by: "bob".to_owned(), at_ms: 9, why: String::new() })]
            .into(),
        brakes: [(Scope::Tenant("risk".to_owned()), Brake { stopped: 10, ..Brake::default() })].into(),
        moves: Pace { second: 1_700_000_000, count: 3 },
        ready: Revision(11),
    }));
    for (name, row) in [("row-part.bin", part), ("row-meta.bin", meta)] {
        assert_golden(name, &codec::encode(Kind::Row, &row).unwrap());
        assert_eq!(codec::decode::<Row>(Kind::Row, &fs::read(golden_path(name)).unwrap()).unwrap(), row);
    }
}

/// Each record as a short log leaves it: a group, a cluster, and an approved run whose first object is under way.
#[test]
fn records() {
    let (mut view, mut ledger) = (MemoryView::default(), Vec::new());
    for (index, command) in (1..).zip(short_log()) {
        let ctx = Ctx { index, term: 1, leader: ReplicaId(1) };
        let key = matches!(command, Command::Submit(_)).then(|| IdempotencyKey {
            namespace: "risk".to_owned(),
            route: "POST runnables".to_owned(),
            key: "k".to_owned(),
            body: Digest([8; 32]),
        });
        let by = match &command {
            Command::Approve(_) => Principal {
                user: "bob".to_owned(),
                groups: vec!["leads".to_owned()],
                through: Some("root".to_owned()),
            },
            _ => Principal { user: "ann".to_owned(), ..Principal::default() },
        };
        let applied = apply(&view, &ctx, Entry { clock_ms: 1_800_000_000_000, by, key, command }).unwrap();
        applied.reply.unwrap();
        view.commit(applied.writes);
        ledger.extend(applied.ledger.unwrap().bytes);
        ledger.push(b'\n');
    }
    // A field of a command that is renamed would silently give replicas of two versions two chains.
    assert_golden("ledger-records.jsonl", &ledger);
    for (resource, name) in [
        (Resource::Runnable, "row-runnable.bin"),
        (Resource::Cluster, "row-cluster.bin"),
        (Resource::Receipt, "row-receipt.bin"),
        (Resource::Watch, "row-watch.bin"),
        (Resource::Member, "row-member.bin"),
    ] {
        let is_one = |row: &&Row| matches!(row, Row::Record(record) if record.resource() == resource);
        let row = view.iter().map(|(_, row)| row).find(is_one).unwrap();
        assert_golden(name, &codec::encode(Kind::Row, row).unwrap());
        assert_eq!(codec::decode::<Row>(Kind::Row, &fs::read(golden_path(name)).unwrap()).unwrap(), *row);
    }
}

fn short_log() -> Vec<Command> {
    let member = AddMember {
        directory: Uid([1; 16]),
        datacenter: "dc1".to_owned(),
        peer_address: "127.0.0.1:1".to_owned(),
        api_url: "http://127.0.0.1:2".to_owned(),
    };
    let cluster = AddCluster {
        uid: Uid([2; 16]),
        name: "east".to_owned(),
        labels: [("zone".to_owned(), "e".to_owned())].into(),
        annotations: Default::default(),
        credentials: Credentials::kubeconfig("/k", Some("c".to_owned())),
        cordoned: false,
        paused: false,
        via: String::new(),
        ..AddCluster::default()
    };
    let run = serde_json::json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable",
        "metadata": {"name": "report", "labels": {"desk": "rates"}},
        "spec": {
            "placement": {"clusterSelector": "zone in (e)"},
            "approvals": {"required": 1, "groups": ["leads"]},
            "manifests": [{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {}}],
        },
    });
    let submit = accept(run, "risk", Uid([4; 16])).unwrap();
    let (decision, digest) = (Decision::Approve, submit.digest);
    // Ordinals: the member, the cluster, the runnable.
    let (cluster_ordinal, run_ordinal) = (Ordinal(2), Ordinal(3));
    let permit = Permit { term: 1, leader: ReplicaId(1), incarnation: 9 };
    vec![
        Command::Found(Found { group: Uid([3; 16]), members: vec![member] }),
        Command::AddCluster(cluster),
        Command::Contact(Contact {
            cluster: cluster_ordinal,
            reachable: true,
            kube_system_uid: Some("uid".to_owned()),
            version: "v1.36.3".to_owned(),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        }),
        Command::Submit(Box::new(submit)),
        Command::Approve(Approve {
            target: Target::named("risk", "report"),
            decision,
            digest,
            why: "looked at it".to_owned(),
        }),
        Command::Place(Place {
            run: run_ordinal,
            attempt: 1,
            choice: Choice::On(cluster_ordinal),
            why: "only east".to_owned(),
        }),
        Command::Intend(Intend { run: run_ordinal, object: 0, action: Action::Create, permit }),
        Command::Observe(Observe {
            cluster: cluster_ordinal,
            kind: tallyman_model::record::Kind::Job,
            namespace: String::new(),
            plural: "jobs".to_owned(),
            timeline: 1,
            is_watch: true,
            cursor: Some("17".to_owned()),
            rule: None,
            items: Vec::new(),
        }),
    ]
}

#[test]
fn backups() {
    use tallyman_store::backup::{Outgoing, Taking, inspect, verify};
    use tallyman_store::{Inventory, InventoryOptions, Payload, ToApply};
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| InventoryOptions {
        ledger_segment_records: 2,
        ..InventoryOptions::new(dir.path().join(name))
    };
    let mut inventory = Inventory::open(at("data")).unwrap();
    let by = Principal { user: "ann".to_owned(), ..Principal::default() };
    let entries = (1..).zip(short_log().into_iter().take(3)).map(|(index, command)| {
        let entry = Entry { clock_ms: 1_800_000_000_000, by: by.clone(), key: None, command };
        ToApply { id: LogId { term: 1, leader: 1, index }, payload: Payload::Entry(Box::new(entry)) }
    });
    inventory.apply(entries.collect()).unwrap();
    let taking = Taking {
        dir: dir.path().join("backup").into(),
        name: "night".to_owned(),
        lineage: [5; 16],
        replica: 1,
        taken_ms: 1_800_000_000_001,
    };
    let mut outgoing = Outgoing::take(inventory.reader(), taking).unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = outgoing.next_piece().unwrap() {
        bytes.extend(piece);
    }
    drop(outgoing);
    assert_eq!(fs::read_dir(dir.path().join("backup")).unwrap().count(), 0, "nothing of it is kept");
    assert_golden("backup.bin", &bytes);
    let golden = golden_path("backup.bin");
    let said = inspect(&golden).unwrap();
    assert_eq!((said.head.name.as_str(), said.head.ledger_records, said.parts.len()), ("night", 3, 2));
    let (verified, restored) = verify(&golden, at("restored")).unwrap();
    assert_eq!(verified, said);
    assert_eq!(restored.reader().state_hash(), inventory.reader().state_hash());

    // Whatever byte is flipped, and wherever it is cut, it is not taken for a backup.
    let damaged = dir.path().join("damaged");
    for position in (0..bytes.len()).step_by(5) {
        let mut flipped = bytes.clone();
        flipped[position] ^= 1 << (position % 8);
        fs::write(&damaged, &flipped).unwrap();
        let found = tallyman_store::backup::unpack(&damaged, &at(&format!("flipped{position}")));
        assert!(found.is_err(), "a flip at {position} is not found");
        if position % 35 == 0 {
            fs::write(&damaged, &bytes[..position]).unwrap();
            assert!(inspect(&damaged).is_err(), "a cut at {position} is not found");
        }
    }
}

#[test]
fn every_kind_is_there() {
    let mut all = Vec::new();
    for entry in fs::read_dir(golden_path("")).unwrap() {
        all.extend(fs::read(entry.unwrap().path()).unwrap());
    }
    // What entries are about and what a directory was made with is made in the crate above, and messages are never
    // stored.
    let elsewhere = [Kind::LogContent, Kind::PeerMessage, Kind::Directory];
    for kind in Kind::ALL.into_iter().filter(|kind| !elsewhere.contains(kind)) {
        let header =
            [b"TLYM".as_slice(), &kind.format().to_le_bytes(), &(kind as u16).to_le_bytes()].concat();
        assert!(all.windows(header.len()).any(|window| window == header), "no golden bytes of a {kind}");
    }
}
