//! Nothing is held back: what one side has sent arrives before it sends the next, in every combination of
//! versions.

use bytes::Bytes;

use crate::support::http2::{Incoming, Stream};
use crate::support::http2_service::{Http2Answer, Http2Call, Http2Service, Http2Upstream, head};
use crate::support::message::Call;
use crate::support::service::Scripted;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::{Version, World};

const EVENTS: &str = "text/event-stream";
const GRPC: &str = "application/grpc";

/// A client in the middle of its request and of the answer.
enum Asking {
    Http1(Wire),
    Http2(Box<Stream>),
    Answered(Incoming, h2::SendStream<Bytes>),
}

impl Asking {
    async fn begin(world: &World, version: Version) -> Self {
        let call = Call::post("/x");
        match version {
            Version::Http1 => {
                let mut wire = world.wire().await;
                let head = call.head();
                wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"))
                    .await;
                Self::Http1(wire)
            }
            Version::Http2 => {
                let mut http2 = world.http2().await;
                Self::Http2(Box::new(http2.begin(&call, false).await))
            }
        }
    }

    async fn answered(self, kind: &str) -> Self {
        match self {
            Self::Http1(mut wire) => {
                let head = wire.head().await;
                assert_eq!(head.headers.get("content-type"), Some(kind));
                Self::Http1(wire)
            }
            Self::Http2(stream) => {
                let (incoming, sending) = stream.both().await.unwrap();
                assert_eq!(incoming.headers.get("content-type"), Some(kind));
                Self::Answered(incoming, sending)
            }
            Self::Answered(..) => panic!("it was answered"),
        }
    }

    async fn send(&mut self, piece: String) {
        match self {
            Self::Http1(wire) => wire.send(chunk(&piece)).await,
            Self::Http2(stream) => stream.send(piece.into(), false).await.unwrap(),
            Self::Answered(_, sending) => sending.send_data(piece.into(), false).unwrap(),
        }
    }

    async fn piece(&mut self) -> Bytes {
        match self {
            Self::Http1(wire) => wire.chunk().await.unwrap(),
            Self::Answered(incoming, _) => incoming.piece().await.unwrap().unwrap(),
            Self::Http2(_) => panic!("it was not answered"),
        }
    }
}

/// A service in the middle of the same.
enum Answering {
    Http1(Wire),
    Http2(Box<Http2Call>, Option<Http2Answer>, Http2Upstream),
}

enum Service {
    Http1(Scripted),
    Http2(Http2Service),
}

impl Service {
    async fn start(version: Version) -> Self {
        match version {
            Version::Http1 => Self::Http1(Scripted::start().await),
            Version::Http2 => Self::Http2(Http2Service::start().await),
        }
    }

    async fn world(&self) -> World {
        let (address, protocol) = match self {
            Self::Http1(service) => (service.address, "protocol = \"http1\""),
            Self::Http2(service) => (service.address, "protocol = \"h2c\""),
        };
        let setup = Setup::new()
            .upstream_of("service", &[address], protocol)
            .route("/", "service", "public = true");
        setup.start_empty().await
    }

    async fn accept(&self) -> Answering {
        match self {
            Self::Http1(service) => {
                let mut wire = service.accept().await;
                wire.head().await;
                Answering::Http1(wire)
            }
            Self::Http2(service) => {
                let mut upstream = service.accept().await;
                Answering::Http2(Box::new(upstream.next().await), None, upstream)
            }
        }
    }
}

impl Answering {
    async fn begin(&mut self, kind: &str) {
        match self {
            Self::Http1(wire) => {
                wire.send(format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
                ))
                .await;
            }
            Self::Http2(call, answer, _) => {
                *answer = Some(call.begin(head(200, &[("content-type", kind)])));
            }
        }
    }

    async fn send(&mut self, piece: String) {
        match self {
            Self::Http1(wire) => wire.send(chunk(&piece)).await,
            Self::Http2(_, answer, _) => answer.as_mut().unwrap().send(piece),
        }
    }

    async fn piece(&mut self) -> Bytes {
        match self {
            Self::Http1(wire) => wire.chunk().await.unwrap(),
            Self::Http2(call, ..) => call.piece().await.unwrap().unwrap(),
        }
    }
}

fn chunk(piece: &str) -> String {
    format!("{:x}\r\n{piece}\r\n", piece.len())
}

#[tokio::test]
async fn each_piece_arrives_before_the_next_is_sent_both_ways() {
    for spoken_behind in Version::ALL {
        let service = Service::start(spoken_behind).await;
        let world = service.world().await;
        for (spoken_before, kind) in [
            (Version::Http1, EVENTS),
            (Version::Http2, EVENTS),
            (Version::Http1, GRPC),
            (Version::Http2, GRPC),
        ] {
            let mut client = Asking::begin(&world, spoken_before).await;
            client.send("first".to_owned()).await;
            let mut upstream = service.accept().await;
            assert_eq!(upstream.piece().await, "first");
            upstream.begin(kind).await;
            let mut client = client.answered(kind).await;
            for at in 0..5 {
                upstream.send(format!("data: {at}\n\n")).await;
                assert_eq!(client.piece().await, format!("data: {at}\n\n"));
                client.send(format!("more {at}")).await;
                assert_eq!(upstream.piece().await, format!("more {at}"));
            }
            // The connection that carried it ends with it, so that the next one is a new one.
            if let Answering::Http2(_, answer, connection) = upstream {
                connection.say_goodbye();
                drop(client);
                answer.unwrap().was_reset().await;
                connection.ended().await;
            }
        }
    }
}
