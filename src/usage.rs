//! A command line that is none: what is wrong with it, and the nearest one that is right.

use crate::exit::{Exit, Failure};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The failure that a refused command line stands for; `None` where help or a version was asked for, which clap prints.
pub(crate) fn failure(error: &clap::Error) -> Option<Failure> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return None;
    }
    let text = error.render().to_string();
    // What follows the first paragraphs is said better in the last line.
    let kept: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.trim_start().starts_with("tip:") && !line.trim().is_empty())
        .collect();
    let message = kept.join("\n");
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    Some(Failure::new(Exit::Usage, message, attempt(error)))
}

fn attempt(error: &clap::Error) -> String {
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue] {
        match error.get(kind) {
            Some(ContextValue::String(one)) => return nearest(error, one),
            Some(ContextValue::Strings(several)) => {
                // The most alike is the last.
                if let Some(one) = several.last() {
                    return nearest(error, one);
                }
            }
            _ => {}
        }
    }
    match usage(error) {
        Some(usage) => usage,
        None => "tallyman --help".to_owned(),
    }
}

/// The word that was meant, behind the command that it was given to.
fn nearest(error: &clap::Error, word: &str) -> String {
    let command = usage(error).unwrap_or_default();
    let path: Vec<&str> = command
        .split_whitespace()
        .take_while(|word| {
            word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-') && !word.starts_with('-')
        })
        .collect();
    let path = if path.is_empty() { "tallyman".to_owned() } else { path.join(" ") };
    format!("{path} {word}   ({path} --help lists all)")
}

/// The usage line, without its heading.
fn usage(error: &clap::Error) -> Option<String> {
    let ContextValue::StyledStr(usage) = error.get(ContextKind::Usage)? else { return None };
    let text = usage.to_string();
    let line = text.lines().next()?.trim();
    Some(line.strip_prefix("Usage:").unwrap_or(line).trim().to_owned()).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    fn refused(line: &str) -> Failure {
        failure(&Cli::try_parse_from(line.split_whitespace()).unwrap_err()).unwrap()
    }

    #[test]
    fn a_wrong_command_line_ends_with_the_nearest_right_one() {
        for (line, message, attempt) in [
            ("tallyman sumbit a.yaml", "sumbit", "tallyman submit"),
            ("tallyman list --selectr a=b", "--selectr", "tallyman list --selector"),
            ("tallyman list -o jsn", "jsonpath=TEMPLATE", "tallyman"),
            ("tallyman get", "NAME", "tallyman get"),
            ("tallyman cluster codron east", "codron", "tallyman cluster cordon"),
            ("tallyman wait a --for=Finnished", "condition=NAME", "tallyman"),
            ("tallyman submit", "FILE", "tallyman submit"),
            ("tallyman cancel a --timeout", "--timeout", "tallyman cancel"),
        ] {
            let failure = refused(line);
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.message.contains(message), "{line}: {failure:?}");
            assert!(failure.attempt.starts_with(attempt), "{line}: {failure:?}");
            assert!(!failure.message.contains("Usage:"), "{line}: {failure:?}");
        }
    }

    #[test]
    fn help_and_version_are_no_failures() {
        for line in ["tallyman --help", "tallyman submit --help", "tallyman --version"] {
            let error = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
            assert_eq!(failure(&error), None, "{line}");
        }
    }
}
