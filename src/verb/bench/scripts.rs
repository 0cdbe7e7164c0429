//! What the clients of each workload ask.

use crate::client::request;
use std::sync::Arc;
use tallyman_chaos::load::{Answer, Script, Shot};

/// The operation that submits.
pub(super) const WRITE: &str = "write";
/// The operation that reads.
pub(super) const READ: &str = "read";
/// The annotation with when a submission was sent, in µs since the load began.
pub(super) const SENT: &str = "\"bench.tallyman.dev/sent-us\":\"";
/// Whose approval is asked for: what is submitted is held, and no cluster is measured.
const GROUP: &str = "bench";

/// Makes submissions of a given length.
#[derive(Clone)]
pub(super) struct Writer {
    namespace: Arc<str>,
    path: Arc<str>,
    bytes: usize,
    /// The beginning of all names of one load.
    prefix: Arc<str>,
}

impl Writer {
    /// `uid` is of this load only, so that its names are new.
    pub(super) fn new(namespace: &str, bytes: u64, uid: &str) -> Self {
        Self {
            namespace: namespace.into(),
            path: request::runnables(Some(namespace)).into(),
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            prefix: format!("bench-{}", uid.get(..8).unwrap_or(uid)).into(),
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of one submission of one client.
    pub(super) fn name(&self, client: impl std::fmt::Display, number: u64) -> String {
        format!("{}-{client}-{number}", self.prefix)
    }

    /// A submission, padded to its length; one that needs more is not cut.
    pub(super) fn body(&self, name: &str, sent_us: &str) -> String {
        self.padded(name, "", sent_us)
    }

    /// The same with labels, given as the inside of their JSON.
    pub(super) fn labelled(&self, name: &str, labels: &str) -> String {
        self.padded(name, &format!("\"labels\":{{{labels}}},"), "")
    }

    fn padded(&self, name: &str, labels: &str, sent_us: &str) -> String {
        let body = |pad: &str| {
            format!(
                "{{\"apiVersion\":\"tallyman.dev/v1\",\"kind\":\"Runnable\",\"metadata\":{{\"name\":\"{name}\",{labels}\
                 \"annotations\":{{{SENT}{sent_us}\",\"pad\":\"{pad}\"}}}},\"spec\":{{\"approvals\":{{\"required\":1,\"groups\":[\"{GROUP}\"]}},\"manifests\":[{{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":\
                 {{\"generateName\":\"b-\"}},\"spec\":{{\"template\":{{\"spec\":{{\"restartPolicy\":\"Never\",\
                 \"containers\":[{{\"name\":\"main\",\"image\":\"busybox\"}}]}}}}}}}}]}}}}"
            )
        };
        let bare = body("");
        body(&"x".repeat(self.bytes.saturating_sub(bare.len())))
    }

    fn shot(&self, target: usize, name: &str, sent_us: &str) -> Shot {
        let body = Some(self.body(name, sent_us).into());
        Shot { operation: WRITE, target, path: self.path.to_string(), body }
    }
}

/// Submits.
pub(super) struct Writes {
    writer: Writer,
    client: usize,
    number: u64,
}

impl Writes {
    pub(super) fn new(writer: Writer, client: usize) -> Self {
        Self { writer, client, number: 0 }
    }

    /// The next submission, marked with when it is sent.
    pub(super) fn stamped(&mut self, sent_us: &str) -> Shot {
        self.number += 1;
        let name = self.writer.name(self.client, self.number);
        self.writer.shot(self.client, &name, sent_us)
    }
}

impl Script for Writes {
    fn next(&mut self) -> Shot {
        self.stamped("")
    }
}

/// Reads what was written before.
pub(super) struct Reads {
    paths: Vec<String>,
    client: usize,
    number: usize,
}

impl Reads {
    pub(super) fn new(paths: Vec<String>, client: usize) -> Self {
        Self { paths, client, number: client }
    }
}

impl Script for Reads {
    fn next(&mut self) -> Shot {
        self.number = self.number.wrapping_add(1);
        let path = self.paths.get(self.number % self.paths.len().max(1)).cloned().unwrap_or_default();
        Shot { operation: READ, target: self.client, path, body: None }
    }
}

/// Submits, and reads its own last submission on another server, with the token of the answer.
pub(super) struct Mixed {
    writes: Writes,
    /// Of 100 requests.
    write_share: u64,
    asked: u64,
    /// The name and the token of the last one.
    last: Option<(String, u64)>,
}

impl Mixed {
    pub(super) fn new(writer: Writer, client: usize, write_share: u64) -> Self {
        Self { writes: Writes::new(writer, client), write_share, asked: 0, last: None }
    }
}

impl Script for Mixed {
    fn next(&mut self) -> Shot {
        let before = self.asked * self.write_share / 100;
        self.asked += 1;
        match &self.last {
            Some((name, token)) if self.asked * self.write_share / 100 == before => {
                let path = request::runnable(self.writes.writer.namespace(), name);
                let path = format!("{path}?resourceVersionMatch=NotOlderThan&resourceVersion={token}");
                Shot { operation: READ, target: self.writes.client + 1, path, body: None }
            }
            _ => self.writes.next(),
        }
    }

    fn answered(&mut self, shot: &Shot, answer: &Answer) {
        if shot.operation == WRITE
            && let Some(revision) = answer.revision.filter(|_| answer.is_ok())
        {
            self.last = Some((self.writes.writer.name(self.writes.client, self.writes.number), revision));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_has_the_length_that_was_asked_for_and_is_json() {
        let writer = Writer::new("bench", 512, "0123456789");
        let body = writer.body(&writer.name(7, 12_345), "17");
        assert_eq!(body.len(), 512);
        let read: Option<serde_json::Value> = serde_json::from_str(&body).ok();
        let name = read.and_then(|read| Some(read.pointer("/metadata/name")?.as_str()?.to_owned()));
        assert_eq!(name.as_deref(), Some("bench-01234567-7-12345"));
    }

    #[test]
    fn a_mixed_client_reads_its_own_last_write_elsewhere() {
        let mut mixed = Mixed::new(Writer::new("bench", 512, "0123456789"), 4, 20);
        let mut operations = Vec::new();
        for number in 0..11 {
            let shot = mixed.next();
            operations.push(shot.operation);
            let read = shot.path.ends_with("NotOlderThan&resourceVersion=9") && shot.target == 5;
            assert!(shot.operation == WRITE || read, "{number}: {shot:?}");
            mixed.answered(&shot, &Answer { status: 201, revision: Some(9), bytes: 0 });
        }
        let writes: Vec<usize> = (0..11).filter(|at| operations[*at] == WRITE).collect();
        assert_eq!(writes, [0, 4, 9]);
    }
}
