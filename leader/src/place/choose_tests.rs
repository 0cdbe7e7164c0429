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

fn wish<'a>(placement: &'a Placement, left: &BTreeSet<Ordinal>) -> Wish<'a> {
    Wish { placement, left: left.clone(), refused: BTreeMap::new(), lacking: BTreeMap::new() }
}

fn pick(placement: &Placement, left: &BTreeSet<Ordinal>, all: &[Candidate]) -> Chosen {
    choose(&wish(placement, left), all)
}

fn on(chosen: &Chosen) -> u64 {
    match &chosen.choice {
        Choice::On(ordinal) => ordinal.0,
        other => panic!("{other:?}"),
    }
}

fn nowhere(chosen: &Chosen) -> &str {
    match &chosen.choice {
        Choice::Nowhere(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_cluster_with_the_fewest_active_runs_is_chosen_and_of_equals_the_first_by_name() {
    let any = Placement::default();
    let chosen = pick(
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
    let chosen = pick(&named, &BTreeSet::new(), &all);
    assert_eq!((on(&chosen), chosen.why.as_str()), (1, "the only cluster that can take it"));
    let selector = Selector::parse("region=east").ok();
    assert_eq!(on(&pick(&Placement { selector, ..Placement::default() }, &BTreeSet::new(), &all)), 1);
    let selector = Selector::parse("region=south").ok();
    let none = pick(&Placement { selector, ..Placement::default() }, &BTreeSet::new(), &all);
    let expected = "no cluster is in spec.placement: east, west do not match clusterSelector";
    assert_eq!(nowhere(&none), expected);
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
    let chosen = pick(&Placement::default(), &BTreeSet::new(), &all);
    let expected = "no cluster takes it now: a is cordoned, b is paused, c is quarantined, \
                    d has not been reached yet, e is out of reach";
    assert_eq!(nowhere(&chosen), expected);
    assert_eq!(nowhere(&pick(&Placement::default(), &BTreeSet::new(), &[])), "no cluster is registered");
}

#[test]
fn a_cluster_whose_reachability_is_not_known_yet_is_used() {
    let mut east = candidate(1, "east", 0);
    east.cluster.reachable = None;
    assert_eq!(on(&pick(&Placement::default(), &BTreeSet::new(), &[east])), 1);
}

#[test]
fn a_sentence_names_only_the_first_few() {
    let names: Vec<_> = (0..9).map(|i| format!("c{i}")).collect();
    let all: Vec<_> = names.iter().zip(1..).map(|(name, i)| candidate(i, name, 0)).collect();
    assert_eq!(
        pick(&Placement::default(), &BTreeSet::new(), &all).why,
        "fewest running of c0, c1, c2, c3, c4, and 4 more"
    );
}

#[test]
fn runs_are_spread_by_weight_and_the_shares_are_said() {
    let weights = BTreeMap::from([("east".to_owned(), 3), ("west".to_owned(), 1)]);
    let placement = Placement { weights, ..Placement::default() };
    let mut all = [candidate(1, "east", 0), candidate(2, "north", 0), candidate(3, "west", 0)];
    for _ in 0..50 {
        let chosen = on(&pick(&placement, &BTreeSet::new(), &all));
        all.iter_mut().filter(|one| one.cluster.head.ordinal.0 == chosen).for_each(|one| one.active += 1);
    }
    assert_eq!(all.each_ref().map(|one| one.active), [30, 10, 10], "where nothing is said it is 1");
    let chosen = pick(&placement, &BTreeSet::new(), &all);
    let expected =
        "fewest running for its weight: east 30 of weight 3, north 10 of weight 1, west 10 of weight 1";
    assert_eq!(chosen.why, expected);
}

fn in_zone(mut candidate: Candidate, zone: &str) -> Candidate {
    candidate.cluster.head.labels.insert("zone".to_owned(), zone.to_owned());
    candidate
}

#[test]
fn a_run_goes_to_the_value_of_a_label_with_the_fewest_running_and_there_to_the_emptiest_cluster() {
    let placement = Placement { spread_by_label: Some("zone".to_owned()), ..Placement::default() };
    let all = [
        in_zone(candidate(1, "east", 3), "a"),
        in_zone(candidate(2, "north", 0), "a"),
        in_zone(candidate(3, "south", 2), "b"),
        in_zone(candidate(4, "west", 0), "b"),
    ];
    let chosen = pick(&placement, &BTreeSet::new(), &all);
    let expected = "zone b has the fewest running (a 3, b 2); there fewest running of south, west";
    assert_eq!((on(&chosen), chosen.why.as_str()), (4, expected));
    // What runs on a cluster that takes no more counts still.
    let mut all = all;
    all[2].cluster.cordoned = true;
    all[2].active = 9;
    let chosen = pick(&placement, &BTreeSet::new(), &all);
    let expected =
        "zone a has the fewest running (a 3, b 9); there fewest running of east, north; south is cordoned";
    assert_eq!((on(&chosen), chosen.why.as_str()), (2, expected));
    // Where none of a value can take it, the others do.
    all[0].cluster.paused = true;
    all[1].cluster.paused = true;
    let chosen = pick(&placement, &BTreeSet::new(), &all);
    let expected = "the only cluster that can take it; east, north are paused, south is cordoned";
    assert_eq!((on(&chosen), chosen.why.as_str()), (4, expected));
}

#[test]
fn what_is_spread_by_a_label_is_weighed_and_clusters_without_it_are_together() {
    let weights = BTreeMap::from([("east".to_owned(), 2)]);
    let placement = Placement { weights, spread_by_label: Some("zone".to_owned()), ..Placement::default() };
    let mut all = [
        in_zone(candidate(1, "east", 0), "a"),
        in_zone(candidate(2, "north", 0), "b"),
        candidate(3, "south", 0),
        candidate(4, "west", 0),
    ];
    for _ in 0..48 {
        let chosen = on(&pick(&placement, &BTreeSet::new(), &all));
        all.iter_mut().filter(|one| one.cluster.head.ordinal.0 == chosen).for_each(|one| one.active += 1);
    }
    assert_eq!(all.each_ref().map(|one| one.active), [24, 12, 6, 6]);
    let chosen = pick(&placement, &BTreeSet::new(), &all);
    let expected = "zone a has the fewest running for its weight (none 12, a 24, b 12); there ";
    assert!(chosen.why.starts_with(expected), "{}", chosen.why);
}

#[test]
fn why_clusters_were_not_considered_is_told_together_and_bounded() {
    let mut all: Vec<_> = (0..20).map(|i| candidate(i + 1, &format!("c{i:02}"), 0)).collect();
    all.iter_mut().take(8).for_each(|one| one.cluster.cordoned = true);
    all[8].cluster.paused = true;
    all[9].cluster.reachable = Some(false);
    all[10].cluster.head.labels.insert("region".to_owned(), "other".to_owned());
    let selector = Selector::parse("region notin (other)").ok();
    let placement = Placement { selector, ..Placement::default() };
    let left = BTreeSet::from([Ordinal(12)]);
    let chosen = pick(&placement, &left, &all);
    let expected = "fewest running of c12, c13, c14, c15, c16, and 3 more; \
                    c00, c01, c02, c03, c04, and 3 more are cordoned, c08 is paused, c09 is out of reach, \
                    c10 does not match clusterSelector, c11 is where it was given up";
    assert_eq!(chosen.why, expected);
    // Whoever names clusters knows that the others are not among them.
    let named = Placement { clusters: vec!["c12".to_owned()], ..Placement::default() };
    assert_eq!(pick(&named, &left, &all).why, "the only cluster that can take it");
    let selector = Selector::parse("region=south").ok();
    let none = pick(&Placement { selector, ..Placement::default() }, &left, &all[..2]);
    assert_eq!(nowhere(&none), "no cluster is in spec.placement: c00, c01 do not match clusterSelector");
}

#[test]
fn a_cluster_that_refuses_it_is_not_chosen_and_its_words_are_told() {
    let all = [candidate(1, "east", 0), candidate(2, "west", 5)];
    let placement = Placement::default();
    let mut wish = wish(&placement, &BTreeSet::new());
    wish.refused.insert(Ordinal(1), "refuses it (exceeded quota)".to_owned());
    let chosen = choose(&wish, &all);
    let expected = "the only cluster that can take it; east refuses it (exceeded quota)";
    assert_eq!((on(&chosen), chosen.why.as_str()), (2, expected));
    wish.refused.insert(Ordinal(2), "refuses it (exceeded quota)".to_owned());
    let none = choose(&wish, &all);
    assert_eq!(nowhere(&none), "no cluster takes it now: east, west refuse it (exceeded quota)");
}

#[test]
fn a_cluster_that_lacks_what_it_requires_is_not_chosen_and_a_run_awaits_only_those_that_would_take_it_else() {
    let mut all = [candidate(1, "east", 0), candidate(2, "north", 0), candidate(3, "west", 5)];
    all[1].cluster.cordoned = true;
    let placement = Placement::default();
    let mut wish = wish(&placement, &BTreeSet::new());
    let lacks = "lacks deployable settings (it is not to be there)".to_owned();
    wish.lacking = BTreeMap::from([(Ordinal(1), lacks.clone()), (Ordinal(2), lacks.clone())]);
    let chosen = choose(&wish, &all);
    let expected = "the only cluster that can take it; \
                    east lacks deployable settings (it is not to be there), north is cordoned";
    assert_eq!((on(&chosen), chosen.why.as_str()), (3, expected));
    wish.lacking.insert(Ordinal(3), lacks);
    let expected = "no cluster takes it now: east, west lack deployable settings (it is not to be there), north is cordoned";
    assert_eq!(nowhere(&choose(&wish, &all)), expected);
    assert_eq!(all.each_ref().map(|one| wish.awaits(&one.cluster)), [true, false, true]);
}

#[test]
fn why_clusters_lack_different_things_is_told_of_a_few_only() {
    let all: Vec<_> = (1..=20).map(|i| candidate(i, &format!("c{i:02}"), 0)).collect();
    let placement = Placement::default();
    let mut wish = wish(&placement, &BTreeSet::new());
    wish.lacking =
        (1..=20).map(|i| (Ordinal(i), format!("lacks deployable settings (revision {i})"))).collect();
    let none = choose(&wish, &all);
    assert!(nowhere(&none).ends_with("(revision 8), and others for 12 more reasons"), "{}", nowhere(&none));
}
