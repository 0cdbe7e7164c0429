//! Waiting for what becomes of a record, on this replica's own state: whoever leads meanwhile.
//!
//! A request that waits holds nothing that others need, and their number is bounded.

use crate::ask::{Ask, Written};
use crate::overload::Waiting;
use crate::prefer::Prefer;
use crate::status::Failure;
use crate::view;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::record::{Record, Runnable};
use tallyman_model::{Damaged, Phase, Reason, Revision, Uid, View, query};
use tallyman_raft::ReadMode;
use tokio::time::{Instant, sleep_until};

/// How long a request may wait, in seconds.
const WAIT_S_MAX: u64 = 300;
/// A record that changes faster than this is not looked at each time.
const COALESCE: Duration = Duration::from_millis(20);

/// What a write is followed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Its main object is on the cluster, or certainly will not be.
    Created,
    /// The run has ended.
    Ended,
    /// The record is not there any more.
    Gone,
}

impl Goal {
    fn is_reached(self, run: Option<&Runnable>) -> bool {
        let Some(run) = run else { return true };
        match self {
            // After a retry the last attempt is the old one, until the run is placed again.
            Goal::Created if matches!(run.phase, Phase::Held | Phase::Accepted) => false,
            Goal::Created => {
                let refused = matches!(run.reason, Reason::Refused | Reason::NameTaken);
                run.phase.is_terminal() || refused || run.main_object().is_some_and(|main| main.uid.is_some())
            }
            Goal::Ended => run.phase.is_terminal(),
            Goal::Gone => false,
        }
    }
}

/// A request that may wait.
pub(crate) struct Wait {
    /// How long at most, in seconds.
    pub(crate) seconds: u64,
    deadline: Instant,
    _waiting: Waiting,
}

impl Wait {
    /// As the request prefers; `None`: it does not wait, or too many do already.
    pub(crate) fn preferred(ask: &Ask) -> Option<Self> {
        if ask.dry_run {
            return None;
        }
        let seconds = Prefer::of(&ask.headers).wait_s?.min(WAIT_S_MAX);
        let waiting = ask.api.overload.wait()?;
        ask.admission.leave();
        Some(Self { seconds, deadline: Instant::now() + Duration::from_secs(seconds), _waiting: waiting })
    }

    /// Waits until this replica has everything up to `revision`.
    pub(crate) async fn for_revision(&self, ask: &Ask, revision: Revision) -> Result<(), Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        Ok(ask.api.backend().read(ReadMode::Token(revision), left).await?)
    }

    /// Waits until `reached` says so; until the time is over or the server stops otherwise.
    pub(crate) async fn until(
        &self,
        ask: &Ask,
        reached: impl Fn(&dyn View) -> Result<bool, Damaged>,
    ) -> Result<(), Failure> {
        let backend = ask.api.backend();
        loop {
            let (revision, looked) = (backend.revision(), Instant::now());
            if view::with(backend, None, |view, _| reached(view))? {
                return Ok(());
            }
            tokio::select! {
                () = backend.beyond(revision) => sleep_until((looked + COALESCE).min(self.deadline)).await,
                () = sleep_until(self.deadline) => return Ok(()),
                () = ask.api.stopping() => return Ok(()),
            }
        }
    }

    /// Follows a write of a run to its goal, and makes `written` say how the run is then.
    pub(crate) async fn follow(&self, ask: &Ask, written: &mut Written, goal: Goal) {
        let Some(Record::Runnable(run)) = written.done.record.as_deref() else { return };
        let (ordinal, uid) = (run.head.ordinal, run.head.uid);
        let found =
            |view: &dyn View| Ok(query::record(view, ordinal)?.filter(|record| uid_of(record) == Some(uid)));
        let run_of = |record: &Record| match record {
            Record::Runnable(run) => Some(run.clone()),
            _ => None,
        };
        // It is committed: whatever fails from here on, it is answered as what it was.
        if self.for_revision(ask, written.done.revision).await.is_err() {
            return;
        }
        let reached = |view: &dyn View| Ok(goal.is_reached(found(view)?.as_ref().and_then(run_of).as_ref()));
        if self.until(ask, reached).await.is_err() {
            return;
        }
        match view::with(ask.api.backend(), None, |view, revision| Ok((found(view)?, revision))) {
            Ok((Some(record), revision)) => {
                written.done.record = Some(Arc::new(record));
                written.done.revision = revision;
            }
            Ok((None, revision)) if goal == Goal::Gone => {
                written.done.record = None;
                written.done.revision = revision;
            }
            Ok((None, _)) | Err(_) => {}
        }
    }
}

fn uid_of(record: &Record) -> Option<Uid> {
    record.head().map(|head| head.uid)
}
