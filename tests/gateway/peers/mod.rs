//! Programs that others wrote, behind the gateway and before it.

mod nginx;
pub mod program;
mod websocket;
