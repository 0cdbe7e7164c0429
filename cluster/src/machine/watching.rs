//! Watches.

use super::state::Phase;
use super::step::Turn;
use super::{Action, Change, Failure};
use crate::limits::{HEALTHY_MS, REOPEN_MS_MIN};
use crate::version::{is_older, is_position};

impl Turn {
    pub(super) fn open_watch(&mut self, from: String) {
        self.state.watches += 1;
        let watch = self.state.watches;
        self.actions.push(Action::Watch { watch, from: from.clone() });
        self.state.phase = Phase::Watching { watch, from, since_ms: self.now_ms };
    }

    /// True if `watch` is the one that is open. Notes on the way if it has been healthy.
    fn is_open(&mut self, watch: u64) -> bool {
        let Phase::Watching { watch: open, since_ms, .. } = &self.state.phase else { return false };
        if *open != watch {
            return false;
        }
        if self.now_ms.saturating_sub(*since_ms) >= HEALTHY_MS {
            self.healthy();
        }
        true
    }

    fn healthy(&mut self) {
        self.state.failures = 0;
        self.state.behind = 0;
    }

    /// True if `version` can follow what the open watch has already said.
    fn advances(&mut self, version: &str) -> bool {
        if !is_position(version) {
            self.failed(Failure::Transient);
            return false;
        }
        if self.state.delivered.as_deref().is_some_and(|known| is_older(version, known)) {
            self.rewound();
            self.proceed();
            return false;
        }
        true
    }

    pub(super) fn event(&mut self, watch: u64, change: Change) {
        if self.is_open(watch) && self.advances(&change.item().resource_version) {
            let cursor = change.item().resource_version.clone();
            self.emit(vec![change], Some(cursor), None);
        }
    }

    pub(super) fn passed(&mut self, watch: u64, version: String, bookmark: bool) {
        if self.is_open(watch) && self.advances(&version) {
            if bookmark {
                self.healthy();
            }
            if self.state.delivered.as_ref() != Some(&version) {
                self.emit(Vec::new(), Some(version), None);
            }
        }
    }

    pub(super) fn watch_failed(&mut self, watch: u64, failure: Failure) {
        if self.is_open(watch) {
            self.failed(failure);
        }
    }

    /// Normal, so there is no penalty; but a server that ends every watch at once is not asked in a loop.
    pub(super) fn watch_ended(&mut self, watch: u64) {
        if !self.is_open(watch) {
            return;
        }
        let Phase::Watching { since_ms, .. } = self.state.phase else { return };
        let early_ms = (since_ms + REOPEN_MS_MIN).saturating_sub(self.now_ms);
        self.state.phase = Phase::Cold;
        if early_ms == 0 { self.proceed() } else { self.wait(early_ms) }
    }

    /// A watch from a version that the server has not reached says nothing, and would miss what happens up to it.
    pub(super) fn probed(&mut self, watch: u64, version: &str) {
        if !self.is_open(watch) {
            return;
        }
        if self.is_behind_itself(version) {
            self.rewound();
            self.proceed();
        }
    }
}
