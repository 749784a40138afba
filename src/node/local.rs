use std::sync::Arc;

use tokio::runtime::Runtime;

use super::NodeError;
use super::core::Core;
use crate::api::Api;
use crate::config::Config;
use crate::runtime;
use crate::store::Embedded;

/// The gateway's own endpoints over the store's file, for the command line while no node runs.
pub struct Local {
    core: Core,
    runtime: Runtime,
}

impl Local {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// [`NodeError`]; a store that a running node has open is one.
    pub fn open(config: &Config) -> Result<Self, NodeError> {
        let runtime = runtime::control().map_err(NodeError::system("a runtime"))?;
        let mut core = Core::open(config, runtime.handle())?;
        core.follow(runtime.handle());
        Ok(Self { core, runtime })
    }

    /// The endpoints.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.core.api
    }

    /// The store itself.
    #[must_use]
    pub const fn store(&self) -> &Arc<Embedded> {
        &self.core.embedded
    }

    /// Waits for `work`.
    pub fn run<Work: Future>(&self, work: Work) -> Work::Output {
        self.runtime.block_on(work)
    }
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
