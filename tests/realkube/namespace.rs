//! Namespaces that go, are going, or are not there.

use crate::stage::{on_east, run, within};
use serde_json::json;

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_namespace_deleted_under_a_run_is_not_held_up_and_the_run_says_what_happened() {
    on_east(async |stage| {
        let here = "leaving";
        stage.east.namespace(here).await;
        for name in ["one", "two"] {
            stage.submit(here, &run(name, "east", "1h")).await;
        }
        stage.until_phase(here, "one", "Running").await;
        stage.until_phase(here, "two", "Running").await;
        stage.east.kubectl(&["delete", "namespace", here, "--wait=false"]).await;
        for name in ["one", "two"] {
            let run = stage.until_phase(here, name, "Failed").await;
            run.is("Failed", "ObjectGone", &[&format!("Job {here}/{name}"), "east", "deleted"]);
        }
        within("the namespace is gone", async || {
            let found = stage.east.kubectl(&["get", "namespace", here, "--ignore-not-found"]).await;
            found.trim().is_empty().then_some(())
        })
        .await;
        for name in ["one", "two"] {
            stage.delete(here, name).await;
            stage.until_gone(here, name).await;
        }
    });
}

#[test]
#[ignore = "needs Go: see CONTRIBUTING.md"]
fn a_run_waits_in_words_for_a_namespace_that_is_going_or_not_there() {
    on_east(async |stage| {
        let here = "coming";
        stage.east.namespace(here).await;
        // Something of somebody else keeps it from going.
        stage.east.kubectl(&["create", "configmap", "kept", "-n", here]).await;
        let keep = json!({"metadata": {"finalizers": ["example.com/keep"]}});
        stage.east.merge(here, "configmap", "kept", &keep).await;
        stage.east.kubectl(&["delete", "namespace", here, "--wait=false"]).await;
        stage.submit(here, &run("late", "east", "1s")).await;
        let said =
            |words: &'static str| move |run: &crate::stage::Run| run.condition("Created").contains(words);
        stage.until_run(here, "late", "is refused", said("is being terminated")).await;
        let release = json!({"metadata": {"finalizers": null}});
        stage.east.merge(here, "configmap", "kept", &release).await;
        let run = stage.until_run(here, "late", "has no namespace", said("NamespaceMissing")).await;
        assert!(run.condition("Created").starts_with("False"), "{}", run.condition("Created"));
        assert!(run.message().contains(here), "{}", run.message());
        stage.east.kubectl(&["create", "namespace", here]).await;
        stage.until_phase(here, "late", "Succeeded").await;
    });
}
