//! What the README shows is what a user sees.

use crate::blocks::block;
use crate::dev::{Dev, PATIENCE, answer, binary, path, runnable, until};
use crate::outages::with_a_cluster;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tallyman_chaos::{Fault, Matching, Refuse, Verb};
use tokio::process::Command;
use tokio::time::timeout;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Lines as a shell takes them, with this program and these servers.
fn shell(script: &str, folder: &Path, servers: &str) -> Command {
    let bin = Path::new(binary()).parent().unwrap().display().to_string();
    let mut command = Command::new("bash");
    command.env("TALLYMAN_SERVER", servers);
    command.args(["-c", &format!("PATH={bin}:$PATH; cd {} && {script}", folder.display())]);
    command
}

fn servers(dev: &Dev) -> String {
    dev.replicas().into_iter().map(|replica| replica.url).collect::<Vec<_>>().join(",")
}

/// What the program said to a line that it took.
async fn taken(dev: &Dev, line: &str, folder: &Path) -> String {
    let output = run(shell(line, folder, &servers(dev))).await;
    assert!(output.status.success(), "{line}: {}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The same once all replicas are known to understand it.
async fn taken_in_time(dev: &Dev, line: &str, folder: &Path) -> String {
    until(line, async || {
        let output = run(shell(line, folder, &servers(dev))).await;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    })
    .await
}

async fn run(mut command: Command) -> Output {
    command.current_dir(root()).kill_on_drop(true);
    timeout(PATIENCE, command.output()).await.expect("it ends").unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{:?}\n{}\n{}", output.status, text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_first_command_shows_a_job_from_accepted_to_succeeded_and_read_back() {
    let commands = block("$ cargo run --release -- dev --submit examples/nightly-report.yaml");
    let first =
        commands.lines().next().and_then(|line| line.strip_prefix("$ cargo run --release -- ")).unwrap();
    let shown = block("tallyman dev   temporary data directory, removed at exit (--dir DIR keeps one)");
    let mut command = Command::new(binary());
    command.args(first.split_whitespace()).arg("--exit-when-done");
    let output = run(command).await;
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains('\u{1b}'), "a pipe gets plain lines");
    let lines: Vec<&str> = said.lines().collect();
    let mut from = 0;
    for words in [
        vec!["tallyman dev", "temporary data directory"],
        vec!["replicas", "leader"],
        vec!["clusters", "east, west", "simulated"],
        vec!["risk/nightly-report-", "Job + ConfigMap", "sha256:"],
        vec!["accepted", "rev", "of 3"],
        vec!["placed", "rev", "fewest running of east, west"],
        vec!["sent", "rev", "intent committed first"],
        vec!["created", "rev", "Job uid"],
        vec!["running", "rev", "Job 1 active"],
        vec!["succeeded", "rev", "attempt 1 of 1"],
        vec!["read back", "follower", "Succeeded", "ms"],
        vec!["kube-apiserver requests for this read: 0"],
        vec!["ledger", "records, chain verified"],
    ] {
        let is_it = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(shown.lines().any(is_it), "the README shows no line with {words:?}");
        let found = lines[from..].iter().position(|line| is_it(line));
        from += found.unwrap_or_else(|| panic!("no line with {words:?} from line {from} on:\n{said}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_command_works_in_the_order_shown() {
    let dev = Dev::start(&[]).await;
    let mut run_name = String::new();
    let mut waits = 0;
    let commands = block("tallyman submit examples/nightly-report.yaml");
    assert!(commands.lines().count() > 10);
    for line in commands.lines() {
        let output = run(shell(&line.replace("RUN", &run_name), &root(), &servers(&dev))).await;
        let is_wait = line.starts_with("tallyman wait");
        waits += i32::from(is_wait);
        // The first wait is for a run that was cancelled.
        let expected = if is_wait && waits == 1 { 8 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{line}: {}", said(&output));
        if line.starts_with("tallyman submit") {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let word = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            run_name = word.into_iter().find(|word| word.starts_with("nightly-report-")).unwrap().to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_curl_line_answers() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.yaml"), block("# run.yaml")).unwrap();
    let curls = block("curl -s localhost:7003/apis/tallyman.dev/v1/runnables");
    for line in curls.lines() {
        let mut line = line.replacen("curl ", "curl --fail-with-body ", 1);
        for (replica, port) in dev.replicas().iter().zip(["7001", "7002", "7003"]) {
            line = line.replace(&format!("localhost:{port}"), replica.url.trim_start_matches("http://"));
        }
        let output = run(shell(&line, folder.path(), "")).await;
        assert!(output.status.success(), "{line}: {}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.is_empty() || text.contains("tallyman.dev/"), "{text}");
    }
    let answer = dev.get(&dev.replicas()[0].url, &path("namespaces/risk/runnables")).await.unwrap();
    assert_eq!(answer.body["items"].as_array().unwrap().len(), 1, "the submission was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_starts_a_replica() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let ca = crate::secured::authority("one");
    let (cert, key) = crate::secured::certificate(at, "replica", &ca);
    fs::write(at.join("ca.crt"), ca.pem()).unwrap();
    fs::write(at.join("tokens.csv"), "s3cret,ann,1,\"system:masters\"\n").unwrap();
    fs::create_dir(at.join("clusters")).unwrap();
    fs::write(at.join("providers.json"), "{\"providers\": []}").unwrap();
    let (api, peer) = (crate::secured::free_port(), crate::secured::free_port());
    let mut config = block("group = \"night\"");
    for (shown, here) in [
        ("/var/lib/tallyman", at.join("data").display().to_string()),
        ("/tls/tls.crt", cert.display().to_string()),
        ("/tls/tls.key", key.display().to_string()),
        ("/tls/ca.crt", at.join("ca.crt").display().to_string()),
        ("/etc/tallyman/tokens.csv", at.join("tokens.csv").display().to_string()),
        ("/etc/tallyman/clusters", at.join("clusters").display().to_string()),
        ("/etc/tallyman/providers.json", at.join("providers.json").display().to_string()),
        ("tallyman-0.example.com", "127.0.0.1".to_owned()),
        ("0.0.0.0:7001", format!("127.0.0.1:{api}")),
        ("0.0.0.0:7101", format!("127.0.0.1:{peer}")),
        ("127.0.0.1:7101", format!("127.0.0.1:{peer}")),
    ] {
        assert!(config.contains(shown), "{shown} is not in\n{config}");
        config = config.replace(shown, &here);
    }
    let file = at.join("config.toml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(binary());
    command.arg("server").arg("--config").arg(&file).kill_on_drop(true);
    let mut child = command.stderr(fs::File::create(at.join("log")).unwrap()).spawn().unwrap();
    let authority = reqwest::Certificate::from_pem(ca.pem().as_bytes()).unwrap();
    let _ = crate::dev::client();
    let http = reqwest::Client::builder().tls_certs_only([authority]).build().unwrap();
    until("it answers over TLS", async || {
        if let Ok(Some(status)) = child.try_wait() {
            panic!("{status}: {}", fs::read_to_string(at.join("log")).unwrap());
        }
        let answer = http.get(format!("https://127.0.0.1:{api}/livez")).send().await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}

/// A definition of a SparkApplication, as far as a simulated cluster needs it.
fn spark() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "sparkapplications.sparkoperator.k8s.io",
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {
            "group": "sparkoperator.k8s.io", "scope": "Namespaced",
            "names": {"kind": "SparkApplication", "plural": "sparkapplications"},
            "versions": [{"name": "v1beta2", "served": true, "storage": true, "schema": schema}],
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_rule_says_how_spark_applications_end_and_stays_while_runs_go_by_it() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let east = dev.clusters().into_iter().find(|(name, _)| name == "east").unwrap().1;
    let definitions = format!("{east}/apis/apiextensions.k8s.io/v1/customresourcedefinitions");
    assert_eq!(answer(dev.http.post(definitions).json(&spark())).await.unwrap().status, 201);
    fs::write(folder.path().join("spark.yaml"), block("# spark.yaml")).unwrap();
    taken_in_time(&dev, "tallyman statusrule apply spark.yaml", folder.path()).await;
    let ends = [("good", "COMPLETED", "Succeeded"), ("bad", "SUBMISSION_FAILED", "Failed")];
    for (name, _, _) in ends {
        let application = json!({"apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
            "metadata": {"name": name}, "spec": {"driver": {}, "executor": {}}});
        let body = json!({"apiVersion": "tallyman.dev/v1", "kind": "Runnable", "metadata": {"name": name},
            "spec": {"placement": {"clusters": ["east"]}, "manifests": [application]}});
        let url = dev.replicas()[0].url.clone();
        assert_eq!(dev.submit(&url, "risk", &body).await.unwrap().status, 201);
        dev.until_phase("risk", name, "Pending").await;
    }
    let refused = run(shell("tallyman statusrule delete spark", folder.path(), &servers(&dev))).await;
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("2 runs go by it"), "{}", said(&refused));
    for (name, state, phase) in ends {
        let url =
            format!("{east}/apis/sparkoperator.k8s.io/v1beta2/namespaces/risk/sparkapplications/{name}");
        let status = json!({"status": {"applicationState": {"state": state, "errorMessage": format!("it is {state}")}}});
        let patch = dev.http.patch(url).header("content-type", "application/merge-patch+json");
        assert_eq!(answer(patch.body(status.to_string())).await.unwrap().status, 200);
        let ended = dev.until_phase("risk", name, phase).await;
        assert_eq!(ended["status"]["attempts"][0]["message"], format!("it is {state}"));
    }
    let history = taken(&dev, "tallyman history risk/good", folder.path()).await;
    assert!(history.contains("SparkApplication uid "), "{history}");
    taken(&dev, "tallyman statusrule delete spark", folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_settings_reach_a_cluster_that_is_selected_once_they_are_approved() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let url = dev.replicas()[0].url.clone();
    let east = path("clusters/east");
    until("the cluster is labelled", async || {
        let mut cluster = dev.get(&url, &east).await?.body;
        cluster["metadata"]["labels"] = json!({"zone": "a"});
        let labelled = answer(dev.http.put(format!("{url}{east}")).json(&cluster)).await?;
        // It may have been reached in between.
        (labelled.status == 200).then_some(())
    })
    .await;
    fs::write(folder.path().join("settings.yaml"), block("# settings.yaml")).unwrap();
    taken_in_time(&dev, "tallyman deployable apply settings.yaml", folder.path()).await;
    let at = path("namespaces/risk/deployables/settings");
    let digest = until("it waits for approval", async || {
        let status = dev.get(&url, &at).await?.body["status"].clone();
        assert!(status["clusters"].as_array().is_none_or(Vec::is_empty), "nobody has agreed: {status:#}");
        status["digest"].as_str().map(str::to_owned)
    })
    .await;
    let approve =
        format!("tallyman deployable approve risk/settings --digest {digest} --as bob --as-group risk-leads");
    taken(&dev, &approve, folder.path()).await;
    let server = dev.clusters().into_iter().find(|(name, _)| name == "east").unwrap().1;
    let made = until("it is there", async || {
        let map = format!("{server}/api/v1/namespaces/risk/configmaps/settings");
        answer(dev.http.get(map)).await.filter(|answer| answer.status == 200)
    })
    .await;
    assert_eq!(made.body["data"], json!({"desk": "rates", "level": "info"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_and_retried_by_the_two_lines() {
    let (folder, cluster, _, dev) = with_a_cluster().await;
    let url = dev.replicas()[0].url.clone();
    let forbidden = Refuse { message: "jobs.batch is forbidden: no right".to_owned(), ..Refuse::status(403) };
    let jobs = Matching::verb(Verb::Create).resource("jobs");
    let fault = cluster.faults().always(jobs, Fault::Refuse(forbidden));
    let mut body = runnable("report", "10ms");
    body["spec"]["startBy"] = json!("2s");
    assert_eq!(dev.submit(&url, "risk", &body).await.unwrap().status, 201);
    dev.until_phase("risk", "report", "Failed").await;
    cluster.faults().remove(fault);
    let lines = block("tallyman list -A --field-selector status.deadLetter=true");
    let [list, retry] = lines.lines().collect::<Vec<_>>().try_into().unwrap();
    let listed = taken(&dev, list, folder.path()).await;
    assert!(listed.contains("report"), "{listed}");
    taken(&dev, retry, folder.path()).await;
    dev.until_phase("risk", "report", "Succeeded").await;
    assert!(!taken(&dev, list, folder.path()).await.contains("report"), "it is none any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lines_that_pause_hold_back_and_let_go() {
    let dev = Dev::start(&[]).await;
    let url = dev.replicas()[0].url.clone();
    let lines = block("tallyman operator pause --tenant risk --reason 'the network is being worked on'");
    let [pause, status, resume, pause_east, resume_east] =
        lines.lines().collect::<Vec<_>>().try_into().unwrap();
    taken_in_time(&dev, pause, &root()).await;
    assert_eq!(dev.submit(&url, "risk", &runnable("report", "10ms")).await.unwrap().status, 201);
    let shown = taken(&dev, status, &root()).await;
    assert!(shown.contains("sends for risk: no (paused by dev"), "{shown}");
    taken(&dev, pause_east, &root()).await;
    taken(&dev, resume, &root()).await;
    let paused = dev.get(&url, &path("clusters/east")).await.unwrap();
    assert_eq!(paused.body["spec"]["paused"], true);
    taken(&dev, resume_east, &root()).await;
    dev.until_phase("risk", "report", "Succeeded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_run_shown_has_a_value_of_the_pool_shown_and_its_key_for_its_life() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let url = dev.replicas()[1].url.clone();
    fs::write(folder.path().join("vlans.yaml"), block("# vlans.yaml")).unwrap();
    fs::write(folder.path().join("net.yaml"), block("# net.yaml")).unwrap();
    taken_in_time(&dev, "tallyman pool apply vlans.yaml", folder.path()).await;
    taken(&dev, "tallyman submit net.yaml", folder.path()).await;
    let run = dev.until_phase("risk", "set-up-net", "Succeeded").await;
    assert_eq!(run["status"]["allocations"][0]["value"], "100");
    taken(&dev, "tallyman delete risk/set-up-net", folder.path()).await;
    until("its value is free", async || {
        let pool = dev.get(&url, &path("namespaces/risk/pools/vlans")).await?;
        (pool.body["status"]["allocated"] == 0).then_some(())
    })
    .await;
    let locks = dev.get(&url, &path("namespaces/risk/locks")).await.unwrap();
    assert_eq!(locks.body["items"], json!([]));
}
