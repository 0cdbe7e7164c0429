//! Changes of several runnables: those that are named, or those that selectors select after a person has seen how many
//! they are. Each has an outcome of its own; one that is refused does not keep the others from being done.

use crate::client::{Client, text};
use crate::exit::{Exit, Failure};
use crate::output::items;
use crate::runnable::reference;
use crate::screen::{Screen, complain};
use crate::select::{Scope, Select, list};
use serde_json::Value;
use std::io::{BufRead as _, IsTerminal as _};

/// Runnables that selectors select for one command.
const SELECTED_MAX: usize = 1_000;

/// Which ones, for commands that change them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Many {
    /// NAME or NS/NAME
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) select: Select,
    /// Do not ask before changing what selectors select
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// One runnable that is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Of what was selected: another one under the same name is not meant.
    pub(crate) uid: Option<String>,
    /// As what was selected was at that revision.
    pub(crate) revision: Option<String>,
}

impl Target {
    /// `NS/NAME`.
    pub(crate) fn reference(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Many {
    /// The runnables, of what is selected those that `suits` accepts.
    ///
    /// # Errors
    /// Nothing is named or selected, or a person did not agree to what was.
    pub(crate) async fn targets(
        &self,
        client: &Client,
        verb: &str,
        suits: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Target>, Failure> {
        if self.names.is_empty() && !self.select.is_narrow() {
            return Err(Failure::new(
                Exit::Usage,
                format!("nothing says which runs to {verb}"),
                format!("tallyman {verb} NAME, or -l LABELS, or --field-selector FIELDS"),
            ));
        }
        let request = match self.select.scope(&self.names)? {
            Scope::Named(named) => {
                let target = |(namespace, name)| Target { namespace, name, uid: None, revision: None };
                return Ok(named.into_iter().map(target).collect());
            }
            Scope::Selected(request) => request,
        };
        let found = match list(client, &request).await {
            Err(failure) if failure.is_printed() => {
                client.remark("for each run listed:");
                return Ok(vec![self.placeholder()]);
            }
            found => found?,
        };
        let mut runs: Vec<&Value> = items(&found).into_iter().filter(|run| suits(run)).collect();
        if runs.is_empty() {
            let message = format!("nothing that can be {} is selected", past(verb));
            return Err(Failure::new(
                Exit::NotFound,
                message,
                format!("tallyman list{}", self.select.words()),
            ));
        }
        let left = runs.len().saturating_sub(SELECTED_MAX);
        if left > 0 {
            runs.truncate(SELECTED_MAX);
            complain(&format!(
                "{left} more are selected: these are the first {SELECTED_MAX}; repeat it for the others\n"
            ));
        }
        self.agree(verb, &runs)?;
        let target = |run: &&Value| Target {
            namespace: text(run, "/metadata/namespace").to_owned(),
            name: text(run, "/metadata/name").to_owned(),
            uid: Some(text(run, "/metadata/uid").to_owned()),
            revision: Some(text(run, "/metadata/resourceVersion").to_owned()),
        };
        Ok(runs.iter().map(target).collect())
    }

    /// What stands for each of those that are selected, where requests are printed instead of being sent.
    fn placeholder(&self) -> Target {
        let namespace = if self.select.all_namespaces { "NAMESPACE" } else { self.select.place.namespace() };
        Target {
            namespace: namespace.to_owned(),
            name: "NAME".to_owned(),
            uid: Some("UID".to_owned()),
            revision: Some("REVISION".to_owned()),
        }
    }

    fn agree(&self, verb: &str, runs: &[&Value]) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let listed: Vec<String> = runs.iter().map(|run| format!("  {}", reference(run))).collect();
        let question = format!("{verb} these {}?\n{}\n", runs.len(), listed.join("\n"));
        if std::io::stdin().is_terminal() && Screen::stdout().is_terminal {
            complain(&format!("{question}[y/N] "));
            let mut answer = String::new();
            let _ = std::io::stdin().lock().read_line(&mut answer);
            if matches!(answer.trim(), "y" | "Y" | "yes") {
                return Ok(());
            }
        } else {
            complain(&question);
        }
        let repeat = format!("tallyman {verb}{} --yes", self.select.words());
        Err(Failure::new(Exit::Usage, "nothing was changed: it was not agreed to", repeat))
    }
}

/// The outcomes of several changes.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    total: usize,
    failures: Vec<(String, Failure)>,
}

impl Outcomes {
    /// Notes one, and tells at once why it failed if there may be others.
    pub(crate) fn add(&mut self, reference: &str, outcome: Result<(), Failure>) {
        self.total += 1;
        if let Err(failure) = outcome
            && !failure.is_printed()
        {
            self.failures.push((reference.to_owned(), failure));
        }
    }

    /// The failure of all together; its code is that of the gravest.
    ///
    /// # Errors
    /// One of them failed.
    pub(crate) fn conclude(mut self) -> Result<(), Failure> {
        if self.total == 1 || self.failures.is_empty() {
            return self.failures.pop().map_or(Ok(()), |(_, failure)| Err(failure));
        }
        for (reference, failure) in &self.failures {
            complain(&format!("{reference}   {}\n", failure.text().trim_end()));
        }
        let exit = self.failures.iter().map(|(_, failure)| failure.exit).max_by_key(|exit| exit.gravity());
        let (failed, total) = (self.failures.len(), self.total);
        let others = if failed == total { "" } else { "; the others were done" };
        Err(Failure::new(
            exit.unwrap_or(Exit::Failed),
            format!("{failed} of {total} failed{others}"),
            "look at the lines above: each says what to try",
        ))
    }
}

fn past(verb: &str) -> &str {
    match verb {
        "cancel" => "cancelled",
        "retry" => "retried",
        "move" => "moved",
        "delete" => "deleted",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_code_of_several_is_that_of_the_gravest() {
        let mut outcomes = Outcomes::default();
        outcomes.add("risk/a", Ok(()));
        outcomes.add("risk/b", Err(Failure::new(Exit::Conflict, "ended", "x")));
        outcomes.add("risk/c", Err(Failure::new(Exit::Unknown, "unknown", "x")));
        let failure = outcomes.conclude().unwrap_err();
        assert_eq!(
            (failure.exit, failure.message.as_str()),
            (Exit::Unknown, "2 of 3 failed; the others were done")
        );
    }

    #[test]
    fn where_all_failed_no_others_were_done() {
        let mut outcomes = Outcomes::default();
        for _ in 0..3 {
            outcomes.add("risk/a", Err(Failure::new(Exit::Conflict, "ended", "x")));
        }
        assert_eq!(outcomes.conclude().unwrap_err().message, "3 of 3 failed");
    }

    #[test]
    fn one_alone_fails_with_its_own_words() {
        let mut outcomes = Outcomes::default();
        outcomes.add("risk/b", Err(Failure::new(Exit::Conflict, "ended", "x")));
        assert_eq!(outcomes.conclude().unwrap_err().message, "ended");
    }
}
