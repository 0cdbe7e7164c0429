//! When no server gave an answer that counts: what each of them said last, and what may help.

use super::{Client, NO_ANSWER, NOT_SERVED, NOT_SERVED_HINT};
use crate::exit::{Exit, Failure};

/// What the servers said last, in the order in which they were asked first.
#[derive(Debug, Default)]
pub(super) struct Lost {
    whys: Vec<(String, String)>,
    /// One of them may have done what was asked for.
    pub(super) is_unknown: bool,
    is_printed: bool,
}

impl Lost {
    /// Not lost at all: it was printed.
    pub(super) fn printed() -> Self {
        Self { is_printed: true, ..Self::default() }
    }

    /// Notes what a server said.
    pub(super) fn add(&mut self, server: &str, why: String) {
        match self.whys.iter_mut().find(|(known, _)| known == server) {
            // The last try may have had little time; the first had all that a try gets.
            Some((_, last)) if last.starts_with(NO_ANSWER) && why.starts_with(NO_ANSWER) => {}
            Some((_, last)) => *last = why,
            None => self.whys.push((server.to_owned(), why)),
        }
    }

    pub(super) fn of_read(self, client: &Client) -> Failure {
        self.of(client, "repeat it, or read with --stale, which needs no leader; tallyman operator status")
    }

    pub(super) fn of_change(self, client: &Client, repeat: &str) -> Failure {
        if !self.is_unknown {
            return self.of(client, "nothing was done; repeat it when a server answers");
        }
        let message = format!("the outcome is unknown, it may or may not have been done\n{}", self.words());
        Failure::new(Exit::Unknown, message, format!("{repeat}   (the same key never does it twice)"))
    }

    fn words(&self) -> String {
        let lines: Vec<String> = self.whys.iter().map(|(server, why)| format!("  {server}: {why}")).collect();
        lines.join("\n")
    }

    fn of(self, client: &Client, attempt: &str) -> Failure {
        if self.is_printed {
            return Failure::printed(Exit::Ok);
        }
        let all = |word: &str| self.whys.iter().all(|(_, why)| why.contains(word));
        let hint = if self.whys.iter().any(|(_, why)| why.contains("certificate")) {
            "name the authority that signed the servers' certificates in TALLYMAN_CA_FILE".to_owned()
        } else if all(NOT_SERVED) {
            NOT_SERVED_HINT.to_owned()
        } else if all("connect") {
            let origin = client.origin;
            format!("start a server (`tallyman dev`), or name others in TALLYMAN_SERVER; these are {origin}")
        } else {
            attempt.to_owned()
        };
        Failure::new(
            Exit::Unavailable,
            format!("no server gave an answer that counts\n{}", self.words()),
            hint,
        )
    }
}
