//! The inventory against the model's own view in memory: batches, restarts, damage, snapshots.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod corruption;
mod damage;
mod oracle;
mod snapshots;

use oracle::{Oracle, entries, open, options, replay, to_apply};
use proptest::prelude::*;
use tallyman_model::{Index, Key, Revision, Row, index};
use tallyman_store::{Backend, Inventory, Payload, ToApply};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn it_is_what_the_model_says_however_entries_are_batched(seed in any::<u64>(), batch in 1..200usize) {
        let entries = entries(seed, 150);
        let oracle = Oracle::of(&entries);
        let dir = tempfile::tempdir().unwrap();
        let mut inventory = open(dir.path());
        let mut replies = Vec::new();
        for batch in entries.chunks(batch) {
            replies.extend(inventory.apply(to_apply(batch)).unwrap());
        }
        prop_assert_eq!(&replies, &oracle.replies);
        oracle.assert_is(&inventory.reader());

        // The other backend, entry by entry, has the same hash.
        let other = tempfile::tempdir().unwrap();
        let mut memory = Inventory::open(tallyman_store::InventoryOptions { backend: Backend::Memory, ..options(other.path()) }).unwrap();
        for entry in &entries {
            memory.apply(to_apply(std::slice::from_ref(entry))).unwrap();
        }
        oracle.assert_is(&memory.reader());
        prop_assert_eq!(memory.reader().state_hash(), inventory.reader().state_hash());

        // Lookups rebuilt are lookups kept.
        let hash = inventory.reader().state_hash();
        drop(inventory);
        let inventory = open(dir.path());
        prop_assert_eq!(inventory.reader().state_hash(), hash);
        oracle.assert_is(&inventory.reader());
        let mut rebuilt = Index::default();
        inventory.reader().now(|view, _| {
            let rows = view.page(Key::META, Key::lookup(tallyman_model::Tag::Name, 0, Default::default()), usize::MAX).unwrap();
            for (_, row) in rows {
                if let Row::Record(record) = row {
                    index(&record).into_iter().for_each(|key| rebuilt.set(key));
                }
            }
        });
        prop_assert_eq!(oracle.lookups(), rebuilt);
    }

    #[test]
    fn an_old_revision_reads_as_it_was(seed in any::<u64>()) {
        let entries = entries(seed, 120);
        let oracle = Oracle::of(&entries);
        let dir = tempfile::tempdir().unwrap();
        let mut inventory = open(dir.path());
        inventory.apply(to_apply(&entries)).unwrap();
        let reader = inventory.reader();
        for (revision, expected) in &oracle.at_revision {
            let rows = reader.at(*revision, oracle::all_but_meta).unwrap();
            prop_assert_eq!(&rows, expected, "revision {}", revision);
        }
        prop_assert!(reader.at(reader.revision().next(), |_| ()).is_err());
    }
}

#[test]
fn changes_are_gapless_in_order_and_say_what_was_before() {
    let entries = entries(7, 200);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    inventory.apply(to_apply(&entries)).unwrap();
    let reader = inventory.reader();
    let mut after = Revision(0);
    let mut present = std::collections::BTreeMap::new();
    loop {
        let page = reader.changes(after, 7).unwrap();
        let Some(last) = page.last() else { break };
        for change in &page {
            assert_eq!(change.revision, after.next());
            after = after.next();
            let ordinal = change.after.as_ref().or(change.before.as_ref()).unwrap().ordinal();
            assert_eq!(present.remove(&ordinal), change.before);
            if let Some(record) = &change.after {
                assert_eq!(record.revision(), change.revision);
                present.insert(ordinal, record.clone());
            }
        }
        assert_eq!(after, last.revision);
    }
    assert_eq!(after, reader.revision());
}

#[test]
fn the_ledger_has_one_chained_record_for_each_entry_that_changed_something() {
    let entries = entries(11, 150);
    let oracle = Oracle::of(&entries);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    inventory.apply(to_apply(&entries)).unwrap();
    let reader = inventory.reader();
    assert_eq!(reader.ledger(1, usize::MAX).unwrap(), oracle.ledger);
    assert_eq!(reader.verify_ledger().unwrap(), reader.ledger_head());
    assert!(oracle.ledger.len() > 50 && oracle.ledger.len() < 150);
}

#[test]
fn blanks_and_memberships_move_what_is_applied_and_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    let id = |index| tallyman_store::LogId { term: 3, leader: 1, index };
    let batch = vec![
        ToApply { id: id(0), payload: Payload::Membership(vec![1]) },
        ToApply { id: id(1), payload: Payload::Blank },
        ToApply { id: id(2), payload: Payload::Membership(vec![2]) },
        ToApply { id: id(3), payload: Payload::Blank },
    ];
    assert_eq!(inventory.apply(batch.clone()).unwrap(), [None, None, None, None]);
    assert!(inventory.apply(batch).is_err());
    drop(inventory);
    let applied = open(dir.path()).applied();
    assert_eq!((applied.last, applied.membership), (Some(id(3)), Some((id(2), vec![2]))));
}

#[test]
fn a_closed_inventory_opens_again_as_it_was_though_a_listener_held_a_reader() {
    let entries = entries(21, 60);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    let (reader, own) = (inventory.reader(), inventory.reader());
    reader.on_publish(Box::new(move |_, _| {
        let _ = own.state_hash();
    }));
    inventory.apply(to_apply(&entries)).unwrap();
    drop((reader, inventory));
    let inventory = open(dir.path());
    assert_eq!(inventory.applied().last, Some(oracle::id(60)), "nothing was made again");
    Oracle::of(&entries).assert_is(&inventory.reader());
}

#[test]
fn everybody_is_told_what_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    let (sender, told) = std::sync::mpsc::sync_channel(1000);
    let reader = inventory.reader();
    reader.on_publish(Box::new(move |revision, index| sender.send((revision, index)).unwrap()));
    inventory.apply(to_apply(&entries(1, 40))).unwrap();
    assert_eq!(told.try_iter().last(), Some((reader.revision(), reader.applied_index())));
}

#[test]
fn readers_see_whole_entries_while_batches_are_applied() {
    let entries = entries(21, 400);
    let oracle = Oracle::of(&entries);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    let reader = inventory.reader();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let (revision, rows) = reader.now(|view, revision| (revision, oracle::all_but_meta(view)));
                if revision > Revision(0) {
                    assert_eq!(&rows, &oracle.at_revision[&revision], "revision {revision}");
                }
                let (revision, rows) =
                    reader.beside(|view, revision| (revision, oracle::all_but_meta(view))).unwrap();
                if revision > Revision(0) {
                    assert_eq!(&rows, &oracle.at_revision[&revision], "revision {revision}, beside apply");
                }
                let old = Revision(revision.0 / 2);
                if let Some(expected) = oracle.at_revision.get(&old) {
                    assert_eq!(&reader.at(old, oracle::all_but_meta).unwrap(), expected, "revision {old}");
                }
            }
        });
        for batch in entries.chunks(3) {
            replay(&mut inventory, batch);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn who_reads_beside_apply_sees_one_revision_to_the_end() {
    let entries = entries(22, 400);
    let oracle = Oracle::of(&entries);
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = open(dir.path());
    let reader = inventory.reader();
    replay(&mut inventory, &entries[..100]);
    let mut rest = entries[100..].chunks(20);
    let mut apply = || rest.next().into_iter().for_each(|batch| replay(&mut inventory, batch));
    reader
        .beside(|view, revision| {
            let expected = &oracle.at_revision[&revision];
            assert_eq!(&oracle::all_but_meta(view), expected);
            // Entries are applied between any two reads, so that rows are read one by one after they changed.
            for (key, row) in expected {
                apply();
                assert_eq!(view.get(*key).unwrap().as_ref(), Some(row), "{key:?}");
            }
            assert_eq!(&oracle::all_but_meta(view), expected);
            assert_eq!(tallyman_model::query::meta(view).unwrap().revision, revision);
        })
        .unwrap();
    assert_eq!(reader.now(|view, _| oracle::all_but_meta(view)), oracle.at_revision[&reader.revision()]);
}

#[test]
fn what_other_threads_need_can_be_given_to_them() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    is_send::<Inventory>();
    is_send::<tallyman_store::SnapshotBuilder>();
    is_send::<tallyman_store::Scrub>();
    is_shared::<tallyman_store::Reader>();
    is_shared::<tallyman_store::Log>();
}
