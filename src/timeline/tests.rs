use super::*;
use crate::screen::Screen;
use serde_json::json;

fn record(seq: u64, verb: &str, phase: &str, detail: &str) -> LedgerRecord {
    let subject = Subject {
        resource: "runnables".to_owned(),
        namespace: "risk".to_owned(),
        name: "a".to_owned(),
        uid: "u1".to_owned(),
        phase: phase.to_owned(),
        reason: String::new(),
        message: String::new(),
        cluster: "east".to_owned(),
        seen: String::new(),
        observed: String::new(),
        removed: false,
        revision: 10 + seq,
    };
    LedgerRecord {
        seq,
        index: seq,
        term: 1,
        leader: "r1".to_owned(),
        at_ms: 1000 + 4 * seq,
        user: "dev".to_owned(),
        through: String::new(),
        verb: verb.to_owned(),
        detail: detail.to_owned(),
        subjects: vec![subject],
        subjects_count: 1,
        digest: String::new(),
        revision_before: 9 + seq,
        revision: 10 + seq,
    }
}

fn run() -> Value {
    json!({"metadata": {"uid": "u1"},
        "spec": {"attempts": {"max": 1}, "main": {"kind": "Job", "name": "a"}},
        "status": {"attempts": [{"number": 1, "cluster": "east", "objects": [
            {"kind": "ConfigMap", "name": "a", "uid": "c"}, {"kind": "Job", "name": "a", "uid": "7c1e"}]}]}})
}

fn life() -> Vec<LedgerRecord> {
    vec![
        record(0, "submit", "Accepted", ""),
        record(1, "place", "Placed", "attempt 1 to east (fewest running of east, west)"),
        record(2, "intend", "Sent", "create ConfigMap risk/c on east"),
        record(3, "conclude", "Sent", "create ConfigMap risk/c on east: done, UID c"),
        record(4, "conclude", "Pending", "create Job risk/a on east: done, UID 7c1e"),
        record(5, "observe", "Running", "1 of jobs on east"),
        record(6, "observe", "Succeeded", "1 of jobs on east"),
    ]
}

#[test]
fn a_run_is_told_as_on_the_front_page() {
    let steps = steps("u1", &run(), &life());
    let told: Vec<String> =
        steps.iter().filter(|step| step.is_phase).map(|step| step.line(1000, Screen::plain())).collect();
    assert_eq!(
        told,
        [
            "  0.000 s  accepted   rev 10    by dev; led by r1",
            "  0.004 s  placed     rev 11    attempt 1 to east (fewest running of east, west)",
            "  0.008 s  sent       rev 12    intent committed first",
            "  0.016 s  created    rev 14    Job uid 7c1e",
            "  0.020 s  running    rev 15",
            "  0.024 s  succeeded  rev 16    attempt 1 of 1",
        ]
    );
    assert_eq!(steps.len(), 7);
}

#[test]
fn that_its_watch_told_of_it_is_a_step_of_its_own_beside_what_came_of_it() {
    let words = |verb: &str, phase: &str| {
        let mut told = record(5, verb, phase, "");
        told.subjects[0].observed = "Job uid 7c1e at resourceVersion 8817".to_owned();
        let records = [record(4, "conclude", "Sent", ""), told];
        let steps = steps("u1", &run(), &records).into_iter().skip(1);
        steps.map(|step| (step.word, step.is_phase, step.rank)).collect::<Vec<_>>()
    };
    let observed = ("observed".to_owned(), false, Rank::Request);
    let phase = |word: &str| (word.to_owned(), true, Rank::Main);
    assert_eq!(words("observe", "Sent"), std::slice::from_ref(&observed));
    assert_eq!(words("observe", "Pending"), [phase("created"), observed.clone()]);
    assert_eq!(words("observe", "Running"), [observed, phase("running")]);
}

#[test]
fn a_run_that_is_gone_is_told_from_the_ledger_alone() {
    let mut records = life();
    let mut removal = record(7, "conclude", "Succeeded", "delete Job risk/a on east: gone");
    removal.subjects[0].removed = true;
    records.push(removal);
    let told: Vec<(String, String)> =
        steps("u1", &Value::Null, &records).into_iter().map(|step| (step.word, step.words)).collect();
    assert_eq!(told[4], ("created".to_owned(), "create Job risk/a on east: done, UID 7c1e".to_owned()));
    let last = "its record left the inventory: delete Job risk/a on east: gone".to_owned();
    assert_eq!(told[7], ("removed".to_owned(), last));
}

#[test]
fn the_main_object_is_named_whatever_its_kind_and_in_later_attempts() {
    let mut now = run();
    now["spec"]["main"]["kind"] = json!("SparkApplication");
    now["status"]["attempts"][0]["objects"][1] =
        json!({"kind": "SparkApplication", "name": "a", "uid": "s1"});
    let second = json!({"number": 2, "cluster": "west", "objects": [
        {"kind": "Job", "name": "a-a2", "uid": "j"}, {"kind": "SparkApplication", "name": "a-a2", "uid": "s2"}]});
    now["status"]["attempts"] = json!([now["status"]["attempts"][0], second]);
    let mut records = life();
    records.truncate(5);
    records.extend([record(5, "observe", "Accepted", ""), record(6, "place", "Placed", "")]);
    records.push(record(7, "conclude", "Pending", ""));
    let created: Vec<String> = steps("u1", &now, &records)
        .into_iter()
        .filter(|step| step.word == "created")
        .map(|step| step.words)
        .collect();
    assert_eq!(created, ["SparkApplication uid s1", "SparkApplication uid s2"]);
}

#[test]
fn what_matters_less_is_told_apart() {
    let mut records = life();
    records.insert(4, record(3, "intend", "Sent", "create Job risk/a on east"));
    let ranks: Vec<Rank> = steps("u1", &run(), &records).into_iter().map(|step| step.rank).collect();
    let main = Rank::Main;
    assert_eq!(ranks, [main, main, main, Rank::Request, Rank::Detail, main, main, main]);
}

#[test]
fn an_end_is_told_as_it_was_also_after_a_retry() {
    let mut failed = record(1, "observe", "Failed", "");
    failed.subjects[0].message = "the Job failed: exit code 3".to_owned();
    let mut cancelled = record(3, "observe", "Cancelled", "");
    cancelled.subjects[0].reason = "Cancelled".to_owned();
    let records =
        [record(0, "place", "Placed", ""), failed, record(2, "retry", "Accepted", "why"), cancelled];
    let mut now = run();
    now["status"]["message"] = json!("waits for east");
    let told: Vec<String> = steps("u1", &now, &records).into_iter().map(|step| step.words).collect();
    assert_eq!(told[1], "attempt 1 of 1; the Job failed: exit code 3");
    assert_eq!(told[2], "again, by dev: why");
    assert_eq!(told[3], "attempt 1 of 1; Cancelled");
}

#[test]
fn records_about_others_tell_nothing() {
    let mut other = record(0, "submit", "Accepted", "");
    other.subjects[0].uid = "u2".to_owned();
    assert_eq!(steps("u1", &run(), &[other]), []);
}

#[test]
fn decisions_are_told_with_who_decided_also_when_they_change_no_phase() {
    let mut held = record(0, "submit", "Held", "");
    held.subjects[0].message = "0 of 2 approvals".to_owned();
    let mut rejected = record(3, "approve", "Failed", "rejected sha256:61; no");
    rejected.subjects[0].reason = "Rejected".to_owned();
    let records = [
        held,
        record(1, "approve", "Held", "approved sha256:61; 1 of 2 approvals"),
        record(2, "approve", "Accepted", "approved sha256:61; 2 of 2 approvals"),
        rejected,
    ];
    let told = steps("u1", &run(), &records);
    assert!(told.iter().all(|step| step.is_phase));
    let words: Vec<_> = told.iter().map(|step| format!("{} {}", step.word, step.words)).collect();
    assert_eq!(words[0], "held by dev: 0 of 2 approvals");
    assert_eq!(words[1], "approved by dev: approved sha256:61; 1 of 2 approvals");
    assert_eq!(words[2], "approved by dev: approved sha256:61; 2 of 2 approvals");
    assert_eq!(words[3], "rejected by dev: rejected sha256:61; no");
}
