use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use serde_json::Value;

use super::CliError;
use super::node_socket::NodeSocket;
use super::owner::keep_owner;
use crate::api::{ApiContext, CallerSource};
use crate::config::{Config, StoreUrl};
use crate::http::RequestId;
use crate::node::Local;

/// Whoever may use this machine's gateway: asks the running node, or the gateway's own endpoints over
/// the store where no node runs.
#[derive(Debug)]
pub(super) enum Operator {
    Node(NodeSocket),
    Local(Box<Local>),
}

/// An answer: its status and its body.
pub(super) type Answer = (StatusCode, Bytes);

impl Operator {
    /// Finds the running node, else opens the store.
    pub(super) fn reach(config: &Config) -> Result<Self, CliError> {
        if let Some(node) = Self::node(config)? {
            return Ok(Self::Node(node));
        }
        if let StoreUrl::Embedded(store) = &config.store
            && !store.exists()
        {
            keep_owner(store)?;
        }
        Ok(Self::Local(Box::new(Local::open(config)?)))
    }

    /// The running node, if there is one.
    pub(super) fn node(config: &Config) -> Result<Option<NodeSocket>, CliError> {
        Self::node_at(&config.admin.socket)
    }

    /// The node that listens on this socket, if there is one.
    pub(super) fn node_at(path: &Path) -> Result<Option<NodeSocket>, CliError> {
        match UnixStream::connect(path) {
            Ok(_) => Ok(Some(NodeSocket::new(path.to_owned())?)),
            Err(error) => match error.kind() {
                // A socket that nobody listens on was left behind by a node that was killed.
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
                ErrorKind::PermissionDenied => Err(CliError::SocketForbidden {
                    path: path.to_owned(),
                }),
                _ => Err(CliError::Socket {
                    path: path.to_owned(),
                    source: error.into(),
                }),
            },
        }
    }

    /// Asks one of the gateway's own endpoints, as the operator; `null` when there is nothing to answer.
    pub(super) fn call(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let request = request(method, target, body)?;
        let answer = match self {
            Self::Node(node) => node.call(request)?,
            Self::Local(local) => local.run(ask(local, request))?,
        };
        read(answer)
    }
}

/// A request to the gateway's own endpoints.
pub(super) fn request(
    method: Method,
    target: &str,
    body: Option<&Value>,
) -> Result<Request<Full<Bytes>>, CliError> {
    let text = body.map(Value::to_string).unwrap_or_default();
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "localhost");
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    // What stands in a target here is ours, or an id.
    let request = request.body(Full::from(text));
    request.map_err(|_| CliError::Answer(None))
}

/// What an answer says, when it is not that it was refused.
pub(super) fn read((status, body): Answer) -> Result<Value, CliError> {
    if !status.is_success() {
        let problem = serde_json::from_slice(&body);
        let problem: Problem = problem.map_err(|error| CliError::Answer(Some(error)))?;
        return Err(CliError::Refused(problem.told()));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).map_err(|error| CliError::Answer(Some(error)))
}

async fn ask(local: &Local, request: Request<Full<Bytes>>) -> Result<Answer, CliError> {
    let request_id = RequestId::new();
    let context = ApiContext {
        request_id: request_id.as_str(),
        client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        caller: CallerSource::Operator,
    };
    let response = local.api().answer(request, &context).await.response;
    let status = response.status();
    let body = response.into_body().collect().await;
    let body = body.map_err(|error| CliError::Refused(error.to_string()))?;
    Ok((status, body.to_bytes()))
}

/// The parts of a problem document that a person needs.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
    code: String,
    #[serde(default)]
    errors: Vec<FieldProblem>,
}

#[derive(Debug, Deserialize)]
struct FieldProblem {
    field: String,
    message: String,
}

impl Problem {
    fn told(&self) -> String {
        if self.errors.is_empty() {
            return format!("{}: {}", self.code, self.detail);
        }
        let fields = self.errors.iter();
        let fields: Vec<_> = fields
            .map(|error| format!("{} {}", error.field, error.message))
            .collect();
        format!("{}: {}", self.code, fields.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &'static str) -> String {
        let answer = (StatusCode::CONFLICT, Bytes::from_static(body.as_bytes()));
        read(answer).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_is_told_by_its_code_and_in_words() {
        let told =
            refusal(r#"{"detail":"Another user has this email address.","code":"email_taken"}"#);
        assert_eq!(told, "email_taken: Another user has this email address.");
    }

    #[test]
    fn every_wrong_field_is_named() {
        let told = refusal(
            r#"{"detail":"Some fields are not valid; each is named.","code":"invalid","errors":[
                {"field":"name","message":"must have 1 to 200 characters"},
                {"field":"password","message":"must have at least 8 characters"}]}"#,
        );
        assert_eq!(
            told,
            "invalid: name must have 1 to 200 characters; password must have at least 8 characters"
        );
    }

    #[test]
    fn an_answer_that_is_none_of_ours_is_said_to_be_so() {
        assert!(refusal("<html>").contains("same version"));
    }
}
