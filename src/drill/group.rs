//! The group that is drilled: its replicas, and whether it may be drilled at all.

use super::report::{Of, Replica};
use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::output::items;
use crate::verb::operator::STATUS;
use futures::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long a replica is given to say how it is.
const STATUS_S_MAX: u64 = 1;

/// The group that the servers named by the client are of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) of: Of,
    pub(crate) replicas: Vec<Replica>,
    /// Where its `tallyman dev` takes what drills do; `None`: it is none, or not on this machine.
    pub(crate) control: Option<PathBuf>,
}

impl Group {
    /// Asks all replicas: those that are named, and those that they know of.
    ///
    /// # Errors
    /// One does not answer, or they are not of one group: a drill begins with a group that is whole.
    pub(crate) async fn find(client: &Client) -> Result<Self, Failure> {
        let first = client.read(&Request::get(STATUS)).await?.body;
        let listing = Request::get(format!("{}/replicas", request::API)).query("consistency", "stale");
        let listed = client.read(&listing).await?.body;
        let mut urls = client.servers().to_vec();
        let mut datacenters = BTreeMap::new();
        for item in items(&listed) {
            let url = text(item, "/spec/apiURL").trim_end_matches('/').to_owned();
            datacenters.insert(text(item, "/metadata/name"), text(item, "/spec/datacenter"));
            if !url.is_empty() && !urls.contains(&url) {
                urls.push(url);
            }
        }
        let ask = async |url: &String| (url.clone(), status(client, url).await);
        let mut group = Self::of_status(&first);
        for (url, status) in join_all(urls.iter().map(ask)).await {
            let Some(status) = status else {
                // One that is known under another address, too, is not missed.
                continue;
            };
            if Self::of_status(&status).of != group.of {
                let message = format!("{url} is of another group than {}", group.of.name);
                return Err(Failure::new(
                    Exit::Usage,
                    message,
                    "name servers of one group in TALLYMAN_SERVER",
                ));
            }
            let id = text(&status, "/id").to_owned();
            let datacenter = datacenters.get(id.as_str()).copied().unwrap_or_default().to_owned();
            if !group.replicas.iter().any(|known| known.id == id) {
                group.replicas.push(Replica { id, url, datacenter });
            }
        }
        group.replicas.sort_by(|one, other| (one.id.len(), &one.id).cmp(&(other.id.len(), &other.id)));
        group.whole(&first)
    }

    fn of_status(status: &Value) -> Self {
        let control = Some(PathBuf::from(text(status, "/devControl"))).filter(|path| path.exists());
        let own = |pointer: &str| text(status, pointer).to_owned();
        let of = Of { name: own("/group/name"), id: own("/group/id"), is_dev: control.is_some() };
        Self { of, replicas: Vec::new(), control }
    }

    fn whole(self, status: &Value) -> Result<Self, Failure> {
        let voters = status.pointer("/voters").and_then(Value::as_array).into_iter().flatten();
        let missing = |id: &&str| !self.replicas.iter().any(|replica| replica.id == *id);
        if let Some(id) = voters.filter_map(Value::as_str).find(missing) {
            let message = format!("{id} does not answer here: a drill begins with a group that is whole");
            return Err(Failure::new(
                Exit::Unavailable,
                message,
                "name all servers in TALLYMAN_SERVER; tallyman operator status",
            ));
        }
        if self.of.id.is_empty() {
            let message = "the servers do not say of which group they are";
            return Err(Failure::new(
                Exit::Failed,
                message,
                "drill servers of the same version as this program: tallyman version",
            ));
        }
        Ok(self)
    }

    /// Whether it may be drilled: `dev` always, any other group only when its name or id is typed.
    ///
    /// # Errors
    /// It was not typed, or another one was.
    pub(crate) fn guard(&self, typed: Option<&str>) -> Result<(), Failure> {
        let Of { name, id, is_dev } = &self.of;
        match typed {
            Some(typed) if typed == name || typed == id => Ok(()),
            Some(typed) => {
                let message =
                    format!("the servers are of the group {name} ({id}), not of {typed}; nothing was done");
                Err(Failure::new(
                    Exit::Failed,
                    message,
                    "look where TALLYMAN_SERVER leads: tallyman operator status",
                ))
            }
            None if *is_dev => Ok(()),
            None => {
                let message = format!(
                    "the servers are not of a `tallyman dev` on this machine but of the group {name} ({id}), which \
                     may be in use; nothing was done"
                );
                let attempt = format!("--dry-run, and if it may be disturbed: --yes-this-is {name}");
                Err(Failure::new(Exit::Failed, message, attempt))
            }
        }
    }
}

/// What a replica says of itself; `None` if it does not answer.
pub(super) async fn status(client: &Client, url: &str) -> Option<Value> {
    let answer = client.at(url).once(&Request::get(STATUS), Duration::from_secs(STATUS_S_MAX)).await?;
    (answer.status == 200).then_some(answer.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(is_dev: bool) -> Group {
        Group { of: Of { name: "night".to_owned(), id: "0af0".to_owned(), is_dev }, ..Group::default() }
    }

    #[test]
    fn only_dev_is_drilled_without_its_name_and_a_wrong_name_stops_that_too() {
        assert!(group(true).guard(None).is_ok());
        let refused = group(false).guard(None).err();
        assert!(refused.is_some_and(|failure| failure.attempt.ends_with("--yes-this-is night")));
        for right in ["night", "0af0"] {
            assert!(group(false).guard(Some(right)).is_ok());
        }
        for is_dev in [true, false] {
            assert!(group(is_dev).guard(Some("day")).is_err_and(|failure| failure.exit == Exit::Failed));
        }
    }
}
