//! What the README shows is what a user sees.

use crate::dev::{Dev, PATIENCE, binary, until};
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use tokio::process::Command;
use tokio::time::timeout;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The lines of the README's code that start with `start`, without it.
fn lines(start: &str) -> Vec<String> {
    readme().lines().filter_map(|line| line.strip_prefix(start)).map(str::to_owned).collect()
}

/// The first block of code in that language.
fn block(language: &str) -> String {
    let readme = readme();
    let start = format!("```{language}\n");
    let from = readme.find(&start).unwrap() + start.len();
    let length = readme[from..].find("```").unwrap();
    readme[from..from + length].to_owned()
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
    let mut command = Command::new(binary());
    command.args(lines("$ cargo run --release -- ")[0].split_whitespace()).arg("--exit-when-done");
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
        vec!["running", "rev"],
        vec!["succeeded", "rev", "attempt 1 of 1"],
        vec!["read back", "follower", "Succeeded", "ms"],
        vec!["kube-apiserver requests for this read: 0"],
        vec!["ledger", "records, chain verified"],
    ] {
        let found = lines[from..].iter().position(|line| words.iter().all(|word| line.contains(word)));
        from += found.unwrap_or_else(|| panic!("no line with {words:?} from line {from} on:\n{said}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_command_works_in_the_order_shown() {
    let dev = Dev::start(&[]).await;
    let servers: Vec<String> = dev.replicas().into_iter().map(|replica| replica.url).collect();
    let mut run_name = String::new();
    let mut waits = 0;
    let commands = lines("tallyman ");
    let commands: Vec<&String> = commands.iter().filter(|line| !line.starts_with("dev ")).collect();
    assert!(commands.len() > 10);
    for line in commands {
        let mut command = Command::new(binary());
        command.env("TALLYMAN_SERVER", servers.join(","));
        command.args(line.replace("RUN", &run_name).split_whitespace());
        let output = run(command).await;
        waits += i32::from(line.starts_with("wait"));
        // The first wait is for a run that was cancelled.
        let expected = if line.starts_with("wait") && waits == 1 { 8 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "{line}: {}", said(&output));
        if line.starts_with("submit") {
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
    fs::write(folder.path().join("run.yaml"), block("yaml")).unwrap();
    let curls = lines("curl ");
    assert!(curls.len() >= 4);
    for line in curls {
        let mut shell = format!("curl --fail-with-body {line}");
        for (replica, port) in dev.replicas().iter().zip(["7001", "7002", "7003"]) {
            shell = shell.replace(&format!("localhost:{port}"), replica.url.trim_start_matches("http://"));
        }
        let mut command = Command::new("bash");
        command.args(["-c", &format!("cd {} && {shell}", folder.path().display())]);
        let output = run(command).await;
        assert!(output.status.success(), "{shell}: {}", said(&output));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.is_empty() || text.contains("tallyman.dev/"), "{text}");
    }
    let answer =
        dev.get(&dev.replicas()[0].url, &crate::dev::path("namespaces/risk/runnables")).await.unwrap();
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
    let mut config = block("toml");
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
