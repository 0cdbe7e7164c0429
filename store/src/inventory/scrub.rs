//! The stored rows are read again while the replica works, and their hash compared with the one that is kept.

use super::restore::PAGE_ROWS;
use super::rows::Bytes;
use super::state::{Shared, StateHash, row_hash};
use super::view::{self, ROW_KEY_BYTES};
use std::ops::Bound;
use std::sync::Arc;
use tallyman_model::{Damaged, Key};

/// How far a scrub has come: the rows up to `reached` hash to `sum`, whatever was applied meanwhile.
#[derive(Debug, Default)]
pub(super) struct Progress {
    reached: Option<Bytes>,
    sum: u128,
}

impl Progress {
    /// A batch changed rows: by how much the hash of each moved, in key order.
    pub(super) fn follow<'a>(&mut self, moved: impl Iterator<Item = (&'a [u8; ROW_KEY_BYTES], u128)>) {
        let Some(reached) = &self.reached else { return };
        for (_, by) in moved.take_while(|(key, _)| key.as_slice() <= reached.as_ref()) {
            self.sum = self.sum.wrapping_add(by);
        }
    }
}

/// Reads all rows, a few at a time. One scrub at a time makes sense: they share their progress.
#[derive(Debug)]
pub struct Scrub {
    shared: Arc<Shared>,
}

impl Scrub {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Reads and verifies the next rows, at most `rows_max` and at most 1024 of them; nothing is applied meanwhile.
    /// Gives the state hash when the last row was read and all is well; the next step begins anew.
    ///
    /// # Errors
    /// [`Damaged`]: a row is not as it was written, or a row is missing or too many. The replica must stop serving.
    pub fn step(&mut self, rows_max: usize) -> Result<Option<StateHash>, Damaged> {
        // The lock keeps batches out, so that the page and the progress are of one state.
        let state = self.shared.state();
        let mut progress = self.shared.scrub();
        let from = progress.reached.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let page = state.rows.page(from, Bound::Unbounded, rows_max.clamp(1, PAGE_ROWS));
        let page = page.map_err(|error| view::unreadable(Key::META, &error))?;
        let Some((last, _)) = page.last() else {
            let sum = std::mem::take(&mut *progress).sum;
            let kept = state.state_hash();
            let what = format!("the rows hash to {sum:032x}, and to {:032x} as they were applied", kept.hash);
            return if sum == kept.hash { Ok(Some(kept)) } else { Err(Damaged::at(Key::META, what)) };
        };
        for (key, stored) in page.iter().filter_map(view::row_key) {
            view::check(key, stored)?;
            progress.sum = progress.sum.wrapping_add(row_hash(&key.row_bytes(), stored));
        }
        progress.reached = Some(last.clone());
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::Bytes;
    use crate::inventory::{Backend, Inventory, InventoryOptions, Payload, ToApply};
    use crate::log::LogId;
    use std::collections::BTreeMap;
    use tallyman_model::command::{AddCluster, Contact};
    use tallyman_model::{Command, Entry, Key, Ordinal, Principal, Uid};

    fn entry(index: u64, command: Command) -> ToApply {
        let entry = Entry { clock_ms: index, by: Principal::default(), key: None, command };
        let id = LogId { term: 1, leader: 1, index };
        ToApply { id, payload: Payload::Entry(Box::new(entry)) }
    }

    fn add(index: u64) -> ToApply {
        entry(
            index,
            Command::AddCluster(AddCluster {
                uid: Uid::from_random([index as u8; 16]),
                name: format!("cluster-{index}"),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                credentials: Default::default(),
                cordoned: false,
                paused: false,
                via: String::new(),
                ..AddCluster::default()
            }),
        )
    }

    fn filled(dir: &std::path::Path, backend: Backend) -> Inventory {
        let mut inventory =
            Inventory::open(InventoryOptions { backend, ..InventoryOptions::new(dir) }).unwrap();
        inventory.apply((1..=50).map(add).collect()).unwrap();
        inventory
    }

    #[test]
    fn a_scrub_ends_well_whatever_is_applied_beside_it() {
        for backend in [Backend::Memory, Backend::Sled] {
            let dir = tempfile::tempdir().unwrap();
            let mut inventory = filled(dir.path(), backend);
            let mut scrub = inventory.reader().scrub();
            let mut next = 51;
            for round in 0..5 {
                let scrubbed = loop {
                    inventory.apply(vec![add(next), contact(next + 1, 1 + next % 40)]).unwrap();
                    next += 2;
                    if let Some(hash) = scrub.step(7).unwrap() {
                        break hash;
                    }
                };
                assert_eq!(scrubbed, inventory.reader().state_hash(), "{round}");
            }
        }
    }

    fn contact(index: u64, cluster: u64) -> ToApply {
        let contact = Contact {
            cluster: Ordinal(cluster),
            reachable: true,
            kube_system_uid: None,
            version: format!("v{index}"),
            rewound: false,
            relayed_by: None,
            unwatched: Vec::new(),
            message: String::new(),
        };
        entry(index, Command::Contact(contact))
    }

    #[test]
    fn a_changed_or_missing_row_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let inventory = filled(dir.path(), Backend::Memory);
        let key = Key::record(Ordinal(20)).row_bytes();
        let other = Key::record(Ordinal(21)).row_bytes();
        let rows = std::sync::Arc::clone(&inventory.shared.state().rows);
        let original = rows.get(&key).unwrap();
        let mut flipped = original.clone().unwrap();
        flipped[30] ^= 1;
        // Flipped, gone, and intact but another one.
        for wrong in [Some(flipped), None, rows.get(&other).unwrap()] {
            let _ = rows.write([(Bytes::from(&key), wrong)]);
            let mut scrub = inventory.reader().scrub();
            let found = loop {
                match scrub.step(1000) {
                    Ok(None) => {}
                    Ok(Some(_)) => break false,
                    Err(_) => break true,
                }
            };
            assert!(found);
            *inventory.shared.scrub() = super::Progress::default();
        }
        let _ = rows.write([(Bytes::from(&key), original)]);
        let mut scrub = inventory.reader().scrub();
        assert!(scrub.step(1000).unwrap().is_none() && scrub.step(1000).unwrap().is_some());
    }
}
