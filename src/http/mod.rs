//! HTTP without policy: what a request says, and how an answer says no.
//!
//! - [`framing`] reads the bytes of an HTTP/1 connection into requests, strictly.
//! - [`path`] makes the one form of a path that decides the route and reaches the upstream.
//! - [`credential`] finds the one credential of a request, and takes it out.
//! - [`identity`] takes out what a client may forge, and tells the upstream of the principal.
//! - [`hop_by_hop`] takes out what concerns one connection only.
//! - [`forwarded`] finds the client behind trusted proxies, and tells the upstream of them.
//! - [`Host`] is the host that a request asks for, [`ClientBody`] the body that it brings.
//! - [`request_id`] names the request.
//! - [`problem`](mod@problem) renders a refusal.
//!
//! The order for a forwarded request is: [`forwarded::client`], [`RequestId`], [`IdentityHeaders::strip`],
//! [`hop_by_hop::upgrade_requested`], [`hop_by_hop::strip_request`], [`read_credential`],
//! [`remove_credentials`], and then what we say ourselves: [`forwarded::set`], [`IdentityHeaders::set`].
//! The client's `Connection` list is thus honoured before anything of ours is there to be named in it.

mod body;
mod client_certificate;
pub mod credential;
mod error;
pub mod forwarded;
pub mod framing;
pub mod header;
pub mod hop_by_hop;
mod host;
pub mod identity;
mod octet;
pub mod path;
pub mod problem;
pub mod request_id;
mod values;

pub use body::{ClientBody, ClientBodyError, Http1Body, Http2Body};
pub use client_certificate::ClientCertificate;
pub use credential::{
    Credential, CredentialError, Found, OfferedProtocols, Place, WEBSOCKET_PROTOCOL,
    read_credential, remove_credentials, remove_offered_tokens,
};
pub use error::{ApiError, Code, FieldError};
pub use forwarded::{Client, Hop};
pub use framing::{Dechunked, Dechunker, FramingError, Piece, RequestHead, Requests, Stand};
pub use hop_by_hop::{Upgrade, upgrade_requested};
pub use host::{Host, HostError};
pub use identity::{IdentityHeaders, IdentityValues};
pub use path::{NormalPath, PathError};
pub use problem::problem;
pub use request_id::RequestId;
pub use values::{ValueError, are_trimmed, check_values};
