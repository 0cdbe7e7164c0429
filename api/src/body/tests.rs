#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use axum::http::StatusCode;
use serde_json::json;

fn refused(text: &str, format: Format) -> String {
    let failure = parse(text.as_bytes(), format).unwrap_err();
    assert_eq!(failure.code, StatusCode::BAD_REQUEST);
    failure.message.clone()
}

#[test]
fn json_and_yaml_are_told_apart_when_nothing_says_which_it_is() {
    let expected = json!({"a": [1, "x", true, null], "b": {"c": 1.5}});
    for text in [
        "{\"a\": [1, \"x\", true, null], \"b\": {\"c\": 1.5}}",
        "a: [1, x, true, null]\nb:\n  c: 1.5\n",
        "{a: [1, x, true, null], b: {c: 1.5}}",
    ] {
        assert_eq!(parse(text.as_bytes(), Format::Either).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_line_and_column() {
    let message = refused("{\n  \"a\": }", Format::Json);
    assert!(message.contains("line 2, column 8"), "{message}");
    let message = refused("a: 1\nb: [1, 2\nc: 3\n", Format::Yaml);
    assert!(message.contains("line ") && message.contains("column "), "{message}");
}

#[test]
fn a_second_document_is_refused_in_words() {
    for (text, format) in
        [("{} {}", Format::Json), ("a: 1\n---\nb: 2\n", Format::Yaml), ("{}\n---\n{}", Format::Either)]
    {
        let message = refused(text, format);
        assert!(message.contains("one document"), "{message}");
    }
}

#[test]
fn a_key_twice_is_refused() {
    for (text, format) in [
        ("{\"a\": 1, \"a\": 2}", Format::Json),
        ("a: 1\nb: 2\na: 3\n", Format::Yaml),
        ("{\"a\":1,\"a\":1}", Format::Either),
    ] {
        let message = refused(text, format);
        assert!(message.contains("twice"), "{message}");
    }
}

#[test]
fn what_is_nested_too_deep_is_refused_with_the_bound() {
    let block: String = (0..70).map(|depth| format!("{}a:\n", "  ".repeat(depth))).collect();
    for (text, format) in [
        (format!("{}1{}", "[".repeat(70), "]".repeat(70)), Format::Json),
        (format!("a: {}1{}", "[".repeat(70), "]".repeat(70)), Format::Yaml),
        (format!("a: {}", "[".repeat(10_000)), Format::Yaml),
        (format!("{block}{}b: 1\n", "  ".repeat(70)), Format::Yaml),
    ] {
        let message = refused(&text, format);
        assert!(message.contains("nested more than 64 deep"), "{message}");
    }
}

#[test]
fn an_error_quotes_nothing_of_the_body() {
    for text in
        ["password: [hunter2", "password: hunter2: x", "{\"password\": \"hunter2\" x}", "hunter2: *hunter2"]
    {
        let failure = parse(text.as_bytes(), Format::Either).unwrap_err();
        assert!(!failure.message.contains("hunter2"), "{}", failure.message);
    }
}

#[test]
fn empty_bodies_and_bytes_that_are_no_text_are_refused() {
    assert!(refused("  \n", Format::Either).contains("empty"));
    let failure = parse(b"a: \xff", Format::Either).unwrap_err();
    assert!(failure.message.contains("UTF-8"), "{}", failure.message);
}

#[test]
fn words_that_yaml_1_1_took_for_booleans_stay_words() {
    assert_eq!(
        parse(b"country: no\nflag: true\n", Format::Yaml).unwrap(),
        json!({"country": "no", "flag": true})
    );
}

#[test]
fn aliases_and_anchors_are_served_within_bounds() {
    let text = "base: &b {x: 1}\nother: *b\n";
    assert_eq!(parse(text.as_bytes(), Format::Yaml).unwrap(), json!({"base": {"x": 1}, "other": {"x": 1}}));
}

#[test]
fn a_number_with_a_leading_zero_is_octal_as_kubectl_reads_it() {
    assert_eq!(
        parse(b"defaultMode: 0644\nten: 010\nzero: 0\nquoted: \"010\"\n", Format::Yaml).unwrap(),
        json!({"defaultMode": 420, "ten": 8, "zero": 0, "quoted": "010"})
    );
}
