//! What was read last of a sequence that grows, kept for all who follow it: each change is read, and written out in
//! each form, once. Who is further behind than what is kept reads for itself.

use super::form::Form;
use crate::status::Failure;
use axum::body::Bytes;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Items that are kept.
const ITEMS_MAX: usize = 1_024;
/// Bytes that the kept items, and what was written of them, take.
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Items that are read, or given, at once.
const AT_ONCE: usize = 128;
/// As above for one who reads alone: most of it may have to be read again.
const AT_ONCE_ALONE: usize = 16;

/// One item, and what was written of it.
pub(super) struct Told<T> {
    /// Its place in the sequence.
    pub(super) place: u64,
    pub(super) what: T,
    written: [OnceLock<Bytes>; Form::WAYS],
    weight: usize,
    held: Arc<AtomicUsize>,
}

impl<T> Told<T> {
    fn new(item: Item<T>, held: &Arc<AtomicUsize>) -> Arc<Self> {
        held.fetch_add(item.weight, Relaxed);
        let Item { place, weight, what } = item;
        Arc::new(Self { place, what, written: Default::default(), weight, held: Arc::clone(held) })
    }

    /// What was written of it before in this way, or is now.
    pub(super) fn written(
        &self,
        way: usize,
        write: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Bytes, Failure> {
        let Some(place) = self.written.get(way) else { return Ok(write()?.into()) };
        if let Some(bytes) = place.get() {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from(write()?);
        if place.set(bytes.clone()).is_ok() {
            self.held.fetch_add(bytes.len(), Relaxed);
        }
        Ok(bytes)
    }
}

impl<T> Drop for Told<T> {
    fn drop(&mut self) {
        let written: usize = self.written.iter().filter_map(OnceLock::get).map(Bytes::len).sum();
        self.held.fetch_sub(self.weight + written, Relaxed);
    }
}

/// One item as it was read.
pub(super) struct Item<T> {
    pub(super) place: u64,
    /// About how many bytes it takes.
    pub(super) weight: usize,
    pub(super) what: T,
}

/// What was read, and up to where that is all.
pub(super) struct Read<T> {
    pub(super) items: Vec<Item<T>>,
    pub(super) upto: u64,
}

/// What follows a place, and up to where that is all.
pub(super) struct Slice<T> {
    pub(super) items: Vec<Arc<Told<T>>>,
    pub(super) upto: u64,
}

/// The last items of a sequence.
pub(super) struct Window<T> {
    span: Mutex<Span<T>>,
    held: Arc<AtomicUsize>,
}

/// All items after `from`, up to `upto`.
struct Span<T> {
    from: u64,
    upto: u64,
    items: VecDeque<Arc<Told<T>>>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { span: Mutex::new(Span::at(0)), held: Arc::default() }
    }
}

impl<T> Window<T> {
    /// Items after place `after`, of a sequence that ends at `newest`; `read` gives at most so many after a place.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn after<E>(
        &self,
        after: u64,
        newest: u64,
        read: impl Fn(u64, usize) -> Result<Read<T>, E>,
    ) -> Result<Slice<T>, E> {
        {
            let mut span = self.span();
            if span.upto < after {
                // Nobody has followed for a while, or all others are further behind.
                *span = Span::at(after);
            }
            if span.from <= after {
                if span.upto == after && after < newest {
                    let read = read(after, AT_ONCE)?;
                    span.take(read, &self.held);
                }
                let slice = span.slice(after);
                span.trim(&self.held);
                return Ok(slice);
            }
        }
        let Read { items, upto } = read(after, AT_ONCE_ALONE)?;
        let items = items.into_iter().map(|item| Told::new(item, &self.held)).collect();
        Ok(Slice { items, upto })
    }

    fn span(&self) -> MutexGuard<'_, Span<T>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Span<T> {
    fn at(place: u64) -> Self {
        Self { from: place, upto: place, items: VecDeque::new() }
    }

    fn take(&mut self, read: Read<T>, held: &Arc<AtomicUsize>) {
        self.items.extend(read.items.into_iter().map(|item| Told::new(item, held)));
        self.upto = self.upto.max(read.upto);
    }

    fn slice(&self, after: u64) -> Slice<T> {
        let first = self.items.partition_point(|told| told.place <= after);
        let items: Vec<_> = self.items.iter().skip(first).take(AT_ONCE).cloned().collect();
        let cut = self.items.len() - first > items.len();
        let upto = items.last().filter(|_| cut).map_or(self.upto, |last| last.place);
        Slice { items, upto }
    }

    fn trim(&mut self, held: &AtomicUsize) {
        while self.items.len() > ITEMS_MAX || held.load(Relaxed) > BYTES_MAX {
            let Some(oldest) = self.items.pop_front() else { break };
            self.from = oldest.place;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A sequence of all numbers up to `newest`, which counts how often it is read.
    fn follow(
        window: &Window<u64>,
        after: u64,
        newest: u64,
        weight: usize,
        reads: &Cell<usize>,
    ) -> Slice<u64> {
        window
            .after(after, newest, |from, limit| {
                reads.set(reads.get() + 1);
                let upto = newest.min(from + limit as u64);
                let items = (from + 1..=upto).map(|place| Item { place, weight, what: place }).collect();
                Ok::<_, ()>(Read { items, upto })
            })
            .unwrap()
    }

    #[test]
    fn who_follows_gets_all_in_order_whatever_others_read() {
        let (window, reads) = (Window::default(), Cell::new(0));
        let mut places = [0, 0, 700, 0, 1_500];
        let mut told = vec![Vec::new(); places.len()];
        for step in 0..400_u64 {
            let newest = 1_500 + step * 7;
            // Each at a pace of its own.
            for (i, place) in places.iter_mut().enumerate() {
                if step % (i as u64 * 3 + 1) == 0 {
                    let slice = follow(&window, *place, newest, 1, &reads);
                    told[i].extend(slice.items.iter().map(|item| item.what));
                    assert!(slice.upto >= *place && slice.upto <= newest);
                    *place = slice.upto;
                }
            }
        }
        for (i, told) in told.iter().enumerate() {
            let start = [0, 0, 700, 0, 1_500][i];
            assert_eq!(*told, (start + 1..=places[i]).collect::<Vec<_>>(), "follower {i}");
        }
    }

    #[test]
    fn many_who_keep_up_cost_one_read_and_one_writing() {
        let (window, reads, writings) = (Window::default(), Cell::new(0), Cell::new(0));
        for newest in 1..=50 {
            for _ in 0..100 {
                for told in follow(&window, newest - 1, newest, 1, &reads).items {
                    let write = || {
                        writings.set(writings.get() + 1);
                        Ok(vec![0; 10])
                    };
                    assert_eq!(told.written(3, write).unwrap().len(), 10);
                }
            }
        }
        assert_eq!((reads.get(), writings.get()), (50, 50));
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_bytes() {
        let (window, reads) = (Window::default(), Cell::new(0));
        let mut place = 0;
        while place < 5_000 {
            place = follow(&window, place, 5_000, 1, &reads).upto;
        }
        assert!(window.span().items.len() <= ITEMS_MAX);
        while place < 6_000 {
            place = follow(&window, place, 6_000, 1024 * 1024, &reads).upto;
            assert!(window.held.load(Relaxed) <= BYTES_MAX);
        }
        *window.span() = Span::at(0);
        assert_eq!(window.held.load(Relaxed), 0);
    }
}
