//! What a program says: an `ExecCredential`.

use super::file::Prepared;
use crate::limits::PLUGIN_EARLY_MS_MAX;
use serde::Deserialize;
use std::fmt;
use tallyman_model::time;

/// What a program gave. Its `Debug` form shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// The run's key.
    pub(super) of: String,
    /// Another one with each answer.
    pub(super) number: u64,
    pub(crate) token: Option<String>,
    /// With its key, both in PEM.
    pub(crate) certificate: Option<(String, String)>,
    /// From when on others are to be asked for, ms since 1970; `None`: never.
    pub(super) renew_ms: Option<u64>,
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("renew_ms", &self.renew_ms).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: String,
    kind: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

/// Reads an answer; what is wrong with it is said without quoting it.
pub(super) fn read(said: &[u8], asked: &Prepared, now_ms: u64, number: u64) -> Result<Given, String> {
    let answer: ExecCredential = serde_json::from_slice(said)
        .map_err(|_| "what its program prints is no ExecCredential".to_owned())?;
    if answer.kind != "ExecCredential" || answer.api_version != asked.api_version {
        return Err(format!(
            "its program was asked for an ExecCredential of {} and prints another",
            asked.api_version
        ));
    }
    let status = answer.status.ok_or("its program gives no status")?;
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let token = text(status.token);
    let is_sendable = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
    if !token.iter().all(is_sendable) {
        return Err("the token that its program gives has characters that cannot be sent".to_owned());
    }
    let certificate = match (text(status.client_certificate_data), text(status.client_key_data)) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("its program gives a certificate without its key, or a key alone".to_owned()),
    };
    if token.is_none() && certificate.is_none() {
        return Err("its program gives neither a token nor a certificate".to_owned());
    }
    let ends_ms = match text(status.expiration_timestamp) {
        Some(text) => {
            Some(time::parse(&text).ok_or("the expirationTimestamp that its program gives is none")?)
        }
        None => None,
    };
    if ends_ms.is_some_and(|ends_ms| ends_ms <= now_ms) {
        return Err("what its program gives has ended already".to_owned());
    }
    let renew_ms = ends_ms.map(|ends_ms| ends_ms - ((ends_ms - now_ms) / 5).min(PLUGIN_EARLY_MS_MAX));
    Ok(Given { of: asked.key(), number, token, certificate, renew_ms })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    const NOW_MS: u64 = 1_800_000_000_000;

    fn told(status: serde_json::Value) -> Result<Given, String> {
        let asked = Prepared {
            api_version: "client.authentication.k8s.io/v1".to_owned(),
            command: "get".into(),
            args: Vec::new(),
            envs: BTreeMap::new(),
            info: String::new(),
        };
        let said = json!({"apiVersion": asked.api_version, "kind": "ExecCredential", "status": status});
        read(said.to_string().as_bytes(), &asked, NOW_MS, 1)
    }

    #[test]
    fn new_credentials_are_due_before_the_end_of_the_old_ones() {
        let ends =
            |in_ms: u64| told(json!({"token": "t", "expirationTimestamp": time::format(NOW_MS + in_ms)}));
        assert_eq!(ends(3_600_000).unwrap().renew_ms, Some(NOW_MS + 3_540_000));
        assert_eq!(ends(10_000).unwrap().renew_ms, Some(NOW_MS + 8_000));
        assert!(ends(0).is_err());
        assert_eq!(told(json!({"token": "t"})).unwrap().renew_ms, None);
    }

    #[test]
    fn what_is_no_credential_is_refused_without_being_quoted() {
        for status in [
            json!({}),
            json!(null),
            json!({"token": ""}),
            json!({"token": "s3cr3t\r\nX-Evil: 1"}),
            json!({"clientCertificateData": "s3cr3t"}),
            json!({"token": "s3cr3t", "expirationTimestamp": "s3cr3t"}),
        ] {
            let why = told(status.clone()).unwrap_err();
            assert!(!why.contains("s3cr3t"), "{status}: {why}");
        }
        let given = told(json!({"token": "s3cr3t"})).unwrap();
        assert!(!format!("{given:?}").contains("s3cr3t"));
    }
}
