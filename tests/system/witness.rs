//! Watches the clusters themselves: what was really created there, by UID.

use crate::dev::client;
use futures::StreamExt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// (cluster, submission UID, name)
type Job = (String, String, String);

/// The UIDs of every Job that a cluster ever had.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    seen: Arc<Mutex<BTreeMap<Job, BTreeSet<String>>>>,
}

impl Witness {
    /// Looks at the Jobs of these clusters from now on.
    pub(crate) fn of(clusters: Vec<(String, String)>) -> (Self, Vec<JoinHandle<()>>) {
        let witness = Self::default();
        let tasks = clusters
            .into_iter()
            .map(|(name, server)| {
                let witness = witness.clone();
                tokio::spawn(async move { witness.watch(&name, &server).await })
            })
            .collect();
        (witness, tasks)
    }

    async fn watch(&self, cluster: &str, server: &str) {
        let url = format!("{server}/apis/batch/v1/jobs?watch=true&resourceVersion=0");
        let http = reqwest::Client::builder().build().unwrap_or_else(|_| client());
        let response = http.get(url).send().await.expect("the cluster can be watched");
        let mut body = response.bytes_stream();
        let mut rest = Vec::new();
        while let Some(Ok(chunk)) = body.next().await {
            rest.extend_from_slice(&chunk);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if let Ok(event) = serde_json::from_slice::<Value>(&line) {
                    self.take(cluster, &event["object"]["metadata"]);
                }
            }
        }
    }

    fn take(&self, cluster: &str, metadata: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let submission = text(&metadata["labels"]["tallyman.dev/submission-uid"]);
        if !submission.is_empty() {
            let key = (cluster.to_owned(), submission, text(&metadata["name"]));
            self.seen.lock().unwrap().entry(key).or_default().insert(text(&metadata["uid"]));
        }
    }

    /// How many Jobs were ever created for each submission.
    pub(crate) fn jobs_of(&self) -> BTreeMap<String, usize> {
        let mut jobs = BTreeMap::new();
        for ((_, submission, _), uids) in self.seen.lock().unwrap().iter() {
            *jobs.entry(submission.clone()).or_insert(0) += uids.len();
        }
        jobs
    }
}
