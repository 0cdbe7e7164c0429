use super::*;
use serde_json::json;

fn status(code: u16, reason: &str, details: serde_json::Value) -> CallError {
    let body = json!({"kind": "Status", "code": code, "reason": reason, "message": "m", "details": details});
    classify(code, None, body.to_string().as_bytes())
}

fn kind_of(error: &CallError) -> Option<RefusedKind> {
    error.refused_kind()
}

#[test]
fn answers_below_500_are_refusals_of_a_kind() {
    let jobs = json!({"kind": "jobs", "name": "a"});
    let cases = [
        (status(409, "AlreadyExists", jobs.clone()), RefusedKind::AlreadyExists),
        (status(409, "Conflict", jobs.clone()), RefusedKind::Conflict),
        (status(404, "NotFound", jobs.clone()), RefusedKind::NotFound),
        (status(404, "NotFound", json!({"kind": "namespaces", "name": "n"})), RefusedKind::NamespaceMissing),
        (status(404, "NotFound", json!({})), RefusedKind::KindMissing),
        (status(403, "Forbidden", jobs.clone()), RefusedKind::Forbidden),
        (
            status(403, "Forbidden", json!({"causes": [{"reason": "NamespaceTerminating"}]})),
            RefusedKind::NamespaceTerminating,
        ),
        (status(401, "Unauthorized", json!(null)), RefusedKind::Unauthorized),
        (status(422, "Invalid", jobs.clone()), RefusedKind::Invalid),
        (status(422, "Invalid", json!({"causes": [{"field": "metadata.uid"}]})), RefusedKind::Conflict),
        (status(413, "RequestEntityTooLarge", json!({})), RefusedKind::TooLarge),
        (status(410, "Expired", json!({})), RefusedKind::Expired),
        (status(410, "Gone", json!({})), RefusedKind::Expired),
        (status(302, "", json!({})), RefusedKind::Other),
    ];
    for (error, kind) in cases {
        assert_eq!(kind_of(&error), Some(kind), "{error}");
    }
}

#[test]
fn plain_text_that_says_404_is_no_proof_that_an_object_is_absent() {
    assert_eq!(kind_of(&classify(404, None, b"404 page not found\n")), Some(RefusedKind::KindMissing));
}

#[test]
fn an_exceeded_quota_is_told_from_a_missing_right() {
    let body = json!({"kind": "Status", "reason": "Forbidden", "message": "pods \"a\" is forbidden: exceeded quota: q"});
    assert_eq!(kind_of(&classify(403, None, body.to_string().as_bytes())), Some(RefusedKind::Quota));
}

#[test]
fn overload_in_plain_text_carries_the_header_and_the_body_counts_without_one() {
    let error = classify(429, Some(7), b"Too many requests, please try again later.\n");
    assert_eq!((kind_of(&error), error.retry_after_s()), (Some(RefusedKind::TooMany), Some(7)));
    assert_eq!(status(429, "TooManyRequests", json!({"retryAfterSeconds": 3})).retry_after_s(), Some(3));
    assert_eq!(classify(429, Some(86_400), b"").retry_after_s(), Some(RETRY_AFTER_S_MAX));
}

#[test]
fn answers_that_can_follow_a_landed_write_prove_nothing() {
    for code in [408, 499, 500, 502, 503, 504] {
        let error = status(code, "ServiceUnavailable", json!({"retryAfterSeconds": 1}));
        assert!(matches!(error, CallError::Unknown { why: Unknown::Status, .. }), "{code}");
        assert_eq!(error.retry_after_s(), Some(1), "{code}");
    }
}

#[test]
fn a_503_marked_as_overload_is_a_refusal() {
    assert_eq!(kind_of(&status(503, "TooManyRequests", json!({}))), Some(RefusedKind::TooMany));
}

#[test]
fn long_and_binary_bodies_become_short_words() {
    let error = classify(400, None, &[b'a'; 100_000]);
    assert!(error.answer().is_some_and(|answer| answer.message.len() == 256));
    assert!(!classify(400, None, b"a\x1b[31m\xff").to_string().contains('\x1b'));
}
