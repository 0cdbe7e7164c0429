//! Credentials from programs that the operator's provider file names: KEP-541's protocol, as `ClusterProfile` consumers
//! use it.
//!
//! A program is run once for all who ask with the same configuration at the same time, by a deadline, and again before
//! what it gave ends or when a server did not take it. What it gave is in memory only.

mod answer;
mod file;
mod run;

pub(crate) use answer::Given;

use crate::limits::{PLUGIN_CREDENTIALS_MAX, PLUGIN_DEADLINE_MS};
use file::{Prepared, Providers};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tallyman_model::Env;
use tallyman_model::record::{Provider, Server};
use thiserror::Error;

/// Why there are no credentials of a program. Never carries what it said.
#[derive(Debug, Error)]
pub enum PluginError {
    /// The provider file cannot be used.
    #[error("failed to use the provider file {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The provider file names no such provider.
    #[error("failed to find provider {name:?}: the provider file {path} has {known}")]
    NoProvider {
        /// What was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// The names that are in it.
        known: String,
    },
    /// The program did not do.
    #[error("failed to get credentials of provider {name:?}: {why}")]
    Program {
        /// The provider.
        name: String,
        /// Why, in words.
        why: String,
    },
}

/// The programs of one provider file, and what they gave last.
pub struct Plugins {
    file: PathBuf,
    env: Arc<dyn Env>,
    inherited: Vec<(String, String)>,
    given: Mutex<BTreeMap<String, Slot>>,
}

/// Whoever holds it asks the program, and others with the same configuration wait.
type Slot = Arc<tokio::sync::Mutex<Option<Given>>>;

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Plugins {
    /// Those of `file`, which is read whenever a program is asked. `inherited` is all of this process's environment that
    /// programs get.
    #[must_use]
    pub fn new(file: PathBuf, env: Arc<dyn Env>, inherited: Vec<(String, String)>) -> Self {
        Self { file, env, inherited, given: Mutex::default() }
    }

    /// The first provider of the file that is among `names`, in the order of the file; `None` if none is.
    ///
    /// # Errors
    /// The file cannot be used.
    pub async fn first_of(&self, names: &[&str]) -> Result<Option<String>, PluginError> {
        let providers = Providers::read(&self.file).await?;
        Ok(providers.first_of(names).map(str::to_owned))
    }

    /// Credentials that will do for a while.
    pub(crate) async fn credential(
        &self,
        server: &Server,
        provider: &Provider,
    ) -> Result<Given, PluginError> {
        let prepared = Providers::read(&self.file).await?.prepare(server, provider)?;
        let slot = self.slot(&prepared);
        let mut held = slot.lock().await;
        if let Some(given) = held.as_ref()
            && given.renew_ms.is_none_or(|at_ms| self.env.now_ms() < at_ms)
        {
            return Ok(given.clone());
        }
        let failed = |why: String| PluginError::Program { name: provider.name.clone(), why };
        let deadline = Duration::from_millis(PLUGIN_DEADLINE_MS);
        let said = run::run(&prepared, &self.inherited, deadline).await.map_err(failed)?;
        let given = answer::read(&said, &prepared, self.env.now_ms(), self.env.number()).map_err(failed)?;
        tracing::info!(provider = provider.name, server = server.url, "a program gave credentials");
        *held = Some(given.clone());
        Ok(given)
    }

    /// A server did not take these: the program is asked again.
    pub(crate) async fn forget(&self, refused: &Given) {
        let slots: Vec<Slot> = self
            .given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&refused.of)
            .cloned()
            .into_iter()
            .collect();
        for slot in slots {
            let mut held = slot.lock().await;
            // Others may have asked again meanwhile.
            held.take_if(|given| given.number == refused.number);
        }
    }

    /// When new ones are due; `None`: never by themselves.
    pub(crate) fn due_in(&self, given: &Given) -> Option<Duration> {
        Some(Duration::from_millis(given.renew_ms?.saturating_sub(self.env.now_ms())))
    }

    fn slot(&self, prepared: &Prepared) -> Slot {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.len() >= PLUGIN_CREDENTIALS_MAX {
            given.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(given.entry(prepared.key()).or_default())
    }
}
