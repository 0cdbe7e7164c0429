//! Places in manifests for the values that a run is given: `$[allocations.NAME]`, which is part of a string, or
//! `"$[allocations.NAME.number]"`, a whole string that becomes a number. Of a block of integers `NAME.first` and
//! `NAME.last` stand for its ends.
//!
//! Neither Kubernetes, which expands `$(NAME)`, nor Argo, which expands `{{name}}`, nor a shell reads `$[`.

const OPEN: &str = "$[allocations.";
const NUMBER: &str = ".number";
/// Fencing tokens are known only when an attempt is placed.
const LOCKS: &str = "$[locks.";

/// One place.
struct Place<'a> {
    /// What stands before it.
    before: &'a str,
    name: &'a str,
    end: Option<End>,
    is_number: bool,
    /// What follows.
    rest: &'a str,
}

#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

impl End {
    /// Which end of its value a place is for, and what is left of its name.
    fn of(name: &str) -> (&str, Option<Self>) {
        match (name.strip_suffix(".first"), name.strip_suffix(".last")) {
            (Some(name), _) => (name, Some(Self::First)),
            (_, Some(name)) => (name, Some(Self::Last)),
            _ => (name, None),
        }
    }

    /// That end of a block of integers.
    fn of_value(self, value: &str) -> Option<&str> {
        let (first, last) = value.split_once('-').unwrap_or((value, value));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(first) && is_number(last)).then_some(match self {
            Self::First => first,
            Self::Last => last,
        })
    }
}

/// The first place in `text`, or what is wrong with it.
fn first(text: &str) -> Option<Result<Place<'_>, String>> {
    let (before, behind) = text.split_once(OPEN)?;
    let Some((inside, rest)) = behind.split_once(']').filter(|(inside, _)| !inside.contains('"')) else {
        return Some(Err(format!("{OPEN} is not closed by a bracket")));
    };
    let Some(name) = inside.strip_suffix(NUMBER) else {
        let (name, end) = End::of(inside);
        return Some(Ok(Place { before, name, end, is_number: false, rest }));
    };
    let (name, end) = End::of(name);
    // The quotes go with it. One behind a backslash is of a text inside of the string.
    let whole = before.strip_suffix('"').filter(|before| !before.ends_with('\\')).zip(rest.strip_prefix('"'));
    Some(match whole.filter(|(_, rest)| !rest.starts_with(':')) {
        Some((before, rest)) => Ok(Place { before, name, end, is_number: true, rest }),
        None => Err(format!("{OPEN}{inside}] stands for a number: it must be all of a value")),
    })
}

/// True if there is a place in the JSON of a manifest.
#[must_use]
pub(crate) fn is_in(manifest: &[u8]) -> bool {
    std::str::from_utf8(manifest).is_ok_and(|text| text.contains(OPEN))
}

/// The JSON of a manifest with `value` in each place.
///
/// # Errors
/// What is wrong with one of the places: it has no value, or is to be a number and is none.
pub(crate) fn resolve<'a>(
    manifest: &[u8],
    value: impl Fn(&str) -> Option<&'a str>,
) -> Result<Vec<u8>, String> {
    let mut text = std::str::from_utf8(manifest).map_err(|_| "is no text".to_owned())?;
    let mut resolved = String::with_capacity(text.len());
    while let Some(place) = first(text) {
        let Place { before, name, end, is_number, rest } = place?;
        let Some(value) = value(name) else {
            return Err(format!("{OPEN}{name}] is not declared: spec.allocations has none of that name"));
        };
        let part = end.map_or(Some(value), |end| end.of_value(value));
        let Some(value) = part else {
            return Err(format!(
                "{OPEN}{name}] is {value}, which is no block of integers: it has no first and last"
            ));
        };
        if is_number && !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("{OPEN}{name}{NUMBER}] would be {value}, which is no number"));
        }
        resolved.push_str(before);
        resolved.push_str(value);
        text = rest;
    }
    resolved.push_str(text);
    Ok(resolved.into_bytes())
}

/// Checks the places of a manifest whose run declares allocations of these names.
///
/// # Errors
/// What is wrong with one.
pub(super) fn check(manifest: &[u8], declared: &[&str]) -> Result<(), String> {
    if std::str::from_utf8(manifest).is_ok_and(|text| text.contains(LOCKS)) {
        return Err(format!(
            "{LOCKS}...] is not served: a fencing token is known only when the run is placed; it is the label and \
             annotation tallyman.dev/lock.NAME"
        ));
    }
    resolve(manifest, |name| declared.contains(&name).then_some("0")).map(|_| ())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn resolved(text: &str) -> Result<String, String> {
        let values = |name: &str| match name {
            "vlan" => Some("103"),
            "net" => Some("10.0.1.0/24"),
            "ports" => Some("8000-8015"),
            _ => None,
        };
        resolve(text.as_bytes(), values).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn places_are_filled_and_all_else_stays() {
        for (text, wanted) in [
            (r#"{"a":"vlan$[allocations.vlan].$[allocations.net]"}"#, r#"{"a":"vlan103.10.0.1.0/24"}"#),
            (r#"{"a":"$[allocations.vlan]"}"#, r#"{"a":"103"}"#),
            (r#"{"a":["$[allocations.vlan.number]",1]}"#, r#"{"a":[103,1]}"#),
            (r#"{"a":"$[allocations.ports] $[allocations.ports.first]"}"#, r#"{"a":"8000-8015 8000"}"#),
            (r#"{"a":"$[allocations.ports.last.number]"}"#, r#"{"a":8015}"#),
            (r#"{"a":"$[allocations.vlan.last]"}"#, r#"{"a":"103"}"#),
            (
                r#"{"a":"$(allocations.vlan) {{vlan}} ${vlan} $[x]"}"#,
                r#"{"a":"$(allocations.vlan) {{vlan}} ${vlan} $[x]"}"#,
            ),
        ] {
            assert_eq!(resolved(text).unwrap(), wanted);
        }
    }

    #[test]
    fn a_place_that_cannot_be_filled_is_told() {
        for (text, words) in [
            (r#"{"a":"$[allocations.port]"}"#, "is not declared"),
            (r#"{"a":"$[allocations.vlan"}"#, "is not closed"),
            (r#"{"a":"x$[allocations.vlan.number]"}"#, "all of a value"),
            (r#"{"$[allocations.vlan.number]":1}"#, "all of a value"),
            (r#"{"a":"{\"b\":\"$[allocations.vlan.number]\"}"}"#, "all of a value"),
            (r#"{"a":"$[allocations.net.number]"}"#, "is no number"),
            (r#"{"a":"$[allocations.ports.number]"}"#, "is no number"),
            (r#"{"a":"$[allocations.net.first]"}"#, "is no block of integers"),
        ] {
            let why = resolved(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
