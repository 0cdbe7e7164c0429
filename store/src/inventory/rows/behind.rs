//! Rows in sled, written behind.
//!
//! sled wakes all of its threads for every batch. A batch as small as what was committed at one moment costs more in
//! waking than in work, and a row that changes often would be written each time. So rows wait in memory until there
//! are some. Nothing depends on that: sled is never what makes a write durable, rows reach it in whole batches with
//! the store's own row among them, and that says from which entry on the log is to be applied again.

use super::{Bytes, RowsError, Stored};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Rows that wait at most; more are written at once.
const ROWS_WAITING_MAX: usize = 256;
/// Bytes of rows that wait at most.
const BYTES_WAITING_MAX: usize = 1024 * 1024;
/// Batches that wait at most. With the entries of a batch this bounds how much of the log is applied again after a
/// kill, to far less than the log keeps.
const BATCHES_WAITING_MAX: usize = 64;

type Map = BTreeMap<Bytes, Option<Bytes>>;

/// Rows of which the last ones are not in sled yet. One thread writes.
#[derive(Debug)]
pub(crate) struct Behind {
    db: sled::Db,
    /// Named by each error.
    file: PathBuf,
    waiting: RwLock<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    rows: Map,
    bytes: usize,
    batches: usize,
    /// Those that are being written to sled.
    moving: Arc<Map>,
}

impl Waiting {
    fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.rows.get(key).or_else(|| self.moving.get(key))
    }

    /// Those between the bounds, up to the one that completes `limit` rows that are there.
    fn range(&self, from: Bound<&[u8]>, to: Bound<&[u8]>, limit: usize) -> Map {
        let mut moving = self.moving.range::<[u8], _>((from, to)).peekable();
        let mut rows = self.rows.range::<[u8], _>((from, to)).peekable();
        let (mut found, mut there) = (Map::new(), 0);
        while there < limit {
            let next = match (moving.peek(), rows.peek()) {
                (Some((old, _)), Some((new, _))) if old < new => moving.next(),
                (Some((old, _)), Some((new, _))) => {
                    // What waits hides what is being written.
                    if old == new {
                        moving.next();
                    }
                    rows.next()
                }
                (Some(_), None) => moving.next(),
                (None, _) => rows.next(),
            };
            let Some((key, value)) = next else { break };
            there += usize::from(value.is_some());
            found.insert(key.clone(), value.clone());
        }
        found
    }
}

impl Behind {
    pub(super) fn over(db: sled::Db, file: PathBuf) -> Self {
        Self { db, file, waiting: RwLock::default() }
    }

    fn failed(&self, error: sled::Error) -> RowsError {
        RowsError::database(&self.file, error)
    }

    fn waiting(&self) -> RwLockReadGuard<'_, Waiting> {
        self.waiting.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting_mut(&self) -> RwLockWriteGuard<'_, Waiting> {
        self.waiting.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, RowsError> {
        // What is not found here is in sled already: it leaves only when it is there.
        if let Some(found) = self.waiting().get(key) {
            return Ok(found.clone());
        }
        self.db.get(key).map_err(|error| self.failed(error))
    }

    pub(super) fn page(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, RowsError> {
        let mut above = self.waiting().range(from, to, limit).into_iter().peekable();
        let mut below = self.db.range::<&[u8], _>((from, to)).peekable();
        let mut found = Vec::new();
        while found.len() < limit {
            let next_below = match below.peek() {
                Some(Ok((key, _))) => Some(key.clone()),
                Some(Err(error)) => return Err(self.failed(error.clone())),
                None => None,
            };
            let is_above = match (above.peek(), &next_below) {
                (None, None) => break,
                (Some((key, _)), Some(other)) => key <= other,
                (waits, _) => waits.is_some(),
            };
            if !is_above {
                found.extend(below.next().transpose().map_err(|error| self.failed(error))?);
            } else if let Some((key, value)) = above.next() {
                if next_below.is_some_and(|other| other == key) {
                    below.next();
                }
                found.extend(value.map(|value| (key, value)));
            }
        }
        Ok(found)
    }

    /// Takes a whole batch; `None` removes. True: [`settle`](Self::settle) has something to do.
    pub(super) fn write(&self, rows: impl IntoIterator<Item = (Bytes, Option<Bytes>)>) -> bool {
        let mut waiting = self.waiting_mut();
        for (key, value) in rows {
            waiting.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
            waiting.rows.insert(key, value);
        }
        waiting.batches += 1;
        waiting.rows.len() >= ROWS_WAITING_MAX
            || waiting.bytes >= BYTES_WAITING_MAX
            || waiting.batches >= BATCHES_WAITING_MAX
    }

    /// Writes all that waits to sled, in one batch. Readers go on meanwhile.
    pub(super) fn settle(&self) -> Result<(), RowsError> {
        let moving = {
            let mut waiting = self.waiting_mut();
            // Empty, unless they could not be written the last time.
            let mut moving = Arc::unwrap_or_clone(std::mem::take(&mut waiting.moving));
            moving.append(&mut waiting.rows);
            let moving = Arc::new(moving);
            *waiting = Waiting { moving: Arc::clone(&moving), ..Waiting::default() };
            moving
        };
        let mut batch = sled::Batch::default();
        for (key, value) in moving.iter() {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch).map_err(|error| self.failed(error))?;
        self.waiting_mut().moving = Arc::default();
        Ok(())
    }

    /// Finds a write of sled's own threads that failed.
    pub(super) fn check(&self) -> Result<(), RowsError> {
        self.db.flush().map(drop).map_err(|error| self.failed(error))
    }

    /// Settles, and hands everything to the operating system.
    pub(super) fn flush(&self) -> Result<(), RowsError> {
        self.settle()?;
        self.db.flush().map_err(|error| self.failed(error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    fn bytes<const N: usize>(bytes: [u8; N]) -> Bytes {
        bytes.as_slice().into()
    }

    fn all(rows: &Behind, limit: usize) -> Vec<Stored> {
        rows.page(Bound::Unbounded, Bound::Unbounded, limit).unwrap()
    }

    #[test]
    fn a_removed_row_that_waits_hides_the_one_in_sled() {
        let rows = Behind::over(sled::Config::new().temporary(true).open().unwrap(), PathBuf::new());
        assert!(!rows.write([(bytes([1]), Some(bytes([1]))), (bytes([2]), Some(bytes([2])))]));
        rows.settle().unwrap();
        rows.write([(bytes([1]), None)]);
        assert_eq!((rows.get(&[1]).unwrap(), all(&rows, 9)), (None, vec![(bytes([2]), bytes([2]))]));
        rows.settle().unwrap();
        assert_eq!((rows.get(&[1]).unwrap(), all(&rows, 9)), (None, vec![(bytes([2]), bytes([2]))]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_read_the_same_whether_they_wait_or_not(steps in proptest::collection::vec((0..12u8, any::<Option<u8>>(), any::<bool>()), 1..60), from in 0..12u8, limit in 0..8usize) {
            let rows = Behind::over(sled::Config::new().temporary(true).open().unwrap(), PathBuf::new());
            let mut truth: BTreeMap<Bytes, Bytes> = BTreeMap::new();
            for (key, value, settles) in steps {
                rows.write([(bytes([key]), value.map(|value| bytes([value])))]);
                match value {
                    Some(value) => truth.insert(bytes([key]), bytes([value])),
                    None => truth.remove(&bytes([key])),
                };
                if settles {
                    rows.settle().unwrap();
                }
                prop_assert_eq!(rows.get(&[key]).unwrap(), truth.get(&bytes([key])).cloned());
                let from = [from];
                let page = rows.page(Bound::Excluded(&from), Bound::Unbounded, limit).unwrap();
                let wanted: Vec<Stored> = truth.range(bytes([from[0] + 1])..).take(limit).map(|(k, v)| (k.clone(), v.clone())).collect();
                prop_assert_eq!(page, wanted);
            }
        }
    }
}
