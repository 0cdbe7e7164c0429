//! All rows are read and verified, on all cores: nothing is served before that is done.

use super::restore::{PAGE_ROWS, Unusable};
use super::rows::{Rows, RowsError, Stored};
use super::state::row_hash;
use super::view;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tallyman_model::record::Meta;
use tallyman_model::{Damaged, Key, Row, index};

/// Pages that wait for the next step.
const PAGES_AHEAD: usize = 4;
/// Threads that verify. One more reads, and one takes what they found: more than some have nothing to do.
const THREADS_MAX: usize = 4;

/// What a few rows add to the state.
#[derive(Default)]
pub(super) struct Found {
    pub(super) lookups: Vec<Key>,
    pub(super) hash: u128,
    pub(super) meta: Option<Meta>,
}

/// Gives to `take` what all rows add to the state, a page at a time and in no order.
pub(super) fn scan(rows: &Rows, mut take: impl FnMut(Found)) -> Result<(), Unusable> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    thread::scope(|scope| {
        let (send, pages) = sync_channel(PAGES_AHEAD);
        let reading = scope.spawn(move || read(rows, &send));
        let pages = Arc::new(Mutex::new(pages));
        let (send, found) = sync_channel(PAGES_AHEAD);
        for _ in 0..threads {
            let (pages, send) = (Arc::clone(&pages), send.clone());
            scope.spawn(move || verify_all(&pages, &send));
        }
        // Each channel ends with its last user, so whoever fails ends all of them.
        drop((pages, send));
        for found in found {
            take(found?);
        }
        // sled panics where it cannot go on; that is passed on as if it had been read here.
        reading.join().unwrap_or_else(|panic| resume_unwind(panic)).map_err(Unusable::from)
    })
}

/// Sends all rows in key order, until nobody takes them.
fn read(rows: &Rows, pages: &SyncSender<Vec<Stored>>) -> Result<(), RowsError> {
    for page in rows.pages(PAGE_ROWS) {
        if pages.send(page?).is_err() {
            break;
        }
    }
    Ok(())
}

fn verify_all(pages: &Mutex<Receiver<Vec<Stored>>>, found: &SyncSender<Result<Found, Damaged>>) {
    loop {
        let page = pages.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(page) = page else { return };
        if found.send(verify(&page)).is_err() {
            return;
        }
    }
}

fn verify(page: &[Stored]) -> Result<Found, Damaged> {
    let mut found = Found::default();
    for (key, stored) in page.iter().filter_map(view::row_key) {
        match view::decode(key, stored)? {
            Row::Record(record) => found.lookups.extend(index(&record)),
            Row::Meta(meta) if key == Key::META => found.meta = Some(*meta),
            Row::Part(_) => {}
            _ => return Err(Damaged::at(key, "a row that is never stored")),
        }
        found.hash = found.hash.wrapping_add(row_hash(&key.row_bytes(), stored));
    }
    Ok(found)
}
