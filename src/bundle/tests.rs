#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const JOB: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: rates}
data: {a: \"1\"}
---
apiVersion: batch/v1
kind: Job
metadata: {namespace: risk, generateName: nightly-, labels: {desk: rates}}
spec: {template: {}}
---
";

fn read(text: &str) -> Result<Bundle, Failure> {
    Bundle::read(text, "f.yaml", Given::default())
}

#[test]
fn bare_manifests_become_one_runnable_named_after_their_main_object() {
    let bundle = read(JOB).unwrap();
    assert_eq!(bundle.namespace, "risk");
    assert_eq!(bundle.kinds(), "Job + ConfigMap");
    assert_eq!(
        bundle.document["metadata"],
        json!({"namespace": "risk", "generateName": "nightly-", "labels": {"desk": "rates"}})
    );
    assert_eq!(bundle.document["spec"]["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn a_runnable_is_sent_as_it_is() {
    let text = "{apiVersion: tallyman.dev/v1, kind: Runnable, metadata: {name: a, namespace: x}, spec: {manifests: []}}";
    let bundle = read(text).unwrap();
    assert_eq!(bundle.namespace, "x");
    assert_eq!(bundle.document, serde_saphyr::from_str::<Value>(text).unwrap());
}

#[test]
fn what_is_nested_too_deep_is_refused_in_words() {
    for deep in ["[".repeat(100), format!("{}1{}", "[".repeat(100), "]".repeat(100))] {
        let why = read(&format!("spec: {deep}")).unwrap_err().message;
        assert_eq!(why, "f.yaml cannot be submitted: it is nested more than 64 deep");
    }
}

#[test]
fn a_list_is_its_items_and_equal_kinds_are_counted() {
    let text = "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap}, {apiVersion: v1, kind: ConfigMap}, \
                {apiVersion: batch/v1, kind: Job, metadata: {name: j}}]}";
    let bundle = read(text).unwrap();
    assert_eq!((bundle.kinds().as_str(), bundle.namespace.as_str()), ("Job + 2 ConfigMaps", "default"));
}

#[test]
fn the_command_line_fills_in_and_never_overrides() {
    let given = Given { namespace: Some("risk"), cluster: Some("east") };
    let bundle = Bundle::read(JOB, "f.yaml", given).unwrap();
    assert_eq!(bundle.document["spec"]["placement"], json!({"clusters": ["east"]}));
    let other = Given { namespace: Some("fx"), cluster: None };
    assert!(Bundle::read(JOB, "f.yaml", other).unwrap_err().message.contains("\"risk\""));
}

#[test]
fn what_cannot_be_one_runnable_is_refused_with_what_would_be_right() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\n";
    for (text, why) in [
        ("", "it is empty"),
        ("a: [", "not YAML or JSON"),
        ("just words", "not a manifest"),
        ("apiVersion: v1\nkind: ConfigMap\n", "runs to completion"),
        (&format!("{job}---\n{job}"), "spec.main"),
        (&format!("{job}---\napiVersion: tallyman.dev/v1\nkind: Runnable\n"), "mixes Runnables"),
    ] {
        let failure = read(text).unwrap_err();
        assert!(failure.message.contains(why), "{text:?}: {}", failure.message);
        assert_eq!(failure.exit, Exit::Failed);
    }
}

#[test]
fn several_runnables_in_a_file_are_several() {
    let one = "apiVersion: tallyman.dev/v1\nkind: Runnable\nmetadata: {namespace: x, name: a}\nspec: {manifests: []}\n";
    let text = format!("{one}---\n{}", one.replace("name: a", "generateName: b-"));
    let bundles = Bundle::read_all(&text, "f.yaml", Given::default()).unwrap();
    assert_eq!(bundles.iter().map(Bundle::title).collect::<Vec<_>>(), ["x/a", "x/b-*"]);
    assert!(read(&text).is_err());
}

#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let text = "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {mode: 0644, ten: 010, tty: yes, \
                quoted: \"010\", decimal: 10, hex: 0x1F, new: 0o17, nine: 9}}";
    let bundle = read(text).unwrap();
    assert_eq!(
        bundle.document["spec"]["manifests"][0]["spec"],
        json!({"mode": 420, "ten": 8, "tty": true, "quoted": "010", "decimal": 10, "hex": 31, "new": 15, "nine": 9})
    );
}
