//! Which crate may use which.

use crate::tree::root;
use std::collections::BTreeMap;
use std::fs;
use toml::{Table, Value};

/// The whole allow-list: an edge that is not here needs a reason in ARCHITECTURE.md, in the same change.
const EDGES: [(&str, &[&str]); 8] = [
    ("model", &[]),
    ("store", &["model"]),
    ("raft", &["model", "store"]),
    ("cluster", &["model"]),
    ("leader", &["model", "raft", "cluster"]),
    ("api", &["model", "raft"]),
    ("chaos", &["model"]),
    (".", &["model", "store", "raft", "cluster", "leader", "api", "chaos"]),
];

/// A heavy dependency has one home, and its types do not leak from there.
const HOMES: [(&str, &[&str]); 12] = [
    ("sled", &["store"]),
    ("bincode", &["store"]),
    ("openraft", &["raft"]),
    ("openraft-rt", &["raft"]),
    ("openraft-rt-tokio", &["raft"]),
    ("kube", &["cluster"]),
    ("k8s-openapi", &["cluster"]),
    // The simulated clusters are servers of their own.
    ("axum", &["api", "chaos"]),
    ("clap", &["."]),
    ("anyhow", &["."]),
    ("roaring", &["model"]),
    ("regex", &["model"]),
];

fn dependencies(folder: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: Table = text.parse().unwrap();
    manifest
        .get("dependencies")
        .and_then(Value::as_table)
        .map_or_else(Vec::new, |all| all.keys().cloned().collect())
}

#[test]
fn crates_depend_only_along_the_allowed_edges() {
    for (folder, allowed) in EDGES {
        for dependency in dependencies(folder) {
            if let Some(name) = dependency.strip_prefix("tallyman-") {
                assert!(allowed.contains(&name), "{folder} may not depend on {name}");
            }
        }
    }
}

#[test]
fn a_heavy_dependency_has_one_home() {
    let homes: BTreeMap<_, _> = HOMES.into_iter().collect();
    for (folder, _) in EDGES {
        for dependency in dependencies(folder) {
            if let Some(allowed) = homes.get(dependency.as_str()) {
                assert!(allowed.contains(&folder), "{dependency} lives in {allowed:?}, not in {folder}");
            }
        }
    }
}

#[test]
fn every_version_stands_in_the_root_and_what_must_be_pinned_is() {
    for (folder, _) in EDGES {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let manifest: Table = text.parse().unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            for (name, spec) in manifest.get(section).and_then(Value::as_table).into_iter().flatten() {
                let inherited = spec.get("workspace").and_then(Value::as_bool) == Some(true);
                assert!(inherited, "{folder}: {name} must inherit its version from the root");
            }
        }
        assert!(folder == "." || manifest.contains_key("lints"), "{folder} must inherit the lints");
    }
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: Table = text.parse().unwrap();
    let versions = manifest["workspace"]["dependencies"].as_table().unwrap();
    for name in ["sled", "bincode", "openraft", "openraft-rt", "openraft-rt-tokio", "openraft-macros"] {
        let spec = &versions[name];
        let version = spec.as_str().or_else(|| spec.get("version")?.as_str()).unwrap();
        assert!(version.starts_with('='), "{name} must be pinned exactly");
    }
}
