//! What operators ask, health and metrics.

use crate::client::{start, start_with};
use crate::memory::Memory;
use crate::samples::RUNNABLES;
use serde_json::json;
use tallyman_api::backend::Backend;
use tallyman_model::command::{AddMember, BeginLineage};
use tallyman_model::record::Origin;
use tallyman_model::{Command, ReplicaId, Uid};
use tallyman_raft::{DiskReport, Role, Status};

#[tokio::test]
async fn a_blank_replica_is_initialised_and_says_what_it_is() {
    let server = start_with(&Memory::blank(), |_, _| {}).await;
    let status = server.get("/operator/status").await.done(200);
    assert_eq!((&status["role"], &status["id"]), (&json!("blank"), &json!(null)));
    assert!(status["waitingFor"].as_str().unwrap().contains("operator init"));
    for wrong in
        [json!({}), json!({"expect": 0}), json!({"expect": "3"}), json!({"expect": 3, "force": true})]
    {
        server.post("/operator/init", &wrong).await.refused(422, "Invalid");
    }
    server.post("/operator/init", &json!({"expect": 5})).await.refused(409, "Conflict");
    let made = server.post("/operator/init", &json!({"expect": 3})).await.done(200);
    assert_eq!(made["members"], json!(["r1", "r2", "r3"]));
    assert_eq!(*server.memory.inits.lock().unwrap(), [5, 3]);
}

#[tokio::test]
async fn leadership_is_handed_over_to_whom_is_named() {
    let server = start().await;
    let to = server.post("/operator/transfer-leader", &json!({"to": "r2"})).await.done(200);
    assert_eq!(to["leader"], "r2");
    assert_eq!(server.send("POST", "/operator/transfer-leader", &[], "").await.done(200)["leader"], "r3");
    server.post("/operator/transfer-leader", &json!({"to": "two"})).await.refused(422, "Invalid");
}

#[tokio::test]
async fn only_masters_are_operators() {
    let server = start().await;
    let ann = [("impersonate-user", "ann")];
    server.send("GET", "/operator/status", &ann, "").await.refused(403, "Forbidden");
    server.send("POST", "/operator/init", &ann, "{}").await.refused(403, "Forbidden");
    for path in ["/operator/snapshot", "/operator/lineage"] {
        server.send("GET", path, &ann, "").await.refused(403, "Forbidden");
    }
    server.send("POST", "/operator/confirm", &ann, "{}").await.refused(403, "Forbidden");
    let master = [("impersonate-user", "ann"), ("impersonate-group", "system:masters")];
    server.send("GET", "/operator/status", &master, "").await.done(200);
}

#[tokio::test]
async fn a_lineage_is_reported_and_confirmed_by_its_id() {
    let server = start().await;
    assert_eq!(server.get("/operator/lineage").await.done(200)["lineage"], json!(null));
    for wrong in [
        json!([]),
        json!({}),
        json!({"lineage": "x"}),
        json!({"lineage": Uid([5; 16]).to_string(), "without": "east"}),
        json!({"lineage": Uid([5; 16]).to_string(), "force": true}),
    ] {
        server.post("/operator/confirm", &wrong).await.refused(422, "Invalid");
    }
    let confirm = json!({"lineage": Uid([5; 16]).to_string()});
    server.post("/operator/confirm", &confirm).await.refused(409, "Conflict");
    server.memory.run(Command::BeginLineage(BeginLineage {
        lineage: Uid([5; 16]),
        origin: Origin::Recovered,
        source: "the directory of r1".to_owned(),
        member: AddMember {
            directory: Uid([5; 16]),
            datacenter: "dc1".to_owned(),
            peer_address: "localhost:8001".to_owned(),
            api_url: "http://localhost:7001".to_owned(),
        },
    }));
    assert_eq!(server.get("/operator/status").await.done(200)["lineage"]["confirmed"], json!(false));
    let report = server.get("/operator/lineage").await.done(200);
    assert_eq!((&report["origin"], &report["confirmed"]), (&json!("recovered"), &json!(false)));
    server.post("/operator/confirm", &confirm).await.done(200);
    assert_eq!(server.get("/operator/lineage").await.done(200)["confirmed"], json!(true));
}

#[tokio::test]
async fn members_are_added_promoted_replaced_and_removed_and_the_ledger_says_by_whom() {
    let server = start().await;
    let post = async |verb: &str, body: serde_json::Value| {
        server.post(&format!("/operator/members/{verb}"), &body).await
    };
    let ann = [("impersonate-user", "ann")];
    server.send("GET", "/operator/members", &ann, "").await.refused(403, "Forbidden");
    server
        .send("POST", "/operator/members/remove", &ann, "{\"member\": \"r1\"}")
        .await
        .refused(403, "Forbidden");
    for (verb, wrong) in [
        ("add", json!({})),
        ("add", json!({"address": "m4:1", "voter": "yes"})),
        ("add", json!({"address": "m4"})),
        ("promote", json!({"id": "m4:1"})),
        ("remove", json!(["r1"])),
        ("replace", json!({"old": "r1"})),
        ("prefer", json!({"datacenter": "mars"})),
        ("prefer", json!({"datacenter": "dc1", "force": true})),
    ] {
        post(verb, wrong).await.refused(422, "Invalid");
    }
    post("divide", json!({})).await.refused(404, "NotFound");

    let added = post("add", json!({"address": "m4.example.com:1", "voter": true})).await.done(200);
    assert_eq!(added, json!({"peerAddress": "m4.example.com:1", "joinsAs": "Voter", "replaces": null}));
    post("add", json!({"address": "localhost:8002"})).await.refused(409, "AlreadyExists");
    post("replace", json!({"old": "r2", "new": "m4.example.com:1"})).await.done(200);
    post("prefer", json!({"datacenter": "dc3"})).await.done(200);
    let list = server.get("/operator/members").await.done(200);
    assert_eq!(list["expected"][0]["replaces"], "r2");
    assert_eq!((&list["preferredDatacenter"], list["members"].as_array().unwrap().len()), (&json!("dc3"), 3));
    assert_eq!(
        list["members"][2],
        json!({"id": "r3", "state": "Voter", "votes": true, "replaces": null, "datacenter": "dc3",
            "peerAddress": "localhost:8003", "apiURL": "http://localhost:7003"})
    );
    post("remove", json!({"member": "m4.example.com:1"})).await.done(200);
    post("remove", json!({"member": "m4.example.com:1"})).await.refused(404, "NotFound");
    // Nobody says here that anybody answers.
    let refused = post("remove", json!({"member": "r3"})).await.refused(409, "Conflict");
    assert!(refused.contains("start r1, r2 again"), "{refused}");
    post("promote", json!({"id": "r9"})).await.refused(404, "NotFound");
    let records = server.get("/apis/tallyman.dev/v1/auditrecords").await.done(200).to_string();
    assert!(
        records.contains("expect-member") && records.contains("m4.example.com:1 may join in place of r2"),
        "{records}"
    );
}

#[tokio::test]
async fn replicas_tell_what_they_know() {
    let server = start().await;
    let list = server.get("/apis/tallyman.dev/v1/replicas").await.done(200);
    let roles: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| &item["status"]["role"]).collect();
    assert_eq!(roles, ["leader", "follower", "follower"]);
    assert_eq!(list["items"][1]["status"]["stateHash"]["hash"], "0123");
    assert_eq!(list["items"][1]["status"]["lagMs"], 4);
    // What it does not know of others is not made up.
    assert_eq!(list["items"][0]["status"].get("applied"), None);
    let one = server.get("/apis/tallyman.dev/v1/replicas/r3").await.done(200);
    assert_eq!(
        one["spec"],
        json!({"datacenter": "dc3", "peerAddress": "localhost:8003", "apiURL": "http://localhost:7003"})
    );
    server.get("/apis/tallyman.dev/v1/replicas/r4").await.refused(404, "NotFound");
}

#[tokio::test]
async fn livez_never_looks_at_the_group_and_readyz_does() {
    let server = start().await;
    assert_eq!(server.get("/readyz").await.text(), "ok");
    let verbose = server.get("/readyz?verbose").await.text();
    for check in ["running", "member", "leader", "lag", "serving"] {
        assert!(verbose.contains(&format!("[+]{check} ok")), "{verbose}");
    }
    let known = server.memory.status();
    server.memory.set_status(Status { leader: None, ..known.clone() });
    let reply = server.get("/readyz").await;
    assert_eq!(reply.status.as_u16(), 503);
    assert!(reply.text().contains("[-]leader failed"), "{}", reply.text());
    server.memory.set_status(Status { fatal: Some("the disk failed".to_owned()), ..known });
    assert_eq!(server.get("/readyz").await.status.as_u16(), 503);
    assert_eq!(server.get("/livez").await.text(), "ok");
    assert!(server.get(RUNNABLES).await.refused(503, "ServiceUnavailable").contains("the disk failed"));
}

#[tokio::test]
async fn a_replica_whose_disk_is_nearly_full_stays_ready_and_says_so_everywhere() {
    let server = start().await;
    let disk = DiskReport { available_bytes: 5 << 20, reserve_bytes: 7, is_pressed: true, flush_ms: Some(9) };
    let refuses_submissions = Some("disks are full".to_owned());
    let understands = 7;
    let known = server.memory.status();
    server.memory.set_status(Status { disk, refuses_submissions, understands, ..known });
    assert_eq!(server.get("/readyz").await.text(), "ok");
    let verbose = server.get("/readyz?verbose").await.text();
    assert!(verbose.contains("[+]disk pressed: 5 MiB are left"), "{verbose}");
    let status = server.get("/operator/status").await.done(200);
    let told = json!({"availableBytes": 5 << 20, "reserveBytes": 7, "pressed": true, "flushMs": 9});
    assert_eq!((&status["disk"], &status["refusesSubmissions"]), (&told, &json!("disks are full")));
    assert_eq!(status["version"], json!({"group": 1, "understands": 7}));
    assert_eq!(
        status["devControl"],
        json!(null),
        "who is no replica of a `tallyman dev` is not taken for one"
    );
    let metrics = server.get("/metrics").await.text();
    for line in [
        "tallyman_group_version 1",
        "tallyman_group_version_understood 7",
        "tallyman_disk_available_bytes 5242880",
        "tallyman_disk_reserve_bytes 7",
        "tallyman_disk_pressed 1",
        "tallyman_submissions_refused 1",
        "tallyman_log_flush_duration_seconds_bucket{le=\"+Inf\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}

#[tokio::test]
async fn a_leader_without_a_quorum_is_not_ready_and_says_what_it_waits_for() {
    let server = start().await;
    let leads =
        Status { role: Role::Leader, leader: Some(ReplicaId(2)), lag_ms: None, ..server.memory.status() };
    server.memory.set_status(leads);
    assert_eq!(server.get("/readyz").await.text(), "ok");
    assert_eq!(server.get("/operator/status").await.done(200)["waitingFor"], json!(null));
    server.memory.knobs.lock().unwrap().no_quorum = true;
    let reply = server.get("/readyz").await;
    assert_eq!(reply.status.as_u16(), 503);
    let text = reply.text();
    assert!(text.contains("[-]leader failed") && text.contains("does not reach a quorum"), "{text}");
    let status = server.get("/operator/status").await.done(200);
    assert_eq!((&status["role"], &status["waitingFor"]), (&json!("leader"), &json!("a quorum")));
    server.memory.knobs.lock().unwrap().no_quorum = false;
    assert_eq!(server.get("/readyz").await.status.as_u16(), 200);
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let server = start().await;
    server.submit("a").await;
    server.get("/nowhere/else").await;
    let _watch = server.watch(&format!("{RUNNABLES}?watch=true")).await;
    let text = server.get("/metrics").await.text();
    let route = "/apis/tallyman.dev/v1/namespaces/{namespace}/runnables";
    for line in [
        &format!("tallyman_api_requests_total{{route=\"{route}\",method=\"POST\",code=\"201\"}} 1"),
        "tallyman_api_requests_total{route=\"other\",method=\"GET\",code=\"404\"} 1",
        "tallyman_api_watches 1",
        "tallyman_revision 4",
        "tallyman_raft_term 1",
        "tallyman_raft_is_leader 0",
        "tallyman_ledger_records 2",
        "tallyman_build_info{version=",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.contains("tallyman_api_request_duration_seconds_bucket"));
}

#[tokio::test]
async fn the_first_page_says_what_there_is() {
    let server = start().await;
    let reply = server.get("/").await;
    assert!(reply.header("content-type").starts_with("text/plain"));
    for path in ["/apis/tallyman.dev/v1/runnables", "/livez", "/metrics"] {
        assert!(reply.text().contains(path));
    }
}
