//! The transition function.

use super::state::{Phase, State};
use super::{Action, Change, Emission, Failure, Input, Stored, delay};
use crate::ObjectKey;
use crate::limits::{BEHIND_MAX, REOPEN_MS_MIN};
use crate::version::{is_older, is_position};
use std::collections::BTreeSet;

/// What a watch does when `input` happens at `now_ms`, on any clock that does not go backwards.
#[must_use]
pub fn step(state: State, now_ms: u64, input: Input) -> (State, Vec<Action>) {
    let mut turn = Turn { state, now_ms, actions: Vec::new() };
    turn.take(input);
    (turn.state, turn.actions)
}

/// One step under way.
pub(super) struct Turn {
    pub(super) state: State,
    pub(super) now_ms: u64,
    pub(super) actions: Vec<Action>,
}

impl Turn {
    fn take(&mut self, input: Input) {
        match input {
            Input::Start { stored, timeline } => self.start(stored, timeline),
            Input::Page { listing, items, bytes, resource_version, continue_token } => {
                self.fit(listing, items.len(), bytes);
                self.page(listing, items, resource_version, continue_token);
            }
            Input::ListFailed { listing, failure } => self.list_failed(listing, failure),
            Input::Event { watch, change } => self.event(watch, change),
            Input::Passed { watch, resource_version, bookmark } => {
                self.passed(watch, resource_version, bookmark)
            }
            Input::WatchFailed { watch, failure } => self.watch_failed(watch, failure),
            Input::WatchEnded { watch } => self.watch_ended(watch),
            Input::Probed { watch, resource_version } => self.probed(watch, &resource_version),
            Input::Committed { through, cursor } => self.committed(through, cursor),
            Input::CommitRefused { wait_ms } => self.commit_refused(wait_ms),
            Input::Tick => self.tick(),
            Input::LetIn => self.let_in(),
            Input::TimelineChanged { timeline } => self.timeline_changed(timeline),
        }
    }

    fn start(&mut self, stored: Option<Stored>, timeline: u32) {
        self.state.timeline = timeline;
        let stored = stored.filter(|stored| stored.timeline == timeline);
        let (cursor, reached) = stored.map(|stored| (stored.cursor, stored.reached)).unzip();
        let cursor = cursor.filter(|cursor| is_position(cursor));
        self.state.reached = reached.filter(|reached| is_position(reached));
        self.state.must_list = cursor.is_none();
        self.state.committed.clone_from(&cursor);
        if let Some(cursor) = &cursor {
            self.reach(cursor);
        }
        self.state.delivered = cursor;
        self.proceed();
    }

    pub(super) fn reach(&mut self, version: &str) {
        if self.state.reached.as_deref().is_none_or(|reached| is_older(reached, version)) {
            self.state.reached = Some(version.to_owned());
        }
    }

    /// True if the server's newest state is older than something that it has told: its history went backwards.
    pub(super) fn is_behind_itself(&self, newest: &str) -> bool {
        self.state.reached.as_deref().is_some_and(|reached| is_older(newest, reached))
    }

    /// Goes on: with a watch where one can resume, else with a listing.
    pub(super) fn proceed(&mut self) {
        match self.state.delivered.clone() {
            Some(from) if !self.state.must_list => self.open_watch(from),
            _ if self.now_ms < self.state.list_from_ms => self.wait(self.state.list_from_ms - self.now_ms),
            _ => self.start_listing(),
        }
    }

    /// Closes what is open.
    pub(super) fn close(&mut self) {
        if matches!(self.state.phase, Phase::Watching { .. }) {
            self.actions.push(Action::CloseWatch);
        }
    }

    pub(super) fn wait(&mut self, wait_ms: u64) {
        self.wait_with(wait_ms, false);
    }

    fn wait_with(&mut self, wait_ms: u64, denied: bool) {
        let listing = match &mut self.state.phase {
            Phase::Listing(listing) => Some(listing.clone()),
            _ => None,
        };
        self.close();
        let until_ms = self.now_ms + wait_ms;
        self.state.phase = Phase::Waiting { until_ms, denied, listing };
        self.actions.push(Action::Wait { until_ms });
    }

    /// What every failure of a list or a watch does, but for what only one of them has.
    pub(super) fn failed(&mut self, failure: Failure) {
        if failure == Failure::HeldBack {
            return self.wait(REOPEN_MS_MIN);
        }
        self.state.failures = self.state.failures.saturating_add(1);
        let seed = self.state.seed ^ self.state.listings.rotate_left(32) ^ self.state.watches;
        let grown_ms = delay::after(self.state.failures, seed);
        if failure != Failure::Behind {
            self.state.behind = 0;
        }
        match failure {
            Failure::Expired => self.expired(),
            Failure::Behind => {
                self.state.behind += 1;
                if self.state.behind >= BEHIND_MAX {
                    self.state.behind = 0;
                    self.state.must_list = true;
                }
                self.wait(grown_ms);
            }
            // A server that has just started refuses for a moment what is allowed.
            Failure::Denied | Failure::Absent => self.wait_with(grown_ms, true),
            Failure::TooMany { wait_ms } => self.wait(wait_ms.max(grown_ms)),
            Failure::TooLong | Failure::Transient | Failure::HeldBack => self.wait(grown_ms),
        }
    }

    /// The first time at once, later after a delay: a server may say so for ever.
    fn expired(&mut self) {
        self.close();
        self.state.phase = Phase::Cold;
        self.state.must_list = true;
        let seed = self.state.seed ^ self.state.listings;
        match self.state.failures {
            0 | 1 => self.proceed(),
            more => self.wait(delay::after(more - 1, seed)),
        }
    }

    fn tick(&mut self) {
        let Phase::Waiting { until_ms, listing, .. } = &mut self.state.phase else { return };
        if self.now_ms < *until_ms {
            return;
        }
        match listing.take() {
            Some(listing) => self.ask_page(listing),
            None => self.proceed(),
        }
    }

    fn let_in(&mut self) {
        if let Phase::Waiting { until_ms, denied: true, .. } = &mut self.state.phase {
            *until_ms = (*until_ms).min(self.now_ms);
            self.tick();
        }
    }

    fn committed(&mut self, through: u64, cursor: Option<String>) {
        if through > self.state.void_through
            && let Some(cursor) = cursor
        {
            self.state.committed = Some(cursor).filter(|cursor| is_position(cursor));
        }
        if matches!(self.state.phase, Phase::Sweep { through: last } if through >= last) {
            self.state.must_list = false;
            self.proceed();
        }
    }

    fn commit_refused(&mut self, wait_ms: u64) {
        self.actions.push(Action::DropPending);
        self.state.delivered.clone_from(&self.state.committed);
        self.state.must_list |= self.state.committed.is_none();
        self.close();
        // A listing of which a page was dropped cannot say what is no longer there: it starts over, because nothing is
        // watched before one was committed.
        self.state.phase = Phase::Cold;
        self.wait(wait_ms.max(REOPEN_MS_MIN));
    }

    fn timeline_changed(&mut self, timeline: u32) {
        if timeline > self.state.timeline {
            self.state.timeline = timeline;
            self.forget();
            self.proceed();
        }
    }

    /// The cluster's history went backwards. The log is told at once: whoever started from its cursor later, when the
    /// cluster has passed it again, could not see that.
    pub(super) fn rewound(&mut self) {
        self.state.timeline += 1;
        self.actions.push(Action::Rewound { timeline: self.state.timeline });
        self.forget();
        self.emit(Vec::new(), Some(String::new()), None);
    }

    /// Everything that was known belongs to a timeline that is over.
    fn forget(&mut self) {
        self.close();
        self.actions.push(Action::DropPending);
        self.state.phase = Phase::Cold;
        self.state.void_through = self.state.emitted;
        self.state.committed = None;
        self.state.delivered = None;
        self.state.reached = None;
        self.state.must_list = true;
    }

    pub(super) fn emit(
        &mut self,
        changes: Vec<Change>,
        cursor: Option<String>,
        listed: Option<BTreeSet<ObjectKey>>,
    ) {
        self.state.emitted += 1;
        if let Some(cursor) = cursor.as_ref().filter(|cursor| is_position(cursor)) {
            self.state.delivered = Some(cursor.clone());
            self.reach(cursor);
        }
        let (number, timeline) = (self.state.emitted, self.state.timeline);
        self.actions.push(Action::Emit(Emission { number, changes, cursor, listed, timeline }));
    }
}
