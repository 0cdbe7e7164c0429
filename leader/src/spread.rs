//! Has deployables follow the clusters that there are: onto those that their placement allows, and off the others.

use crate::limits::REST_MS;
use crate::term::Term;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::Spread;
use tallyman_model::record::{Cluster, Deployable, Installation};
use tallyman_model::{Command, Ordinal, query, rollout};

pub(crate) async fn run(term: Arc<Term>) {
    let mut clusters = term.clusters.subscribe();
    let mut seen: Option<Arc<Vec<Cluster>>> = None;
    loop {
        let known = clusters.borrow_and_update().clone();
        let is_same = match (&seen, &known) {
            (Some(seen), Some(known)) => is_same(seen, known),
            _ => false,
        };
        if let Some(known) = known.filter(|_| !is_same)
            && !term.is_paused()
        {
            match all(&term, &known).await {
                true => seen = Some(known),
                false => tokio::time::sleep(Duration::from_millis(REST_MS)).await,
            }
            continue;
        }
        tokio::select! {
            // The term holds its sender.
            _ = clusters.changed() => {}
            // A group that was paused may not be any more.
            () = tokio::time::sleep(Duration::from_millis(REST_MS)) => {}
        }
    }
}

/// True if every deployable is where it should be, as far as the log took it.
async fn all(term: &Term, clusters: &[Cluster]) -> bool {
    let found = term.look(|view| {
        let mut due = Vec::new();
        for deployable in query::deployables(view)? {
            let installations = query::installations(view, deployable.head.ordinal)?;
            if is_due(&deployable, &installations, clusters, term.now_ms()) {
                due.push(deployable.head.ordinal);
            }
        }
        Ok(due)
    });
    let Some(due) = found else { return false };
    let mut taken = true;
    for deployable in due {
        taken &= term.propose(Command::Spread(Spread { deployable })).await.is_ok();
    }
    taken
}

/// True if the deployable is to go onto a cluster, or to leave one, or its rollout waits for another one now.
fn is_due(
    deployable: &Deployable,
    installations: &[Installation],
    clusters: &[Cluster],
    now_ms: u64,
) -> bool {
    let next = rollout::of(deployable, clusters, installations.iter(), now_ms);
    let leaves =
        |one: &Installation| match clusters.iter().find(|cluster| cluster.head.ordinal == one.cluster) {
            None => true,
            Some(cluster) => cluster.written_off.is_some() || !deployable.wants(cluster) && !one.leaving,
        };
    next.is_some_and(|next| next.is_news_of(deployable)) || installations.iter().any(leaves)
}

/// True if all that decides where deployables go, and when, is the same of both.
fn is_same(one: &[Cluster], other: &[Cluster]) -> bool {
    type Decisive<'a> = (Ordinal, bool, (bool, bool), bool, Option<&'a BTreeSet<String>>);
    fn of(cluster: &Cluster) -> Decisive<'_> {
        let is_away = (cluster.reachable == Some(false), cluster.quarantined);
        let is_off = cluster.written_off.is_some();
        (cluster.head.ordinal, cluster.is_cordoned(), is_away, is_off, cluster.decisions())
    }
    let same = |(one, other): (&Cluster, &Cluster)| {
        of(one) == of(other) && (&one.head.name, &one.head.labels) == (&other.head.name, &other.head.labels)
    };
    one.len() == other.len() && one.iter().zip(other).all(same)
}
