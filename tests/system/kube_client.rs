//! The `kube` crate as its users use it, against a follower: it knows of us what any cluster tells.

use crate::dev::{Dev, client, runnable, signal, until};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{Discovery, Scope};
use kube::runtime::watcher::{self, Event};
use kube::{Client, Config};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The client of one replica, as `dev` wrote its kubeconfig; and runnables, as it discovers them.
async fn runnables(dev: &Dev, replica: &str, namespace: &str) -> Api<DynamicObject> {
    // Installs the TLS provider, which that client asks for as ours does.
    client();
    let kubeconfig = Kubeconfig::read_from(dev.dir.join("kubeconfig")).unwrap();
    let context = kubeconfig.contexts.iter().find(|context| context.name.ends_with(replica)).unwrap();
    let options = KubeConfigOptions { context: Some(context.name.clone()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let discovery = Discovery::new(client.clone()).filter(&["tallyman.dev"]).run().await.unwrap();
    let kinds = discovery.get("tallyman.dev").unwrap().recommended_resources();
    let (kind, capabilities) = kinds.into_iter().find(|(kind, _)| kind.kind == "Runnable").unwrap();
    assert_eq!((kind.plural.as_str(), capabilities.scope), ("runnables", Scope::Namespaced));
    Api::namespaced_with(client, namespace, &kind)
}

fn object(name: &str, run_for: &str) -> DynamicObject {
    serde_json::from_value(runnable(name, run_for)).unwrap()
}

/// Creates it whatever becomes of the leader: what may or may not have been done is looked up.
async fn create(api: &Api<DynamicObject>, object: &DynamicObject) {
    let name = object.metadata.name.as_deref().unwrap();
    until(&format!("{name} is taken"), async || match api.create(&PostParams::default(), object).await {
        Ok(_) => Some(()),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Some(()),
        Err(_) => None,
    })
    .await;
}

fn phase(object: &DynamicObject) -> &str {
    object.data["status"]["phase"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kube_crate_creates_lists_changes_and_deletes() {
    let dev = Dev::start(&["--clusters", "1"]).await;
    let follower = dev.followers().await.remove(0);
    let api = runnables(&dev, &follower.id, "crate").await;
    let made = api.create(&PostParams::default(), &object("made", "1h")).await.unwrap();
    assert!(made.metadata.uid.is_some() && made.metadata.resource_version.is_some());
    let again = api.create(&PostParams::default(), &object("made", "1h")).await.unwrap_err();
    assert!(matches!(&again, kube::Error::Api(status) if status.is_already_exists()), "{again}");
    let mut wrong = object("wrong", "1h");
    wrong.data["spec"]["manifests"][1]["kind"] = json!("Jobb");
    let refused = api.create(&PostParams::default(), &wrong).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 422), "{refused}");

    let label = Patch::Merge(json!({"metadata": {"labels": {"team": "night"}}}));
    api.patch("made", &PatchParams::default(), &label).await.unwrap();
    for i in 0..5 {
        create(&api, &object(&format!("other-{i}"), "1h")).await;
    }
    let selected = api.list(&ListParams::default().labels("team=night")).await.unwrap();
    assert_eq!(selected.items.len(), 1);
    // In pages, which are all of one revision.
    let first = api.list(&ListParams::default().limit(4)).await.unwrap();
    let token = first.metadata.continue_.clone().unwrap();
    let rest = api.list(&ListParams::default().limit(4).continue_token(&token)).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len()), (4, 2));
    assert_eq!(first.metadata.resource_version, rest.metadata.resource_version);

    api.delete("made", &DeleteParams::default()).await.unwrap();
    until("the deleted run is gone", async || {
        api.get_opt("made").await.ok().filter(Option::is_none).map(|_| ())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_of_the_kube_crate_resumes_over_a_leader_change_and_a_dead_server() {
    const RUNS: usize = 12;
    let dev = Dev::start(&["--clusters", "1"]).await;
    let follower = dev.followers().await.remove(0);
    let api = runnables(&dev, &follower.id, "resumed").await;

    #[derive(Default)]
    struct Told {
        listings: usize,
        /// Of each run: the revision and the phase of each state that was told.
        runs: BTreeMap<String, Vec<(u64, String)>>,
    }
    let told = Arc::new(Mutex::new(Told::default()));
    let telling = tokio::spawn({
        let (told, stream) = (Arc::clone(&told), watcher::watcher(api.clone(), watcher::Config::default()));
        async move {
            let mut stream = stream.boxed();
            loop {
                // Errors while the server is away are told too; the next poll tries again.
                let Ok(event) = stream.try_next().await else { continue };
                let mut told = told.lock().unwrap();
                match event.expect("a watcher does not end") {
                    Event::Init => told.listings += 1,
                    Event::Apply(object) | Event::InitApply(object) => {
                        let name = object.metadata.name.clone().unwrap();
                        let revision = object.metadata.resource_version.as_ref().unwrap().parse().unwrap();
                        told.runs.entry(name).or_default().push((revision, phase(&object).to_owned()));
                    }
                    Event::InitDone | Event::Delete(_) => {}
                }
            }
        }
    });
    until("the watcher has listed", async || (told.lock().unwrap().listings == 1).then_some(())).await;

    for i in 0..RUNS {
        create(&api, &object(&format!("run-{i}"), "1s")).await;
        if i == RUNS / 3 {
            signal(dev.leader().await.pid, Signal::KILL);
        }
        if i == RUNS * 2 / 3 {
            // The very server that is watched; it comes back under the same address.
            signal(follower.pid, Signal::KILL);
        }
    }
    until("the watcher has seen every run end", async || {
        let told = told.lock().unwrap();
        let ended =
            |states: &Vec<(u64, String)>| states.last().is_some_and(|(_, phase)| phase == "Succeeded");
        (told.runs.len() == RUNS && told.runs.values().all(ended)).then_some(())
    })
    .await;
    telling.abort();
    let all = api.list(&ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), RUNS);
    assert!(all.items.iter().all(|run| phase(run) == "Succeeded"));
    let told = told.lock().unwrap();
    // A watch that had to begin again would have listed again.
    assert_eq!(told.listings, 1, "{:?}", told.runs);
    for (name, states) in &told.runs {
        assert!(
            states.is_sorted_by(|one, next| one.0 < next.0),
            "told twice or out of order: {name}: {states:?}"
        );
    }
}
