//! Who asks.

mod tokens;

pub use tokens::{Tokens, TokensError};

use crate::status::Failure;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use tallyman_model::command::Principal;

const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
const IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");
/// The group whose members may do everything, operator requests included.
pub const MASTERS: &str = "system:masters";
/// Groups of one impersonated user.
const GROUPS_MAX: usize = 64;
/// Bytes of a user's or group's name.
const NAME_BYTES_MAX: usize = 256;

/// How clients say who they are.
#[derive(Clone, Debug)]
pub enum Identity {
    /// No login: the user is `dev`, or whom the impersonation headers name. For loopback only.
    Dev,
    /// A bearer token from the tokens file.
    Tokens(Tokens),
}

impl Identity {
    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// 401 when that cannot be told, 403 when it may not be said.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Result<Principal, Failure> {
        let principal = match self {
            Identity::Dev => {
                local_only(headers)?;
                let dev = Principal {
                    user: "dev".to_owned(),
                    groups: vec![MASTERS.to_owned()],
                    ..Principal::default()
                };
                // Nobody is known to be behind the headers: all of them are whoever sits at this machine.
                return Ok(Principal { through: None, ..impersonated(dev, headers)? });
            }
            Identity::Tokens(tokens) => {
                let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
                let bearer = value.and_then(|value| {
                    let (scheme, token) = value.split_once(' ')?;
                    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
                });
                let bearer = bearer.ok_or_else(|| {
                    Failure::unauthorized("log in: send the header Authorization: Bearer TOKEN")
                })?;
                tokens
                    .principal(bearer)
                    .ok_or_else(|| Failure::unauthorized("the token is not known here"))?
            }
        };
        impersonated(principal, headers)
    }
}

/// True for the names under which the group itself acts.
fn is_reserved(user: &str) -> bool {
    matches!(user, "system:leader" | "system:init")
}

/// True if the principal may act as an operator, and as others.
#[must_use]
pub fn is_master(principal: &Principal) -> bool {
    principal.groups.iter().any(|group| group == MASTERS)
}

fn impersonated(principal: Principal, headers: &HeaderMap) -> Result<Principal, Failure> {
    let name = |value: &axum::http::HeaderValue| {
        let text = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= NAME_BYTES_MAX);
        let wrong =
            || Failure::bad_request(format!("impersonation: names have 1 to {NAME_BYTES_MAX} characters"));
        text.map(str::to_owned).ok_or_else(wrong)
    };
    let user = headers.get(IMPERSONATE_USER).map(name).transpose()?;
    let groups: Vec<String> =
        headers.get_all(IMPERSONATE_GROUP).iter().map(name).collect::<Result<_, _>>()?;
    let Some(user) = user else {
        if groups.is_empty() {
            return Ok(principal);
        }
        return Err(Failure::bad_request("Impersonate-Group needs an Impersonate-User"));
    };
    if !is_master(&principal) {
        let message = format!("{} may not act as {user}: only members of {MASTERS} may", principal.user);
        return Err(Failure::forbidden(message));
    }
    if is_reserved(&user) {
        return Err(Failure::forbidden(format!("nobody may act as {user}")));
    }
    if groups.len() > GROUPS_MAX {
        return Err(Failure::bad_request(format!("at most {GROUPS_MAX} Impersonate-Group headers")));
    }
    let through = Some(principal.user).filter(|behind| *behind != user);
    Ok(Principal { user, groups, through })
}

/// Without login, whatever runs on the machine may ask; a page of some web site in a browser on it may not. It can
/// reach loopback, but it cannot hide its origin, or with a rebound name its host.
fn local_only(headers: &HeaderMap) -> Result<(), Failure> {
    let host = headers.get(HOST).map(|value| value.to_str().unwrap_or("?"));
    if let Some(host) = host.filter(|host| !is_loopback_name(host)) {
        let words = "without login only loopback names are served: use localhost or 127.0.0.1";
        return Err(Failure::forbidden(format!("host {host:?}: {words}")));
    }
    let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or("?"));
    let of_page = |origin: &str| origin.split_once("://").is_none_or(|(_, host)| !is_loopback_name(host));
    if origin.is_some_and(of_page) {
        return Err(Failure::forbidden("requests of web pages from elsewhere are not served"));
    }
    Ok(())
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn in_dev_the_user_is_dev_or_whom_the_headers_name() {
        assert_eq!(Identity::Dev.of(&headers(&[])).unwrap().user, "dev");
        let other = headers(&[
            ("impersonate-user", "ann"),
            ("impersonate-group", "risk"),
            ("impersonate-group", "b"),
        ]);
        let groups = vec!["risk".to_owned(), "b".to_owned()];
        let ann = Principal { user: "ann".to_owned(), groups, through: None };
        assert_eq!(Identity::Dev.of(&other).unwrap(), ann);
        assert!(Identity::Dev.of(&headers(&[("impersonate-group", "risk")])).is_err());
        assert!(Identity::Dev.of(&headers(&[("impersonate-user", "system:leader")])).is_err());
    }

    #[test]
    fn in_dev_pages_of_web_sites_are_not_served() {
        for right in ["localhost:7001", "127.0.0.1:7001", "[::1]:7001", "LOCALHOST"] {
            assert!(Identity::Dev.of(&headers(&[("host", right)])).is_ok(), "{right}");
        }
        for wrong in ["example.com", "localhost.example.com:7001", "10.0.0.1:7001", "127.0.0.1.example.com"] {
            assert!(Identity::Dev.of(&headers(&[("host", wrong)])).is_err(), "{wrong}");
        }
        assert!(Identity::Dev.of(&headers(&[("origin", "https://example.com")])).is_err());
        assert!(Identity::Dev.of(&headers(&[("origin", "null")])).is_err());
        assert!(Identity::Dev.of(&headers(&[("origin", "http://localhost:7001")])).is_ok());
    }

    #[test]
    fn a_token_says_who_it_is_and_only_masters_act_as_others() {
        let tokens = Tokens::parse("secret-a,ann,1,\"risk,ops\"\nsecret-r,root,2,system:masters\n").unwrap();
        let identity = Identity::Tokens(tokens);
        let with = |token: &str| headers(&[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(identity.of(&with("secret-a")).unwrap().groups, ["risk", "ops"]);
        for wrong in [with("secret-b"), with(""), headers(&[]), headers(&[("authorization", "Basic YTpi")])] {
            assert_eq!(identity.of(&wrong).unwrap_err().code.as_u16(), 401);
        }
        let mut as_bob = with("secret-a");
        as_bob.insert("impersonate-user", HeaderValue::from_static("bob"));
        assert_eq!(identity.of(&as_bob).unwrap_err().code.as_u16(), 403);
        as_bob.insert(AUTHORIZATION, HeaderValue::from_static("Bearer secret-r"));
        let bob = Principal { user: "bob".to_owned(), groups: Vec::new(), through: Some("root".to_owned()) };
        assert_eq!(identity.of(&as_bob).unwrap(), bob);
    }
}
