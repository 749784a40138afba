use std::sync::Arc;

use tokio::runtime::Runtime;

use super::NodeError;
use super::core::Core;
use crate::api::Api;
use crate::config::Config;
use crate::runtime;

/// The gateway's own endpoints over the store, for the command line while no node runs here.
pub struct Local {
    core: Core,
    runtime: Runtime,
}

impl Local {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// [`NodeError`]; a file that a running node has open is one, and a server that cannot be reached.
    pub fn open(config: &Config) -> Result<Self, NodeError> {
        let runtime = runtime::control().map_err(NodeError::system("a runtime"))?;
        let mut core = Core::open(config, runtime.handle())?;
        core.visit(runtime.handle())?;
        Ok(Self { core, runtime })
    }

    /// The endpoints.
    #[must_use]
    pub const fn api(&self) -> &Arc<Api> {
        &self.core.api
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
