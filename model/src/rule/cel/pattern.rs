//! Patterns of texts: regular expressions whose work grows with the length of the text alone.

use crate::limits::{PATTERN_BYTES_MAX, PATTERN_DEPTH_MAX};
use regex::bytes::{Regex, RegexBuilder};

/// A pattern that was read. It is found anywhere in a text, unless it says otherwise by `^` and `$`; classes such as `\\w`
/// are of ASCII.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// In words: it is none, or would take too much.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text)
            .unicode(false)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .nest_limit(PATTERN_DEPTH_MAX)
            .build();
        match regex {
            Ok(regex) => Ok(Self { text: text.to_owned(), regex }),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err("the pattern takes too much: repeat less in it".to_owned())
            }
            Err(error) => {
                // The last line says what is wrong; those before it show the pattern.
                let words = error.to_string();
                let words = words.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(format!("the pattern cannot be read: {words}"))
            }
        }
    }

    /// True if it is found in `text`.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}
