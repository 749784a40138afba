use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::body::{GatewayBody, Source};
use super::header_rules;
use super::record::Record;
use super::relay::Relay;
use crate::config::HeaderRules;
use crate::http::{
    ApiError, OfferedProtocols, Place, WEBSOCKET_PROTOCOL, cors, grpc, hop_by_hop, problem,
};
use crate::proxy::{Answer, Tunnel};

/// The answer to a request.
#[derive(Debug)]
pub enum Reply {
    /// To be given to the client.
    Response(Response<GatewayBody>),
    /// To be given to the client, whose connection is the relay's from then on.
    Switch(Response<()>, Box<Relay>),
}

/// A request that came through, and what was said to it.
pub(super) enum Passed {
    Answer(Response<Source>),
    Switch(Response<Source>, Box<Tunnel>),
}

impl Passed {
    /// The gateway's own answer.
    pub(super) const fn own(response: Response<Source>) -> Self {
        Self::Answer(response)
    }

    pub(super) fn from_upstream(
        answer: Answer,
        place: Option<Place>,
        offered: OfferedProtocols,
        rules: &HeaderRules,
    ) -> Self {
        match answer {
            Answer::Response(mut response) => {
                header_rules::apply(rules, response.headers_mut());
                // RFC 9111 §3.5 keeps shared caches from answers to `Authorization`; nothing keeps
                // them from answers to this header.
                if place == Some(Place::XApiKey) {
                    let headers = response.headers_mut().entry(header::CACHE_CONTROL);
                    headers.or_insert(HeaderValue::from_static("private"));
                }
                Self::Answer(response.map(Source::Upstream))
            }
            Answer::Switched(mut response, tunnel) => {
                header_rules::apply(rules, response.headers_mut());
                hop_by_hop::set_upgrade(response.headers_mut());
                if offered == OfferedProtocols::OnlyOurs {
                    let headers = response.headers_mut();
                    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, WEBSOCKET_PROTOCOL);
                }
                Self::Switch(response.map(|()| Source::Full(Bytes::new())), tunnel)
            }
        }
    }

    pub(super) fn reply(self, mut record: Box<Record>) -> Reply {
        match self {
            Self::Answer(mut response) => {
                let kind = if matches!(response.body(), Source::Upstream(_)) {
                    cors::Answer::Service
                } else {
                    cors::Answer::Own
                };
                record.see_off(response.headers_mut(), kind);
                record.status = response.status().as_u16();
                Reply::Response(response.map(|source| GatewayBody::new(source, record)))
            }
            Self::Switch(response, tunnel) => {
                record.status = response.status().as_u16();
                let (head, _) = response.into_parts();
                let relay = Box::new(Relay::new(tunnel, record));
                Reply::Switch(Response::from_parts(head, ()), relay)
            }
        }
    }
}

/// The refusal `error` as an answer.
pub(super) fn refuse(error: &ApiError, mut record: Box<Record>) -> Reply {
    let mut response = problem(error, record.request_id.as_str());
    if record.is_grpc {
        response = grpc::refusal(response, error);
    }
    record.see_off(response.headers_mut(), cors::Answer::Own);
    record.status = response.status().as_u16();
    record.code = Some(error.code);
    record.is_guarded = false;
    Reply::Response(response.map(|bytes| GatewayBody::new(Source::Full(bytes), record)))
}
