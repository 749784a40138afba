//! TLS at the edge: which certificate a client sees, which one it shows, and who stands before it.

pub mod authority;
mod clients;
mod names;
mod proxy_protocol;
mod redirect;
mod reload;
mod start;
mod strict_transport;
