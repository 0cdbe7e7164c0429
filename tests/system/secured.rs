//! Three servers by hand, with TLS, tokens and mutual TLS between peers, as the README's configuration shows.

use crate::dev::{PATIENCE, binary, runnable, until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub(crate) type Ca = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority(name: &str) -> Ca {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Files `NAME.crt` and `NAME.key` for a replica on loopback.
pub(crate) fn certificate(dir: &Path, name: &str, ca: &Ca) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    // Under its authority's name it would look as if it had signed itself.
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.signed_by(&key, ca).unwrap();
    let files = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
    fs::write(&files.0, certificate.pem()).unwrap();
    fs::write(&files.1, key.serialize_pem()).unwrap();
    files
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Group {
    dir: tempfile::TempDir,
    servers: Vec<String>,
    _children: Vec<Child>,
}

impl Group {
    /// Three blank servers; the certificate of the last is signed by `last_ca`.
    fn start(ca: &Ca, last_ca: &Ca) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        fs::write(at.join("ca.crt"), ca.pem()).unwrap();
        fs::write(at.join("tokens.csv"), "s3cret,ann,1,\"system:masters\"\nother,bob,2\n").unwrap();
        fs::write(at.join("token"), "s3cret\n").unwrap();
        fs::write(at.join("bad-token"), "wrong\n").unwrap();
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
        let peers: Vec<String> = ports.iter().map(|(_, peer)| format!("127.0.0.1:{peer}")).collect();
        let mut children = Vec::new();
        for (number, (api, peer)) in ports.iter().enumerate() {
            let signer = if number == 2 { last_ca } else { ca };
            let (cert, key) = certificate(at, &format!("r{number}"), signer);
            let config = format!(
                "group = \"night\"\ndatacenter = \"dc{number}\"\ndata_dir = {:?}\napi_listen = \"127.0.0.1:{api}\"\n\
                 peer_listen = \"127.0.0.1:{peer}\"\nadvertise = \"127.0.0.1\"\npeers = {peers:?}\n\
                 tls = {{cert = {cert:?}, key = {key:?}, ca = {:?}}}\ntokens_file = {:?}\n",
                at.join(format!("data{number}")),
                at.join("ca.crt"),
                at.join("tokens.csv"),
            );
            let file = at.join(format!("r{number}.toml"));
            fs::write(&file, config).unwrap();
            let log = fs::File::create(at.join(format!("r{number}.log"))).unwrap();
            let mut command = Command::new(binary());
            command.arg("server").arg("--config").arg(&file).stdin(Stdio::piped()).stdout(Stdio::null());
            children.push(command.stderr(log).kill_on_drop(true).spawn().unwrap());
        }
        let servers = ports.iter().map(|(api, _)| format!("https://127.0.0.1:{api}")).collect();
        Self { dir, servers, _children: children }
    }

    async fn client(&self, token: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("TALLYMAN_SERVER", self.servers.join(","))
            .env("TALLYMAN_TOKEN_FILE", self.dir.path().join(token))
            .env("TALLYMAN_CA_FILE", self.dir.path().join("ca.crt"));
        timeout(PATIENCE, command.output()).await.expect("the client answers").unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_with_tls_and_tokens_found_a_group_and_take_a_submission() {
    let ca = authority("one");
    let group = Group::start(&ca, &ca);
    until("the group is founded", async || {
        let output = group.client("token", &["operator", "init", "--expect", "3"]).await;
        output.status.success().then_some(())
    })
    .await;
    let again = group.client("token", &["operator", "init", "--expect", "3"]).await;
    assert!(!again.status.success(), "a group is founded once");
    let again = group.client("token", &["operator", "init", "--expect", "3", "--wait", "60s"]).await;
    assert!(again.status.success(), "that it was founded before is what was asked for");
    assert!(String::from_utf8_lossy(&again.stdout).contains("there already"));
    let denied = group.client("bad-token", &["operator", "init", "--expect", "3", "--wait", "60s"]).await;
    assert_eq!(denied.status.code(), Some(6), "waiting does not help");

    let file = group.dir.path().join("run.json");
    fs::write(&file, serde_json::to_vec(&runnable("secured", "1s")).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let submitted = group.client("token", &["submit", file, "-n", "risk", "-o", "json"]).await;
    assert!(submitted.status.success(), "{}", String::from_utf8_lossy(&submitted.stderr));
    let run: Value = serde_json::from_slice(&submitted.stdout).unwrap();
    assert_eq!(run["metadata"]["name"], json!("secured"));

    // Pasted into a shell, the same; the token stays in its file.
    let curl = group.client("token", &["list", "-n", "risk", "--curl"]).await;
    let curl = String::from_utf8(curl.stdout).unwrap();
    assert!(curl.contains("$(cat \"$TALLYMAN_TOKEN_FILE\")") && !curl.contains("s3cret"), "{curl}");
    let mut shell = Command::new("bash");
    shell.args(["-c", &curl]).env("TALLYMAN_TOKEN_FILE", group.dir.path().join("token"));
    let pasted = timeout(PATIENCE, shell.output()).await.expect("curl answers").unwrap();
    assert!(pasted.status.success(), "{curl}{}", String::from_utf8_lossy(&pasted.stderr));
    let list: Value = serde_json::from_slice(&pasted.stdout).unwrap();
    assert_eq!(list["items"][0]["metadata"]["name"], json!("secured"));

    let refused = group.client("bad-token", &["list", "-n", "risk"]).await;
    assert_eq!(refused.status.code(), Some(6), "{}", String::from_utf8_lossy(&refused.stderr));
    let not_allowed = group.client("bad-token", &["operator", "transfer-leader"]).await;
    assert_eq!(not_allowed.status.code(), Some(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_a_certificate_of_another_authority_is_not_let_in() {
    let (ca, other) = (authority("one"), authority("other"));
    let group = Group::start(&ca, &other);
    // The two others do not count it: three are not there, so nothing is founded.
    until("init says why nothing is founded", async || {
        let output = group.client("token", &["operator", "init", "--expect", "3"]).await;
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).contains("certificate").then_some(())
    })
    .await;
}
