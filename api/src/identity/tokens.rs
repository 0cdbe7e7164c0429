//! The tokens file: lines of `token,user,uid,"group1,group2"`, as Kubernetes' static token file has them.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use tallyman_model::Digest;
use tallyman_model::command::Principal;
use thiserror::Error;

/// Bytes of a tokens file.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a tokens file cannot be used. No message quotes a token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The file cannot be read.
    #[error("failed to read the tokens file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line is not as it should be.
    #[error("failed to read line {line} of the tokens file: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Nobody could log in.
    #[error("failed to find a token in the tokens file")]
    Empty,
}

/// Known tokens by their SHA-256. Looking one up takes a time that depends on its digest only, which says nothing
/// about how much of a guess was right.
#[derive(Clone)]
pub struct Tokens(HashMap<Digest, Principal>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    /// [`TokensError`].
    pub fn load(path: &Path) -> Result<Self, TokensError> {
        let read = || {
            if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
            }
            std::fs::read_to_string(path)
        };
        let text = read().map_err(|source| TokensError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads the lines of a tokens file. Empty ones and those that start with `#` are passed over.
    ///
    /// # Errors
    /// [`TokensError`].
    pub fn parse(text: &str) -> Result<Self, TokensError> {
        let mut known = HashMap::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why| TokensError::Line { line: i + 1, why };
            let fields = fields(line).ok_or_else(|| wrong("its quotes are not closed"))?;
            let [token, user, _uid, groups @ ..] = fields.as_slice() else {
                return Err(wrong("write token,user,uid,\"group1,group2\""));
            };
            if token.is_empty() || user.is_empty() {
                return Err(wrong("token and user must not be empty"));
            }
            if super::is_reserved(user) {
                return Err(wrong("that user's name is reserved"));
            }
            let groups = groups.first().map_or("", String::as_str).split(',').map(str::trim);
            let groups = groups.filter(|group| !group.is_empty()).map(str::to_owned).collect();
            let principal = Principal { user: user.clone(), groups, through: None };
            if known.insert(Digest::of(token.as_bytes()), principal).is_some() {
                return Err(wrong("its token is on an earlier line too"));
            }
        }
        if known.is_empty() { Err(TokensError::Empty) } else { Ok(Self(known)) }
    }

    /// Whose token it is.
    #[must_use]
    pub fn principal(&self, token: &str) -> Option<Principal> {
        self.0.get(&Digest::of(token.as_bytes())).cloned()
    }
}

/// The comma-separated fields of a line; quotes keep commas together, and doubled stand for themselves.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                fields.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut()?.push(other),
        }
    }
    (!quoted).then_some(fields)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_file_is_read_as_kubernetes_reads_it() {
        let tokens = Tokens::parse("# people\na,ann,1\n\nb,\"bob, jr\",2,\"x, y\"\n").unwrap();
        assert_eq!(tokens.principal("a").unwrap().groups, Vec::<String>::new());
        let bob = tokens.principal("b").unwrap();
        assert_eq!((bob.user.as_str(), bob.groups), ("bob, jr", vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(tokens.principal("c"), None);
    }

    #[test]
    fn a_wrong_line_is_named_and_its_token_is_not_quoted() {
        for wrong in [
            "",
            "hunter2",
            "hunter2,ann",
            "hunter2,,1",
            ",ann,1",
            "hunter2,\"ann,1",
            "hunter2,system:leader,1",
            "hunter2,a,1\nhunter2,b,2",
        ] {
            let error = Tokens::parse(wrong).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
