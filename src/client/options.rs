//! How the client finds its servers and says who it is.

use super::{CHANGE_FOR_S_MAX, CONNECT_S_MAX, Client, READ_FOR_S_MAX, Token};
use crate::environment;
use crate::exit::{Exit, Failure};
use crate::screen::Color;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where a server is when nobody says.
const SERVER_DEFAULT: &str = "http://127.0.0.1:7001";

/// What every client command takes.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ClientOptions {
    /// Servers, tried in turn, separated by commas
    #[arg(long, env = environment::SERVER, value_name = "URL,...", global = true, hide_env_values = true)]
    pub(crate) server: Option<String>,
    /// Print the equivalent curl commands instead of sending anything
    #[arg(long, global = true)]
    pub(crate) curl: bool,
    /// Act as this user, where that is allowed: in `tallyman dev`, or as one of system:masters
    #[arg(long = "as", value_name = "USER", global = true)]
    pub(crate) acting: Option<String>,
    /// A group of that user; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", global = true, requires = "acting")]
    pub(crate) acting_groups: Vec<String>,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    pub(crate) color: Color,
}

/// Which namespace.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Where {
    /// The namespace, which is the tenant
    #[arg(short, long, env = environment::NAMESPACE, value_name = "NS", hide_env_values = true)]
    pub(crate) namespace: Option<String>,
}

impl Where {
    /// The namespace asked for, or `default`.
    pub(crate) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    /// The namespace and name of `NAME` or `NS/NAME`.
    ///
    /// # Errors
    /// It is neither, or names another namespace than the one asked for.
    pub(crate) fn split<'a>(&'a self, reference: &'a str) -> Result<(&'a str, &'a str), Failure> {
        let (namespace, name) = reference.split_once('/').unwrap_or((self.namespace(), reference));
        // The environment only says what is meant where nothing else does.
        let asked =
            self.namespace.as_deref().filter(|_| self.namespace != environment::read(environment::NAMESPACE));
        if let Some(asked) = asked.filter(|asked| *asked != namespace) {
            let message = format!("{reference} is not in namespace {asked}, which -n names");
            return Err(Failure::new(
                Exit::Usage,
                message,
                format!("{reference} without -n, or {name} -n {asked}"),
            ));
        }
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            let message = format!("{reference:?} does not name a runnable");
            return Err(Failure::new(Exit::Usage, message, "NAME, or NAMESPACE/NAME; tallyman list -A"));
        }
        Ok((namespace, name))
    }

    /// The same of several, before anything is done with the first.
    ///
    /// # Errors
    /// One of them is neither.
    pub(crate) fn split_all<'a>(
        &'a self,
        references: &'a [String],
    ) -> Result<Vec<(&'a str, &'a str)>, Failure> {
        references.iter().map(|reference| self.split(reference)).collect()
    }
}

impl ClientOptions {
    /// The client that they describe.
    ///
    /// # Errors
    /// A URL or a file that cannot be used.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let (list, origin) = match &self.server {
            Some(list) if environment::read(environment::SERVER).as_ref() == Some(list) => {
                (list.as_str(), "from TALLYMAN_SERVER")
            }
            Some(list) => (list.as_str(), "from --server"),
            None => (SERVER_DEFAULT, "the default"),
        };
        let servers = servers(list)?;
        let token = environment::path(environment::TOKEN_FILE).map(read_token).transpose()?;
        let ca_file = environment::path(environment::CA_FILE);
        let mut client = build(servers, origin, token, ca_file, self.curl)?;
        client.acting = self.acting.iter().map(|user| ("impersonate-user", user.clone())).collect();
        client.acting.extend(self.acting_groups.iter().map(|group| ("impersonate-group", group.clone())));
        Ok(client)
    }
}

/// The URLs in a list separated by commas or spaces.
fn servers(list: &str) -> Result<Vec<String>, Failure> {
    let urls: Vec<String> = list
        .split([',', ' '])
        .filter(|url| !url.is_empty())
        .map(|url| if url.contains("://") { url.to_owned() } else { format!("http://{url}") })
        .map(|url| url.trim_end_matches('/').to_owned())
        .collect();
    let wrong = urls.iter().find(|url| reqwest::Url::parse(url).is_err());
    match (urls.is_empty(), wrong) {
        (false, None) => Ok(urls),
        (_, wrong) => Err(Failure::new(
            Exit::Usage,
            format!(
                "{} does not name servers: {:?}",
                environment::SERVER,
                wrong.map_or(list, String::as_str)
            ),
            format!("{}=http://127.0.0.1:7001,http://127.0.0.1:7002", environment::SERVER),
        )),
    }
}

fn read_token(file: PathBuf) -> Result<Token, Failure> {
    let unusable = |why: String| {
        let message = format!("failed to read the token in {}: {why}", file.display());
        Failure::new(
            Exit::Usage,
            message,
            format!("name a file with one token in {}", environment::TOKEN_FILE),
        )
    };
    let text = std::fs::read_to_string(&file).map_err(|error| unusable(error.to_string()))?;
    let secret = text.trim().to_owned();
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        return Err(unusable("it must hold exactly one token".to_owned()));
    }
    Ok(Token { file, secret })
}

/// A client with all that it needs.
pub(super) fn build(
    servers: Vec<String>,
    origin: &'static str,
    token: Option<Token>,
    ca_file: Option<PathBuf>,
    is_curl: bool,
) -> Result<Client, Failure> {
    let is_tls = servers.iter().any(|server| server.starts_with("https:"));
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("tallyman/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(CONNECT_S_MAX))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    builder = match (&ca_file, is_tls) {
        (Some(file), true) => builder.tls_certs_only(authorities(file)?),
        (None, true) => builder,
        // Without TLS the machine's authorities need not be there.
        (_, false) => builder.tls_certs_only([]),
    };
    let http = builder.build().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("failed to make an HTTP client: {error}"),
            "check the machine's certificates",
        )
    })?;
    Ok(Client {
        servers,
        http,
        token,
        is_curl,
        acting: Vec::new(),
        ca_file,
        read_for: Duration::from_secs(READ_FOR_S_MAX),
        change_for: Duration::from_secs(CHANGE_FOR_S_MAX),
        first: Arc::default(),
        seen: Arc::default(),
        origin,
    })
}

fn authorities(file: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let unusable = |why: String| {
        let message = format!("failed to read the authorities in {}: {why}", file.display());
        Failure::new(Exit::Usage, message, format!("name a PEM file in {}", environment::CA_FILE))
    };
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn servers_are_a_list_and_get_a_scheme() {
        assert_eq!(servers("a:7001, https://b:7001/").unwrap(), ["http://a:7001", "https://b:7001"]);
        assert_eq!(servers(" ,").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_reference_may_name_its_namespace() {
        let risk = Where { namespace: Some("risk".to_owned()) };
        assert_eq!(risk.split("report"), Ok(("risk", "report")));
        assert_eq!(risk.split("risk/report"), Ok(("risk", "report")));
        assert_eq!(Where::default().split("desk/report"), Ok(("desk", "report")));
        let other = risk.split("desk/report").unwrap_err();
        assert_eq!(
            (other.exit, other.attempt.as_str()),
            (Exit::Usage, "desk/report without -n, or report -n risk")
        );
        assert_eq!(Where::default().split("report"), Ok(("default", "report")));
        for wrong in ["a/b/c", "/x", "risk/", "", "/", "a//b"] {
            assert_eq!(risk.split(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
