//! Floods and slowness: what costs a client little and must not cost the gateway much.
//!
//! Each flood runs against bounds that are set low, and shows three things: it is ended by the bound it names,
//! whoever asks beside it is answered, and when it is over everything that it held is free again.

mod crowds;
mod frames;
mod keys;
mod logins;
mod pieces;
mod process;
mod resets;
mod windows;

use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::within;
use crate::support::world::{Version, World};

use process::Process;

/// A gateway before a service of everybody's, and what it held before the flood.
struct Flooded {
    world: World,
    service: Service,
    process: Process,
}

/// What a flood may add, in KiB. A debug build's runtime and allocator keep some of what was once used.
const MEMORY: u64 = 48 * 1024;
/// Connections that are kept to the service, and what the runtime opens late.
const DESCRIPTORS: u64 = 16;

impl Flooded {
    /// With these lines in `[server]`, and tables behind it.
    async fn start(server: &str) -> Self {
        Self::of(server, |setup| setup, Service::echo().await).await
    }

    /// The same with more said of the gateway and its service.
    async fn of(server: &str, more: impl FnOnce(Setup) -> Setup, service: Service) -> Self {
        let setup = Setup::new()
            .plain()
            .server(server)
            .upstream_of("service", &[service.address], "max_idle = 4")
            .route("/", "service", "public = true");
        let world = more(setup).start().await;
        // What is made once is there before it is looked at.
        for version in Version::ALL {
            let mut client = world.client(version).await;
            client.call(&Call::get("/early")).await.expect(200);
        }
        world.metric("dariet_connections_open 0").await;
        let process = Process::of(world.node().id());
        Self {
            world,
            service,
            process,
        }
    }

    /// Somebody else is answered, whatever goes on.
    async fn others_are_answered(&self) {
        for version in Version::ALL {
            let mut client = self.world.client(version).await;
            client.call(&Call::get("/other")).await.expect(200);
        }
    }

    /// Waits until nothing of the flood is left. Its clients must have gone, or been ended.
    async fn is_over(&self) {
        self.world.metric("dariet_connections_open 0").await;
        let freed = async {
            while self.process.descriptors() > DESCRIPTORS {
                tokio::task::yield_now().await;
            }
        };
        within("descriptors to be free again", freed).await;
        self.others_are_answered().await;
        self.memory_is_bounded();
    }

    fn memory_is_bounded(&self) {
        let grown = self.process.peak();
        assert!(grown < MEMORY, "{grown} KiB were taken");
    }
}
