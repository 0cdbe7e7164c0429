//! Links to where the logs of a cluster's Pods are read, made of a template.

/// Bytes of a template.
pub const LOG_LINK_BYTES_MAX: usize = 1024;

/// What a template may name.
const FIELDS: [&str; 5] = ["namespace", "pod", "name", "uid", "cluster"];

/// What a link is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// `{cluster}`: the cluster's name.
    pub cluster: &'a str,
    /// `{namespace}`: where the work is on it.
    pub namespace: &'a str,
    /// `{name}`: the name of the attempt's main object there.
    pub name: &'a str,
    /// `{uid}`: its UID there.
    pub uid: &'a str,
    /// `{pod}`: the name of one of its Pods.
    pub pod: &'a str,
}

/// Whether a template can be used.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check(template: &str) -> Result<(), String> {
    let rest = template.strip_prefix("https://").or_else(|| template.strip_prefix("http://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#', '{'])) {
        return Err("must be a URL that begins with https:// or http:// and a host".to_owned());
    }
    if template.len() > LOG_LINK_BYTES_MAX {
        return Err(format!("must have at most {LOG_LINK_BYTES_MAX} bytes"));
    }
    if !template.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\')) {
        return Err("must have only characters that a URL may have".to_owned());
    }
    for (piece, number) in template.split('{').zip(0..) {
        let (field, is_closed) = match piece.split_once('}') {
            Some((field, _)) => (field, true),
            None => (piece, false),
        };
        let is_known = is_closed && FIELDS.contains(&field);
        if (number == 0 && is_closed) || (number > 0 && !is_known) {
            return Err(format!("may have {} in braces, and no other braces", FIELDS.join(", ")));
        }
    }
    Ok(())
}

/// True if there is one link for each Pod.
#[must_use]
pub fn is_of_pods(template: &str) -> bool {
    template.contains("{pod}")
}

/// The link about `subject`; `None` without a template, or where not all that it names is known.
#[must_use]
pub fn link(template: &str, subject: &Subject<'_>) -> Option<String> {
    if template.is_empty() {
        return None;
    }
    let mut link = String::with_capacity(template.len() + 64);
    for (piece, number) in template.split('{').zip(0..) {
        let Some((field, rest)) = piece.split_once('}').filter(|_| number > 0) else {
            link.push_str(piece);
            continue;
        };
        let value = match field {
            "cluster" => subject.cluster,
            "namespace" => subject.namespace,
            "name" => subject.name,
            "uid" => subject.uid,
            _ => subject.pod,
        };
        if value.is_empty() {
            return None;
        }
        encode(&mut link, value);
        link.push_str(rest);
    }
    Some(link)
}

/// Nothing in a name can change what a link means.
fn encode(out: &mut String, text: &str) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> =
        Subject { cluster: "east", namespace: "risk", name: "report", uid: "u-1", pod: "report-x7k2p" };

    #[test]
    fn a_template_is_filled_and_what_is_filled_in_cannot_change_the_link() {
        let template = "https://logs.example.com/{cluster}?q=ns={namespace},pod={pod}#{uid}";
        assert_eq!(check(template), Ok(()));
        assert_eq!(
            link(template, &SUBJECT).as_deref(),
            Some("https://logs.example.com/east?q=ns=risk,pod=report-x7k2p#u-1")
        );
        let odd = Subject { pod: "a/../b?c", ..SUBJECT };
        assert_eq!(link("http://l/{pod}", &odd).as_deref(), Some("http://l/a%2F..%2Fb%3Fc"));
    }

    #[test]
    fn what_is_not_known_makes_no_link() {
        assert_eq!(link("", &SUBJECT), None);
        assert_eq!(link("http://l/{pod}", &Subject { pod: "", ..SUBJECT }), None);
        assert!(is_of_pods("http://l/{pod}") && !is_of_pods("http://l/{name}"));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in [
            "",
            "logs.example.com/{pod}",
            "javascript:alert(1)",
            "https://",
            "https:///{pod}",
            "https://{pod}.example.com",
            "https://l/{secret}",
            "https://l/{pod",
            "https://l/pod}",
            "https://l/{{pod}}",
            "https://l/a b",
            "https://l/\"",
        ] {
            assert!(check(template).is_err(), "{template}");
        }
        assert!(check(&format!("https://l/{}", "a".repeat(LOG_LINK_BYTES_MAX))).is_err());
    }
}
