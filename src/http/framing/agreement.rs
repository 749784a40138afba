//! What is read here, hyper reads alike, so that no other reader of these bytes is likely to differ.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::tests::{MAX_HEAD, pieces, stream};
use super::*;

/// Method, target and body of a request.
type Seen = (String, String, Vec<u8>);

/// What hyper makes of a connection on which a client sends `stream` and then nothing more.
fn seen_by_hyper(stream: &[u8]) -> Vec<Seen> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                let line = (head.method.to_string(), head.uri.to_string());
                seen.lock().push((line.0, line.1, body.to_bytes().to_vec()));
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let serve = async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(stream).await.unwrap();
        client.shutdown().await.unwrap();
        let mut http1 = hyper::server::conn::http1::Builder::new();
        let connection = http1
            .half_close(true)
            .serve_connection(TokioIo::new(server), service);
        // Whether hyper was content with the stream shows in what it saw.
        let _ = connection.await;
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(serve);
    std::mem::take(&mut *seen.lock())
}

/// The requests that are read here, the last perhaps without the end of its body, and how many bytes they
/// are.
fn seen_here(stream: &[u8]) -> (Vec<Seen>, usize) {
    let mut requests = Requests::new(MAX_HEAD);
    let mut held = BytesMut::from(stream);
    let mut seen: Vec<Seen> = Vec::new();
    for piece in pieces(&mut requests, &mut held).0 {
        match (piece, seen.last_mut()) {
            (Piece::Head(head), _) => {
                let line = (head.parts.method.to_string(), head.parts.uri.to_string());
                seen.push((line.0, line.1, Vec::new()));
            }
            (Piece::Data(data), Some((_, _, body))) => body.extend(data),
            (Piece::Data(_) | Piece::Trailers(_), _) => {}
        }
    }
    (seen, stream.len() - held.len())
}

/// A request, and its body without framing.
fn request() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let chunk = (
        prop::collection::vec(any::<u8>(), 1..40),
        0_usize..4,
        prop::sample::select(vec!["", ";", ";a=b", ";a=\"\u{e9}\";b"]),
    );
    let trailers = prop::sample::select(vec!["", "X: y\r\n", "X: y\r\nZ:\r\n"]);
    let chunked = (prop::collection::vec(chunk, 0..5), trailers).prop_map(|(chunks, trailers)| {
        let mut stream =
            b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let mut body = Vec::new();
        for (data, zeros, extension) in chunks {
            let size = format!("{}{:X}{extension}\r\n", "0".repeat(zeros), data.len());
            stream.extend(size.bytes().chain(data.iter().copied()).chain(*b"\r\n"));
            body.extend(data);
        }
        stream.extend(format!("0\r\n{trailers}\r\n").bytes());
        (stream, body)
    });
    let plain = prop::collection::vec(any::<u8>(), 0..80).prop_map(|body| {
        let head = format!(
            "PUT /l HTTP/1.1\r\nHost: a\r\nContent-Length: {:03}\r\n\r\n",
            body.len()
        );
        ([head.as_bytes(), &body].concat(), body)
    });
    prop_oneof![chunked, plain]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_plain_stream_is_one_sequence_of_messages(requests in prop::collection::vec(request(), 0..5)) {
        let (streams, bodies): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let stream = streams.concat();

        let bodies_of = |seen: Vec<Seen>| seen.into_iter().map(|(_, _, body)| body).collect();
        let here: Vec<Vec<u8>> = bodies_of(seen_here(&stream).0);
        prop_assert_eq!(&here, &bodies);
        let by_hyper: Vec<Vec<u8>> = bodies_of(seen_by_hyper(&stream));
        prop_assert_eq!(by_hyper, bodies);
    }

    #[test]
    fn hyper_sees_no_other_requests(stream in stream()) {
        let (here, length) = seen_here(&stream);
        let by_hyper = seen_by_hyper(&stream[..length]);

        prop_assert!(by_hyper.len() <= here.len());
        prop_assert_eq!(&here[..by_hyper.len()], by_hyper);
    }
}
