//! Objects of others, and objects that only look like ours.

use crate::stage::{Run, on_east, run, within};
use serde_json::{Value, json};

const HERE: &str = "strays";

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_name_that_somebody_elses_object_has_ends_the_run_and_says_whose_it_is() {
    on_east(async |stage| {
        let here = "taken";
        stage.east.namespace(here).await;
        stage.east.kubectl(&["create", "job", "job-taken", "--image=any", "-n", here]).await;
        stage.east.kubectl(&["create", "configmap", "map-taken-input", "-n", here]).await;
        for (name, kind, taken) in
            [("job-taken", "Job", "job-taken"), ("map-taken", "ConfigMap", "map-taken-input")]
        {
            let before = stage.east.find(here, kind, taken).await.unwrap();
            let uid = before["metadata"]["uid"].as_str().unwrap();
            stage.submit(here, &run(name, "east", "1s")).await;
            // Other tests kill leaders meanwhile: a create that one of them sent stays in doubt for a minute.
            let is_certain =
                |run: &Run| run.phase() == "Failed" && !run.condition("Created").starts_with("Unknown");
            let run = stage.until_run(here, name, "has failed for certain", is_certain).await;
            run.is("Failed", "NameTaken", &[&format!("{kind} {here}/{taken}"), uid, "east", "not ours"]);
            assert!(run.condition("Created").starts_with("False NameTaken"), "{}", run.condition("Created"));
            stage.delete(here, name).await;
            stage.until_gone(here, name).await;
            let after = stage.east.find(here, kind, taken).await.expect("it is not touched");
            assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
            assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
        }
        assert_eq!(stage.east.jobs_made(here), [].into());
    });
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn what_only_looks_like_ours_is_reported_and_never_touched() {
    on_east(async |stage| {
        stage.east.namespace(HERE).await;
        stage.submit(HERE, &run("real", "east", "1h")).await;
        stage.until_phase(HERE, "real", "Running").await;
        let real = stage.east.find(HERE, "job", "real").await.unwrap();
        // A backup's restored copy: all our marks, and the hold.
        let copy = another(&real, "copy", &real["metadata"]["labels"]["tallyman.dev/group"]);
        let foreign = another(&real, "foreign", &json!("00000000-0000-4000-8000-000000000000"));
        stage.east.apply(&copy).await;
        stage.east.apply(&foreign).await;
        let copied = stage.east.find(HERE, "job", "copy").await.unwrap();
        let strays = within("the copy is reported", async || {
            let strays = stage.cluster("east").await["status"]["strays"].clone();
            strays.as_array()?.iter().any(|stray| stray["name"] == "copy").then_some(strays)
        })
        .await;
        let named = strays.as_array().unwrap().iter().find(|stray| stray["name"] == "copy").unwrap();
        let expected =
            json!({"kind": "Job", "namespace": HERE, "name": "copy", "uid": copied["metadata"]["uid"]});
        assert_eq!(named, &expected);
        let names: Vec<&Value> = strays.as_array().unwrap().iter().map(|stray| &stray["name"]).collect();
        assert!(!names.contains(&&json!("foreign")) && !names.contains(&&json!("real")), "{names:?}");
        // Also the end of the run that it names moves it not.
        stage.delete(HERE, "real").await;
        stage.until_gone(HERE, "real").await;
        for name in ["copy", "foreign"] {
            let alive = stage.east.find(HERE, "job", name).await.expect("it is never touched");
            assert!(alive["metadata"]["deletionTimestamp"].is_null());
            stage.east.merge(HERE, "job", name, &json!({"metadata": {"finalizers": null}})).await;
            stage.east.kubectl(&["delete", "job", name, "-n", HERE]).await;
        }
        within("the all-clear", async || {
            let strays = stage.cluster("east").await["status"]["strays"].clone();
            (!strays.as_array()?.iter().any(|stray| stray["name"] == "copy")).then_some(())
        })
        .await;
    });
}

fn another(real: &Value, name: &str, group: &Value) -> Value {
    let mut labels = real["metadata"]["labels"].clone();
    labels["tallyman.dev/group"] = group.clone();
    let pod = json!({"restartPolicy": "Never", "containers": [{"name": "main", "image": "any"}]});
    let annotations = json!({"simulate.tallyman.dev/duration": "1h"});
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": name, "namespace": HERE, "labels": labels,
            "annotations": real["metadata"]["annotations"], "finalizers": real["metadata"]["finalizers"],
        },
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod}},
    })
}
