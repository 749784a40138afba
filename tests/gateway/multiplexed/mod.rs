//! HTTP/2 to services: the same rules as with HTTP/1.1, over connections that carry many requests.

mod cuts;
mod ends;
mod grpc;
mod messages;
mod secure;
mod sharing;

use crate::support::http2_service::Http2Service;
use crate::support::setup::Setup;

const H2C: &str = "protocol = \"h2c\"";

/// A gateway before this service, for every signed-in user, with more lines for the upstream.
fn before(service: &Http2Service, lines: &str) -> Setup {
    Setup::new()
        .upstream_of("service", &[service.address], &format!("{H2C}\n{lines}"))
        .route("/", "service", "")
        .route("/public", "service", "public = true")
}
