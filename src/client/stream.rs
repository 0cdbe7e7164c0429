//! A watch as it arrives: one JSON document a line.

use crate::exit::{Exit, Failure};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;
use tokio::time::timeout;

/// The longest line of a watch.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A watch, as a server took it.
#[derive(Debug)]
pub(crate) enum Opened {
    /// What has happened since.
    Lines(Lines),
    /// What has happened since that revision is not kept any more.
    Expired,
}

/// The lines of a watch.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The server that they come from.
    pub(crate) place: usize,
    response: reqwest::Response,
    rest: Vec<u8>,
    ready: VecDeque<Value>,
}

impl Lines {
    pub(super) fn new(response: reqwest::Response, place: usize) -> Self {
        Self { place, response, rest: Vec::new(), ready: VecDeque::new() }
    }

    /// The next event; `None` when the stream has ended or broken: who goes on reads anew.
    ///
    /// # Errors
    /// A line that is not JSON, or too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => self.take(&chunk)?,
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.rest.extend_from_slice(chunk);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let event = serde_json::from_slice(&line).map_err(|error| garbled(&error.to_string()))?;
            self.ready.push_back(event);
        }
        if self.rest.len() > LINE_BYTES_MAX {
            return Err(garbled("a line is too long"));
        }
        Ok(())
    }
}

/// How long a server may be silent while it sends.
const SILENT_S_MAX: u64 = 60;

/// Writes a body to a file as it comes.
pub(super) async fn save(mut response: reqwest::Response, file: &mut impl Write) -> Result<(), Failure> {
    let broken = |why: &str| {
        Failure::new(Exit::Failed, format!("the answer broke off: {why}"), "try again, or another server")
    };
    let limit = Duration::from_secs(SILENT_S_MAX);
    loop {
        match timeout(limit, response.chunk()).await {
            Ok(Ok(Some(chunk))) => file.write_all(&chunk).map_err(|error| {
                Failure::new(Exit::Failed, format!("failed to write the file: {error}"), "check the disk")
            })?,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(broken(&super::reason(&error))),
            Err(_) => return Err(broken("nothing came for a minute")),
        }
    }
}

fn garbled(why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the watch cannot be read: {why}"),
        "check that TALLYMAN_SERVER is a Tallyman",
    )
}
