//! Fairness over tenants.

use std::collections::{BTreeMap, VecDeque};
use tallyman_model::record::Runnable;

/// At most `limit` of `runs`, one of each tenant in turn, each tenant's own in their order.
pub(super) fn by_tenant(runs: Vec<Runnable>, limit: usize) -> Vec<Runnable> {
    let mut turns: VecDeque<VecDeque<Runnable>> = VecDeque::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        let place = *places.entry(run.head.namespace.clone()).or_insert(turns.len());
        match turns.get_mut(place) {
            Some(queue) => queue.push_back(run),
            None => turns.push_back(VecDeque::from([run])),
        }
    }
    let mut taken = Vec::new();
    while taken.len() < limit
        && let Some(mut queue) = turns.pop_front()
    {
        taken.extend(queue.pop_front());
        if !queue.is_empty() {
            turns.push_back(queue);
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn a_tenant_with_many_runs_does_not_hold_up_one_with_few() {
        let run = Fixture::placed().run();
        let of = |namespace: &str, name: &str| {
            let mut run = run.clone();
            (run.head.namespace, run.head.name) = (namespace.to_owned(), name.to_owned());
            run
        };
        let due = ["a1", "a2", "a3", "a4", "b1", "c1", "b2"].map(|name| of(&name[..1], name));
        let names: Vec<_> = by_tenant(due.into(), 5).into_iter().map(|run| run.head.name).collect();
        assert_eq!(names, ["a1", "b1", "c1", "a2", "b2"]);
    }
}
