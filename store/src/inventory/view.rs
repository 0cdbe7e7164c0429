//! The state as the model sees it.

use super::rows::{Bytes, Rows, RowsError, Stored};
use super::state::State;
use crate::codec::{self, Kind};
use std::ops::Bound;
use tallyman_model::{Damaged, Key, Ordinal, Row, Tag, View, explain};

/// Bytes of a row's key.
pub(super) const ROW_KEY_BYTES: usize = 16;

/// The first key that is no row.
const FIRST_LOOKUP: Key = Key { tag: Tag::Name, a: 0, b: 0, c: 0 };

impl State {
    /// The stored bytes of a row.
    pub(super) fn stored(&self, key: Key) -> Result<Option<Bytes>, Damaged> {
        // Nothing can be stored under an ordinal that was not given yet; most rows that are written are new.
        if key.ordinal() > self.meta.ordinal {
            return Ok(None);
        }
        self.rows.stored(key)
    }
}

impl Rows {
    /// The stored bytes of a row.
    pub(crate) fn stored(&self, key: Key) -> Result<Option<Bytes>, Damaged> {
        self.get(&key.row_bytes()).map_err(|error| unreadable(key, &error))
    }
}

impl View for State {
    fn get(&self, key: Key) -> Result<Option<Row>, Damaged> {
        if !key.is_row() {
            return Ok(self.index.contains(key).then_some(Row::Mark));
        }
        self.stored(key)?.map(|stored| decode(key, &stored)).transpose()
    }

    fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<(Key, Row)>, Damaged> {
        if from >= to {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        if from.is_row() {
            let (first, end) = (from.row_bytes(), to.row_bytes());
            let end = if to.is_row() { Bound::Excluded(end.as_slice()) } else { Bound::Unbounded };
            // One more, because the store's own row may lie among them.
            let rows = self.rows.page(Bound::Included(first.as_slice()), end, limit.saturating_add(1));
            for stored in rows.map_err(|error| unreadable(from, &error))? {
                if let Some((key, stored)) = row_key(&stored).filter(|_| found.len() < limit) {
                    found.push((key, decode(key, stored)?));
                }
            }
        }
        if !to.is_row() {
            let keys = self.index.page(from.max(FIRST_LOOKUP), to, limit - found.len());
            found.extend(keys.into_iter().map(|key| (key, Row::Mark)));
        }
        Ok(found)
    }

    fn count(&self, from: Key, to: Key, max: usize) -> Result<usize, Damaged> {
        if from.is_row() {
            return Ok(self.page(from, to, max)?.len());
        }
        Ok(self.index.count(from, to, max))
    }

    fn meet(&self, lookups: &[(Tag, u64)], after: Ordinal, limit: usize) -> Result<Vec<Ordinal>, Damaged> {
        Ok(self.index.meet(lookups, after, limit))
    }
}

/// The model's key of a stored row; `None` for the store's own row.
pub(super) fn row_key((key, stored): &Stored) -> Option<(Key, &[u8])> {
    let key: [u8; ROW_KEY_BYTES] = key.as_ref().try_into().ok()?;
    Some((Key::from_row_bytes(key), stored))
}

pub(crate) fn decode(key: Key, stored: &[u8]) -> Result<Row, Damaged> {
    codec::decode(Kind::Row, stored).map_err(|error| Damaged::at(key, explain(&error)))
}

/// That a row's envelope is whole, without decoding what is in it.
pub(super) fn check(key: Key, stored: &[u8]) -> Result<(), Damaged> {
    match codec::payload(Kind::Row, stored) {
        Ok((_, whole)) if whole == stored.len() => Ok(()),
        Ok(_) => Err(Damaged::at(key, "something follows the row")),
        Err(error) => Err(Damaged::at(key, explain(&error))),
    }
}

/// Encodes a row in `scratch`, whose memory is used again.
pub(super) fn encode(key: Key, row: &Row, scratch: &mut Vec<u8>) -> Result<Bytes, Damaged> {
    scratch.clear();
    codec::encode_into(Kind::Row, row, scratch).map_err(|error| Damaged::at(key, explain(&error)))?;
    Ok(Bytes::from(scratch.as_slice()))
}

pub(super) fn unreadable(key: Key, error: &RowsError) -> Damaged {
    Damaged::at(key, explain(error))
}
