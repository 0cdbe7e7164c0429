//! The files that the commands name.

/// A run that takes 1 s on a simulated cluster.
const RUN: &str = "\
apiVersion: tallyman.dev/v1
kind: Runnable
metadata: {namespace: risk, name: report, labels: {desk: rates}}
spec:
  placement: {clusters: [east]}
  startBy: 10m
  ttlAfterFinished: 24h
  manifests:
    - apiVersion: v1
      kind: ConfigMap
      metadata: {name: report}
      data: {desk: rates}
    - apiVersion: batch/v1
      kind: Job
      metadata: {name: report, annotations: {simulate.tallyman.dev/run-for: 1s}}
      spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: [date]}]}}}
";

const BAD: &str = "\
apiVersion: tallyman.dev/v1
kind: Runnable
metadata: {namespace: risk, name: bad}
spec:
  colour: red
  attempts: {max: 0}
  manifests:
    - {apiVersion: v1, kind: Secret, metadata: {name: password}}
";

const CLUSTER: &str = "\
apiVersion: tallyman.dev/v1
kind: Cluster
metadata: {name: north, labels: {zone: north}}
spec:
  kubeconfig: {path: /nowhere/north}
  cordoned: true
";

/// Names and contents.
pub(crate) fn files() -> Vec<(&'static str, String)> {
    let long = RUN.replace("name: report", "name: long").replace("run-for: 1s", "run-for: 10m");
    // The first of them is the label; the other is in the spec.
    let editor = "#!/bin/sh\nsed -i '0,/desk: rates/s//desk: edited/' \"$1\"\n";
    let generated = RUN
        .replace("name: report, labels", "generateName: nightly-, labels")
        .replace("name: report, annotations", "generateName: nightly-, annotations");
    vec![
        ("run.yaml", RUN.to_owned()),
        ("relabelled.yaml", RUN.replace("labels: {desk: rates}", "labels: {desk: fx}")),
        ("changed.yaml", RUN.replace("image: busybox", "image: alpine")),
        (
            "metadata.yaml",
            "\
apiVersion: tallyman.dev/v1
kind: Runnable
metadata: {namespace: risk, name: report, annotations: {note: checked}}
"
            .to_owned(),
        ),
        ("generated.yaml", generated),
        ("other.yaml", RUN.replace("name: report", "name: other")),
        ("long.yaml", long),
        ("nowhere.yaml", RUN.replace("[east]", "[nowhere]").replace("name: report", "name: lost")),
        ("bad.yaml", BAD.to_owned()),
        ("cluster.yaml", CLUSTER.to_owned()),
        ("editor.sh", editor.to_owned()),
    ]
}
