//! What drills of a cluster have in common: Jobs are submitted to it while it does not take them, and counted when it did.

use super::Bite;
use crate::client::{Client, Request, request, text};
use crate::dev::control::Fault;
use crate::drill::book::Acked;
use crate::drill::load::KEY;
use crate::drill::stage::Stage;
use crate::exit::{Exit, Failure};
use crate::output::items;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tallyman_chaos::RUN_FOR;

/// Jobs that are submitted.
const RUNS: usize = 20;
/// Other writes that are seen to be acknowledged meanwhile.
const WRITES_MEANWHILE: usize = 100;
/// More than there are Jobs of one drill.
const PAGE_MAX: u32 = 500;

pub(super) async fn act(
    stage: &Stage<'_>,
    how: &str,
    fault: impl Fn(Vec<String>) -> Fault,
) -> Result<Bite, Failure> {
    let (name, server) = cluster(stage)?;
    let cluster = Client::plain(vec![server])?;
    let lease = stage.lease(fault(vec![name.clone()])).await?;
    stage.say(&format!("{name} {how}"));
    for number in 0..RUNS {
        submit(stage, &name, number).await?;
    }
    stage.say(&format!("{RUNS} Jobs for {name} are acknowledged"));
    stage.progress(WRITES_MEANWHILE).await?;
    let early = phases(stage).await?.iter().filter(|phase| has_arrived(phase)).count();
    stage.heal(lease).await?;
    stage
        .until("all Jobs have succeeded", async || {
            let phases = phases(stage).await.ok()?;
            (phases.len() == RUNS && phases.iter().all(|phase| phase == "Succeeded")).then_some(())
        })
        .await?;
    let namespace = &stage.load.namespace();
    let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
    let there = cluster.read(&Request::get(path).query("limit", PAGE_MAX)).await?;
    let names = items(&there.body).into_iter().map(|job| text(job, "/metadata/name").to_owned());
    let astray = astray(names);
    stage.findings().astray = Some(astray);
    stage.say(&format!("all have succeeded; {astray} of them are not on {name} exactly once"));
    Ok(match early {
        0 => Bite::Seen,
        early => Bite::NotSeen(format!("{early} Jobs got to {name} meanwhile")),
    })
}

/// Name and server of a simulated cluster.
fn cluster(stage: &Stage<'_>) -> Result<(String, String), Failure> {
    let dir = stage.group.control.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let written = std::fs::read(dir.join("dev.json")).unwrap_or_default();
    let file: Value = serde_json::from_slice(&written).unwrap_or_default();
    let mut clusters = file.get("clusters").and_then(Value::as_array).into_iter().flatten();
    let found = clusters.find(|cluster| cluster.get("simulated") == Some(&Value::Bool(true)));
    let found = found.map(|cluster| (text(cluster, "/name").to_owned(), text(cluster, "/server").to_owned()));
    found.ok_or_else(|| {
        Failure::new(Exit::Failed, "there is no simulated cluster here", "tallyman dev --clusters 2")
    })
}

async fn submit(stage: &Stage<'_>, cluster: &str, number: usize) -> Result<(), Failure> {
    let (key, name) = (format!("run-{number}"), job(number));
    let body = json!({
        "apiVersion": "tallyman.dev/v1", "kind": "Runnable",
        "metadata": {"generateName": "drill-run-", "labels": {KEY: key}},
        "spec": {"placement": {"clusters": [cluster]}, "manifests": [{
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "annotations": {RUN_FOR: "10ms"}},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}],
            }}},
        }]},
    });
    let namespace = stage.load.namespace();
    let request = Request::send(Method::POST, request::runnables(Some(namespace)), &body);
    let request = request.keyed(Some(&format!("{namespace}-{key}")));
    let answer = stage.client.change(request, "tallyman drill run").await?;
    let (name, uid) = (answer.text("/metadata/name").to_owned(), answer.text("/metadata/uid").to_owned());
    let at_ms = stage.load.now_ms();
    stage.load.book().submitted += 1;
    stage.load.book().acked.push(Acked { key, name, uid, revision: answer.revision(), at_ms });
    Ok(())
}

fn job(number: usize) -> String {
    format!("drill-{number}")
}

/// The phases of the Jobs' runs.
async fn phases(stage: &Stage<'_>) -> Result<Vec<String>, Failure> {
    let all: Vec<String> = (0..RUNS).map(|number| format!("run-{number}")).collect();
    let request = Request::get(request::runnables(Some(stage.load.namespace())))
        .query("limit", PAGE_MAX)
        .query("labelSelector", format!("{KEY} in ({})", all.join(",")));
    let answer = stage.client.read(&request).await?;
    Ok(items(&answer.body).into_iter().map(|run| text(run, "/status/phase").to_owned()).collect())
}

/// True for a phase in which a cluster has taken a run.
fn has_arrived(phase: &str) -> bool {
    matches!(phase, "Pending" | "Running" | "Stopping" | "Succeeded" | "Failed" | "Cancelled")
}

/// How many of the Jobs are not there exactly once.
fn astray(names: impl Iterator<Item = String>) -> u64 {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    // Another name would be a second attempt, or nobody's.
    let missing = (0..RUNS).filter(|number| counts.remove(&job(*number)) != Some(1)).count();
    (missing + counts.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_is_missing_is_there_twice_or_has_another_name_is_astray() {
        let all = || (0..RUNS).map(job);
        assert_eq!(astray(all()), 0);
        assert_eq!(astray(all().skip(1)), 1);
        assert_eq!(astray(all().chain([job(3)])), 1);
        assert_eq!(astray(all().chain(["drill-3-a2".to_owned()])), 1);
    }
}
