use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use dariet_gateway::api::{Answered, ApiBodyError, ApiContext, CallerSource};
use dariet_gateway::http::{Code, RequestId};
use dariet_gateway::revocation::Admission;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;

use super::World;

/// A request that is being written.
pub(crate) struct Call<'a> {
    world: &'a World,
    request: http::request::Builder,
    body: Bytes,
    client: IpAddr,
    caller: CallerSource,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Why the body broke off, if it did.
    pub(crate) broken: Option<ApiBodyError>,
    pub(crate) admission: Option<Arc<Admission>>,
    pub(crate) outlives_admission: bool,
    pub(crate) code: Option<&'static str>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(world: &'a World, method: &str, path: &str) -> Self {
        Self {
            world,
            request: Request::builder().method(method).uri(path),
            body: Bytes::new(),
            client: World::CLIENT,
            caller: CallerSource::Credential,
        }
    }

    pub(crate) fn bearer(self, credential: &str) -> Self {
        self.header(AUTHORIZATION, &format!("Bearer {credential}"))
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// A body that says it is JSON.
    pub(crate) fn text(self, body: &str) -> Self {
        let mut call = self.header(CONTENT_TYPE, "application/json");
        call.body = Bytes::copy_from_slice(body.as_bytes());
        call
    }

    /// A body that says nothing of itself.
    pub(crate) fn raw(mut self, body: &[u8]) -> Self {
        self.body = Bytes::copy_from_slice(body);
        self
    }

    pub(crate) fn from(mut self, client: &str) -> Self {
        self.client = client.parse().unwrap();
        self
    }

    pub(crate) fn by_operator(mut self) -> Self {
        self.caller = CallerSource::Operator;
        self
    }

    /// Gets the answer, its body not yet read.
    pub(crate) async fn answer(self) -> Answered {
        let request = self.request.body(Full::new(self.body)).unwrap();
        let id = RequestId::new();
        let context = ApiContext {
            request_id: id.as_str(),
            client: self.client,
            caller: self.caller,
        };
        Box::pin(self.world.api.answer(request, &context)).await
    }

    pub(crate) async fn send(self) -> Reply {
        Reply::read(self.answer().await).await
    }
}

impl Reply {
    pub(crate) async fn read(answered: Answered) -> Self {
        let (head, mut body) = answered.response.into_parts();
        let mut bytes = Vec::new();
        let mut broken = None;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => broken = Some(error),
            }
        }
        Self {
            status: head.status,
            headers: head.headers,
            body: bytes.into(),
            broken,
            admission: answered.admission,
            outlives_admission: answered.outlives_admission,
            code: answered.code.map(Code::as_str),
        }
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The answer said yes with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{body}");
        assert_eq!(self.code, None);
        self
    }

    /// The answer is this refusal, as RFC 9457 and docs/api.md have it.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.status);
        assert_eq!(self.status.as_u16(), status);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        let problem = self.json();
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail", "request_id"] {
            assert!(problem[member].is_string(), "{member} in {problem}");
        }
        if status == 401 {
            assert!(
                self.header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
        if status == 429 || status == 503 {
            let wait: u64 = self.header("retry-after").unwrap().parse().unwrap();
            assert!(wait >= 1);
        }
        self
    }

    /// The answer is 422, and these fields were wrong.
    #[track_caller]
    pub(crate) fn wrong(self, fields: &[&str]) -> Self {
        let reply = self.refused(422, "invalid");
        let problem = reply.json();
        let errors = problem["errors"].as_array().unwrap();
        let mut named: Vec<_> = errors
            .iter()
            .map(|error| {
                assert!(!error["message"].as_str().unwrap().is_empty());
                error["field"].as_str().unwrap()
            })
            .collect();
        named.sort_unstable();
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(named, fields, "{problem}");
        reply
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
