//! What holds of every kube write at the moment when it is sent.

use crate::memory_log::State;
use tallyman_model::query;
use tallyman_model::record::{Action, Kind, Object, ObjectState, Permit};

/// A kube write that is about to leave.
pub(crate) struct Sending<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) kind: &'a Kind,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// True of a POST.
    pub(crate) creates: bool,
}

impl Sending<'_> {
    /// Its intent was committed before, by the leadership that sends it; and of a create, nothing that an earlier one
    /// made is known.
    ///
    /// What is kept in sync has intents of its own, and is not looked at.
    pub(crate) fn check(&self, state: &State, permit: &Permit) {
        let Self { cluster, kind, namespace, name, creates } = *self;
        let (known, claimants) = state.look(|view| {
            let known = query::cluster(view, cluster).unwrap();
            let claimants = known
                .as_ref()
                .map(|known| query::claimants(view, known.head.ordinal, kind, namespace, name).unwrap());
            (known, claimants.unwrap_or_default())
        });
        let Some(known) = known.filter(|_| !claimants.is_empty()) else { return };
        let is_it = |object: &&Object| {
            let acts = object.pending.is_some_and(|intent| {
                intent.permit == *permit && (intent.action == Action::Create) == creates
            });
            acts && object.cluster == known.head.ordinal && object.name == name
        };
        let decided = claimants.iter().find_map(|run| Some((run, run.objects.iter().find(is_it)?)));
        let what = if creates { "a create" } else { "a write" };
        let Some((run, object)) = decided else {
            panic!(
                "{what} of {kind} {name} on {cluster} is sent under {permit:?} without an intent: {claimants:#?}"
            )
        };
        if creates {
            assert_ne!(object.state, ObjectState::Live, "{kind} {name} is known to be there: {run:#?}");
            let is_new = object.uid.is_none() || !run.is_main(object);
            assert!(is_new, "{kind} {name} is known to have been made: {run:#?}");
        }
    }
}
