//! Nonsense and what is not allowed: a clear `Status`, and nothing changed.

use crate::dev::{Dev, answer, binary, path, runnable, until};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tokio::process::Command;

async fn post(dev: &Dev, body: Value) -> (u16, String) {
    let answer = dev.submit(&dev.replicas()[1].url, "risk", &body).await.unwrap();
    assert_eq!(answer.body["kind"], json!("Status"), "{answer:?}");
    (answer.status, answer.body.to_string())
}

fn holds(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, needle);
        }
        fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_submissions_are_refused_with_words_and_change_nothing() {
    let dev = Dev::start(&[]).await;
    let before = dev.get(&dev.replicas()[0].url, &path("runnables")).await.unwrap();

    let mut secret = runnable("secret", "1s");
    secret["spec"]["manifests"][0] = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "xyzzy-canary-xyzzy"},
    });
    let mut many = runnable("many", "1s");
    many["spec"]["manifests"] = json!(vec![json!({}); 101]);
    let mut elsewhere = runnable("elsewhere", "1s");
    elsewhere["spec"]["manifests"][1]["metadata"]["namespace"] = json!("kube-system");
    let mut unknown = runnable("unknown", "1s");
    unknown["spec"]["placement"] = json!({"clusters": ["nowhere"]});
    let mut approvals = runnable("approvals", "1s");
    approvals["spec"]["approvals"] = json!({"required": 0, "groups": []});
    let mut field = runnable("field", "1s");
    field["spec"]["placment"] = json!({});
    for (body, status, word) in [
        (secret, 422, "Secret"),
        (many, 422, "100"),
        (elsewhere, 422, "namespace"),
        (unknown, 422, "nowhere"),
        (approvals, 422, "spec.approvals.required"),
        (field, 422, "placment"),
        (runnable("Not_A_Name", "1s"), 422, "metadata.name"),
        (json!({"apiVersion": "v1", "kind": "Pod"}), 422, "kind"),
    ] {
        let (found, said) = post(&dev, body).await;
        assert_eq!(found, status, "{said}");
        assert!(said.contains(word), "{word} is not in {said}");
    }
    let after = dev.get(&dev.replicas()[0].url, &path("runnables")).await.unwrap();
    assert_eq!(before.body["items"], after.body["items"]);
    assert!(!holds(&dev.dir, b"xyzzy-canary-xyzzy"), "the secret reached a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_name_keeps_its_201_and_names_the_holder() {
    let dev = Dev::start(&["--clusters", "1"]).await;
    let url = dev.replicas()[2].url.clone();
    let mut holder = runnable("holder", "3s");
    holder["spec"]["manifests"][1]["metadata"]["name"] = json!("the-name");
    let mut waiter = runnable("waiter", "10ms");
    waiter["spec"]["manifests"][1]["metadata"]["name"] = json!("the-name");
    dev.submit(&url, "risk", &holder).await.unwrap();
    dev.until_phase("risk", "holder", "Running").await;
    assert_eq!(dev.submit(&url, "risk", &waiter).await.unwrap().status, 201);
    until("the waiter says whose name it waits for", async || {
        let run = dev.read(&url, "risk", "waiter").await?;
        let conditions = run.body["status"]["conditions"].as_array()?.clone();
        let placed = conditions.into_iter().find(|condition| condition["type"] == json!("Placed"))?;
        let named = placed["message"].as_str()?.contains("risk/holder");
        (placed["status"] == json!("False") && placed["reason"] == json!("NameHeld") && named).then_some(())
    })
    .await;
    let delete = dev.http.delete(format!("{url}{}", path("namespaces/risk/runnables/holder")));
    assert_eq!(answer(delete).await.unwrap().status, 200);
    dev.until_phase("risk", "waiter", "Succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_the_cluster_lacks_is_waited_for() {
    let dev = Dev::start(&["--strict", "--clusters", "1"]).await;
    let url = dev.replicas()[0].url.clone();
    dev.submit(&url, "later", &runnable("patient", "10ms")).await.unwrap();
    until("it says what is missing", async || {
        let run = dev.read(&url, "later", "patient").await?;
        let conditions = run.body["status"]["conditions"].as_array()?.clone();
        let created = conditions.into_iter().find(|condition| condition["type"] == json!("Created"))?;
        (created["status"] == json!("False") && created["reason"] == json!("NamespaceMissing")).then_some(())
    })
    .await;
    let server = &dev.clusters()[0].1;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}});
    let made = answer(dev.http.post(format!("{server}/api/v1/namespaces")).json(&namespace)).await.unwrap();
    assert_eq!(made.status, 201);
    dev.until_phase("later", "patient", "Succeeded").await;
}

#[tokio::test]
async fn a_server_refuses_to_listen_off_loopback_without_tls_and_unknown_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let good = format!(
        "group = \"g\"\ndatacenter = \"d\"\ndata_dir = {:?}\napi_listen = \"127.0.0.1:17001\"\n\
         peer_listen = \"127.0.0.1:17101\"\nadvertise = \"127.0.0.1\"\npeers = [\"127.0.0.1:17101\"]\n",
        dir.path().join("data")
    );
    for (config, words) in [
        (good.replace("127.0.0.1:17001", "0.0.0.0:17001"), ["tls", "api_listen"]),
        (format!("{good}data_dri = \"x\"\n"), ["data_dri", "data_dir"]),
    ] {
        let file = dir.path().join("config.toml");
        fs::write(&file, config).unwrap();
        let output = Command::new(binary()).arg("server").arg("--config").arg(&file).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(words.iter().all(|word| said.to_lowercase().contains(word)), "{said}");
    }
}
