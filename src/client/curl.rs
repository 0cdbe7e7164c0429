//! The same request for curl.

use super::Request;
use crate::environment;
use std::path::Path;

/// The longest body that is written as an argument: a kernel takes at most 128 KiB for one.
const ARGUMENT_BYTES_MAX: usize = 64 * 1024;

/// A command line that a shell takes. The token stays in its file.
pub(super) fn command(request: &Request, server: &str, has_token: bool, ca_file: Option<&Path>) -> String {
    let mut parts = vec!["curl -sS".to_owned()];
    if request.query.iter().any(|(name, _)| *name == "watch") {
        parts.push("-N".to_owned());
    }
    if request.method != reqwest::Method::GET {
        parts.push(format!("-X {}", request.method));
    }
    if let Some(file) = ca_file.filter(|_| server.starts_with("https:")) {
        parts.push(format!("--cacert {}", quote(&file.display().to_string())));
    }
    if has_token {
        parts.push(format!("-H \"Authorization: Bearer $(cat \"${}\")\"", environment::TOKEN_FILE));
    }
    for (name, value) in request.headers.iter().filter(|header| !says_nothing(header)) {
        parts.push(format!("-H {}", quote(&format!("{name}: {value}"))));
    }
    let url = quote(&request.url(server));
    match &request.body {
        // JSON has no bare line ends, so no line of it ends the document.
        Some(body) if body.len() > ARGUMENT_BYTES_MAX => {
            parts.extend(["--data-binary @-".to_owned(), url, format!("<<'END'\n{body}\nEND")]);
        }
        Some(body) => parts.extend([format!("--data-binary {}", quote(body)), url]),
        None => parts.push(url),
    }
    parts.join(" ")
}

/// JSON is what there is without asking for it.
fn says_nothing((name, value): &(&str, String)) -> bool {
    *name == "accept" && value == "application/json"
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
            command(&request, "http://127.0.0.1:7001", true, None),
            "curl -sS -X POST -H \"Authorization: Bearer $(cat \"$TALLYMAN_TOKEN_FILE\")\" -H 'content-type: application/json' \
             -H 'idempotency-key: k1' --data-binary '{\"why\":\"it'\\''s late\"}' http://127.0.0.1:7001/apis/x"
        );
    }

    #[test]
    fn a_long_body_is_no_argument() {
        let request = Request::send(reqwest::Method::POST, "/apis/x", &json!({"why": "x".repeat(70_000)}));
        let command = command(&request, "http://127.0.0.1:7001", false, None);
        assert!(command.contains("--data-binary @- http://127.0.0.1:7001/apis/x <<'END'\n{"), "{command}");
        assert!(command.ends_with("}\nEND"));
    }
}
