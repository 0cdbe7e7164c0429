//! What an inventory of many rows costs by itself, without replicas around it. Takes minutes, so it is asked for:
//! `SCALE_ROWS=10000000 cargo test --release -p tallyman-store --test many -- --ignored --nocapture`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measurement by the real clock"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;
use tallyman_model::command::{Cancel, ManifestName, Submit, SubmitManifest, Target};
use tallyman_model::query::{self, FieldTest, Filter};
use tallyman_model::record::{ApprovalRule, Kind, OnLate, Placement, Resource, RunSpec};
use tallyman_model::selector::Selector;
use tallyman_model::{Command, Digest, Entry, Ordinal, Phase, Principal, Uid};
use tallyman_store::{Inventory, InventoryOptions, LogId, Payload, Reader, ToApply};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Entries that are applied at once.
const BATCH: u64 = 64;
/// One of so many rows is cancelled.
const CANCELLED_ONE_OF: u64 = 5;

fn mixed(number: u64) -> u64 {
    let spread = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread ^ (spread >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

fn namespace(number: u64) -> String {
    format!("fill-{}", (mixed(number) >> 8) % 20)
}

fn submit(number: u64) -> Command {
    let (name, namespace, mixed) = (format!("row-{number}"), namespace(number), mixed(number));
    let mut manifests =
        br#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"b"},"spec":{"x":""}}"#.to_vec();
    manifests.resize(200, b' ');
    let digest = Digest::of(&manifests);
    let uid = mixed.to_be_bytes();
    Command::Submit(Box::new(Submit {
        uid: Uid::from_random(std::array::from_fn(|at| uid[at % 8])),
        namespace: namespace.clone(),
        name: ManifestName::Fixed(name.clone()),
        labels: BTreeMap::from([
            ("desk".to_owned(), format!("d{}", (mixed >> 24) % 8)),
            ("app".to_owned(), format!("a{}", (mixed >> 32) % 500)),
            ("side".to_owned(), if namespace == "fill-0" { "left" } else { "right" }.to_owned()),
        ]),
        annotations: BTreeMap::from([("pad".to_owned(), "x".repeat(150))]),
        spec: RunSpec {
            placement: Placement::default(),
            attempts_max: 1,
            backoff_ms: 10_000,
            start_by_ms: 86_400_000,
            finish_by_ms: None,
            on_late: OnLate::Alert,
            ttl_after_finished_ms: 86_400_000,
            approvals: Some(ApprovalRule {
                required: 1,
                groups: vec!["bench".to_owned()],
                expire_after_ms: 86_400_000,
            }),
            allocations: Vec::new(),
            locks: Vec::new(),
            main_runs_ms: None,
            preflight: Default::default(),
            requires: Vec::new(),
        },
        digest,
        planned: vec![SubmitManifest {
            kind: Kind::Job,
            namespace,
            name: ManifestName::Fixed(name),
            digest,
            offset: 0,
            length: 200,
        }],
        main: 0,
        manifests,
    }))
}

fn cancel(number: u64) -> Command {
    let target = Target::named(&namespace(number), &format!("row-{number}"));
    Command::Cancel(Cancel { target, why: String::new() })
}

fn entry(index: u64, command: Command) -> ToApply {
    let by = Principal { user: "dev".to_owned(), ..Principal::default() };
    let entry = Entry { clock_ms: 1_700_000_000_000 + index, by, key: None, command };
    ToApply { id: LogId { term: 1, leader: 1, index }, payload: Payload::Entry(Box::new(entry)) }
}

fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn mib(dir: &Path) -> u64 {
    let of = |entry: fs::DirEntry| match entry.metadata().unwrap() {
        metadata if metadata.is_dir() => mib(&entry.path()) * 1024 * 1024,
        metadata => metadata.len(),
    };
    fs::read_dir(dir).unwrap().map(|entry| of(entry.unwrap())).sum::<u64>() / 1024 / 1024
}

fn told(what: &str, since: Instant) {
    eprintln!("{what}: {:.2} s, {} MiB resident", since.elapsed().as_secs_f64(), resident_mib());
}

fn page(reader: &Reader, what: &str, namespace: &str, labels: &str, phase: Phase) {
    let filter = Filter {
        resource: Resource::Runnable,
        namespace: Some(namespace.to_owned()),
        labels: Selector::parse(labels).unwrap(),
        fields: vec![(FieldTest::Phase(phase), true)],
    };
    let since = Instant::now();
    let found = reader.now(|view, _| query::list(view, &filter, Ordinal(0), 50).unwrap().records.len());
    eprintln!("{what}: {found} rows in {} us", since.elapsed().as_micros());
}

#[test]
#[ignore = "takes minutes"]
fn an_inventory_of_many_rows() {
    let rows: u64 = std::env::var("SCALE_ROWS").map_or(1_000_000, |rows| rows.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let options = InventoryOptions::new(dir.path());
    let mut inventory = Inventory::open(options.clone()).unwrap();
    let (since, mut index) = (Instant::now(), 0);
    for first in (1..=rows).step_by(BATCH as usize) {
        let numbers = first..(first + BATCH).min(rows + 1);
        let cancelled =
            numbers.clone().filter(|number| mixed(*number) >> 48 & 0xFFFF < 65_536 / CANCELLED_ONE_OF);
        let commands = numbers.map(submit).chain(cancelled.map(cancel));
        let entries: Vec<ToApply> = commands
            .map(|command| {
                index += 1;
                entry(index, command)
            })
            .collect();
        let replies = inventory.apply(entries).unwrap();
        assert!(replies.iter().all(|reply| reply.as_ref().is_some_and(Result::is_ok)));
    }
    told(&format!("{rows} rows by {index} entries"), since);
    let reader = inventory.reader();
    for _ in 0..2 {
        page(&reader, "namespace, label, phase", "fill-3", "app=a17", Phase::Held);
        page(&reader, "namespace, label, phase", "fill-3", "desk=d1", Phase::Cancelled);
        page(&reader, "many of each part, none of all", "fill-1", "side=left", Phase::Held);
    }
    let since = Instant::now();
    for number in 0..10_000 {
        let number = 1 + mixed(number) % rows;
        let name = format!("row-{number}");
        let found = reader.now(|view, _| query::named(view, Resource::Runnable, &namespace(number), &name));
        assert!(found.unwrap().is_some());
    }
    told("10,000 reads anywhere", since);
    let since = Instant::now();
    let mut scrub = reader.scrub();
    while scrub.step(128).unwrap().is_none() {}
    told("a scrub of all", since);
    let since = Instant::now();
    let snapshot = inventory.snapshot_builder().build().unwrap();
    told(&format!("a snapshot of {} MiB", snapshot.bytes / 1024 / 1024), since);
    eprintln!("inventory: {} MiB on disk", mib(&dir.path().join("inventory")));
    let since = Instant::now();
    drop((scrub, reader, inventory));
    told("closed", since);
    let since = Instant::now();
    let inventory = Inventory::open(options.clone()).unwrap();
    told("opened again", since);
    eprintln!("inventory: {} MiB on disk", mib(&dir.path().join("inventory")));
    drop(inventory);
    told("closed", since);
    fs::remove_dir_all(dir.path().join("inventory")).unwrap();
    let since = Instant::now();
    let inventory = Inventory::open(options).unwrap();
    told("rows made again from the snapshot", since);
    assert_eq!(inventory.applied().last.unwrap().index, index);
    drop(inventory);
    eprintln!("inventory: {} MiB on disk", mib(&dir.path().join("inventory")));
}
