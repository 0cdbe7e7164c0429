//! What may stand in which source file.

use crate::tree::{files, is_test, without_tests};

/// A text that may stand only in the files whose path starts with one of these.
struct Seam {
    text: &'static str,
    allowed: &'static [&'static str],
}

const SEAMS: [Seam; 14] = [
    Seam { text: "SystemTime::now", allowed: &["src/env.rs"] },
    Seam { text: "std::time::Instant", allowed: &["src/", "store/src/"] },
    Seam { text: "Timestamp::now", allowed: &["chaos/src/clock.rs"] },
    Seam { text: "getrandom::", allowed: &["src/env.rs", "chaos/src/entropy.rs"] },
    Seam { text: "rand::", allowed: &[] },
    Seam { text: "env::var", allowed: &["src/"] },
    Seam { text: "process::Command", allowed: &["src/", "cluster/src/plugins/run.rs"] },
    Seam { text: "thread::sleep", allowed: &[] },
    Seam {
        text: "thread::Builder",
        allowed: &["store/src/", "raft/src/aside.rs", "raft/src/state_adapter.rs"],
    },
    Seam {
        text: "tokio::spawn",
        allowed: &["raft/src/", "cluster/src/", "leader/src/", "api/src/", "chaos/src/", "src/"],
    },
    Seam { text: "unbounded_channel", allowed: &[] },
    Seam { text: "process::exit", allowed: &["src/"] },
    Seam { text: "Config::infer", allowed: &[] },
    Seam { text: "axum::serve", allowed: &[] },
];

#[test]
fn clock_entropy_environment_and_processes_are_reached_through_the_seams_only() {
    for file in files(&[".rs"]).iter().filter(|file| !is_test(&file.path)) {
        let code = code_of(without_tests(&file.text));
        for seam in &SEAMS {
            let allowed = seam.allowed.iter().any(|start| file.path.starts_with(start));
            assert!(allowed || !code.contains(seam.text), "{}: {} is not for here", file.path, seam.text);
        }
    }
}

#[test]
fn the_model_is_pure() {
    for file in files(&[".rs"]).iter().filter(|file| file.path.starts_with("model/src/")) {
        let code = code_of(without_tests(&file.text));
        for word in
            ["async ", "await", "tokio", "tracing", "HashMap", "HashSet", "std::fs", "std::net", "f32", "f64"]
        {
            assert!(!code.contains(word), "{}: {word} is not for the model", file.path);
        }
    }
}

#[test]
fn modules_are_named_files_and_nothing_is_a_drawer() {
    for file in files(&[".rs"]) {
        let name = file.path.rsplit('/').next().unwrap();
        assert!(name != "mod.rs", "{}: name the module's file", file.path);
        for drawer in ["common", "utils", "util", "helpers", "misc"] {
            assert!(
                !file.path.split(['/', '.']).any(|part| part == drawer),
                "{}: {drawer} holds anything",
                file.path
            );
        }
    }
}

#[test]
fn the_state_machine_and_the_settings_that_lose_data_are_where_they_were_put() {
    let raft: String = files(&[".rs"])
        .into_iter()
        .filter(|file| file.path.starts_with("raft/src/"))
        .map(|file| file.text)
        .collect();
    assert!(raft.contains("enable_leader_restore"), "a restarted leader must not resume its lease");
    let cluster: String = files(&[".rs"])
        .into_iter()
        .filter(|file| file.path.starts_with("cluster/src/"))
        .map(|file| file.text)
        .collect();
    assert!(cluster.contains("default_retry = false"), "kube must not repeat a create by itself");
}

/// The code without its comments.
fn code_of(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
