//! Dariet Gateway: a reverse proxy that stands in front of services and lets in only who may pass.
//!
//! The modules are layers, lowest first; each imports only what stands before it, and `api` and
//! `proxy` never each other. `docs/architecture.md` tells the life of a request through them.

pub mod domain;
pub mod runtime;
pub mod telemetry;

pub mod certificate;

pub mod config;

pub mod http;

pub mod store;

pub mod revocation;

pub mod auth;
pub mod mail;

pub mod accounts;

pub mod api;
pub mod proxy;

pub mod gateway;

pub mod server;

pub mod node;

pub mod cli;
