//! The client as people and scripts use it, on real servers.

#[path = "client/failover.rs"]
mod failover;
#[path = "client/terminal.rs"]
mod terminal;

use crate::dev::{Dev, PATIENCE, binary, runnable};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;
use tokio::time::timeout;

/// What a command line ended with.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The last line of what went wrong.
    fn attempt(&self) -> &str {
        self.err.lines().last().unwrap_or_default()
    }
}

/// A client with these servers.
pub(crate) fn client(servers: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env("TALLYMAN_SERVER", servers.join(",")).env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

pub(crate) async fn ended(mut command: Command) -> Said {
    let output = timeout(2 * PATIENCE, command.output()).await.expect("the client ends").unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

pub(crate) async fn run(dev: &Dev, arguments: &[&str]) -> Said {
    let urls: Vec<String> = dev.replicas().into_iter().map(|replica| replica.url).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    ended(client(&urls, arguments)).await
}

/// A file with one runnable of that name.
pub(crate) fn file(folder: &Path, name: &str, run_for: &str) -> String {
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, runnable(name, run_for).to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_submitted_listed_waited_for_and_changed_one_by_one_and_in_bulk() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();

    // A directory, with one of several documents.
    let many = at.join("many");
    fs::create_dir(&many).unwrap();
    let labelled = |name: &str| {
        let mut run = runnable(name, "600s");
        run["metadata"]["labels"] = json!({"desk": "rates"});
        run
    };
    let two = format!("{}\n---\n{}\n", labelled("b"), labelled("c"));
    fs::write(many.join("two.yaml"), two).unwrap();
    fs::write(many.join("one.json"), labelled("a").to_string()).unwrap();
    let folder_name = many.to_str().unwrap();
    let said =
        run(&dev, &["submit", folder_name, "-n", "risk", "--idempotency-key", "k", "-o", "name"]).await.ok();
    assert_eq!(said.out.lines().count(), 3, "{said:?}");
    // The same key and content: nothing is done twice.
    run(&dev, &["submit", folder_name, "-n", "risk", "--idempotency-key", "k"]).await.ok();
    // Each has its own outcome: two are refused because their names are taken, the new one is taken.
    fs::write(many.join("one.json"), labelled("d").to_string()).unwrap();
    let said = run(&dev, &["submit", folder_name, "-n", "risk"]).await;
    assert_eq!(said.code, 4, "{said:?}");
    assert!(said.out.contains("risk/d   accepted") && said.err.contains("2 of 3 failed"), "{said:?}");
    let said = run(&dev, &["list", "-n", "risk", "-o", "jsonpath={.items[*].metadata.name}"]).await.ok();
    let mut names: Vec<&str> = said.out.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c", "d"]);

    let said = run(&dev, &["list", "-n", "risk", "--no-headers", "-l", "desk=rates"]).await.ok();
    assert_eq!(said.out.lines().count(), 4, "{said:?}");
    run(&dev, &["wait", "risk/a", "risk/b", "--for=Running"]).await.ok();
    run(&dev, &["wait", "risk/a", "--for=condition=Placed"]).await.ok();
    let said = run(&dev, &["wait", "-n", "risk", "-l", "desk=rates", "--timeout", "1s"]).await;
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.attempt().starts_with("try: tallyman wait risk/a risk/b"), "{said:?}");
    let said = run(&dev, &["wait", "risk/a", "risk/nothing", "--for=Running"]).await;
    assert_eq!(said.code, 3, "{said:?}");

    // Not without being told to, and then each with its outcome.
    let said = run(&dev, &["cancel", "-n", "risk", "-l", "desk=rates"]).await;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.attempt().contains("-l 'desk=rates' --yes"), "{said:?}");
    let said = run(&dev, &["cancel", "-n", "risk", "-l", "desk=rates", "--yes", "--reason", "wrong input"])
        .await
        .ok();
    assert_eq!(said.out.lines().count(), 4, "{said:?}");
    let said = run(&dev, &["wait", "-n", "risk", "-l", "desk=rates"]).await;
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.err.contains("ended Cancelled") && said.err.contains("wrong input"), "{said:?}");
    let said = run(&dev, &["cancel", "risk/a"]).await;
    assert_eq!(
        (said.code, said.attempt()),
        (4, "try: look how it is now: tallyman get risk/a; tallyman history risk/a")
    );

    run(&dev, &["delete", "-n", "risk", "-l", "desk=rates", "--yes", "--wait"]).await.ok();
    let said = run(&dev, &["get", "risk/a"]).await;
    assert_eq!((said.code, said.attempt()), (3, "try: tallyman list -A"));
    run(&dev, &["wait", "risk/a", "--for=deleted"]).await.ok();

    // The ledger remembers who did what.
    let said = run(&dev, &["history", "risk/a"]).await.ok();
    for words in
        ["its record is gone", "accepted", "attempt 1 to", "create Job risk/a", "wrong input", "removed"]
    {
        assert!(said.out.contains(words), "{words} is not in {}", said.out);
    }
    let said = run(&dev, &["history", "risk/a", "--all", "-o", "json"]).await.ok();
    let records: Value = serde_json::from_str(&said.out).unwrap();
    let verbs: Vec<&str> =
        records.as_array().unwrap().iter().map(|record| record["verb"].as_str().unwrap()).collect();
    for verb in ["submit", "place", "intend", "conclude", "observe", "cancel", "delete"] {
        assert!(verbs.contains(&verb), "{verb} is not in {verbs:?}");
    }
    let said = run(&dev, &["audit", "list", "--verb", "cancel", "--user", "dev"]).await.ok();
    assert_eq!(said.out.matches("wrong input").count(), 4, "{said:?}");
    let said = run(&dev, &["audit", "list", "--verb", "cancel", "-o", "name"]).await.ok();
    assert_eq!(said.out.lines().count(), 4);
    assert!(said.out.lines().all(|line| line.starts_with("auditrecord.tallyman.dev/")), "{said:?}");
    let said = run(&dev, &["audit", "list", "--verb", "cancel", "-o", "json"]).await.ok();
    let list: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("AuditRecordList"), &json!("AuditRecord"))
    );
    assert_eq!(list["items"][3]["spec"]["verb"], "cancel");
    let said = run(&dev, &["operator", "status"]).await.ok();
    assert!(said.out.ends_with("writes: yes\n"), "{said:?}");

    // What was taken under a key and is deleted since is named, and not submitted again.
    let path = file(at, "once", "1s");
    let once = ["submit", &path, "-n", "risk", "--idempotency-key", "once"];
    run(&dev, &once).await.ok();
    run(&dev, &["delete", "risk/once", "--wait"]).await.ok();
    let said = run(&dev, &[once.as_slice(), &["-o", "name"]].concat()).await;
    assert_eq!((said.code, said.out.as_str()), (4, "runnable.tallyman.dev/once\n"), "{said:?}");
    assert!(said.err.contains("risk/once") && said.err.contains("deleted since"), "{said:?}");
    assert!(said.attempt().contains("another --idempotency-key"), "{said:?}");

    let export = at.join("ledger.jsonl");
    let export = export.to_str().unwrap();
    run(&dev, &["audit", "export", export]).await.ok();
    let said = ended(client(&["http://127.0.0.1:1"], &["audit", "verify", "--file", export])).await.ok();
    assert!(said.out.contains("chain verified"), "{said:?}");
    let broken = fs::read_to_string(export).unwrap().replacen("\"dev\"", "\"eve\"", 1);
    fs::write(export, broken).unwrap();
    assert_eq!(run(&dev, &["audit", "verify", "--file", export]).await.code, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusters_are_set_and_a_printed_curl_does_the_same() {
    let dev = Dev::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    for (arguments, state) in [
        (["cluster", "cordon", "east"], "cordoned"),
        (["cluster", "uncordon", "east"], "ready"),
        (["cluster", "pause", "east"], "paused"),
        (["cluster", "resume", "east"], "ready"),
    ] {
        run(&dev, &arguments).await.ok();
        let said = run(&dev, &["cluster", "get", "east", "--no-headers"]).await.ok();
        assert!(said.out.contains(state), "{arguments:?}: {said:?}");
        let said = run(&dev, &["cluster", "test", "east"]).await;
        assert_eq!(said.code, i32::from(state != "ready"));
        assert!(!said.err.contains(": \n"), "{said:?}");
    }
    assert_eq!(run(&dev, &["cluster", "confirm", "east"]).await.code, 4, "it is not quarantined");
    assert_eq!(run(&dev, &["cluster", "get", "nowhere"]).await.code, 3);
    let kubeconfig = dev.dir.join("clusters/east/kubeconfig");
    let said = run(&dev, &["cluster", "test", "--kubeconfig", kubeconfig.to_str().unwrap()]).await.ok();
    assert!(said.out.contains("kube-system UID"), "{said:?}");

    // Pasted twice, it is done once; its key is in it.
    let path = file(folder.path(), "pasted", "1s");
    let curl = run(&dev, &["submit", &path, "-n", "it's", "--curl"]).await;
    assert!(curl.out.starts_with("curl -sS -X POST"), "{curl:?}");
    let curl = run(&dev, &["submit", &path, "-n", "risk", "--curl"]).await.ok().out;
    for _ in 0..2 {
        let mut shell = Command::new("bash");
        shell.args(["-c", &curl]).stdin(Stdio::null());
        let said = ended(shell).await.ok();
        let answer: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(answer["metadata"]["name"], json!("pasted"), "{answer}");
    }
    for arguments in [vec!["list", "-A", "-l", "a in (b,c)", "--curl"], vec!["cluster", "list", "--curl"]] {
        let mut shell = Command::new("bash");
        shell.args(["-c", &run(&dev, &arguments).await.ok().out]).stdin(Stdio::null());
        let answer: Value = serde_json::from_str(&ended(shell).await.ok().out).unwrap();
        assert!(answer["items"].is_array(), "{answer}");
    }

    // Octal, as kubectl reads it, whoever reads it.
    let yaml = folder.path().join("octal.yaml");
    let volume = "volumes: [{name: v, configMap: {name: c, defaultMode: 0644}}]";
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: octal, namespace: risk}}\n\
         spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: b}}], {volume}}}}}}}\n"
    );
    fs::write(&yaml, job).unwrap();
    run(&dev, &["submit", yaml.to_str().unwrap()]).await.ok();
    let template = "jsonpath={.spec.manifests[0].spec.template.spec.volumes[0].configMap.defaultMode}";
    assert_eq!(run(&dev, &["get", "risk/octal", "-o", template]).await.ok().out, "420\n");
    let said = run(&dev, &["version", "-o", "json"]).await.ok();
    let versions: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(versions["servers"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_printed_curl_has_all_requests_and_says_what_those_depend_on_that_follow() {
    let nobody = &["http://127.0.0.1:1"];
    for (arguments, expected) in [
        (vec!["get", "risk/a", "fx/b"], vec!["curl -sS .*risk/runnables/a", "curl -sS .*fx/runnables/b"]),
        (
            vec!["approve", "risk/a"],
            vec![
                "curl -sS .*/runnables/a",
                "# while that is Held",
                "curl -sS .*fieldSelector=status.phase",
                "# with .status.digest of the first answer:",
                "curl -sS -X POST .*Approve.*DIGEST.*/runnables/a/approvals",
            ],
        ),
        (
            vec!["cancel", "-n", "risk", "-l", "desk=rates", "--reason", "late"],
            vec![
                "curl -sS .*labelSelector",
                "# for each run listed:",
                "curl -sS -X POST .*late.*risk/runnables/NAME/cancel",
            ],
        ),
        (
            vec!["delete", "-A", "-l", "desk=rates", "--wait"],
            vec![
                "curl -sS .*labelSelector",
                "# for each run listed:",
                "curl -sS -X DELETE .*UID.*namespaces/NAMESPACE/runnables/NAME",
                "curl -sS -N .*metadata.name%3DNAME.*watch=true",
            ],
        ),
        (
            vec!["retry", "risk/a", "risk/b", "--wait"],
            vec![
                "curl -sS -X POST .*/a/retry",
                "curl -sS -N .*watch=true",
                "curl -sS -X POST .*/b/retry",
                "curl -sS -N .*watch=true",
            ],
        ),
        (vec!["history", "risk/a"], vec!["curl -sS .*auditrecords", "curl -sS .*/runnables/a"]),
        (
            vec!["operator", "status"],
            vec!["curl -sS .*/replicas", "curl -sS .*/operator/status", "# and the same of each other"],
        ),
    ] {
        let said = ended(client(nobody, &[arguments.as_slice(), &["--curl"]].concat())).await.ok();
        let lines: Vec<&str> = said.out.lines().collect();
        let fits = |line: &&str, parts: &str| {
            let mut rest = *line;
            parts.split(".*").all(|part| rest.split_once(part).map(|(_, after)| rest = after).is_some())
        };
        let all = lines.iter().zip(&expected).all(|(line, parts)| fits(line, parts));
        assert!(lines.len() == expected.len() && all, "{arguments:?}: {}", said.out);
    }
}

#[tokio::test]
async fn completion_scripts_and_manual_pages_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = &["http://127.0.0.1:1"];
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let said = ended(client(nobody, &["completion", shell])).await.ok();
        for word in ["submit", "history", "transfer-leader", "--idempotency-key"] {
            let is_known = said.out.contains(word) || said.out.contains(word.trim_start_matches('-'));
            assert!(is_known, "{word} is not completed in {shell}");
        }
        if shell == "bash" {
            let path = folder.path().join("completion.bash");
            fs::write(&path, said.out).unwrap();
            let mut check = Command::new("bash");
            check.arg("-n").arg(path);
            ended(check).await.ok();
        }
    }
    let pages = folder.path().join("man1");
    ended(client(nobody, &["man", "--dir", pages.to_str().unwrap()])).await.ok();
    for page in
        ["tallyman", "tallyman-submit", "tallyman-wait", "tallyman-cluster-add", "tallyman-audit-export"]
    {
        let text = fs::read_to_string(pages.join(format!("{page}.1"))).unwrap_or_default();
        assert!(text.contains(".SH NAME") && text.contains("Examples"), "{page}");
    }
    let said = ended(client(nobody, &["man"])).await.ok();
    assert!(said.out.contains(".TH tallyman"), "{said:?}");
}

#[tokio::test]
async fn whatever_goes_wrong_the_last_line_says_what_to_try() {
    let nobody = &["http://127.0.0.1:1"];
    for (arguments, code, attempt) in [
        (vec!["sumbit", "a.yaml"], 2, "tallyman submit"),
        (vec!["list", "--selctor", "a"], 2, "tallyman list --selector"),
        (vec!["list", "-o", "xml"], 2, "tallyman"),
        (vec!["cancel"], 2, "tallyman cancel NAME"),
        (vec!["wait"], 2, "tallyman wait NAME"),
        (vec!["get", "a/b/c"], 2, "NAMESPACE/NAME"),
        (vec!["get", "risk/a", "-n", "fx"], 2, "risk/a without -n"),
        (vec!["wait", "risk/a", "--for=condition=Nope"], 2, "tallyman"),
        (vec!["audit", "list", "--verb", "bogus"], 2, "tallyman"),
        (vec!["version", "-o", "name"], 2, "-o table"),
        (vec!["bench", "writes", "-o", "name"], 2, "-o table"),
        (vec!["dev", "--submit", "/nowhere.yaml"], 1, "tallyman submit FILE"),
        (vec!["wait", "a", "-l", "b=c"], 2, "select them with -l"),
        (vec!["submit", "/nowhere.yaml"], 1, "tallyman submit FILE"),
        (vec!["list", "--server", "http://"], 2, "TALLYMAN_SERVER="),
        (vec!["list"], 5, "start a server (`tallyman dev`)"),
        (vec!["operator", "status"], 5, "start a server (`tallyman dev`)"),
        (vec!["version"], 5, "start a server (`tallyman dev`)"),
        (vec!["cancel", "a"], 5, "start a server (`tallyman dev`)"),
        (vec!["audit", "verify", "--dir", "/nowhere"], 1, "data directory"),
        (vec!["audit", "export", "/nowhere/x"], 1, "not there yet"),
        (vec!["cluster", "add", "east", "--kubeconfig", "nowhere"], 1, "every replica"),
    ] {
        let said = ended(client(nobody, &arguments)).await;
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        let last = said.attempt();
        assert!(last.starts_with("try: ") && last.contains(attempt), "{arguments:?}: {said:?}");
        assert!(said.err.starts_with("error: "), "{arguments:?}: {said:?}");
    }
}
