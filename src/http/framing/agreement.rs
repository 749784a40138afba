//! The parser behind the follower sees the same messages, or fewer, never others.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::tests::{MAX_HEAD, stream};
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

/// The request lines of all heads that the follower hands on.
fn heads(stream: &[u8]) -> Vec<(String, String)> {
    let mut follower = Follower::new(MAX_HEAD);
    let mut heads = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let is_head = matches!(follower.state, State::Head(_));
        // One step is one head, so that its end is known.
        let Ok(length @ 1..) = follower.step(rest) else {
            break;
        };
        let (bytes, behind) = rest.split_at(length);
        rest = behind;
        if is_head {
            heads.push(parsed(bytes));
        }
    }
    heads
}

/// The request line as httparse reads it, which must read the head to its end.
fn parsed(head: &[u8]) -> (String, String) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(head).unwrap();
    assert_eq!(status, httparse::Status::Complete(head.len()));
    let (method, target) = (request.method.unwrap(), request.path.unwrap());
    (method.to_owned(), target.to_owned())
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

        let mut follower = Follower::new(MAX_HEAD);
        prop_assert_eq!(follower.follow(&stream), Ok(stream.len()));
        prop_assert_eq!(follower.state(), FollowState::BetweenMessages);

        let seen: Vec<_> = seen_by_hyper(&stream).into_iter().map(|(_, _, body)| body).collect();
        prop_assert_eq!(seen, bodies);
    }

    #[test]
    fn the_parser_sees_no_message_that_was_not_followed(stream in stream()) {
        let mut follower = Follower::new(MAX_HEAD);
        let good = follower.follow(&stream).unwrap_or(0);

        let heads = heads(&stream);
        let seen = seen_by_hyper(&stream[..good]);

        prop_assert!(seen.len() <= heads.len());
        for ((method, target, _), head) in seen.iter().zip(&heads) {
            prop_assert_eq!(method, &head.0);
            let is_same = target == &head.1 || target == &format!("/{}", head.1);
            prop_assert!(is_same, "{} {}", target, head.1);
        }
    }
}
