//! One request, and the paths of the API.

use reqwest::Method;
use serde_json::Value;

/// Where all resources are.
pub(crate) const API: &str = "/apis/tallyman.dev/v1";

/// What is asked of a server.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
    /// The idempotency key that the user gave.
    pub(crate) key: Option<String>,
}

impl Request {
    /// Any request.
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let headers = vec![("accept", "application/json".to_owned())];
        Self { method, path: path.into(), query: Vec::new(), headers, body: None, key: None }
    }

    /// A read.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A change with a JSON body.
    pub(crate) fn send(method: Method, path: impl Into<String>, body: &Value) -> Self {
        let content_type =
            if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let mut request = Self::new(method, path).header("content-type", content_type.to_owned());
        request.body = Some(body.to_string());
        request
    }

    /// With one more query parameter.
    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// With a query parameter if there is a value for it.
    pub(crate) fn query_some(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Without those query parameters.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.query.retain(|(name, _)| !names.contains(name));
        self
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With the key that the user gave, if any.
    pub(crate) fn keyed(mut self, key: Option<&str>) -> Self {
        self.key = key.map(str::to_owned);
        self
    }

    /// A read that may be stale includes at least that revision. Others do by themselves, or ask for another state.
    pub(super) fn not_older_than(mut self, revision: u64) -> Self {
        let stale = self.query.iter().position(|(name, value)| *name == "consistency" && value == "stale");
        if let Some(position) = stale.filter(|_| revision > 0) {
            self.query.remove(position);
            self = self.token(revision);
        }
        self
    }

    /// With the revision that is to be included.
    pub(crate) fn token(self, revision: u64) -> Self {
        self.query("resourceVersion", revision).query("resourceVersionMatch", "NotOlderThan")
    }

    pub(super) fn with_key(self, key: &str) -> Self {
        self.header("idempotency-key", key.to_owned())
    }

    /// The whole URL on a server.
    pub(super) fn url(&self, server: &str) -> String {
        let mut url = format!("{server}{}", self.path);
        for (i, (name, value)) in self.query.iter().enumerate() {
            url.push(if i == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&escape(value));
        }
        url
    }
}

/// The runnables of a namespace; of all namespaces without one.
pub(crate) fn runnables(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{API}/namespaces/{}/runnables", escape(namespace)),
        None => format!("{API}/runnables"),
    }
}

/// One runnable.
pub(crate) fn runnable(namespace: &str, name: &str) -> String {
    format!("{}/{}", runnables(Some(namespace)), escape(name))
}

/// One cluster.
pub(crate) fn cluster(name: &str) -> String {
    format!("{API}/clusters/{}", escape(name))
}

/// A text as one part of a path or one value of a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_selectors_cannot_change_the_path() {
        assert_eq!(runnable("risk", "a/../b"), "/apis/tallyman.dev/v1/namespaces/risk/runnables/a%2F..%2Fb");
        let request = Request::get(runnables(None)).query("labelSelector", "desk in (rates,fx)&x");
        assert_eq!(
            request.url("http://h"),
            "http://h/apis/tallyman.dev/v1/runnables?labelSelector=desk%20in%20%28rates%2Cfx%29%26x"
        );
    }
}
