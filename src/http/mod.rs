//! HTTP without policy: what a request says, and how an answer says no.
//!
//! - [`framing`] reads the bytes of an HTTP/1 connection into requests, strictly.
//! - [`path`] makes the one form of a path that decides the route and reaches the upstream.
//! - [`cors`] says which web pages of other origins may call.
//! - [`credential`] finds the one credential of a request.
//! - [`identity`] knows what a client may forge, and tells the upstream of the principal.
//! - [`hop_by_hop`] knows what concerns one connection only.
//! - [`passing`] decides which of a client's headers reach the upstream.
//! - [`forwarded`] finds the client behind trusted proxies, and tells the upstream of them.
//! - [`Host`] is the host that a request asks for, [`ClientBody`] the body that it brings.
//! - [`request_id`] names the request.
//! - [`problem`](mod@problem) renders a refusal.
//!
//! Of a forwarded request, [`passing`] writes what of the client's headers reaches the upstream, in one
//! pass. What the gateway says itself is written by [`forwarded::write`], [`IdentityHeaders::write`] and
//! whoever frames the body, and never read from the client's, so that nothing can be in its place.

mod body;
mod client_certificate;
pub mod cors;
pub mod credential;
mod error;
pub mod forwarded;
pub mod framing;
pub mod grpc;
pub mod header;
pub mod hop_by_hop;
mod host;
pub mod identity;
mod octet;
pub mod passing;
pub mod path;
pub mod problem;
pub mod request_id;
pub mod spare;
mod values;

pub use body::{ClientBody, ClientBodyError, Http1Body, Http2Body};
pub use client_certificate::ClientCertificate;
pub use cors::Cors;
pub use credential::{
    Credential, CredentialError, Found, OfferedProtocols, Place, WEBSOCKET_PROTOCOL,
    offered_protocols, read_credential,
};
pub use error::{ApiError, Code, FieldError};
pub use forwarded::{Client, Hop};
pub use framing::{Dechunked, Dechunker, FramingError, Piece, RequestHead, Requests, Stand};
pub use hop_by_hop::{ExtendedConnect, Upgrade, upgrade_of};
pub use host::{Host, HostError};
pub use identity::{IdentityHeaders, IdentityValues};
pub use passing::Passing;
pub use path::{NormalPath, PathError};
pub use problem::problem;
pub use request_id::RequestId;
pub use values::{ValueError, are_trimmed, check_values};
