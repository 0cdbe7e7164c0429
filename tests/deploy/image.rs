//! The image, made by `deploy/image`; the Dockerfile makes the same.

use crate::dev::binary;
use crate::kube::{documents, root};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packs the binary that TALLYMAN_BINARY names, or else the one that was built with these tests.
#[allow(clippy::disallowed_methods, reason = "says what is tested")]
pub(crate) fn make(dir: &Path) -> PathBuf {
    let file = dir.join("tallyman.tar");
    let program = std::env::var("TALLYMAN_BINARY").unwrap_or_else(|_| binary().to_owned());
    pack(&file, &program);
    file
}

fn pack(file: &Path, program: &str) {
    let output = Command::new(root().join("deploy/image")).arg(file).arg(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn entry(archive: &Path, name: &str) -> Value {
    let output = Command::new("tar").arg("-xOf").arg(archive).arg(name).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn config(archive: &Path) -> (String, Value) {
    let manifest = entry(archive, "manifest.json");
    let name = manifest[0]["Config"].as_str().unwrap();
    (manifest[0]["RepoTags"][0].as_str().unwrap().to_owned(), entry(archive, name)["config"].clone())
}

#[test]
fn the_image_is_what_the_dockerfile_makes_and_the_manifests_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image.tar");
    // Any program will do here.
    pack(&file, "/bin/true");
    let (tag, config) = config(&file);
    let dockerfile = std::fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let said = |word: &str| {
        let line =
            dockerfile.lines().rev().find_map(|line| line.strip_prefix(word)).unwrap().trim().to_owned();
        serde_json::from_str(&line).unwrap_or(Value::String(line))
    };
    assert_eq!(config["Entrypoint"], said("ENTRYPOINT"));
    assert_eq!(config["Cmd"], said("CMD"));
    assert_eq!(config["User"], said("USER"));
    assert!(dockerfile.contains(&tag), "{tag}");
    assert!(tag.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))), "{tag}");
    for name in ["statefulset.yaml", "init.yaml"] {
        let yaml = std::fs::read_to_string(root().join("deploy/kustomize/base").join(name)).unwrap();
        let pod = &documents(&yaml)[0]["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], json!(tag), "{name}");
        let user =
            format!("{}:{}", pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]);
        assert_eq!(json!(user), config["User"], "{name}");
    }
}

#[test]
fn the_same_binary_gives_the_same_image() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one.tar"), dir.path().join("two.tar"));
    pack(&one, "/bin/true");
    pack(&two, "/bin/true");
    assert!(std::fs::read(one).unwrap() == std::fs::read(two).unwrap());
}
