//! openraft's own tests of a store, on our log and our inventory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::log_adapter::LogStore;
use crate::state_adapter::StateStore;
use crate::types::Types;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use std::sync::Arc;
use tallyman_model::GROUP_VERSION;
use tallyman_store::inventory::{Backend, Inventory, InventoryOptions};
use tallyman_store::log::{Log, LogOptions};
use tempfile::TempDir;

struct Builder(Backend);

impl StoreBuilder<Types, LogStore, StateStore, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateStore), StorageError<Types>> {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = LogStore::new(Log::open(dir.path(), LogOptions::default()).unwrap());
        let options = InventoryOptions { backend: self.0, ..InventoryOptions::new(dir.path()) };
        let (state, _) = StateStore::start(
            Inventory::open(options).unwrap(),
            GROUP_VERSION,
            Arc::new(|why| panic!("{why}")),
        )
        .unwrap();
        Ok((dir, log, state))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_store_suite_passes_on_log_and_sled() {
    Suite::test_all(Builder(Backend::Sled)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn openrafts_store_suite_passes_on_log_and_memory() {
    Suite::test_all(Builder(Backend::Memory)).await.unwrap();
}
