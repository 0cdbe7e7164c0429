//! Listings.

use super::state::{Listing, Phase};
use super::step::Turn;
use super::{Action, Change, Failure};
use crate::ObjectKey;
use crate::limits::REOPEN_MS_MIN;
use crate::pages::page_items;
use crate::version::{is_older, is_position};
use std::collections::BTreeSet;
use tallyman_model::command::Observation;

impl Turn {
    pub(super) fn start_listing(&mut self) {
        self.state.listings += 1;
        self.state.list_from_ms = self.now_ms + REOPEN_MS_MIN;
        let generation = self.state.listings;
        let seen = BTreeSet::new();
        self.ask_page(Listing { generation, continue_token: None, resource_version: None, seen });
    }

    pub(super) fn ask_page(&mut self, listing: Listing) {
        self.actions.push(Action::List {
            listing: listing.generation,
            continue_token: listing.continue_token.clone(),
            limit: self.state.limit,
        });
        self.state.phase = Phase::Listing(listing);
    }

    /// Asks for the next page with as many objects as should fit.
    pub(super) fn fit(&mut self, generation: u64, items: usize, bytes: usize) {
        if matches!(&self.state.phase, Phase::Listing(listing) if listing.generation == generation) {
            self.state.limit = page_items(self.state.limit, self.state.limit_max, items, bytes);
        }
    }

    pub(super) fn page(
        &mut self,
        generation: u64,
        items: Vec<Observation>,
        version: String,
        continue_token: Option<String>,
    ) {
        let Phase::Listing(listing) = &self.state.phase else { return };
        if listing.generation != generation {
            return;
        }
        if !is_position(&version) {
            return self.failed(Failure::Transient);
        }
        let mut listing = listing.clone();
        match &listing.resource_version {
            None if self.is_behind_itself(&version) => self.rewound(),
            Some(first) if is_older(&version, first) => {
                self.rewound();
                return self.proceed();
            }
            _ => {}
        }
        self.reach(&version);
        // A later version on a later page is no harm: the watch starts from the first.
        let is_first = listing.resource_version.is_none();
        let cursor = listing.resource_version.get_or_insert(version).clone();
        listing.seen.extend(items.iter().map(ObjectKey::of));
        let changes = items.into_iter().map(Change::Seen).collect();
        if continue_token.is_some() {
            // Part of a listing is ahead of any cursor: with it the log forgets its own, and whoever starts from the
            // log lists anew.
            self.emit(changes, is_first.then(String::new), None);
            listing.continue_token = continue_token;
            return self.ask_page(listing);
        }
        self.emit(changes, Some(cursor), Some(listing.seen));
        self.state.phase = Phase::Sweep { through: self.state.emitted };
    }

    pub(super) fn list_failed(&mut self, generation: u64, failure: Failure) {
        let Phase::Listing(listing) = &self.state.phase else { return };
        if listing.generation != generation {
            return;
        }
        if failure == Failure::TooLong && self.state.limit > 1 {
            self.state.limit /= 2;
            let listing = listing.clone();
            return self.ask_page(listing);
        }
        self.failed(failure);
    }
}
