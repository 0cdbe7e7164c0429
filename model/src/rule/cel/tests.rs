#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn spark() -> Value {
    json!({
        "metadata": {"name": "pi", "labels": {"desk.example.com/team": "rates"}, "generation": 3},
        "spec": {"executor": {"instances": 2}, "share": 0.5},
        "status": {
            "applicationState": {"state": "COMPLETED", "errorMessage": ""},
            "executorState": {"e-1": "COMPLETED", "e-2": "FAILED"},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "AllFine"},
                {"type": "Failed", "status": "False"},
            ],
            "attempts": 2, "empty": null, "list": [1, 2, 3],
        },
    })
}

fn holds(expression: &str) -> Result<bool, String> {
    Program::parse(expression).map_err(|error| error.to_string())?.holds(&spark())
}

#[test]
fn what_status_rules_ask_is_answered() {
    for expression in [
        "object.status.applicationState.state == 'COMPLETED'",
        "self.status.applicationState.state in [\"COMPLETED\", 'FAILED']",
        "object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
        "!object.status.conditions.exists(c, c.type == 'Failed' && c.status == 'True')",
        "object.status.conditions.all(c, has(c.status)) && !has(object.status.nothing)",
        "object.status.conditions.exists_one(c, has(c.reason))",
        "object.status.conditions.filter(c, c.status == 'True').size() == 1",
        "object.status.conditions.map(c, c.type) == ['Ready', 'Failed']",
        "object.status.executorState.exists(name, object.status.executorState[name] == 'FAILED')",
        "object.metadata.labels['desk.example.com/team'] == r'rates'",
        "'desk.example.com/team' in object.metadata.labels",
        "object.status.attempts >= 2 && object.status.attempts < 1 + 2 * 3 - 4 / 2",
        "object.status.list[1] == 2 && size(object.status.list) % 2 == 1 && -1 < 0",
        "object.spec.executor.instances == 2 ? true : false",
        "object.status.applicationState.state.lowerAscii().startsWith('comp')",
        "object.status.applicationState.state.contains('PLET') && 'abc'.endsWith('c')",
        "string(object.status.attempts) == '2' && int('7') == 0x7",
        "object.status.empty == null && object.spec != object.status",
        "object.status.missing.field == 1 || object.status.attempts == 2",
        "!(object.status.missing == 1 && false)",
    ] {
        assert_eq!(holds(expression), Ok(true), "{expression}");
    }
}

#[test]
fn what_is_missing_holds_not_and_has_no_text() {
    for expression in [
        "object.nothing == 'a'",
        "!object.nothing",
        "object.status.empty.x == 1",
        "object.status.list[7] == 1",
    ] {
        assert_eq!(holds(expression), Ok(false), "{expression}");
    }
    let text = |expression: &str| Program::parse(expression).unwrap().text(&spark());
    assert_eq!(text("object.status.nothing"), Ok(String::new()));
    assert_eq!(text("object.status.empty"), Ok(String::new()));
    assert_eq!(text("'attempt ' + string(object.status.attempts)"), Ok("attempt 2".to_owned()));
    assert_eq!(text("object.status.list"), Err("gives a list, not a text".to_owned()));
}

#[test]
fn a_wrong_expression_says_what_is_wrong_and_where() {
    for (expression, at, words) in [
        ("", 1, "something must follow"),
        ("object.status.state = 'a'", 21, "equality is =="),
        ("object.status.state == COMPLETED", 24, "there is no \"COMPLETED\" here"),
        ("object.status.state == 'COMPLETED", 24, "does not end"),
        ("object.a object.b", 10, "nothing may follow"),
        ("object.a.replace('x')", 10, "there is no function \"replace\""),
        ("object.a.contains()", 10, "takes 1 arguments, not 0"),
        ("has(object)", 1, "has() is asked of a field"),
        ("object.a.exists(1, true)", 17, "begins with the name"),
        ("object.a > 1.5", 12, "numbers are whole"),
        ("(object.a", 10, "\")\" must follow"),
        ("object.", 8, "the name of a field"),
        ("'a\\q'", 3, "may follow a \\"),
        ("99999999999999999999", 1, "whole number"),
        ("{'a': 1}.a == 1", 1, "maps cannot be made"),
        ("object.a # 1", 10, "'#' is not of the language"),
    ] {
        let error = Program::parse(expression).unwrap_err();
        assert_eq!(error.at, at, "{expression}: {error}");
        assert!(error.message.contains(words), "{expression}: {error}");
    }
}

#[test]
fn what_cannot_be_done_says_so() {
    for (expression, words) in [
        ("object.status.attempts", "gives a number, not true or false"),
        ("object.status.list < 3", "have no order"),
        ("object.spec.share > 1", "a number that is not whole and a number have no order"),
        ("object.status.attempts.x == 1", "a number has no field \"x\""),
        ("1 / 0 == 1", "divided by zero"),
        ("'a' + 1 == 'a1'", "use string()"),
        ("'a' in 'abc'", "nothing is in a text"),
        ("object.status.attempts && true", "neither true nor false"),
    ] {
        let said = holds(expression).unwrap_err();
        assert!(said.contains(words), "{expression}: {said}");
    }
}

#[test]
fn deep_and_long_expressions_are_refused() {
    let deep = |open: &str, close: &str, n: usize| format!("{}true{}", open.repeat(n), close.repeat(n));
    for expression in [
        deep("(", ")", 500),
        deep("[", "]", 500),
        deep("!", "", 1500),
        deep("true ? true : ", "", 100),
        format!("object{}", ".a".repeat(900)),
        format!("1{}", " + 1".repeat(400)),
        format!("object{}", "[0]".repeat(400)),
    ] {
        assert!(Program::parse(&expression).is_err(), "{}", &expression[..20]);
    }
    let long = format!("'{}' == ''", "a".repeat(limits::EXPRESSION_BYTES_MAX));
    assert!(Program::parse(&long).unwrap_err().message.contains("at most 2048 are taken"));
    assert_eq!(holds(&vec!["true"; 200].join(" && ")), Ok(true));
}

#[test]
fn whatever_the_object_the_steps_are_bounded() {
    let many: Vec<u32> = (0..20_000).collect();
    let object = json!({"a": many, "t": "x".repeat(100_000)});
    for expression in [
        "object.a.all(x, object.a.all(y, object.a.all(z, x + y + z >= 0)))",
        "object.a.exists(x, object.a == [x])",
        "object.a.all(x, object == object)",
        "object.a.all(x, !(0 - 1 in object.a))",
        "object.a.map(x, object.a.map(y, object.a)).size() > 0",
        "object.a.all(x, object.t.contains('y'))",
        "object.t + object.t == ''",
        "object.a.map(x, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' + 'b').map(x, x + x).map(x, x + x).map(x, x + x + x + x + x + x).size() == 1",
    ] {
        let said = Program::parse(expression).unwrap().holds(&object);
        let too_much = Err("it is too much work for an object of this size".to_owned());
        assert!(said == too_much || said == Ok(false), "{expression}: {said:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_or_an_evaluation_fall(text in "[a-z0-9 .()\\[\\]!&|=<>?:+*/%,'\"\\\\-]{0,60}") {
        if let Ok(program) = Program::parse(&text) {
            let _ = program.holds(&spark());
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_are_read_and_evaluated_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "object", ".status", ".list", ".exists(x, ", "x", ")", "(", "==", "&&", "||", "!", "1", "'a'", "[", "]",
            "in", "?", ":", "+", "has(", "size(", ".map(y, ", "y", ",", "-", "null", "true", " / ", "0",
        ]), 0..14)
    ) {
        if let Ok(program) = Program::parse(&words.concat()) {
            let _ = program.holds(&spark());
            let _ = program.text(&Value::Null);
        }
    }
}

#[test]
fn a_text_is_matched_by_a_pattern_that_was_read_with_the_expression() {
    let object = json!({"m": "failed: exit code 137 (OOMKilled)"});
    let matches =
        |pattern: &str| Program::parse(&format!("object.m.matches(r'{pattern}')")).unwrap().holds(&object);
    for (pattern, is_in) in [
        ("exit code [1-9][0-9]*", true),
        (r"^failed: .*\((OOMKilled|Evicted)\)$", true),
        (r"\bcode \d+\b", true),
        ("^exit", false),
        ("(?i)oomkilled", true),
    ] {
        assert_eq!(matches(pattern), Ok(is_in), "{pattern}");
    }
    assert_eq!(Program::parse("object.n.matches('a')").unwrap().holds(&object), Ok(false), "there is none");
    let wrong = Program::parse("size(object).matches('a')").unwrap().holds(&object).unwrap_err();
    assert_eq!(wrong, "a text is needed, not a number");
    for (expression, words) in [
        ("object.m.matches('(')", "the pattern cannot be read: unclosed group"),
        ("object.m.matches('((a{50}){50}){50}')", "the pattern takes too much: repeat less in it"),
        ("object.m.matches(object.p)", "one pattern, a text in quotes"),
        ("object.m.matches()", "one pattern, a text in quotes"),
    ] {
        let said = Program::parse(expression).unwrap_err().message;
        assert!(said.contains(words), "{expression}: {said}");
    }
}

#[test]
fn a_pattern_takes_no_longer_than_the_text_is_long_whatever_it_is() {
    let object = json!({"short": "a".repeat(4_000), "long": "a".repeat(1_000_000)});
    let program = |of: &str| Program::parse(&format!("object.{of}.matches('(a?){{40}}(a*)*b')")).unwrap();
    assert_eq!(program("short").holds(&object), Ok(false));
    let too_much = "it is too much work for an object of this size".to_owned();
    assert_eq!(program("long").holds(&object), Err(too_much));
}

#[test]
fn times_and_durations_are_compared_and_numbers_stay_whole() {
    let object =
        json!({"status": {"start": "2026-11-20T10:00:00Z", "end": "2026-11-20T11:30:00Z", "half": 0.5}});
    for (expression, holds) in [
        ("timestamp(object.status.start) < timestamp(object.status.end)", true),
        ("timestamp(object.status.end) - timestamp(object.status.start) == duration('1h30m')", true),
        ("timestamp(object.status.end) - timestamp(object.status.start) > duration('2h')", false),
        ("timestamp(object.status.start) + duration('90m') == timestamp(object.status.end)", true),
        ("string(timestamp(object.status.start) + duration('30s')) == '2026-11-20T10:00:30Z'", true),
        ("string(duration('1h')) == '3600s'", true),
        ("timestamp(object.status.missing) > timestamp(object.status.start)", false),
    ] {
        assert_eq!(Program::parse(expression).unwrap().holds(&object), Ok(holds), "{expression}");
    }
    let said = |expression: &str| Program::parse(expression).unwrap().holds(&object).unwrap_err();
    assert!(said("timestamp('yesterday') == timestamp('yesterday')").contains("no time like"));
    assert!(said("duration('soon') == duration('soon')").contains("no duration like"));
    assert!(said("timestamp(object.status.start) > 5").contains("a time and a number have no order"));
    assert!(said("object.status.half > 0").contains("a number that is not whole"));
    assert!(Program::parse("0.5 > 0").unwrap_err().message.contains("numbers are whole here"));
    assert!(Program::parse("double('0.5') > 0").unwrap_err().message.contains("numbers are whole here"));
}
