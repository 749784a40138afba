//! A configuration that is exchanged while the gateway runs: whole, or not at all.

mod command;
mod refused;
mod requests;
mod signals;
mod upstreams;
mod websockets;

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::support::world::World;

/// Writes another configuration.
fn edit(world: &World, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(world.config()).unwrap();
    let new = change(text.clone());
    assert_ne!(new, text, "nothing was changed");
    std::fs::write(world.config(), new).unwrap();
}

/// Has the node read it. What it says that has changed.
fn reload(world: &World) -> String {
    let output = world.command(&["reload"], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).unwrap()
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
    let output = world.command(&["reload"], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(output.stdout, b"");
    said
}

/// Adds sections.
fn add(sections: &str) -> impl FnOnce(String) -> String {
    move |text| format!("{text}\n{sections}\n")
}

/// Writes something else in the place of a text that stands there once.
fn exchange(old: &str, new: &str) -> impl FnOnce(String) -> String {
    move |text| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {text}");
        text.replace(old, new)
    }
}
