//! Paths and queries.

use super::served::Place;
use std::fmt::Write as _;

/// `/apis/GROUP/VERSION/...`, in one namespace or in all. What is in no namespace has an empty one.
pub(super) fn collection(place: &Place<'_>, namespace: Option<&str>) -> String {
    let kind = place.kind;
    let root = if kind.group().is_empty() { "/api" } else { "/apis" };
    let mut path = format!("{root}/{}", kind.api_version());
    if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
        path.push_str("/namespaces/");
        encode(&mut path, namespace);
    }
    path.push('/');
    path.push_str(&place.plural);
    path
}

/// What of a resource that is only read is in a namespace; `root` as `/api/v1`.
pub(super) fn within(root: &str, namespace: &str, resource: &str) -> String {
    let mut path = format!("{root}/namespaces/");
    encode(&mut path, namespace);
    path.push('/');
    path.push_str(resource);
    path
}

/// The path of one object.
pub(super) fn object(place: &Place<'_>, namespace: &str, name: &str) -> String {
    let mut path = collection(place, Some(namespace));
    path.push('/');
    encode(&mut path, name);
    path
}

/// Appends `?key=value&...`; empty values are left out.
pub(super) fn query(path: &mut String, pairs: &[(&str, &str)]) {
    let mut mark = '?';
    for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        path.push(mark);
        path.push_str(key);
        path.push('=');
        encode(path, value);
        mark = '&';
    }
}

/// All but the unreserved characters of RFC 3986 are written as `%XX`.
fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;
    use tallyman_model::record::Kind;

    fn place<'a>(kind: &'a Kind, plural: &'static str) -> Place<'a> {
        Place { kind, plural: Cow::Borrowed(plural) }
    }

    #[test]
    fn paths_follow_group_and_namespace() {
        assert_eq!(collection(&place(&Kind::Job, "jobs"), None), "/apis/batch/v1/jobs");
        assert_eq!(
            collection(&place(&Kind::ConfigMap, "configmaps"), Some("a")),
            "/api/v1/namespaces/a/configmaps"
        );
        assert_eq!(object(&place(&Kind::Job, "jobs"), "a", "b"), "/apis/batch/v1/namespaces/a/jobs/b");
        assert_eq!(object(&place(&Kind::Job, "jobs"), "", "b"), "/apis/batch/v1/jobs/b");
    }

    #[test]
    fn nothing_in_a_name_can_change_the_path() {
        assert_eq!(
            object(&place(&Kind::Job, "jobs"), "a/../b", "c?d#e"),
            "/apis/batch/v1/namespaces/a%2F..%2Fb/jobs/c%3Fd%23e"
        );
        let mut path = String::new();
        query(&mut path, &[("labelSelector", "a/b=c,d"), ("continue", ""), ("limit", "5")]);
        assert_eq!(path, "?labelSelector=a%2Fb%3Dc%2Cd&limit=5");
    }
}
