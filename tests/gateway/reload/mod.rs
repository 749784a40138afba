//! A configuration that is exchanged while the gateway runs: whole, or not at all.

mod command;
mod names;
mod refused;
mod requests;
mod signals;
mod upstreams;
mod websockets;

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::support::reloading::{add, exchange};
use crate::support::world::World;

/// Writes another configuration.
fn edit(world: &World, change: impl FnOnce(String) -> String) {
    world.edit(change);
}

/// Has the node read it. What it says that has changed.
fn reload(world: &World) -> String {
    world.reload()
}

/// The same while the test goes on.
async fn reload_meanwhile(world: &Arc<World>) -> String {
    let (world, (done, said)) = (Arc::clone(world), oneshot::channel());
    // The test may be over.
    std::thread::spawn(move || drop(done.send(reload(&world))));
    said.await.unwrap()
}

/// Has the node read what it must refuse. What it says is wrong.
fn refusal(world: &World) -> String {
    world.refused_reload()
}
