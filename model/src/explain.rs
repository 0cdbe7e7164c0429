//! Errors in words.

use std::error::Error;

/// An error with all that caused it, in one line: what was to be done, the file at fault, what the system said.
#[must_use]
pub fn explain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}
