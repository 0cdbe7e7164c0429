//! Templates as `kubectl -o jsonpath=` takes them: text, quoted text, paths, and ranges over them.

use serde_json::Value;
use std::iter::Peekable;
use std::str::Chars;

/// How deep `..` looks.
const DEPTH_MAX: usize = 64;

/// A template, ready to be filled in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Path(Vec<Step>),
    Range(Vec<Step>, Vec<Part>),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// The whole document, wherever the path stands.
    Root,
    Field(String),
    Index(i64),
    Slice(Option<i64>, Option<i64>),
    All,
    /// Everything below, itself included.
    Below,
    Filter(Vec<Step>, Option<(Comparison, Value)>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// Reads a template; a bare path, as `.metadata.name`, may do without braces.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn parse(template: &str) -> Result<Self, String> {
        if template.is_empty() {
            return Err("the template is empty: write jsonpath='{.metadata.name}'".to_owned());
        }
        let whole = if template.contains('{') { template.to_owned() } else { format!("{{{template}}}") };
        let mut open: Vec<(Vec<Step>, Vec<Part>)> = Vec::new();
        let mut parts = Vec::new();
        let mut rest = whole.as_str();
        while let Some(start) = rest.find('{') {
            let (text, behind) = rest.split_at(start);
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            let end = closing(behind).ok_or("a { has no }")?;
            let inside = behind.get(1..end).unwrap_or_default().trim();
            rest = behind.get(end + 1..).unwrap_or_default();
            if let Some(path) = inside.strip_prefix("range ") {
                open.push((steps(path)?, std::mem::take(&mut parts)));
            } else if inside == "end" {
                let (path, before) = open.pop().ok_or("{end} without {range}")?;
                let inner = std::mem::replace(&mut parts, before);
                parts.push(Part::Range(path, inner));
            } else if inside.starts_with(['"', '\'']) {
                parts.push(Part::Text(quoted(inside)?));
            } else {
                parts.push(Part::Path(steps(inside)?));
            }
        }
        if !open.is_empty() {
            return Err("{range} without {end}".to_owned());
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The template filled in from a document. What is not there is left out.
    pub(crate) fn fill(&self, document: &Value) -> String {
        let mut out = String::new();
        write(&self.0, document, document, &mut out);
        out
    }
}

fn write(parts: &[Part], root: &Value, at: &Value, out: &mut String) {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Path(path) => {
                let found: Vec<String> = pick(path, root, at).into_iter().map(plain).collect();
                out.push_str(&found.join(" "));
            }
            Part::Range(path, inner) => {
                for value in pick(path, root, at) {
                    write(inner, root, value, out);
                }
            }
        }
    }
}

/// A string as it is, everything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn pick<'a>(path: &[Step], root: &'a Value, at: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![at];
    for step in path {
        found = found.into_iter().flat_map(|value| next(step, root, value)).collect();
    }
    found
}

fn next<'a>(step: &Step, root: &'a Value, at: &'a Value) -> Vec<&'a Value> {
    let place = |index: i64, length: usize| {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        usize::try_from(if index < 0 { length + index } else { index }.clamp(0, length)).unwrap_or_default()
    };
    match (step, at) {
        (Step::Root, _) => vec![root],
        (Step::Field(name), Value::Object(map)) => map.get(name).into_iter().collect(),
        (Step::Index(index), Value::Array(items)) => {
            let index = if *index < 0 { *index + i64::try_from(items.len()).unwrap_or(0) } else { *index };
            usize::try_from(index).ok().and_then(|index| items.get(index)).into_iter().collect()
        }
        (Step::Slice(from, to), Value::Array(items)) => {
            let from = place(from.unwrap_or(0), items.len());
            let to = place(to.unwrap_or(i64::MAX), items.len());
            items.get(from..to.max(from)).unwrap_or_default().iter().collect()
        }
        (Step::All, Value::Array(items)) => items.iter().collect(),
        (Step::All, Value::Object(map)) => map.values().collect(),
        (Step::Below, _) => {
            let mut all = Vec::new();
            below(at, DEPTH_MAX, &mut all);
            all
        }
        (Step::Filter(path, test), Value::Array(items)) => {
            items.iter().filter(|item| holds(path, test.as_ref(), root, item)).collect()
        }
        _ => Vec::new(),
    }
}

fn below<'a>(at: &'a Value, depth: usize, all: &mut Vec<&'a Value>) {
    all.push(at);
    if depth == 0 {
        return;
    }
    match at {
        Value::Array(items) => items.iter().for_each(|item| below(item, depth - 1, all)),
        Value::Object(map) => map.values().for_each(|item| below(item, depth - 1, all)),
        _ => {}
    }
}

fn holds(path: &[Step], test: Option<&(Comparison, Value)>, root: &Value, item: &Value) -> bool {
    let found = pick(path, root, item);
    let Some((comparison, wanted)) = test else { return !found.is_empty() };
    found.first().is_some_and(|value| {
        let order = match (value.as_f64(), wanted.as_f64()) {
            (Some(one), Some(other)) => one.partial_cmp(&other),
            _ => Some(plain(value).cmp(&plain(wanted))),
        };
        order.is_some_and(|order| match comparison {
            Comparison::Equal => order.is_eq(),
            Comparison::Unequal => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        })
    })
}

/// Where the brace that is opened first is closed; braces in quotes do not count.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            _ if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

/// Text in quotes, with `\n`, `\t` and escaped quotes.
fn quoted(text: &str) -> Result<String, String> {
    let mut letters = text.chars();
    let open = letters.next();
    let mut out = String::new();
    loop {
        match letters.next() {
            None => return Err(format!("{text} is not closed")),
            letter if letter == open => break,
            Some('\\') => out.push(match letters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(other) => other,
                None => return Err(format!("{text} is not closed")),
            }),
            Some(letter) => out.push(letter),
        }
    }
    if letters.next().is_some() {
        return Err(format!("something follows {text}"));
    }
    Ok(out)
}

/// A path, as `.items[*].metadata.name`.
fn steps(text: &str) -> Result<Vec<Step>, String> {
    let text = text.trim();
    let mut steps = Vec::new();
    let mut letters = text.chars().peekable();
    match letters.peek() {
        Some('$') => {
            letters.next();
            steps.push(Step::Root);
        }
        Some('@') => {
            letters.next();
        }
        Some('.' | '[') => {}
        _ => return Err(format!("{text:?} is not a path: write {{.metadata.name}}")),
    }
    while let Some(letter) = letters.next() {
        match letter {
            '.' if letters.peek() == Some(&'.') => steps.push(Step::Below),
            '.' => match letters.peek() {
                None | Some('[') => {}
                Some('*') => {
                    letters.next();
                    steps.push(Step::All);
                }
                Some(_) => steps.push(Step::Field(field(&mut letters))),
            },
            '[' => steps.push(bracket(&inside(&mut letters)?)?),
            other => return Err(format!("{other:?} is not expected in {text:?}")),
        }
    }
    Ok(steps)
}

/// A name up to the next dot or bracket; `\.` is a dot in it.
fn field(letters: &mut Peekable<Chars<'_>>) -> String {
    let mut name = String::new();
    while let Some(&letter) = letters.peek() {
        match letter {
            '.' | '[' => break,
            '\\' => {
                letters.next();
                name.extend(letters.next());
            }
            _ => name.extend(letters.next()),
        }
    }
    name
}

/// What stands up to the closing bracket, brackets and quotes inside included.
fn inside(letters: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let (mut text, mut depth, mut quote) = (String::new(), 0_usize, None);
    for letter in letters {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Ok(text),
            (None, ']') => depth -= 1,
            _ => {}
        }
        text.push(letter);
    }
    Err("a [ has no ]".to_owned())
}

fn bracket(text: &str) -> Result<Step, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(Step::All);
    }
    if text.starts_with(['"', '\'']) {
        return quoted(text).map(Step::Field);
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        return test(filter);
    }
    let number = |text: &str| {
        text.trim().parse::<i64>().map_err(|_| format!("[{text}] is not a number, a slice or a filter"))
    };
    match text.split_once(':') {
        Some((from, to)) => {
            let part = |text: &str| if text.trim().is_empty() { Ok(None) } else { number(text).map(Some) };
            Ok(Step::Slice(part(from)?, part(to)?))
        }
        None => number(text).map(Step::Index),
    }
}

/// A filter, as `@.type=="Finished"`.
fn test(text: &str) -> Result<Step, String> {
    let signs = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let found = signs.iter().find_map(|(sign, comparison)| Some((text.split_once(sign)?, *comparison)));
    let Some(((path, wanted), comparison)) = found else { return Ok(Step::Filter(steps(text)?, None)) };
    let wanted = wanted.trim();
    let value = if wanted.starts_with(['"', '\'']) {
        Value::String(quoted(wanted)?)
    } else {
        serde_json::from_str(wanted).map_err(|_| format!("{wanted:?} is not a value to compare with"))?
    };
    Ok(Step::Filter(steps(path)?, Some((comparison, value))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn fill(template: &str) -> String {
        let run = |name: &str, phase: &str, tries: u32| {
            json!({"metadata": {"name": name, "labels": {"example.com/desk": "rates"}}, "status": {
                "phase": phase, "tries": tries, "conditions": [
                    {"type": "Placed", "status": "True"}, {"type": "Finished", "status": "False"}]}})
        };
        let list = json!({"kind": "List", "items": [run("a", "Running", 1), run("b", "Failed", 3)]});
        JsonPath::parse(template).unwrap().fill(&list)
    }

    #[test]
    fn templates_are_filled_in_as_kubectl_does() {
        for (template, filled) in [
            (".kind", "List"),
            ("{.kind}", "List"),
            ("{.items[*].metadata.name}", "a b"),
            ("{.items[0].metadata.name}", "a"),
            ("{.items[-1:].metadata.name}", "b"),
            ("{.items[0:1].metadata.name}", "a"),
            (
                "{range .items[*]}{.metadata.name}{\"\\t\"}{.status.phase}{\"\\n\"}{end}",
                "a\tRunning\nb\tFailed\n",
            ),
            ("{.items[?(@.status.phase==\"Failed\")].metadata.name}", "b"),
            ("{.items[?(@.status.tries<2)].metadata.name}", "a"),
            ("{.items[0].status.conditions[?(@.type=='Finished')].status}", "False"),
            ("{.items[0].metadata.labels.example\\.com/desk}", "rates"),
            ("{.items[0].metadata.labels['example.com/desk']}", "rates"),
            ("{..name}", "a b"),
            ("phase: {.items[1].status.phase}!", "phase: Failed!"),
            ("{range .items[*]}{$.kind} {end}", "List List "),
            ("{.items[0].status.tries}", "1"),
            ("{.nothing.here}", ""),
            ("{.items[7]}", ""),
        ] {
            assert_eq!(fill(template), filled, "{template}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_in_words() {
        for wrong in
            ["", "{.a", "{range .a}", "{end}", "{.a[}", "{.a[x]}", "name", "{\"a}", "{.a[?(@.b==x)]}"]
        {
            assert!(JsonPath::parse(wrong).is_err(), "{wrong}");
        }
    }
}
