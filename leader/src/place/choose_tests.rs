use super::*;
use std::collections::BTreeMap;
use tallyman_model::record::Head;
use tallyman_model::selector::Selector;

fn candidate(ordinal: u64, name: &str, active: usize) -> Candidate {
    let labels = BTreeMap::from([("region".to_owned(), name.to_owned())]);
    let head = Head { ordinal: Ordinal(ordinal), name: name.to_owned(), labels, ..Head::default() };
    let kube_system_uid = Some(format!("uid-of-{name}"));
    Candidate { cluster: Cluster { head, kube_system_uid, ..Cluster::default() }, active }
}

fn on(chosen: &Chosen) -> u64 {
    match &chosen.choice {
        Choice::On(ordinal) => ordinal.0,
        Choice::Nowhere(why) => panic!("nowhere: {why}"),
    }
}

fn nowhere(chosen: &Chosen) -> &str {
    match &chosen.choice {
        Choice::On(ordinal) => panic!("on {ordinal}"),
        Choice::Nowhere(why) => why,
    }
}

#[test]
fn the_cluster_with_the_fewest_active_runs_is_chosen_and_of_equals_the_first_by_name() {
    let any = Placement::default();
    let chosen = choose(
        &any,
        &BTreeSet::new(),
        &[candidate(1, "west", 2), candidate(2, "east", 3), candidate(3, "north", 2)],
    );
    assert_eq!((on(&chosen), chosen.why.as_str()), (3, "fewest running of east, north, west"));
}

#[test]
fn a_placement_by_name_or_by_selector_limits_the_choice() {
    let all = [candidate(1, "east", 9), candidate(2, "west", 0)];
    let named = Placement { clusters: vec!["east".to_owned()], ..Placement::default() };
    let chosen = choose(&named, &BTreeSet::new(), &all);
    assert_eq!((on(&chosen), chosen.why.as_str()), (1, "the only cluster that can take it"));
    let selector = Selector::parse("region=east").ok();
    assert_eq!(on(&choose(&Placement { selector, ..Placement::default() }, &BTreeSet::new(), &all)), 1);
    let selector = Selector::parse("region=south").ok();
    let none = choose(&Placement { selector, ..Placement::default() }, &BTreeSet::new(), &all);
    assert_eq!(nowhere(&none), "no cluster is in spec.placement");
}

#[test]
fn clusters_that_take_no_work_are_named_with_the_reason() {
    let mut all: Vec<_> =
        ["a", "b", "c", "d", "e"].iter().zip(1..).map(|(name, i)| candidate(i, name, 0)).collect();
    all[0].cluster.cordoned = true;
    all[1].cluster.paused = true;
    all[2].cluster.quarantined = true;
    all[3].cluster.kube_system_uid = None;
    all[4].cluster.reachable = Some(false);
    let chosen = choose(&Placement::default(), &BTreeSet::new(), &all);
    let expected = "no cluster takes it now: a is cordoned, b is paused, c is quarantined, \
                    d has not been reached yet, e is out of reach";
    assert_eq!(nowhere(&chosen), expected);
    assert_eq!(nowhere(&choose(&Placement::default(), &BTreeSet::new(), &[])), "no cluster is registered");
}

#[test]
fn a_cluster_whose_reachability_is_not_known_yet_is_used() {
    let mut east = candidate(1, "east", 0);
    east.cluster.reachable = None;
    assert_eq!(on(&choose(&Placement::default(), &BTreeSet::new(), &[east])), 1);
}

#[test]
fn a_sentence_names_only_the_first_few() {
    let names: Vec<_> = (0..9).map(|i| format!("c{i}")).collect();
    let all: Vec<_> = names.iter().zip(1..).map(|(name, i)| candidate(i, name, 0)).collect();
    assert_eq!(
        choose(&Placement::default(), &BTreeSet::new(), &all).why,
        "fewest running of c0, c1, c2, c3, c4, and 4 more"
    );
}

#[test]
fn runs_are_spread_by_weight_and_the_shares_are_said() {
    let weights = BTreeMap::from([("east".to_owned(), 3), ("west".to_owned(), 1)]);
    let placement = Placement { weights, ..Placement::default() };
    let mut all = [candidate(1, "east", 0), candidate(2, "north", 0), candidate(3, "west", 0)];
    for _ in 0..50 {
        let chosen = on(&choose(&placement, &BTreeSet::new(), &all));
        all.iter_mut().filter(|one| one.cluster.head.ordinal.0 == chosen).for_each(|one| one.active += 1);
    }
    assert_eq!(all.each_ref().map(|one| one.active), [30, 10, 10], "where nothing is said it is 1");
    let chosen = choose(&placement, &BTreeSet::new(), &all);
    let expected =
        "fewest running for its weight: east 30 of weight 3, north 10 of weight 1, west 10 of weight 1";
    assert_eq!(chosen.why, expected);
}
