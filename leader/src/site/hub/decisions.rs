//! Has clusters know the placement decisions that name them: each as a whole, as soon as its slices have stayed the same
//! for a while, since nothing says how many there are to be.

use super::Seen;
use crate::limits::DECISION_QUIET_MS;
use crate::site::Site;
use crate::sites;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tallyman_model::command::FollowDecision;
use tallyman_model::manifest::names::label_value;
use tallyman_model::record::Cluster;
use tallyman_model::rule::decision::{Sliced, together};
use tallyman_model::{Command, Ordinal, limits};
use tokio::time::Instant;

/// Decisions that are other than what is known, and since when they have been as they are.
#[derive(Debug, Default)]
pub(super) struct Settling(BTreeMap<Name, (BTreeSet<(String, String)>, Instant)>);

type Name = (String, String);

impl Settling {
    /// For how long its slices must still stay as they are.
    fn left(&mut self, name: &Name, sliced: &Sliced) -> Duration {
        let now = Instant::now();
        let quiet = Duration::from_millis(DECISION_QUIET_MS);
        match self.0.get(name) {
            Some((mark, since)) if *mark == sliced.mark => quiet.saturating_sub(now - *since),
            _ => {
                self.0.insert(name.clone(), (sliced.mark.clone(), now));
                quiet
            }
        }
    }
}

/// Proposes what has changed and settled, and says when to look again at what has not.
pub(super) async fn follow(site: &Site, objects: &[Value], settling: &mut Settling, seen: &mut Seen) {
    let Some(mut clusters) = sites::clusters(&site.term) else { return };
    clusters.retain(|cluster| cluster.follows(site.cluster));
    let known: BTreeMap<Name, &Cluster> = clusters.iter().filter_map(place).collect();
    let all = followed(together(objects), &clusters, &mut seen.wrong);
    settling.0.retain(|name, _| all.contains_key(name));
    for (name, sliced) in &all {
        if let Some(why) = sliced.missing() {
            seen.wrong.push(format!("decision {}/{}: {why}", name.0, name.1));
            continue;
        }
        let decision = decision(site, name, sliced, &known, &mut seen.wrong);
        if !decision.changes(&clusters) {
            settling.0.remove(name);
            continue;
        }
        let left = if sliced.is_keyed { settling.left(name, sliced) } else { Duration::ZERO };
        seen.is_news = true;
        if !left.is_zero() {
            seen.again = Some(seen.again.map_or(left, |again| again.min(left)));
        } else if site.term.propose(Command::FollowDecision(decision)).await.is_ok() {
            tracing::info!(
                hub = site.name,
                namespace = name.0,
                name = name.1,
                "follows a placement decision"
            );
        }
    }
}

/// Those that are there, and those that are known and gone: they may be made anew at once, as slices are. What is known
/// stays where there are too many.
fn followed(
    mut there: BTreeMap<Name, Sliced>,
    clusters: &[Cluster],
    wrong: &mut Vec<String>,
) -> BTreeMap<Name, Sliced> {
    let decisions = clusters.iter().filter_map(Cluster::decisions).flatten();
    let known: BTreeSet<Name> = decisions
        .filter_map(|decision| decision.split_once('/'))
        .map(|(namespace, name)| (namespace.to_owned(), name.to_owned()))
        .collect();
    let fits = |name: &Name| {
        label_value(&name.1).is_ok() && name.0.len() + 1 + name.1.len() <= limits::DECISION_NAME_BYTES_MAX
    };
    let room = limits::DECISIONS_MAX.saturating_sub(known.len());
    let new = there.keys().filter(|name| !known.contains(*name));
    let (named, unnamed): (Vec<Name>, Vec<Name>) = new.cloned().partition(fits);
    for (left_out, why) in [
        (unnamed, "has a name that is too long"),
        (named.into_iter().skip(room).collect(), "is one too many"),
    ] {
        if let Some(name) = left_out.first() {
            wrong.push(format!("decision {}/{} {why}; it is not followed", name.0, name.1));
        }
        left_out.iter().for_each(|name| drop(there.remove(name)));
    }
    for name in known {
        there.entry(name).or_insert_with(Sliced::gone);
    }
    there
}

/// The profile that a cluster follows, also one that is gone.
fn place(cluster: &Cluster) -> Option<(Name, &Cluster)> {
    let profile = cluster.profile.as_ref()?;
    Some(((profile.namespace.clone(), profile.name.clone()), cluster))
}

fn decision(
    site: &Site,
    name: &Name,
    sliced: &Sliced,
    known: &BTreeMap<Name, &Cluster>,
    wrong: &mut Vec<String>,
) -> FollowDecision {
    let named: BTreeSet<Ordinal> =
        sliced.profiles.iter().filter_map(|profile| Some(known.get(profile)?.head.ordinal)).collect();
    let is_there = |profile: &Name| {
        known.get(profile).and_then(|it| it.profile.as_ref()).is_some_and(|it| it.gone_ms.is_none())
    };
    if let Some((namespace, profile)) = sliced.profiles.iter().find(|profile| !is_there(profile)) {
        wrong.push(format!(
            "decision {}/{} names {namespace}/{profile}, which is not followed",
            name.0, name.1
        ));
    }
    FollowDecision { hub: site.cluster, namespace: name.0.clone(), name: name.1.clone(), clusters: named }
}
