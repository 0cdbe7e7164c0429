//! `dryRun=All`: the command is applied to a layer over this replica's newest state, and the layer is dropped. So the
//! rules are the ones of a real write, and nothing is logged, kept in the ledger or remembered under a key.

use super::{Ask, Written};
use crate::status::Failure;
use crate::view;
use tallyman_model::record::Record;
use tallyman_model::{Ctx, Entry, Refusal, ReplicaId, Revision, apply, query};
use tallyman_raft::{Proposal, ReadMode};

/// What the proposal would be answered now.
///
/// # Errors
/// The newest state cannot be known.
pub(super) async fn rehearse(ask: &Ask, proposal: Proposal) -> Result<Result<Written, Refusal>, Failure> {
    ask.await_mode(ReadMode::Linearizable).await?;
    let status = ask.status();
    let led_by = status.leader.or(status.id).unwrap_or(ReplicaId(0));
    let ctx = Ctx { index: status.applied.saturating_add(1), term: status.term, leader: led_by };
    let Proposal { by, key, command } = proposal;
    let entry = Entry { clock_ms: ask.api.now_ms(), by, key, command };
    let voters = u32::try_from(status.voters.len()).unwrap_or(u32::MAX);
    view::with(ask.api.backend(), None, |view, revision| {
        let mut done = match apply(view, &ctx, entry)?.reply {
            Ok(done) => done,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Of a record that is not there yet there is no revision.
        let mut shown_at = Revision(0);
        if let Some(record) = done.record.as_deref() {
            let uid = |record: &Record| record.head().map(|head| head.uid);
            let kept = query::record(view, record.ordinal())?.filter(|kept| uid(kept) == uid(record));
            shown_at = kept.map_or(Revision(0), |kept| kept.revision());
        }
        done.revision = revision;
        Ok(Ok(Written { done, led_by, on_disk: 0, voters, shown_at: Some(shown_at) }))
    })
}
