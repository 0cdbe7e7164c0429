//! Label selectors in Kubernetes' grammar: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What a label must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// One of these.
    In(Vec<String>),
    /// Absent, or none of these.
    NotIn(Vec<String>),
    /// Present.
    Exists,
    /// Absent.
    Absent,
}

/// Tests that must all hold; none: everything matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector(pub Vec<(String, Test)>);

/// Terms of one selector.
const TERMS_MAX: usize = 64;

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// Which term is wrong and what would be right, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        for term in split(text)? {
            if terms.len() == TERMS_MAX {
                return Err(format!("at most {TERMS_MAX} terms"));
            }
            terms.push(parse_term(term.trim())?);
        }
        Ok(Self(terms))
    }

    /// True if labels pass all tests.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|(key, test)| match (test, labels.get(key)) {
            (Test::In(values), Some(value)) => values.contains(value),
            (Test::NotIn(values), Some(value)) => !values.contains(value),
            (Test::Exists, found) => found.is_some(),
            (Test::Absent, found) => found.is_none(),
            (Test::In(_), None) => false,
            (Test::NotIn(_), None) => true,
        })
    }
}

/// The one-line form, as kube-apiservers take it, too.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, test)) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "," })?;
            match test {
                Test::In(values) => write!(f, "{key} in ({})", values.join(","))?,
                Test::NotIn(values) => write!(f, "{key} notin ({})", values.join(","))?,
                Test::Exists => f.write_str(key)?,
                Test::Absent => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

/// Cuts at commas outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut terms, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (i, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                terms.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
        if !(0..=1).contains(&depth) {
            return Err(format!("unbalanced parentheses in {text:?}"));
        }
    }
    if depth != 0 {
        return Err(format!("unbalanced parentheses in {text:?}"));
    }
    if !text.trim().is_empty() {
        terms.push(&text[start..]);
    }
    Ok(terms)
}

fn parse_term(term: &str) -> Result<(String, Test), String> {
    if let Some(key) = term.strip_prefix('!') {
        return Ok((key_of(key)?, Test::Absent));
    }
    for (sign, negative) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = term.split_once(sign) {
            let values = vec![value_of(value)?];
            return Ok((key_of(key)?, if negative { Test::NotIn(values) } else { Test::In(values) }));
        }
    }
    for (word, negative) in [(" notin ", true), (" in ", false), (" notin(", true), (" in(", false)] {
        if let Some((key, _)) = term.split_once(word) {
            let open = term.find('(').ok_or_else(|| format!("{term:?}: values stand in parentheses"))?;
            let inner = term[open + 1..].strip_suffix(')');
            let inner = inner.ok_or_else(|| format!("{term:?}: values stand in parentheses"))?;
            let values = inner.split(',').map(value_of).collect::<Result<Vec<_>, _>>()?;
            return Ok((key_of(key)?, if negative { Test::NotIn(values) } else { Test::In(values) }));
        }
    }
    Ok((key_of(term)?, Test::Exists))
}

fn key_of(text: &str) -> Result<String, String> {
    let key = text.trim();
    crate::manifest::names::label_key(key).map_err(|why| format!("{key:?} is not a label key: {why}"))?;
    Ok(key.to_owned())
}

fn value_of(text: &str) -> Result<String, String> {
    let value = text.trim();
    crate::manifest::names::label_value(value)
        .map_err(|why| format!("{value:?} is not a label value: {why}"))?;
    Ok(value.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Selector::parse(selector).unwrap().matches(&labels)
    }

    #[test]
    fn every_operator_means_what_it_means_in_kubernetes() {
        let labels = [("desk", "rates"), ("tier", "1")];
        for yes in
            ["", "desk=rates", "desk==rates,tier", "desk!=fx", "other!=x", "desk in (fx, rates)", "!other"]
        {
            assert!(matches(yes, &labels), "{yes}");
        }
        for no in
            ["desk=fx", "desk!=rates", "desk notin (rates)", "desk in (fx)", "!desk", "other", "other in (a)"]
        {
            assert!(!matches(no, &labels), "{no}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_words() {
        for wrong in ["=", "a=b,,c", "a in b", "a in (b", "-a=b", "a=b c", "a in (b))"] {
            assert!(Selector::parse(wrong).is_err(), "{wrong}");
        }
    }
}
