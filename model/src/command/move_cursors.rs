//! Record how far watches have come that saw nothing that matters: those of many kinds and clusters in one entry.
//!
//! Reads the clusters; reads and writes the cursors. A move on a cluster that is gone, or of a timeline or a selection that is over,
//! changes nothing: whoever resumes there begins anew anyway.

use crate::record::{Extent, ForeignSelector, Record, Watch, is_older};
use crate::{Damaged, Done, Ordinal, Refusal, Revision, Tag, Txn, limits};
use serde::{Deserialize, Serialize};

/// How far one watch has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorMove {
    /// The cluster.
    pub cluster: Ordinal,
    /// What is watched.
    pub extent: Extent,
    /// What it selects, if it is of what was not submitted here.
    pub foreign: Option<ForeignSelector>,
    /// What the cluster calls it in paths; where it may not be known it is empty.
    pub plural: String,
    /// The cluster's timeline as the leader knew it.
    pub timeline: u32,
    /// The resourceVersion that the watch has reached; empty: everything must be listed; `None`: no further.
    pub cursor: Option<String>,
    /// The revision of the status rule that was the kind's when the watch began.
    pub rule: Option<Revision>,
}

/// How far some watches have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveCursors {
    /// Each watch once.
    pub moves: Vec<CursorMove>,
}

impl MoveCursors {
    /// The version of the group from which on it may be in the log.
    pub const SINCE: u32 = 3;

    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        for moved in &self.moves {
            let cluster = txn.cluster(moved.cluster)?;
            let is_watched =
                |selector| cluster.as_ref().is_some_and(|cluster| cluster.observes(selector, &moved.extent));
            let is_wanted = moved.foreign.as_ref().is_none_or(is_watched);
            if cluster.as_ref().is_some_and(|cluster| cluster.timeline == moved.timeline) && is_wanted {
                moved.take(txn, std::iter::empty())?;
            }
        }
        txn.say(format!("of {} watches", self.moves.len()));
        Ok(Ok(Done::at(txn)))
    }
}

impl CursorMove {
    /// What the kind is called.
    pub(super) fn called(&self) -> &str {
        if self.plural.is_empty() {
            self.extent.kind.plural().unwrap_or(self.extent.kind.as_str())
        } else {
            &self.plural
        }
    }

    /// Moves the cursor; `versions` are those of the objects that came with it.
    pub(super) fn take<'v>(
        &self,
        txn: &mut Txn<'_>,
        versions: impl Iterator<Item = &'v String>,
    ) -> Result<(), Damaged> {
        let is_foreign = self.foreign.is_some();
        let hash = crate::index::watch_hash(self.cluster, &self.extent, is_foreign);
        let known = txn.find(Tag::Name, hash, |record| match record {
            Record::Watch(watch) => watch.is_of(self.cluster, &self.extent, is_foreign).then_some(watch),
            _ => None,
        })?;
        let reached = self.reached(known.as_ref(), versions);
        let is_further = known.as_ref().is_some_and(|known| known.reached != reached);
        if self.cursor.is_none() && !is_further {
            return Ok(());
        }
        let ordinal = match &known {
            Some(watch) => watch.ordinal,
            None => {
                make_room(txn, self.cluster)?;
                txn.new_ordinal()
            }
        };
        let is_same = |known: &Watch| known.timeline == self.timeline && known.foreign == self.foreign;
        let kept = known.filter(is_same);
        let kept = kept.map(|known| (known.cursor, known.rule)).unwrap_or_default();
        // The rule belongs to the cursor.
        let (cursor, rule) = self.cursor.clone().map_or(kept, |cursor| (cursor, self.rule));
        let watch = Watch {
            ordinal,
            revision: Revision(0),
            cluster: self.cluster,
            extent: self.extent.clone(),
            foreign: self.foreign.clone(),
            plural: self.called().to_owned(),
            cursor,
            reached,
            timeline: self.timeline,
            rule,
            observed_ms: txn.now_ms(),
        };
        txn.put(Record::Watch(watch))?;
        Ok(())
    }

    /// The newest version of all that is known with this.
    fn reached<'v>(&self, known: Option<&Watch>, versions: impl Iterator<Item = &'v String>) -> String {
        let known = known.filter(|known| known.timeline == self.timeline).map(|known| &known.reached);
        let newer = |one: String, other: &String| {
            if one.is_empty() || is_older(&one, other) { other.clone() } else { one }
        };
        versions.fold(known.into_iter().chain(&self.cursor).fold(String::new(), newer), newer)
    }
}

/// Drops the cursor that was made first where there are too many. If that is of a watch that goes on, whoever leads next
/// lists for it.
fn make_room(txn: &mut Txn<'_>, cluster: Ordinal) -> Result<(), Damaged> {
    if txn.count(Tag::Watches, cluster.0, limits::WATCHES_MAX)? < limits::WATCHES_MAX {
        return Ok(());
    }
    for first in txn.ordinals(Tag::Watches, cluster.0, 1)? {
        txn.remove(first, 0)?;
    }
    Ok(())
}
