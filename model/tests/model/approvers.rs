//! People who decide on approvals, and what is counted of it beside the model.

use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use tallyman_model::command::*;
use tallyman_model::record::*;
use tallyman_model::*;

/// Everybody there is. Ann submits; eve is in no group that counts; root may act as others.
const PEOPLE: [(&str, &[&str], Option<&str>); 7] = [
    ("ann", &["leads"], None),
    ("bob", &["leads", "desk"], None),
    ("cat", &["desk"], None),
    ("dan", &["staff", "leads"], None),
    ("eve", &["staff", "system:masters"], None),
    ("flo", &["leads"], Some("bob")),
    ("gus", &["desk"], Some("ann")),
];

pub(crate) fn person(number: u8) -> Principal {
    let (user, groups, through) = PEOPLE[usize::from(number) % PEOPLE.len()];
    Principal {
        user: user.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        through: through.map(str::to_owned),
    }
}

pub(crate) fn named(user: &str) -> Principal {
    (0..).map(person).find(|person| person.user == user).unwrap()
}

pub(crate) fn decide(
    world: &mut World,
    name: &str,
    by: &Principal,
    decision: Decision,
    digest: Digest,
) -> Result<Done, Refusal> {
    let target = Target::named("risk", name);
    world.run_as(by, Command::Approve(Approve { target, decision, digest, why: "words".to_owned() }))
}

/// What was decided, kept beside the model by other means: the human being who is behind a name is counted.
#[derive(Default)]
pub(crate) struct Oracle {
    /// By the UID of the run: who approved its digest since it was submitted, or asked for again.
    approved: BTreeMap<Uid, BTreeSet<String>>,
    rejected: BTreeSet<Uid>,
    /// Who asked for the present try of a run, if it was retried.
    retried: BTreeMap<Uid, String>,
    /// Attempts and intents to create that were seen.
    seen: BTreeMap<Uid, (usize, BTreeSet<u64>)>,
}

impl Oracle {
    pub(crate) fn saw(
        &mut self,
        run: &Runnable,
        by: &Principal,
        decision: Decision,
        digest: Digest,
        done: bool,
    ) {
        let human = human(by);
        let asked = human == "ann" || self.retried.get(&run.head.uid) == Some(&human);
        let entitled = !asked && by.groups.iter().any(|group| group == "leads" || group == "desk");
        if !entitled || digest != run.digest {
            assert!(!done, "{by:?} may not decide on {run:?}");
            return;
        }
        match decision {
            Decision::Approve if done => {
                self.approved.entry(run.head.uid).or_default().insert(human);
            }
            Decision::Reject if done => {
                self.rejected.insert(run.head.uid);
            }
            _ => {}
        }
    }

    pub(crate) fn saw_retry(&mut self, uid: Uid, by: &Principal) {
        self.approved.remove(&uid);
        self.rejected.remove(&uid);
        self.retried.insert(uid, human(by));
    }

    pub(crate) fn check(&mut self, world: &World) {
        let runnables = query::Filter::all(Resource::Runnable);
        for record in query::list(&world.view, &runnables, Ordinal(0), 1000).unwrap().records {
            let Record::Runnable(run) = record else { continue };
            let seen = self.seen.entry(run.head.uid).or_default();
            let creates = run.objects.iter().filter_map(|object| object.pending);
            let creates = creates.filter(|intent| intent.action == Action::Create);
            let mut is_new = run.attempts.len() > seen.0;
            seen.0 = run.attempts.len();
            for intent in creates {
                is_new |= seen.1.insert(intent.index);
            }
            let Some(rule) = &run.spec.approvals else { continue };
            let approved = self.approved.get(&run.head.uid).map_or(0, BTreeSet::len);
            let enough = approved >= rule.required as usize && !self.rejected.contains(&run.head.uid);
            assert!(enough || !is_new, "{approved} of {} approved, and it was sent: {run:?}", rule.required);
            if run.phase == Phase::Held {
                assert!(!enough, "enough people approved, and it is held: {run:?}");
                let due = world.due(Lane::Place, Ordinal(0));
                assert!(!due.contains(&run.head.ordinal), "a held run waits for a cluster");
            }
        }
    }
}

/// Who is behind a name.
fn human(by: &Principal) -> String {
    by.through.clone().unwrap_or_else(|| by.user.clone())
}
