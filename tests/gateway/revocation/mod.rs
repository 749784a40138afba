//! From when a revocation is answered, the credential does not work and what it opened is cut.

mod concerned;
mod expiry;
mod http1;
mod http2;
mod next_request;
mod own_answer;
mod role;
mod stalled;
mod websocket;

use bytes::Bytes;

use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::wire::{End, Wire};
use crate::support::world::World;

/// A download over HTTP/1.1 that has begun and is in the middle of its body.
struct Download {
    client: Wire,
    upstream: Wire,
}

impl Download {
    async fn begin(world: &World, service: &Scripted, credential: &str) -> Self {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Self::begin_with(world, service, credential, head).await
    }

    async fn begin_events(world: &World, service: &Scripted, credential: &str) -> Self {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        Self::begin_with(world, service, credential, head).await
    }

    async fn begin_with(world: &World, service: &Scripted, credential: &str, head: &str) -> Self {
        let mut client = world.wire().await;
        client
            .send(Call::get("/x").bearer(credential).bytes())
            .await;
        let mut upstream = service.accept().await;
        upstream.request().await;
        upstream.send(head).await;
        assert_eq!(client.head().await.status(), 200);
        let mut download = Self { client, upstream };
        download.goes_on().await;
        download
    }

    /// What the service sends arrives.
    async fn goes_on(&mut self) {
        self.upstream.send("4\r\nmore\r\n").await;
        assert_eq!(self.client.chunk().await.unwrap(), "more");
    }

    /// It comes to its end in good order.
    async fn finishes(mut self) {
        self.goes_on().await;
        self.upstream.send("0\r\n\r\n").await;
        assert_eq!(self.client.chunk().await, Ok(Bytes::new()));
    }

    /// It was cut, though not from this moment on: nothing says when.
    async fn was_cut(mut self) {
        let (rest, end) = self.client.rest().await;
        assert_eq!((&rest[..], end), (&b""[..], End::Reset));
        self.upstream.rest().await;
    }

    /// Nothing of what the service sends from now on arrives, and the client sees that it is not whole.
    async fn gets_cut(mut self) {
        // The gateway may have let the service go already.
        let _ = self.upstream.try_send("4\r\nlate\r\n").await;
        self.was_cut().await;
    }
}
