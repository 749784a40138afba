//! One request, written byte by byte, in each version of HTTP and over each listener.

use futures_util::{StreamExt as _, stream};

use crate::frames::{Frames, Outcome, block, head};
use crate::stage::{Listener, Stage};
use crate::support::wire::Wire;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1(Listener),
    Http2,
}

/// A request without body.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: String,
    pub target: Vec<u8>,
    pub host: Vec<u8>,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Speaks {
    pub const ALL: [Self; 3] = [
        Self::Http1(Listener::Plain),
        Self::Http1(Listener::Tls),
        Self::Http2,
    ];
}

impl Ask {
    pub fn get(target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.into(),
            host: b"localhost".to_vec(),
            fields: Vec::new(),
        }
    }

    pub fn field(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Carries a token or key in `Authorization`.
    pub fn bearer(self, credential: &str) -> Self {
        self.field("Authorization", format!("Bearer {credential}"))
    }

    /// Sends it over a connection of its own.
    pub async fn send(&self, stage: &Stage, speaks: Speaks) -> Outcome {
        match speaks {
            Speaks::Http1(listener) => {
                let mut wire = stage.wire(listener).await;
                let _ = wire.try_send(self.http1()).await;
                answer(&mut wire, &self.method).await
            }
            Speaks::Http2 => {
                let mut frames = Frames::open(&stage.world).await;
                frames.send(head(&self.http2())).await;
                frames.outcome(1).await
            }
        }
    }

    fn http1(&self) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.target].concat();
        bytes.extend(b" HTTP/1.1\r\nHost: ");
        bytes.extend(&self.host);
        bytes.extend(b"\r\n");
        for (name, value) in &self.fields {
            bytes.extend([name, &b": "[..], value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes
    }

    fn http2(&self) -> Vec<u8> {
        let mut fields: Vec<(Vec<u8>, &[u8])> = vec![
            (b":method".to_vec(), self.method.as_bytes()),
            (b":scheme".to_vec(), b"https"),
            (b":authority".to_vec(), &self.host),
            (b":path".to_vec(), &self.target),
        ];
        for (name, value) in &self.fields {
            fields.push((name.to_ascii_lowercase(), value));
        }
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (&name[..], *value))
            .collect();
        block(&fields)
    }
}

/// What a client over HTTP/1.1 gets next.
pub async fn answer(wire: &mut Wire, method: &str) -> Outcome {
    match wire.try_answer(method).await {
        Ok(answer) => {
            let problem = serde_json::from_slice::<serde_json::Value>(&answer.body);
            let problem = problem.unwrap_or_default();
            let code = problem["code"].as_str().unwrap_or_default();
            Outcome::Answer(answer.status, code.to_owned())
        }
        Err(_) => Outcome::Gone(None),
    }
}

/// How many tries go on at once.
const AT_ONCE: usize = 24;

/// Does all of these, several at once.
pub async fn all<T>(tries: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(tries)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}
