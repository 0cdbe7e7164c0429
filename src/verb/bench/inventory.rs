//! An inventory as it grows: rows of several namespaces, labels and phases, and what is asked of it.
//!
//! Row `n` is the same in every load: its namespace, labels and phase are a function of `n`, so one load can ask for
//! what another one made.

use super::scripts::{READ, WRITE, Writer};
use crate::client::request;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tallyman_chaos::load::{Answer, Script, Shot};

/// Half of all rows are in the first one.
const NAMESPACES: u64 = 20;
const DESKS: u64 = 8;
const APPS: u64 = 500;
/// Rows that were submitted on the same day.
const DAY_ROWS: u64 = 10_000;
/// One of so many rows is cancelled, all others are held.
const CANCELLED_ONE_OF: u64 = 5;
/// Rows of a page.
const LIMIT: u64 = 50;

/// The operation that cancels or retries.
const CHANGE: &str = "change";
/// The operation that lists a page of which there may be many.
const PAGE: &str = "page";
/// The operation that lists what no row is, though many rows are each part of it.
const NONE: &str = "none";

/// Spreads bits: neighbours differ in everything.
fn mixed(number: u64) -> u64 {
    let spread = (number ^ (number >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread ^ (spread >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// One row.
#[derive(Clone, Copy)]
struct Place {
    number: u64,
    mixed: u64,
}

impl Place {
    fn of(number: u64) -> Self {
        Self { number, mixed: mixed(number) }
    }

    fn namespace(self) -> String {
        let all = (self.mixed >> 8) & 0xFFFF;
        format!("fill-{}", if all.is_multiple_of(2) { 0 } else { 1 + (all / 2) % (NAMESPACES - 1) })
    }

    fn labels(self) -> String {
        let (desk, app, day) = (self.desk(), self.app(), self.day());
        let side = if self.namespace() == "fill-0" { "left" } else { "right" };
        format!("\"desk\":\"d{desk}\",\"app\":\"a{app}\",\"day\":\"{day}\",\"side\":\"{side}\"")
    }

    fn desk(self) -> u64 {
        (self.mixed >> 24) % DESKS
    }

    fn app(self) -> u64 {
        (self.mixed >> 32) % APPS
    }

    fn day(self) -> u64 {
        self.number / DAY_ROWS
    }

    fn is_cancelled(self) -> bool {
        (self.mixed >> 48).is_multiple_of(CANCELLED_ONE_OF)
    }

    fn name(self) -> String {
        format!("row-{}", self.number)
    }

    fn path(self) -> String {
        request::runnable(&self.namespace(), &self.name())
    }

    fn change(self, verb: &str, target: usize) -> Shot {
        let path = format!("{}/{verb}", self.path());
        Shot { operation: CHANGE, target, path, body: Some("{}".into()) }
    }
}

/// Makes rows, and cancels some.
pub(super) struct Fill {
    writer: Writer,
    client: usize,
    /// The next row; all clients take theirs from here, so that none is left out.
    next: Arc<AtomicU64>,
    made: Option<Place>,
    under_way: Option<Place>,
}

impl Fill {
    pub(super) fn new(writer: Writer, next: Arc<AtomicU64>, client: usize) -> Self {
        Self { writer, client, next, made: None, under_way: None }
    }
}

impl Script for Fill {
    fn next(&mut self) -> Shot {
        if let Some(made) = self.made.take() {
            return made.change("cancel", self.client);
        }
        let place = Place::of(self.next.fetch_add(1, Ordering::Relaxed));
        self.under_way = Some(place);
        let body = self.writer.labelled(&place.name(), &place.labels()).into();
        let path = request::runnables(Some(&place.namespace()));
        Shot { operation: WRITE, target: self.client, path, body: Some(body) }
    }

    fn answered(&mut self, shot: &Shot, answer: &Answer) {
        if shot.operation == WRITE && answer.is_ok() {
            self.made = self.under_way.take().filter(|made| made.is_cancelled());
        }
    }
}

/// What is asked of rows that are there.
#[derive(Clone, Copy)]
pub(super) enum Ask {
    /// Any row.
    Get,
    /// Pages by namespace, label and phase.
    List,
    /// A cancelled row is retried, and cancelled again.
    Churn,
}

/// Asks for rows at random.
pub(super) struct Anywhere {
    ask: Ask,
    rows: u64,
    client: usize,
    asked: u64,
    seed: u64,
    retried: Option<Place>,
}

impl Anywhere {
    /// Among the first `rows` rows; loads with another `seed` ask for others.
    pub(super) fn new(ask: Ask, rows: u64, client: usize, seed: u64) -> Self {
        let seed = mixed(seed ^ ((client as u64) << 32));
        Self { ask, rows: rows.max(1), client, asked: 0, seed, retried: None }
    }

    fn any(&mut self) -> Place {
        self.asked += 1;
        Place::of(mixed(self.seed.wrapping_add(self.asked)) % self.rows)
    }

    fn list(&mut self) -> Shot {
        let place = self.any();
        let (desk, app) = (place.desk(), place.app());
        let all = request::runnables(None);
        let within = request::runnables(Some(&place.namespace()));
        let (operation, path, labels, phase) = match self.asked % 5 {
            0 => (PAGE, within, format!("app%3Da{app}"), "Held"),
            1 => (PAGE, within, format!("desk%3Dd{desk}"), "Cancelled"),
            2 => (PAGE, all, format!("desk%3Dd{desk},app%3Da{app}"), "Held"),
            3 => (PAGE, within, format!("day%3D{}", place.day()), "Cancelled"),
            _ => (NONE, request::runnables(Some("fill-1")), "side%3Dleft".to_owned(), "Held"),
        };
        let path =
            format!("{path}?limit={LIMIT}&labelSelector={labels}&fieldSelector=status.phase%3D{phase}");
        Shot { operation, target: self.client, path, body: None }
    }
}

impl Script for Anywhere {
    fn next(&mut self) -> Shot {
        match self.ask {
            Ask::Get => Shot { operation: READ, target: self.client, path: self.any().path(), body: None },
            Ask::List => self.list(),
            Ask::Churn => match self.retried.take() {
                Some(place) => place.change("cancel", self.client),
                None => loop {
                    let place = self.any();
                    if place.is_cancelled() {
                        self.retried = Some(place);
                        return place.change("retry", self.client);
                    }
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_clients_of_a_fill_make_each_row_once_and_cancel_one_of_five() {
        let writer = Writer::new("bench", 512, "0123456789");
        let (mut made, mut cancelled) = (BTreeMap::new(), 0);
        let next = Arc::new(AtomicU64::new(100));
        for client in 0..4 {
            let mut fill = Fill::new(writer.clone(), Arc::clone(&next), client);
            for _ in 0..300 {
                let shot = fill.next();
                fill.answered(&shot, &Answer { status: 201, revision: None, bytes: 0 });
                if shot.operation == WRITE {
                    let body: serde_json::Value = serde_json::from_slice(&shot.body.unwrap()).unwrap();
                    made.insert(body["metadata"]["name"].as_str().unwrap().to_owned(), shot.path);
                } else {
                    cancelled += 1;
                }
            }
        }
        assert_eq!(made.len() + cancelled, 1200, "no row twice");
        assert!((900..1050).contains(&made.len()), "{}", made.len());
        for number in 100..next.load(Ordering::Relaxed) {
            assert!(made.contains_key(&Place::of(number).name()), "{number}");
        }
    }

    #[test]
    fn a_change_comes_in_pairs_that_leave_the_row_as_it_was() {
        let mut churn = Anywhere::new(Ask::Churn, 1000, 3, 9);
        for _ in 0..100 {
            let (retry, cancel) = (churn.next().path, churn.next().path);
            assert_eq!(retry.strip_suffix("/retry").unwrap(), cancel.strip_suffix("/cancel").unwrap());
        }
    }
}
