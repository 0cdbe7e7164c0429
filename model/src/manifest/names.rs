//! What Kubernetes calls things: each function says in words what is wrong with a text.

/// A DNS label: 1 to 63 of `a-z 0-9 -`, not starting or ending with `-`.
///
/// # Errors
/// What is wrong.
pub fn label(text: &str) -> Result<(), String> {
    let ends =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let inner = bytes.iter().all(|&byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if bytes.is_empty() || bytes.len() > 63 {
        return Err("must have 1 to 63 characters".to_owned());
    }
    if !inner || !ends(bytes.first()) || !ends(bytes.last()) {
        return Err(
            "must be lower-case letters, digits and '-', and start and end with a letter or digit".to_owned()
        );
    }
    Ok(())
}

/// What the main object `name` of a run is called in its attempt `number`.
#[must_use]
pub fn of_attempt(name: &str, number: u32) -> String {
    if number > 1 { format!("{name}-a{number}") } else { name.to_owned() }
}

/// A DNS subdomain: labels joined by dots, at most `bytes_max` characters.
///
/// # Errors
/// What is wrong.
pub fn subdomain(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.is_empty() || text.len() > bytes_max {
        return Err(format!("must have 1 to {bytes_max} characters, has {}", text.len()));
    }
    text.split('.').try_for_each(label)
}

/// The start of a generated name: what may stand before five more characters.
///
/// # Errors
/// What is wrong.
pub fn prefix(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    subdomain(&format!("{text}xxxxx"), bytes_max)
}

/// A label's or annotation's key: `[subdomain/]name`.
///
/// # Errors
/// What is wrong.
pub fn label_key(text: &str) -> Result<(), String> {
    let name = match text.split_once('/') {
        Some((domain, name)) => {
            subdomain(domain, 253)?;
            name
        }
        None => text,
    };
    if name.is_empty() {
        return Err("must not be empty".to_owned());
    }
    label_value(name)
}

/// A label's value: at most 63 of `A-Z a-z 0-9 - _ .`, starting and ending with a letter or digit.
///
/// # Errors
/// What is wrong.
pub fn label_value(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let inner = bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if bytes.len() > 63 || !inner || !ends(bytes.first()) || !ends(bytes.last()) {
        return Err("must be at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
            .to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kubernetes_judges_them() {
        assert!(subdomain("a.b-c.d1", 253).is_ok());
        for wrong in ["", "A", "a..b", "-a", "a-", "a_b", "a b", &"a".repeat(64)] {
            assert!(subdomain(wrong, 253).is_err(), "{wrong}");
        }
        assert!(label_key("example.com/Name_1").is_ok());
        for wrong in ["", "/a", "a/", "a/b/c", "-a", "a b"] {
            assert!(label_key(wrong).is_err(), "{wrong}");
        }
        assert!(label_value("").is_ok() && label_value("V1.2_x").is_ok() && label_value("x-").is_err());
        assert!(
            prefix("nightly-", 63).is_ok() && prefix("", 63).is_err() && prefix(&"a".repeat(60), 63).is_err()
        );
    }
}
