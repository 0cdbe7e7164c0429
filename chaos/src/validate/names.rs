//! Names of objects and labels.

use crate::kind::Kind;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
     '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
pub(super) const LABEL_NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must \
     start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
     validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
pub(super) const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, \
     '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
     '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Checks the name of an object; the error says what is wrong.
pub(super) fn check(kind: &Kind, name: &str) -> Result<(), &'static str> {
    match kind {
        Kind::Namespace if name.len() > 63 => Err("must be no more than 63 characters"),
        Kind::Namespace if !is_dns_label(name) => Err(LABEL),
        _ if name.len() > 253 => Err("must be no more than 253 characters"),
        _ if !name.split('.').all(is_dns_label) => Err(SUBDOMAIN),
        _ => Ok(()),
    }
}

/// Checks a name that is part of a path; the error says what is wrong.
pub(super) fn check_label(name: &str) -> Result<(), &'static str> {
    if is_dns_label(name) { Ok(()) } else { Err(LABEL) }
}

fn is_dns_label(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    is_framed(text, is_plain, |byte| is_plain(byte) || byte == b'-')
}

/// Whether a label, annotation or finalizer may have this name: `[PREFIX/]NAME`.
pub(crate) fn is_label_name(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    let is_prefix_fine =
        prefix.is_none_or(|prefix| prefix.len() <= 253 && prefix.split('.').all(is_dns_label));
    is_prefix_fine && !name.is_empty() && is_label_value(name)
}

/// Whether a label may have this value.
pub(crate) fn is_label_value(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63 && is_framed(text, is_plain, |byte| is_plain(byte) || b"-_.".contains(&byte)))
}

fn is_framed(text: &str, is_edge: impl Fn(u8) -> bool, is_inner: impl Fn(u8) -> bool) -> bool {
    let (first, last) = (text.bytes().next(), text.bytes().last());
    first.is_some_and(&is_edge) && last.is_some_and(&is_edge) && text.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for good in ["a", "a-b.c", "0", "nightly-report-x7k2q"] {
            assert!(check(&Kind::Job, good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", "a/b"] {
            assert!(check(&Kind::Job, bad).is_err(), "{bad}");
        }
        assert!(check(&Kind::Namespace, "a.b").is_err());
    }

    #[test]
    fn labels_follow_kubernetes() {
        assert!(
            is_label_name("tallyman.dev/submission-uid") && is_label_value("") && is_label_value("A_b.c")
        );
        assert!(
            !is_label_name("a/b/c") && !is_label_name("/a") && !is_label_value("-a") && !is_label_name("")
        );
    }
}
