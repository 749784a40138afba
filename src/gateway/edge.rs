//! What is answered before anybody asks who it is, and what every answer carries.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request};

use super::Gateway;
use super::body::Source;
use super::limits::RateFields;
use super::record::Record;
use super::reply::Passed;
use super::rewrite::{redirect, upstream_target};
use super::routes::Route;
use crate::config::Target;
use crate::http::cors::Answer;
use crate::http::{ApiError, Code, Cors, NormalPath, cors};
use crate::revocation::Admission;

/// What the gateway says in an answer whoever gives it, be it the service or a refusal.
#[derive(Debug, Default)]
pub(super) struct Edge {
    /// Which origin the request came from, where its route answers others.
    origin: Option<HeaderValue>,
    fields: RateFields,
}

/// Where a request is led.
pub(super) enum Lead<'a> {
    /// By this route to this upstream, which is asked for this target.
    Upstream(&'a Route, usize, PathAndQuery),
    /// Nowhere: it is answered already.
    Answered(Passed),
}

impl Gateway {
    /// Finds the route of a request to the host `name`, and answers what needs no credential there.
    pub(super) async fn lead(
        &self,
        head: &request::Parts,
        name: Option<&str>,
        path: &NormalPath<'_>,
        record: &mut Record,
    ) -> Result<Lead<'_>, ApiError> {
        let route = self.shared.routes.find(name, path, head)?;
        record.route = route.index;
        if let Some(answer) = self.meet(head, record).await? {
            return Ok(Lead::Answered(answer));
        }
        let settings = &route.config;
        path.check(settings.keep_path_parameters, settings.keep_encoded_slash)?;
        Ok(match &settings.target {
            Target::Redirect(to) => {
                Lead::Answered(redirect(to, &settings.rewrite, path, &head.uri)?)
            }
            Target::Upstream(upstream) => {
                let target = upstream_target(&settings.rewrite, path, &head.uri)?;
                Lead::Upstream(route, *upstream, target)
            }
        })
    }

    /// Counts the request's address, and answers a browser's preflight: it carries no credential.
    /// `record.route` is known.
    pub(super) async fn meet(
        &self,
        head: &request::Parts,
        record: &mut Record,
    ) -> Result<Option<Passed>, ApiError> {
        let cors = self.cors(record.route);
        let limits = &self.shared.limits;
        if cors.is_some() || limits.says_fields {
            record.edge = Some(Box::default());
        }
        let origin = head.headers.get(header::ORIGIN);
        if let (Some(_), Some(edge)) = (cors, &mut record.edge) {
            edge.origin = origin.cloned();
        }
        let mut none = RateFields::default();
        let fields = record
            .edge
            .as_mut()
            .map_or(&mut none, |edge| &mut edge.fields);
        let (route, client) = (record.route, record.client);
        limits
            .admit_address(route, client, record.began, fields)
            .await?;
        let Some(cors) = cors else {
            return Ok(None);
        };
        if cors::preflight(&head.method, &head.headers).is_none() {
            return Ok(None);
        }
        self.count(None, record).await?;
        preflight(cors, origin).map(Some)
    }

    /// Counts a request that may be made.
    pub(super) async fn count(
        &self,
        admission: Option<&Admission>,
        record: &mut Record,
    ) -> Result<(), ApiError> {
        let principal = admission.map(Admission::principal);
        let mut none = RateFields::default();
        let fields = record
            .edge
            .as_mut()
            .map_or(&mut none, |edge| &mut edge.fields);
        let limits = &self.shared.limits;
        limits
            .admit(record.route, principal, record.began, fields)
            .await
    }

    /// Says in an answer what is said in every one of its route.
    pub(super) fn see_off(&self, record: &Record, headers: &mut HeaderMap, kind: Answer) {
        let Some(edge) = &record.edge else {
            return;
        };
        if let Some(cors) = self.cors(record.route) {
            cors.answer(edge.origin.as_ref(), headers, kind);
        }
        edge.fields.put(headers);
    }

    fn cors(&self, route: usize) -> Option<&Cors> {
        if route == self.own_route() {
            return self.shared.api_cors.as_ref();
        }
        self.shared.routes.at(route)?.cors.as_ref()
    }
}

fn preflight(cors: &Cors, origin: Option<&HeaderValue>) -> Result<Passed, ApiError> {
    if !origin.is_some_and(|origin| cors.admits(origin)) {
        return Err(Code::OriginNotAllowed.into());
    }
    let mut response = Response::new(Source::Full(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    cors.answer_preflight(response.headers_mut());
    Ok(Passed::own(response))
}
