//! What is kept in sync, on simulated clusters over real sockets: others change it there by their own client.

use crate::sockets::Wired;
use serde_json::{Value, json};
use tallyman_chaos::{Fault, Loss, Matching, Verb};
use tallyman_cluster::{Apply, ClusterApi, ConnectOptions, KubeApi};
use tallyman_model::command::{Deploy, RaiseVersion, Redeploy, Rollback, Target, Withdraw};
use tallyman_model::record::{Deployable, Installation, Kind};
use tallyman_model::{Command, Env, GROUP_VERSION, manifest, query};

const NAME: &str = "settings";

fn read(level: &str, change: impl FnOnce(&mut Value)) -> manifest::Read {
    let map = |name: &str| {
        let data = json!({"level": level, "desk": "rates"});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
    };
    let mut value = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Deployable", "metadata": {"name": NAME},
        "spec": {"manifests": [map("one"), map("two")]},
    });
    change(&mut value);
    manifest::read(value, "risk").expect("it is well-formed")
}

impl Wired {
    pub(crate) async fn upgraded(names: &[&str]) -> Self {
        let wired = Self::start(names).await;
        let understood_by =
            wired.state.look(|view| query::members(view).unwrap().iter().map(|member| member.id).collect());
        wired.ok(Command::RaiseVersion(RaiseVersion { to: GROUP_VERSION, understood_by }));
        wired
    }

    pub(crate) fn deploy(&self, change: impl FnOnce(&mut Value)) {
        let read = read("info", change);
        self.ok(Command::Deploy(Box::new(Deploy {
            uid: self.state.env.uid(),
            namespace: "risk".to_owned(),
            name: read.name,
            labels: read.labels,
            annotations: read.annotations,
            asked: read.asked,
        })));
    }

    pub(crate) fn redeploy(&self, level: &str, change: impl FnOnce(&mut Value)) {
        let read = read(level, change);
        self.ok(Command::Redeploy(Box::new(Redeploy {
            target: Target::named("risk", NAME),
            labels: read.labels,
            annotations: read.annotations,
            asked: read.asked,
        })));
    }

    pub(crate) fn deployable(&self) -> Option<Deployable> {
        self.state.look(|view| query::deployable(view, "risk", NAME).unwrap())
    }

    fn installations(&self) -> Vec<Installation> {
        let Some(deployable) = self.deployable() else { return Vec::new() };
        self.state.look(|view| query::installations(view, deployable.head.ordinal).unwrap())
    }

    pub(crate) fn is_synced(&self) -> bool {
        let Some(deployable) = self.deployable() else { return false };
        let counts = deployable.counts;
        counts.clusters > 0 && (counts.synced, counts.drifted) == (counts.clusters, 0)
    }

    fn messages(&self) -> String {
        let installations = self.installations();
        installations.iter().flat_map(|one| &one.objects).map(|object| object.message.as_str()).collect()
    }

    async fn somebody(&self, cluster: usize) -> KubeApi {
        let path = self.clusters[cluster].server();
        let dir = std::env::temp_dir().join(format!("tallyman-somebody-{}-{cluster}", std::process::id()));
        std::fs::write(&dir, self.clusters[cluster].kubeconfig()).unwrap();
        let api = KubeApi::connect(ConnectOptions::new(&dir)).await;
        api.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) async fn data(&self, cluster: usize, name: &str) -> Value {
        let url = format!("{}/api/v1/namespaces/risk/configmaps/{name}", self.clusters[cluster].server());
        let answer = plain(&url, "GET", "", "").await;
        answer["data"].clone()
    }

    /// Edits a ConfigMap as another client.
    async fn edit(&self, cluster: usize, name: &str, data: Value) {
        let server = self.clusters[cluster].server();
        let url = format!("{server}/api/v1/namespaces/risk/configmaps/{name}?fieldManager=kubectl-edit");
        let patch = json!({ "data": data }).to_string();
        plain(&url, "PATCH", "application/merge-patch+json", &patch).await;
    }
}

/// One request over a socket of its own.
async fn plain(url: &str, method: &str, content_type: &str, body: &str) -> Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployable_is_made_changed_corrected_rolled_back_and_removed_on_all_its_clusters() {
    let mut wired = Wired::upgraded(&["east", "west"]).await;
    wired.lead();
    wired.deploy(|_| {});
    wired.until("it is on both clusters", |wired| wired.is_synced()).await;
    let info = json!({"level": "info", "desk": "rates"});
    assert_eq!((wired.data(0, "one").await, wired.data(1, "two").await), (info.clone(), info.clone()));

    // A field of somebody else beside ours is let be; ours is taken back, and who changed it is named.
    wired.edit(0, "one", json!({"level": "trace", "own": "x"})).await;
    wired
        .until("the drift is seen", |wired| {
            wired.installations().iter().any(|one| one.objects.iter().any(|object| object.corrections > 0))
        })
        .await;
    wired.until("it is corrected", |wired| wired.is_synced()).await;
    assert_eq!(wired.data(0, "one").await, json!({"level": "info", "desk": "rates", "own": "x"}));

    // What leaves the bundle is pruned, under another leader.
    wired.redeploy("debug", |value| {
        value["spec"]["manifests"].as_array_mut().unwrap().remove(1);
    });
    wired.lead();
    wired.until("the new revision is everywhere", |wired| wired.is_synced()).await;
    assert_eq!(
        (wired.data(1, "one").await["level"].clone(), wired.data(1, "two").await),
        (json!("debug"), Value::Null)
    );

    wired.ok(Command::Rollback(Rollback { target: Target::named("risk", NAME), to: None }));
    wired.until("the earlier one is back", |wired| wired.is_synced()).await;
    assert_eq!(wired.data(1, "two").await, info);

    wired.ok(Command::Withdraw(Withdraw { target: Target::named("risk", NAME), orphan: false }));
    wired.until("it is gone", |wired| wired.deployable().is_none()).await;
    assert_eq!((wired.data(0, "one").await, wired.data(1, "two").await), (Value::Null, Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_others_are_shown_as_a_conflict_and_taken_only_when_somebody_says_so() {
    let mut wired = Wired::upgraded(&["east"]).await;
    wired.lead();
    wired.deploy(|_| {});
    wired.until("it is there", |wired| wired.is_synced()).await;
    wired.edit(0, "one", json!({"extra": "theirs"})).await;
    let with_extra = |value: &mut Value| value["spec"]["manifests"][0]["data"]["extra"] = json!("ours");
    wired.redeploy("info", with_extra);
    wired.until("the conflict is shown", |wired| wired.messages().contains("kubectl-edit")).await;
    assert!(wired.messages().contains(".data.extra"), "{}", wired.messages());
    assert_eq!(wired.data(0, "one").await["extra"], "theirs");
    wired.redeploy("info", |value| {
        with_extra(value);
        value["spec"]["onConflict"] = json!("Force");
    });
    wired.until("it is taken", |wired| wired.is_synced()).await;
    assert_eq!(wired.data(0, "one").await["extra"], "ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ignored_fields_are_set_once_and_left_to_others() {
    let mut wired = Wired::upgraded(&["east"]).await;
    wired.lead();
    let ignores = |value: &mut Value| value["spec"]["ignore"] = json!(["/data/level"]);
    wired.deploy(ignores);
    wired.until("it is there", |wired| wired.is_synced()).await;
    assert_eq!(wired.data(0, "one").await["level"], "info");
    wired.edit(0, "one", json!({"level": "trace"})).await;
    wired.redeploy("debug", |value| {
        ignores(value);
        value["spec"]["manifests"][0]["data"]["desk"] = json!("credit");
    });
    wired.until("the new revision is there", |wired| wired.is_synced()).await;
    assert_eq!(wired.data(0, "one").await, json!({"level": "trace", "desk": "credit"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_and_a_new_leader_make_nothing_twice_and_an_orphaned_deployable_leaves_its_objects() {
    let mut wired = Wired::upgraded(&["east"]).await;
    let faults = wired.clusters[0].faults();
    faults.next(1, Matching::verb(Verb::Create).resource("configmaps"), Fault::LoseAnswer(Loss::Drop));
    faults.next(2, Matching::verb(Verb::Patch), Fault::LoseAnswer(Loss::Drop));
    wired.lead();
    wired.deploy(|_| {});
    wired
        .until("something was sent", |wired| wired.clusters[0].requests().of(Verb::Create, "configmaps") > 0)
        .await;
    wired.lead();
    wired.until("it is there", |wired| wired.is_synced()).await;
    assert_eq!(wired.clusters[0].requests().of(Verb::Create, "configmaps"), 2);
    wired.ok(Command::Withdraw(Withdraw { target: Target::named("risk", NAME), orphan: true }));
    wired.until("the record is gone", |wired| wired.deployable().is_none()).await;
    let api = wired.somebody(0).await;
    let left = api.get(&Kind::ConfigMap, "risk", "one").await.unwrap().unwrap();
    assert_eq!((left.group, left.submission), (None, None));
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "uid": left.uid}});
    let dry = Apply { dry_run: true, force: false };
    api.apply(&Kind::ConfigMap, "risk", "one", body.to_string().as_bytes(), dry).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_change_is_shown_field_by_field_as_it_was_applied_and_as_it_is() {
    let mut wired = Wired::upgraded(&["east"]).await;
    wired.lead();
    wired.deploy(|value| value["spec"]["drift"] = json!("Report"));
    wired.until("it is there", |wired| wired.is_synced()).await;
    let fields = |wired: &Wired| {
        let deployable = wired.deployable().unwrap();
        let diff = wired.state.look(|view| query::diff(view, &deployable, None).unwrap());
        let objects = diff.clusters.into_iter().flat_map(|on| on.objects);
        objects.flat_map(|object| object.fields).collect::<Vec<_>>()
    };
    assert_eq!(fields(&wired), []);
    for level in ["trace", "warn"] {
        wired.edit(0, "one", json!({ "level": level })).await;
        let observed = Some(format!("\"{level}\""));
        wired.until("it is shown", |wired| fields(wired).iter().any(|one| one.observed == observed)).await;
    }
    let [field] = fields(&wired).try_into().expect("one field differs");
    let query::FieldDiff { pointer, wanted, applied, .. } = field;
    assert_eq!((pointer.as_str(), &wanted, wanted.as_deref()), ("/data/level", &applied, Some("\"info\"")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_rollout_goes_to_the_next_cluster_when_the_one_before_was_healthy_for_long_enough() {
    let mut wired = Wired::upgraded(&["east", "west"]).await;
    wired.lead();
    wired.deploy(|value| {
        value["spec"]["rollout"] = json!({"maxUnavailable": 1, "order": ["west"], "minReady": "1s"});
    });
    let ready = |wired: &Wired, cluster: &str| {
        let mut installations = wired.installations().into_iter();
        installations.find(|one| one.cluster_name == cluster).and_then(|one| one.ready_ms)
    };
    wired.until("the first has it", |wired| ready(wired, "west").is_some()).await;
    wired.lead();
    wired.until("both have it", |wired| ready(wired, "east").is_some()).await;
    let (west, east) = (ready(&wired, "west").unwrap(), ready(&wired, "east").unwrap());
    assert!(east >= west + 1_000, "west since {west}, east since {east}");
    wired.until("it says so", |wired| wired.is_synced()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_goes_past_a_cluster_out_of_reach_where_it_may_and_comes_back_for_it() {
    let mut wired = Wired::upgraded(&["east", "west"]).await;
    wired.lead();
    wired.deploy(|_| {});
    wired.until("it is there", |wired| wired.is_synced()).await;
    wired.clusters[0].pause_listener().await;
    let is_away = |wired: &Wired| {
        let east = wired.state.look(|view| query::cluster(view, "east").unwrap());
        east.is_some_and(|east| east.reachable == Some(false))
    };
    wired.until("it is out of reach", is_away).await;
    let rollout =
        |most: u32| move |value: &mut Value| value["spec"]["rollout"] = json!({"maxUnavailable": most});
    let generation = |wired: &Wired, cluster: &str| {
        let mut installations = wired.installations().into_iter();
        installations.find(|one| one.cluster_name == cluster).map_or(0, |one| one.applied)
    };
    wired.redeploy("debug", rollout(1));
    let words = wired.deployable().unwrap().progress_message;
    assert!(words.contains("against maxUnavailable count east (out of reach)"), "{words}");
    wired.redeploy("debug", rollout(2));
    wired.lead();
    wired.until("the other one has it", |wired| generation(wired, "west") == 3).await;
    let says = |wired: &Wired| wired.deployable().unwrap().progress_message;
    wired.until("it is said", |wired| says(wired).starts_with("1 of 2 clusters wait: east")).await;
    wired.clusters[0].resume_listener().await.unwrap();
    wired.until("both have it", |wired| wired.is_synced()).await;
    assert_eq!((generation(&wired, "east"), says(&wired)), (3, String::new()));
}
