//! `tallyman cluster cordon`, `uncordon`, `pause`, `resume` and `confirm`: what is settled about clusters.

use crate::client::{Client, Request, request, text};
use crate::exit::{Exit, Failure};
use crate::screen::Screen;
use crate::verb::ChangeOptions;
use crate::verb::many::Outcomes;
use reqwest::Method;
use serde_json::json;

pub(super) const CORDON_HELP: &str = "\
Examples:
  tallyman cluster cordon east
  tallyman cluster cordon east west

Exit codes: 3 not found";
pub(super) const UNCORDON_HELP: &str = "\
Examples:
  tallyman cluster uncordon east

Exit codes: 3 not found";
pub(super) const PAUSE_HELP: &str = "\
Examples:
  tallyman cluster pause east

Nothing is created or deleted there until it is resumed; what is waiting to be sent waits until its startBy.

Exit codes: 3 not found";
pub(super) const RESUME_HELP: &str = "\
Examples:
  tallyman cluster resume east

Exit codes: 3 not found";
const CONFIRM_HELP: &str = "\
Examples:
  tallyman cluster confirm east
  tallyman cluster confirm east --kube-system-uid 5a2c7f0e-4d1b-4f6e-9a57-0c2f3f1d8b11

A cluster whose kube-system namespace has another UID than before is quarantined: nothing is sent to it, because it may
be another cluster. Confirming accepts what it shows now; runs that were on the old one are then looked for there.

Exit codes: 3 not found, 4 it is not quarantined";

/// Clusters by name.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The clusters' names
    #[arg(required = true, value_name = "CLUSTER")]
    names: Vec<String>,
    #[command(flatten)]
    change: ChangeOptions,
}

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Setting {
    Cordoned(bool),
    Paused(bool),
}

impl Setting {
    fn words(self) -> &'static str {
        match self {
            Setting::Cordoned(true) => "gets no new work",
            Setting::Cordoned(false) => "gets work again",
            Setting::Paused(true) => "is sent nothing",
            Setting::Paused(false) => "is sent to again",
        }
    }
}

impl Named {
    pub(super) async fn set(self, client: &Client, verb: &str, setting: Setting) -> Result<(), Failure> {
        let patch = match setting {
            Setting::Cordoned(is) => json!({"spec": {"cordoned": is}}),
            Setting::Paused(is) => json!({"spec": {"paused": is}}),
        };
        let mut outcomes = Outcomes::default();
        for name in &self.names {
            let request =
                Request::send(Method::PATCH, request::cluster(name), &patch).keyed(self.change.key());
            let changed = client.change(request, &format!("tallyman cluster {verb} {name}")).await;
            if let Ok(answer) = &changed {
                let line = format!("cluster {name} {}   rev {}", setting.words(), answer.revision());
                Screen::stdout().line(&line);
            }
            outcomes.add(name, changed.map(|_| ()));
        }
        outcomes.conclude()
    }
}

/// Accept what a quarantined cluster shows as its identity
#[derive(Debug, clap::Args)]
#[command(after_help = CONFIRM_HELP)]
pub(super) struct Confirm {
    /// The cluster's name
    #[arg(value_name = "CLUSTER")]
    name: String,
    /// The UID of its kube-system namespace (default: the one that it was seen with last, if it is quarantined)
    #[arg(long, value_name = "UID")]
    kube_system_uid: Option<String>,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Confirm {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let name = &self.name;
        let uid = match &self.kube_system_uid {
            Some(uid) => uid.clone(),
            None => match shown(client, name).await {
                Err(failure) if failure.is_printed() => {
                    client.remark("with the UID that .status.message of the answer names:");
                    "UID".to_owned()
                }
                shown => shown?,
            },
        };
        let path = format!("{}/confirm", request::cluster(name));
        let request =
            Request::send(Method::POST, path, &json!({"kubeSystemUID": uid})).keyed(self.change.key());
        let repeat = format!("tallyman cluster confirm {name} --kube-system-uid {uid}");
        let answer = client.change(request, &repeat).await?;
        let line =
            format!("cluster {name} is the one with kube-system UID {uid} now   rev {}", answer.revision());
        Screen::stdout().line(&line);
        Ok(())
    }
}

/// The UID that a quarantined cluster was seen with last: its message says it.
async fn shown(client: &Client, name: &str) -> Result<String, Failure> {
    let cluster = client.read(&Request::get(request::cluster(name))).await?.body;
    let attempt = format!("tallyman cluster get {name} -o yaml");
    if cluster.pointer("/status/quarantined") != Some(&json!(true)) {
        let message = format!("cluster {name} is not quarantined: there is nothing to confirm");
        return Err(Failure::new(Exit::Conflict, message, attempt));
    }
    if cluster.pointer("/status/writtenOff").is_some() {
        return Ok(text(&cluster, "/status/kubeSystemUID").to_owned());
    }
    let message = text(&cluster, "/status/message");
    let uid = message.split_once("is now ").and_then(|(_, rest)| rest.split([':', ' ']).next());
    uid.map(str::to_owned).ok_or_else(|| {
        let message = format!("cluster {name} is quarantined: {message}");
        Failure::new(
            Exit::Conflict,
            message,
            format!("tallyman cluster confirm {name} --kube-system-uid UID"),
        )
    })
}
