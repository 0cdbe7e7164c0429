//! How the process ends: a code for scripts, and for people what happened and what to try.

use std::error::Error;
use std::process::ExitCode;
use tallyman_model::explain;

/// The exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It was done.
    Ok = 0,
    /// Refused, or failed.
    Failed = 1,
    /// Not a command that this program knows; clap ends with the same code.
    Usage = 2,
    /// There is no such thing.
    NotFound = 3,
    /// It exists already, has ended, or has changed meanwhile.
    Conflict = 4,
    /// No leader, no quorum or no server: nothing was done.
    Unavailable = 5,
    /// Who asks may not do that.
    Forbidden = 6,
    /// It may or may not have been done, or is still waited for.
    Unknown = 7,
    /// The run ended without success.
    Unsuccessful = 8,
}

impl Exit {
    /// Which of several ends is told, where a command did several things: the highest.
    pub(crate) fn gravity(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Unsuccessful => 1,
            Exit::Conflict => 2,
            Exit::NotFound => 3,
            Exit::Failed => 4,
            Exit::Usage => 5,
            Exit::Forbidden => 6,
            Exit::Unavailable => 7,
            // Who does not know must not conclude anything from the others.
            Exit::Unknown => 8,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The code.
    pub(crate) exit: Exit,
    /// What happened, one or more lines.
    pub(crate) message: String,
    /// What to do about it; printed as the last line.
    pub(crate) attempt: String,
}

impl Failure {
    /// `message` is what happened, `attempt` what may help.
    pub(crate) fn new(exit: Exit, message: impl Into<String>, attempt: impl Into<String>) -> Self {
        Self { exit, message: message.into(), attempt: attempt.into() }
    }

    /// An error with all that caused it.
    pub(crate) fn of(error: &dyn Error, attempt: &str) -> Self {
        Self::new(Exit::Failed, explain(error), attempt)
    }

    /// Ends the process at once and silently: all that was asked for has been printed.
    pub(crate) fn printed(exit: Exit) -> Self {
        Self::new(exit, "", "")
    }

    /// There is nothing to tell: all that was asked for has been printed.
    pub(crate) fn is_printed(&self) -> bool {
        self.message.is_empty()
    }

    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        match (self.message.is_empty(), self.attempt.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!("error: {}\n", self.message),
            (false, false) => format!("error: {}\ntry: {}\n", self.message, self.attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_the_published_one() {
        let all = [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Conflict,
            Exit::Unavailable,
            Exit::Forbidden,
            Exit::Unknown,
            Exit::Unsuccessful,
        ];
        assert_eq!(all.map(|exit| exit as u8), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_failure_ends_with_one_line_that_says_what_to_try() {
        let failure = Failure::new(Exit::NotFound, "no such run", "tallyman list");
        assert_eq!(failure.text(), "error: no such run\ntry: tallyman list\n");
        assert_eq!(Failure::printed(Exit::Ok).text(), "");
    }
}
