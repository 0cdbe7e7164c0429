//! Where two forms of an object differ, field by field.

use crate::limits::{DIFFERENCE_BYTES_MAX, DIFFERENCES_MAX, POINTER_BYTES_MAX};
use crate::record::{Difference, Differences};
use serde_json::{Map, Value};

/// Where what is there differs from what was applied. Only fields that were applied count: those that others set
/// beside ours, defaults and the status do not.
#[must_use]
pub fn departures(applied: &Value, observed: &Value) -> Differences {
    let mut differ = Differ { both_ways: false, found: Differences::default() };
    differ.objects(applied, observed);
    differ.found
}

/// Where what is wanted differs from what was applied, in any field: `before` of each difference is what was applied.
#[must_use]
pub fn changes(applied: &Value, wanted: &Value) -> Differences {
    let mut differ = Differ { both_ways: true, found: Differences::default() };
    differ.objects(applied, wanted);
    differ.found
}

/// What names an object, and what its bytes hold of Secrets, is not compared.
fn is_left_out(pointer: &str) -> bool {
    const LEFT_OUT: [&str; 6] = [
        "/apiVersion",
        "/kind",
        "/metadata/name",
        "/metadata/namespace",
        "/metadata/uid",
        "/metadata/resourceVersion",
    ];
    LEFT_OUT.contains(&pointer)
}

struct Differ {
    /// Fields that only the second has count, too.
    both_ways: bool,
    found: Differences,
}

impl Differ {
    fn objects(&mut self, before: &Value, after: &Value) {
        // Secrets are not taken; should one be, nothing of it is told.
        if before.get("kind").is_none_or(|kind| kind != "Secret") {
            self.values(&mut String::new(), Some(before), Some(after));
        }
    }

    fn values(&mut self, pointer: &mut String, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.maps(pointer, before, after),
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(pointer, before, after),
            _ => self.leaf(pointer, before, after),
        }
    }

    fn maps(&mut self, pointer: &mut String, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (name, value) in before {
            self.within(pointer, name, Some(value), after.get(name));
        }
        let is_new = |name: &String| self.both_ways && !before.contains_key(name);
        for (name, value) in after.iter().filter(|(name, _)| is_new(name)).collect::<Vec<_>>() {
            self.within(pointer, name, None, Some(value));
        }
    }

    /// Items that name themselves are compared by that name, others by their place.
    fn lists(&mut self, pointer: &mut String, before: &[Value], after: &[Value]) {
        if !before.iter().chain(after).all(Value::is_object) {
            return self.leaf(pointer, Some(&Value::from(before)), Some(&Value::from(after)));
        }
        let key = key_of(before);
        for (at, item) in before.iter().enumerate() {
            let same = match key {
                Some(key) => after.iter().find(|other| other.get(key) == item.get(key)),
                None => after.get(at),
            };
            self.within(pointer, &at.to_string(), Some(item), same);
        }
        if !self.both_ways {
            return;
        }
        for (at, item) in after.iter().enumerate() {
            let is_known = match key {
                Some(key) => before.iter().any(|other| other.get(key) == item.get(key)),
                None => at < before.len(),
            };
            if !is_known {
                self.within(pointer, &at.to_string(), None, Some(item));
            }
        }
    }

    fn within(&mut self, pointer: &mut String, step: &str, before: Option<&Value>, after: Option<&Value>) {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        if !is_left_out(pointer) {
            self.values(pointer, before, after);
        }
        pointer.truncate(length);
    }

    fn leaf(&mut self, pointer: &str, before: Option<&Value>, after: Option<&Value>) {
        // A field that is null is not there.
        let [before, after] = [before, after].map(|value| value.filter(|value| !value.is_null()));
        if before == after {
            return;
        }
        if self.found.fields.len() >= DIFFERENCES_MAX {
            self.found.more = self.found.more.saturating_add(1);
            return;
        }
        let mut pointer = pointer.to_owned();
        super::truncate_to(&mut pointer, POINTER_BYTES_MAX);
        let [before, after] = [before, after].map(|value| value.map(text));
        self.found.fields.push(Difference { pointer, before, after, admitted: false });
    }
}

/// What tells the items of a list apart, as Kubernetes does it for the lists of its own kinds.
fn key_of(items: &[Value]) -> Option<&'static str> {
    const KEYS: [&str; 8] =
        ["name", "key", "containerPort", "port", "mountPath", "ip", "type", "topologyKey"];
    let tells_apart = |key: &&str| {
        let values: Vec<_> = items.iter().filter_map(|item| item.get(*key)).collect();
        let differ = |(at, value): (usize, &&Value)| values.iter().take(at).all(|other| other != value);
        values.len() == items.len() && values.iter().enumerate().all(differ)
    };
    KEYS.into_iter().find(tells_apart)
}

/// As JSON, cut where it is long.
fn text(value: &Value) -> String {
    let mut text = value.to_string();
    if text.len() > DIFFERENCE_BYTES_MAX {
        super::truncate_to(&mut text, DIFFERENCE_BYTES_MAX);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(found: &Differences) -> Vec<(&str, Option<&str>, Option<&str>)> {
        found
            .fields
            .iter()
            .map(|one| (one.pointer.as_str(), one.before.as_deref(), one.after.as_deref()))
            .collect()
    }

    #[test]
    fn only_what_was_applied_is_looked_for_in_what_is_there() {
        let applied = json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "a/b": "2"}});
        let observed =
            json!({"metadata": {"name": "b", "uid": "u"}, "data": {"x": "3", "y": "4"}, "status": {}});
        let expected = [("/data/a~1b", Some("\"2\""), None), ("/data/x", Some("\"1\""), Some("\"3\""))];
        let mut found = departures(&applied, &observed);
        found.fields.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        assert_eq!(told(&found), expected);
        assert_eq!(departures(&applied, &applied), Differences::default());
    }

    #[test]
    fn items_of_lists_are_compared_by_their_names() {
        let (main, side) = (json!({"name": "main", "image": "i"}), json!({"name": "side", "image": "s"}));
        let applied = json!({"containers": [main], "args": ["a", "b"]});
        let observed = json!({"containers": [side, {"name": "main", "image": "j"}], "args": ["a"]});
        let found = departures(&applied, &observed);
        let pointers: Vec<&str> = found.fields.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(pointers.len(), 2, "{found:?}");
        assert!(pointers.contains(&"/containers/0/image") && pointers.contains(&"/args"));
    }

    #[test]
    fn what_is_wanted_is_compared_both_ways() {
        let (applied, wanted) = (json!({"data": {"x": "1"}}), json!({"data": {"y": "2"}}));
        let expected = [("/data/x", Some("\"1\""), None), ("/data/y", None, Some("\"2\""))];
        assert_eq!(told(&changes(&applied, &wanted)), expected);
    }

    #[test]
    fn many_and_long_values_are_cut_and_counted_and_a_secret_is_not_told() {
        let wide: Map<String, Value> =
            (0..100).map(|at| (at.to_string(), json!("x".repeat(10_000)))).collect();
        let found = departures(&json!({ "data": wide }), &json!({}));
        assert_eq!(found.fields.len(), 1, "what is gone is one difference");
        assert!(found.fields[0].before.as_ref().is_some_and(|text| text.len() <= DIFFERENCE_BYTES_MAX + 3));
        let found = departures(&json!({ "data": wide }), &json!({"data": {}}));
        assert_eq!((found.fields.len(), found.more), (DIFFERENCES_MAX, 100 - DIFFERENCES_MAX as u32));
        let secret = json!({"kind": "Secret", "data": {"a": "b"}});
        assert_eq!(departures(&secret, &json!({})), Differences::default());
    }
}
