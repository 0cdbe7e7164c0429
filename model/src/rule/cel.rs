//! Expressions in CEL, the language of Kubernetes' own validation rules: <https://cel.dev>
//!
//! What a status rule needs of it: `object` (or `self`), fields, indexes, `has`, literals, lists, `! - * / % + == != <
//! <= > >= in && || ?:`, `size`, `contains`, `startsWith`, `endsWith`, `matches`, `lowerAscii`, `int`, `string`,
//! `timestamp`, `duration`, and the macros `all`, `exists`, `exists_one`, `filter` and `map`. Numbers are whole: what is
//! made of others depends on who calculates.
//!
//! Expressions and objects come from outside. So both are bounded: how long and how deep an expression is when it is
//! read, and how many steps its evaluation takes, whatever the object is like.

mod eval;
mod expr;
mod parse;
mod pattern;
mod token;
mod value;

use crate::limits;
use eval::{Evaluation, Fault};
use expr::Expr;
use serde_json::Value;
use std::fmt;
use value::Val;

/// An expression that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(Expr);

/// Where an expression is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The character at which it was noticed, from 1.
    pub at: usize,
    /// In words.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: {}", self.at, self.message)
    }
}

impl Program {
    /// Reads an expression.
    ///
    /// # Errors
    /// The first fault found, and where it is.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        parse::parse(text).map(Self)
    }

    /// Whether it holds of `object`. Where a field is missing that it needs, it does not.
    ///
    /// # Errors
    /// In words: it is not a question, it compares what cannot be compared, or it takes too many steps.
    pub fn holds(&self, object: &Value) -> Result<bool, String> {
        match self.evaluate(object) {
            Ok(Val::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("gives {}, not true or false", other.what())),
            Err(Fault::Missing(_)) => Ok(false),
            Err(fault) => Err(fault.to_string()),
        }
    }

    /// The text that it makes of `object`; empty where a field is missing that it needs.
    ///
    /// # Errors
    /// As [`holds`](Self::holds).
    pub fn text(&self, object: &Value) -> Result<String, String> {
        match self.evaluate(object) {
            Ok(Val::Null) | Err(Fault::Missing(_)) => Ok(String::new()),
            Ok(value) => {
                let what = value.what();
                let text = value.text().ok_or_else(|| format!("gives {what}, not a text"))?;
                Ok(text.into_owned())
            }
            Err(fault) => Err(fault.to_string()),
        }
    }

    fn evaluate<'a>(&'a self, object: &'a Value) -> Result<Val<'a>, Fault> {
        Evaluation::of(object, limits::EXPRESSION_STEPS_MAX).value(&self.0)
    }
}

#[cfg(test)]
mod tests;
