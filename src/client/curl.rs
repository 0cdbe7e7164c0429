//! The same request for curl.

use super::Request;
use std::path::Path;

/// A command line that a shell takes. The token stays in its file.
pub(super) fn command(
    request: &Request,
    server: &str,
    token: Option<&Path>,
    ca_file: Option<&Path>,
) -> String {
    let mut parts = vec!["curl -sS".to_owned()];
    if request.method != reqwest::Method::GET {
        parts.push(format!("-X {}", request.method));
    }
    if let Some(file) = ca_file.filter(|_| server.starts_with("https:")) {
        parts.push(format!("--cacert {}", quote(&file.display().to_string())));
    }
    if let Some(file) = token {
        parts.push(format!("-H \"Authorization: Bearer $(cat {})\"", quote(&file.display().to_string())));
    }
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != "accept") {
        parts.push(format!("-H {}", quote(&format!("{name}: {value}"))));
    }
    if let Some(body) = &request.body {
        parts.push(format!("--data-binary {}", quote(body)));
    }
    parts.push(quote(&request.url(server)));
    parts.join(" ")
}

/// In single quotes, unless it needs none.
fn quote(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=%".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_reads_as_a_shell_command_without_its_token() {
        let request =
            Request::send(reqwest::Method::POST, "/apis/x", &json!({"why": "it's late"})).with_key("k1");
        assert_eq!(
            command(&request, "http://127.0.0.1:7001", Some(Path::new("/t k")), None),
            "curl -sS -X POST -H \"Authorization: Bearer $(cat '/t k')\" -H 'content-type: application/json' \
             -H 'idempotency-key: k1' --data-binary '{\"why\":\"it'\\''s late\"}' http://127.0.0.1:7001/apis/x"
        );
    }
}
