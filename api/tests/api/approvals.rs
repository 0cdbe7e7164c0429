//! Approvals over HTTP. What counts as one is decided in the model, and tested there.

use crate::client::{Reply, Server, start, start_with};
use crate::memory::Memory;
use crate::samples::{RUNNABLES, path, runnable};
use serde_json::{Value, json};
use tallyman_api::Identity;
use tallyman_api::identity::Tokens;

const LEADS: &str = "risk-leads";

/// Submits a run that two of the leads must approve; gives its digest.
async fn held(server: &Server) -> String {
    let mut body = runnable("report");
    body["spec"]["approvals"] = json!({"required": 2, "groups": [LEADS, "desk"], "expireAfter": "90m"});
    let document = server.post(RUNNABLES, &body).await.done(201);
    document["status"]["digest"].as_str().unwrap().to_owned()
}

async fn decide(server: &Server, user: &str, group: &str, body: &Value) -> Reply {
    decide_with(server, &[("impersonate-user", user), ("impersonate-group", group)], body).await
}

async fn decide_with(server: &Server, headers: &[(&str, &str)], body: &Value) -> Reply {
    server.send("POST", &format!("{}/approvals", path("report")), headers, body.to_string()).await
}

fn approve(digest: &str) -> Value {
    json!({"decision": "Approve", "digest": digest, "reason": "looked at it"})
}

fn approved(document: &Value) -> (Value, Value, String) {
    let conditions = document["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|one| one["type"] == "Approved").unwrap();
    (found["status"].clone(), found["reason"].clone(), found["message"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_held_run_says_what_it_waits_for_and_what_was_decided() {
    let server = start().await;
    let digest = held(&server).await;
    let document = server.get(&path("report")).await.done(200);
    assert_eq!(
        document["spec"]["approvals"],
        json!({"required": 2, "groups": [LEADS, "desk"], "expireAfter": "90m"})
    );
    assert_eq!(
        (&document["status"]["phase"], &document["status"]["reason"]),
        (&json!("Held"), &json!("AwaitingApproval"))
    );
    let (status, reason, message) = approved(&document);
    assert_eq!((status, reason), (json!("False"), json!("AwaitingApproval")));
    assert_eq!(
        message,
        format!("0 of 2 approvals; members of risk-leads, desk decide, not dev, on {digest}")
    );
    let approvals = &document["status"]["approvals"];
    assert_eq!(
        (&approvals["required"], &approvals["approved"], &approvals["given"]),
        (&json!(2), &json!(0), &json!([]))
    );
    assert!(approvals["expiresAt"].is_string());

    decide(&server, "bob", LEADS, &approve(&digest)).await.done(201);
    // The same again, by chance or on purpose, is no error and counts once.
    let document = decide(&server, "bob", LEADS, &approve(&digest)).await.done(200);
    let given = &document["status"]["approvals"]["given"];
    assert_eq!(given.as_array().unwrap().len(), 1);
    assert_eq!(
        (&given[0]["user"], &given[0]["decision"], &given[0]["reason"]),
        (&json!("bob"), &json!("Approve"), &json!("looked at it"))
    );
    assert_eq!((&given[0]["groups"], &given[0]["digest"]), (&json!([LEADS]), &json!(digest)));
    assert!(approved(&document).2.starts_with("1 of 2 approvals, by bob;"));

    let document = decide(&server, "cat", "desk", &approve(&digest)).await.done(201);
    assert_eq!(document["status"]["phase"], "Accepted");
    assert_eq!(
        approved(&document),
        (json!("True"), json!("Approved"), "2 of 2 approvals, by bob, cat".to_owned())
    );
    assert!(document["status"]["approvals"]["approvedAt"].is_string());
    assert_eq!(document["spec"]["manifests"][0]["kind"], "Job");
    let late = decide(&server, "dan", "desk", &approve(&digest)).await.refused(409, "Conflict");
    assert!(late.contains("approved already"), "{late}");
}

#[tokio::test]
async fn who_may_not_decide_and_what_is_not_the_runs_digest_are_told_so() {
    let server = start().await;
    let digest = held(&server).await;
    let own = decide_with(&server, &[], &approve(&digest)).await.refused(403, "Forbidden");
    assert!(own.contains("dev submitted report"), "{own}");
    let other = decide(&server, "eve", "staff", &approve(&digest)).await.refused(403, "Forbidden");
    assert!(other.contains("only members of risk-leads, desk may"), "{other}");
    let stale = approve(&format!("sha256:{}", "0".repeat(64)));
    let message = decide(&server, "bob", LEADS, &stale).await.refused(409, "Conflict");
    assert!(message.contains(&digest), "{message}");
    let none = server.post(&format!("{}/approvals", path("none")), &approve(&digest)).await;
    none.refused(404, "NotFound");
    server.submit("free").await;
    let free = server.post(&format!("{}/approvals", path("free")), &approve(&digest)).await;
    assert!(free.refused(409, "Conflict").contains("needs no approval"));
}

#[tokio::test]
async fn a_rejection_ends_the_run_with_the_persons_words() {
    let server = start().await;
    let digest = held(&server).await;
    let reject = json!({"decision": "Reject", "digest": digest, "reason": "wrong desk"});
    let document = decide(&server, "bob", LEADS, &reject).await.done(201);
    assert_eq!(
        (&document["status"]["phase"], &document["status"]["reason"]),
        (&json!("Failed"), &json!("Rejected"))
    );
    assert_eq!(
        approved(&document),
        (json!("False"), json!("Rejected"), "bob rejected it: wrong desk".to_owned())
    );
    decide(&server, "bob", LEADS, &approve(&digest)).await.refused(409, "Conflict");
    let ended = decide(&server, "cat", LEADS, &approve(&digest)).await.refused(409, "Conflict");
    assert!(ended.contains("has ended"), "{ended}");
    // A retry asks everybody again, and shows what is void.
    let document = server.post(&format!("{}/retry", path("report")), &json!({})).await.done(200);
    assert_eq!(document["status"]["phase"], "Held");
    assert_eq!(document["status"]["approvals"]["given"][0]["void"], true);
    assert_eq!(approved(&document).1, "AwaitingApproval");
}

#[tokio::test]
async fn an_approval_can_be_repeated_with_its_key() {
    let server = start().await;
    let digest = held(&server).await;
    let headers = [("impersonate-user", "bob"), ("impersonate-group", LEADS), ("idempotency-key", "k1")];
    decide_with(&server, &headers, &approve(&digest)).await.done(201);
    decide(&server, "cat", LEADS, &approve(&digest)).await.done(201);
    let again = decide_with(&server, &headers, &approve(&digest)).await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
    let other = json!({"decision": "Reject", "digest": digest});
    decide_with(&server, &headers, &other).await.refused(422, "Invalid");
}

#[tokio::test]
async fn what_is_no_decision_is_refused_with_the_fields_at_fault() {
    let server = start().await;
    let digest = held(&server).await;
    for (body, field) in [
        (json!({"digest": digest}), "decision"),
        (json!({"decision": "approve", "digest": digest}), "decision"),
        (json!({"decision": "Approve"}), "digest"),
        (json!({"decision": "Approve", "digest": digest.to_uppercase()}), "digest"),
        (json!({"decision": "Approve", "digest": digest, "reason": 1}), "reason"),
        (json!({"decision": "Approve", "digest": digest, "raeson": "x"}), "raeson"),
        (json!([]), "decision"),
    ] {
        let reply = decide(&server, "bob", LEADS, &body).await;
        let message = reply.refused(422, "Invalid");
        assert!(message.contains(&format!("{field}: ")), "{message}");
    }
    let yaml = format!("decision: Approve\ndigest: {digest}\n");
    let headers = [("impersonate-user", "bob"), ("impersonate-group", LEADS)];
    server.send("POST", &format!("{}/approvals", path("report")), &headers, yaml).await.done(201);
    server.get(&format!("{}/approvals", path("report"))).await.refused(405, "MethodNotAllowed");
}

#[tokio::test]
async fn whoever_acts_as_others_is_one_person_and_the_ledger_says_who_it_was() {
    let tokens = "s1,ann,1,\"risk-leads\"\ns2,root,2,\"system:masters,risk-leads\"\ns3,bob,3,risk-leads\ns4,cat,4,desk\n";
    let tokens = Tokens::parse(tokens).unwrap();
    let server =
        start_with(&Memory::founded(), |options, _| options.identity = Identity::Tokens(tokens)).await;
    let mut body = runnable("report");
    body["spec"]["approvals"] = json!({"required": 2, "groups": [LEADS, "desk"]});
    let root = ("authorization", "Bearer s2");
    let as_dan = [root, ("impersonate-user", "dan"), ("impersonate-group", LEADS)];
    let document = server.send("POST", RUNNABLES, &as_dan, body.to_string()).await.done(201);
    assert_eq!(document["status"]["submittedBy"], "dan");
    let digest = document["status"]["digest"].as_str().unwrap();
    // Neither as himself nor as somebody else does the one who submitted it decide on it.
    decide_with(&server, &[root], &approve(digest)).await.refused(403, "Forbidden");
    let as_eve = [root, ("impersonate-user", "eve"), ("impersonate-group", LEADS)];
    decide_with(&server, &as_eve, &approve(digest)).await.refused(403, "Forbidden");
    decide_with(&server, &[("authorization", "Bearer s3")], &approve(digest)).await.done(201);
    let document = decide_with(&server, &[("authorization", "Bearer s4")], &approve(digest)).await.done(201);
    assert_eq!(document["status"]["phase"], "Accepted");
    let list = server.send("GET", "/apis/tallyman.dev/v1/auditrecords", &[root], "").await.done(200);
    let records: Vec<&Value> = list["items"].as_array().unwrap().iter().map(|item| &item["spec"]).collect();
    let submit = records.iter().find(|record| record["verb"] == "submit").unwrap();
    assert_eq!((&submit["user"], &submit["through"]), (&json!("dan"), &json!("root")));
    let approve = records.iter().find(|record| record["verb"] == "approve").unwrap();
    assert_eq!(approve["user"], "bob");
    let detail = approve["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(&format!("approved {digest} for risk-leads; 1 of 2 approvals, by bob")),
        "{detail}"
    );
}
