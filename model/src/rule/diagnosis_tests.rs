use super::*;

fn pod(name: &str, gravity: Gravity, reason: &str, message: &str) -> Examined {
    let pod = PodSeen {
        name: name.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..PodSeen::default()
    };
    Examined { gravity, uid: format!("uid-{name}"), at: "2026-11-20T08:00:00Z".to_owned(), pod }
}

fn warning(reason: &str, message: &str, at: &str) -> Warning {
    Warning { reason: reason.to_owned(), message: message.to_owned(), count: 1, at: at.to_owned() }
}

fn found(pods: Vec<Examined>, warnings: Vec<Warning>) -> Finding {
    find("Job risk/report", Evidence { pods, warnings, ..Evidence::default() })
}

#[test]
fn the_gravest_pod_is_told_of_and_how_many_more_there_are() {
    let one = found(
        vec![
            pod("a", Gravity::Fine, "", ""),
            pod("b", Gravity::Restarted, "Error", ""),
            pod("c", Gravity::Stuck, "Unschedulable", "0/1 nodes are available"),
        ],
        Vec::new(),
    );
    assert_eq!(one.reason, "Unschedulable");
    assert_eq!(one.message, "Pod c: Unschedulable: 0/1 nodes are available, and 1 Pod more");
    assert_eq!(one.pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(), ["c", "b"]);
}

#[test]
fn the_words_name_container_exit_code_signal_and_restarts() {
    let mut ended = pod("a", Gravity::Failed, "OOMKilled", "");
    ended.pod.node = "node-1".to_owned();
    ended.pod.container = "main".to_owned();
    (ended.pod.exit_code, ended.pod.signal, ended.pod.restarts) = (Some(137), Some(9), 2);
    let found = found(vec![ended], Vec::new());
    let expected = "Pod a on node node-1: container main: OOMKilled, exit code 137, signal 9, 2 restarts";
    assert_eq!(found.message, expected);
}

#[test]
fn of_two_that_failed_the_later_one_is_told_of() {
    let mut later = pod("a", Gravity::Failed, "Later", "");
    later.at = "2026-11-20T08:00:01Z".to_owned();
    assert_eq!(found(vec![later, pod("b", Gravity::Failed, "Earlier", "")], Vec::new()).reason, "Later");
}

#[test]
fn without_a_pod_the_newest_warning_of_the_job_says_why() {
    let warnings = vec![
        warning("FailedCreate", "exceeded quota: limit", "2026-11-20T08:00:02Z"),
        warning("Older", "x", "2026-11-20T08:00:01Z"),
    ];
    let found = found(Vec::new(), warnings);
    assert_eq!(found.reason, "FailedCreate");
    assert_eq!(found.message, "Job risk/report has no Pod: FailedCreate: exceeded quota: limit");
}

#[test]
fn only_a_pod_that_does_not_explain_itself_is_asked_about_and_told_of_by_its_warnings() {
    let begins = pod("a", Gravity::Begins, "ContainerCreating", "");
    let evidence = Evidence { pods: vec![begins.clone()], ..Evidence::default() };
    assert_eq!(evidence.in_question().map(|one| one.uid.as_str()), Some("uid-a"));
    let stuck = Evidence { pods: vec![pod("a", Gravity::Stuck, "X", "")], ..Evidence::default() };
    assert_eq!(stuck.in_question(), None);
    let mounted = found(vec![begins.clone()], vec![warning("FailedMount", "no such volume", "")]);
    assert_eq!(
        (mounted.reason.as_str(), mounted.message.as_str()),
        ("FailedMount", "Pod a: FailedMount: no such volume")
    );
    assert_eq!(found(vec![begins], Vec::new()).reason, "ContainerCreating");
}

#[test]
fn a_suspended_job_waits_and_one_that_is_fine_has_nothing_to_say() {
    let suspended = Evidence { is_suspended: true, ..Evidence::default() };
    assert_eq!(find("Job risk/report", suspended.clone()).reason, "Suspended");
    let admission = Some(Admission { reason: "Pending".to_owned(), message: "no quota".to_owned() });
    let queued = find("Job risk/report", Evidence { admission, ..suspended });
    assert_eq!(queued.message, "Job risk/report is suspended: Pending: no quota");
    assert_eq!(found(vec![pod("a", Gravity::Fine, "", "")], Vec::new()), Finding::default());
}

#[test]
fn what_may_not_be_read_is_said_in_the_words_of_the_cluster() {
    let denied = Some("pods is forbidden".to_owned());
    let finding = find("Job risk/report", Evidence { denied: denied.clone(), ..Evidence::default() });
    assert_eq!(finding.reason, "NotAllowed");
    assert!(finding.message.ends_with("(pods is forbidden)"), "{}", finding.message);
    let known = vec![pod("a", Gravity::Begins, "ContainerCreating", "")];
    let finding = find("Job risk/report", Evidence { pods: known, denied, ..Evidence::default() });
    assert_eq!(finding.message, "Pod a: ContainerCreating (pods is forbidden)");
}

#[test]
fn everything_is_bounded() {
    let long = "ä".repeat(100_000);
    let pods = (0..1_000).map(|number| pod(&number.to_string(), Gravity::Stuck, "X", &long)).collect();
    let finding = found(pods, Vec::new());
    assert!(finding.message.len() <= crate::limits::MESSAGE_BYTES_MAX);
    assert_eq!(finding.pods.len(), DIAGNOSIS_PODS_MAX);
}
