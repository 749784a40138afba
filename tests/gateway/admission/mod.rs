//! Who is let in, and what the others are told.

mod credentials;
mod public;
mod routes;
mod signing_keys;
mod tokens;
mod websocket;
