#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;

const GOOD: &str = r#"
group = "research"
datacenter = "paris"
data_dir = "data"
api_listen = "127.0.0.1:7001"
peer_listen = "127.0.0.1:8001"
advertise = "127.0.0.1"
peers = ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"]
"#;

fn problems(text: &str) -> Vec<String> {
    let parsed = Config::parse(text, Path::new("/etc/tallyman"), &Overrides::default());
    parsed.unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_file_reads_with_paths_from_its_own_directory() {
    let config = Config::parse(GOOD, Path::new("/etc/tallyman"), &Overrides::default()).unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/tallyman/data"));
    assert_eq!(config.advertise_peer(), "127.0.0.1:8001");
    assert_eq!(config.advertise_api(), "http://127.0.0.1:7001");
}

#[test]
fn the_environment_sets_place_and_datacenter() {
    let overrides = Overrides {
        advertise: Some("r2.example".to_owned()),
        datacenter: Some("berlin".to_owned()),
        ..Overrides::default()
    };
    let text = GOOD.replace("127.0.0.1:8002", "r2.example:8001");
    let config = Config::parse(&text, Path::new("/"), &overrides).unwrap();
    assert_eq!((config.datacenter.as_str(), config.advertise_peer().as_str()), ("berlin", "r2.example:8001"));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_what_was_meant() {
    assert_eq!(
        problems(&GOOD.replace("api_listen", "api_lisen")),
        [
            "line 5: unknown key `api_lisen`; did you mean `api_listen`?",
            "`api_listen` is missing; it says where to listen, as \"127.0.0.1:7001\"",
        ]
    );
    let tls = format!("{GOOD}[tls]\ncert = \"a\"\nkey = \"b\"\nca_file = \"c\"\n");
    assert_eq!(problems(&tls)[0], "line 12: unknown key `tls.ca_file`; the keys are cert, key, ca");
}

#[test]
fn all_problems_are_told_at_once() {
    let text = GOOD
        .replace("\"research\"", "7")
        .replace("127.0.0.1:7001", "localhost")
        .replace("\"127.0.0.1:8002\"", "\"127.0.0.1:8003\"");
    let found = problems(&text);
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].starts_with("line 2: `group` must be a text in quotes, not integer"), "{}", found[0]);
}

#[test]
fn not_toml_names_the_line() {
    assert!(
        problems("group = \"a\"\ndatacenter = \n")[0].starts_with("line 2: not TOML"),
        "{:?}",
        problems("= 1")
    );
}

#[test]
fn off_loopback_needs_tls_and_tokens() {
    let text = GOOD.replace("\"127.0.0.1:7001\"", "\"0.0.0.0:7001\"");
    assert_eq!(
        problems(&text),
        [
            "line 5: `api_listen` 0.0.0.0:7001 can be reached from other machines, and `tls` and `tokens_file` are \
          missing: set both, or listen on 127.0.0.1"
        ]
    );
    let tls = "tokens_file = \"tokens\"\ntls = { cert = \"a\", key = \"b\", ca = \"c\" }\n";
    let config = Config::parse(&format!("{text}{tls}"), Path::new("/etc"), &Overrides::default()).unwrap();
    assert_eq!(config.advertise_api(), "https://127.0.0.1:7001");
}

#[test]
fn a_replica_must_be_among_its_peers_and_advertise_has_no_port() {
    assert!(
        problems(&GOOD.replace("127.0.0.1:8001\",", "127.0.0.1:8009\","))[0]
            .contains("must list this replica")
    );
    let found = problems(&GOOD.replace("advertise = \"127.0.0.1\"", "advertise = \"127.0.0.1:8001\""));
    assert!(found[0].contains("no scheme and no port"), "{found:?}");
}
