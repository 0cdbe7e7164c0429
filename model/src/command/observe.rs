//! Record what a watch or a read of a cluster said, and how far the watch has come.
//!
//! Reads and writes the runnables that the observations belong to, and the watch's cursor; reads the status rule of the
//! kind. An observation that belongs to no committed create changes nothing; one that was read by another rule than that
//! of now says only that the object is there. Refused only when the cluster is gone or its timeline has moved
//! on.

use super::{CursorMove, settle};
use crate::record::{Described, Extent, Kind, Object, ObjectState, Record, Runnable, Seen};
use crate::rule::Verdict;
use crate::{Damaged, Done, Ordinal, Refusal, Revision, Tag, Txn, Uid};
use serde::{Deserialize, Serialize};

/// One object of a cluster, projected to what the rules need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID on the cluster.
    pub uid: String,
    /// Its resourceVersion there.
    pub resource_version: String,
    /// It is known to be gone: by a DELETED event, or by a GET by name that found nothing or another UID.
    pub gone: bool,
    /// The group on its label, if it has one.
    pub group: Option<Uid>,
    /// The submission on its label, if it has one.
    pub submission: Option<Uid>,
    /// The attempt on its annotation.
    pub attempt: Option<u32>,
    /// The manifest's digest on its annotation, as written there.
    pub digest: Option<String>,
    /// Our hold finalizer is on it.
    pub held: bool,
    /// Its status.
    pub seen: Seen,
    /// What its status means for a run; `None` for kinds without a rule.
    pub verdict: Option<Verdict>,
    /// What is shown of it if it was not submitted here. Of what has a group's label it is not read; the log has it only
    /// as [`Sighting`](super::Sighting).
    #[serde(skip)]
    pub described: Option<Box<Described>>,
}

impl Observation {
    /// The same without what a status rule made of it.
    fn unjudged(&self) -> Self {
        let mut item = self.clone();
        item.verdict = None;
        (item.seen.condition, item.seen.rule) = (None, None);
        item.seen.message.clear();
        item
    }
}

/// What a watch said, in one entry with its cursor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observe {
    /// The cluster.
    pub cluster: Ordinal,
    /// The kind that was watched or read.
    pub kind: Kind,
    /// The namespace that the watch is of; empty: all.
    pub namespace: String,
    /// What the cluster calls it in paths; of a read it may be empty.
    pub plural: String,
    /// The cluster's timeline as the leader knew it.
    pub timeline: u32,
    /// A watch told of these; else they were read.
    pub is_watch: bool,
    /// The resourceVersion that the watch has reached with these; `None`: not from a watch, or there is more to come.
    pub cursor: Option<String>,
    /// The revision of the status rule that was the kind's when the watch began.
    pub rule: Option<Revision>,
    /// The objects, each once, in its last state.
    pub items: Vec<Observation>,
}

impl Observe {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(cluster) = txn.cluster(self.cluster)? else {
            return Ok(Err(Refusal::outdated("the cluster is gone")));
        };
        if cluster.timeline != self.timeline {
            return Ok(Err(Refusal::outdated("the cluster's timeline has moved on")));
        }
        let moved = self.moved();
        let mut words = format!("{} of {} on {}", self.items.len(), moved.called(), cluster.head.name);
        let rule = txn.status_rule(&self.kind)?.map(|rule| rule.head.revision);
        for item in &self.items {
            let outdated = (item.seen.rule != rule).then(|| item.unjudged());
            if let Some(overlap) = self.take(txn, outdated.as_ref().unwrap_or(item))? {
                words.push_str("; ");
                words.push_str(&overlap);
            }
        }
        txn.say(words);
        moved.take(txn, self.items.iter().map(|item| &item.resource_version))?;
        Ok(Ok(Done::at(txn)))
    }

    /// What the ledger is to tell beside that there was something.
    fn take(&self, txn: &mut Txn<'_>, item: &Observation) -> Result<Option<String>, Damaged> {
        let Some(mut run) = self.owner(txn, item)? else { return Ok(None) };
        let now = txn.now_ms();
        let Some(position) = run.objects.iter().position(|object| is_it(&run, object, self.cluster, item))
        else {
            return Ok(None);
        };
        let before = run.clone();
        let Some(object) = run.objects.get_mut(position) else { return Ok(None) };
        let is_news = see(object, item, self.timeline, now);
        let is_first =
            self.is_watch && object.observed_ms.is_none() && object.uid.as_ref() == Some(&item.uid);
        if is_first {
            object.observed_ms = Some(now);
        }
        if is_news {
            settle::observed(&mut run, position, item, now);
            settle::check_marks(&mut run, position, item, txn.meta.group);
        } else if !is_first {
            return Ok(None);
        }
        settle::settle(&mut run, now);
        let overlap = settle::overlap_words(&run, now).map(str::to_owned);
        if meaningful(&before, &run) {
            settle::write(txn, run)?;
        }
        Ok(overlap)
    }

    /// By the label, or where that was stripped by the claim on the name.
    fn owner(&self, txn: &Txn<'_>, item: &Observation) -> Result<Option<Runnable>, Damaged> {
        if let Some(uid) = item.submission {
            let run = txn.find(Tag::Uid, crate::index::uid_hash(uid), |record| match record {
                Record::Runnable(run) if run.head.uid == uid => Some(run),
                _ => None,
            })?;
            if run.is_some() {
                return Ok(run);
            }
        }
        let claim = crate::lookup::claim_hash(self.cluster, &item.kind, &item.namespace, &item.name);
        txn.find(Tag::Claim, claim, |record| match record {
            Record::Runnable(run) => {
                run.objects.iter().any(|object| is_it(&run, object, self.cluster, item)).then_some(run)
            }
            _ => None,
        })
    }

    /// How far the watch has come with these.
    fn moved(&self) -> CursorMove {
        CursorMove {
            cluster: self.cluster,
            extent: Extent { kind: self.kind.clone(), namespace: self.namespace.clone() },
            foreign: None,
            plural: self.plural.clone(),
            timeline: self.timeline,
            cursor: self.cursor.clone(),
            rule: self.rule,
        }
    }
}

/// Is `item` the object that `object` stands for? By UID; or, where no UID is known or the known one is gone, by
/// being exactly what a committed create would have made: a delayed request may land after its object was deleted.
fn is_it(run: &Runnable, object: &Object, cluster: Ordinal, item: &Observation) -> bool {
    let Some(plan) = run.plan(object) else { return false };
    let named = object.cluster == cluster
        && plan.kind.names_same(&item.kind)
        && plan.namespace == item.namespace
        && object.name == item.name;
    if !named || object.given_up {
        return false;
    }
    if object.uid.as_ref() == Some(&item.uid) {
        return true;
    }
    let open = object.uid.is_none() || object.state == ObjectState::Gone;
    let marked = item.digest.as_deref() == Some(&plan.digest.to_string());
    // Members are shared by attempts and by runnables of equal bytes; a main object is one attempt's alone.
    let main = item.submission == Some(run.head.uid) && item.attempt == Some(object.attempt);
    !item.gone && open && object.create_intended && marked && (main || !run.is_main(object))
}

/// Takes what was seen; false if it is older than what is known. That an object is gone is known by its UID and is
/// final in its timeline, so a late page that still lists it says nothing; a restored etcd may bring it back.
fn see(object: &mut Object, item: &Observation, timeline: u32, now: u64) -> bool {
    let same = object.uid.as_ref() == Some(&item.uid);
    let known = object.seen.as_ref().filter(|_| same);
    let is_back = !item.gone && known.is_some_and(|known| known.timeline < timeline);
    if same && object.state == ObjectState::Gone && !is_back {
        return false;
    }
    if item.gone {
        settle::gone(object, timeline, now);
        return true;
    }
    if known.is_some_and(|known| known.is_after(timeline, &item.resource_version)) {
        return false;
    }
    if object.state == ObjectState::Gone {
        // It came late, or back: it is ours, and not wanted any more.
        object.wanted = false;
        object.delete_sent = false;
    }
    settle::live(object, item, timeline, now);
    true
}

/// A change of nothing but the time of looking is not written.
fn meaningful(before: &Runnable, after: &Runnable) -> bool {
    let still = |run: &Runnable| {
        let mut run = run.clone();
        for object in &mut run.objects {
            if let Some(seen) = &mut object.seen {
                seen.at_ms = 0;
                seen.resource_version.clear();
            }
        }
        run
    };
    still(before) != still(after)
}
