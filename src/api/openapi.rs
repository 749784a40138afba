//! The endpoints as an OpenAPI 3.1 document, for programs: `GET /api/auth/openapi.json`.
//!
//! It is assembled from what the code decides by: the endpoints, and the codes of refusals with their
//! statuses and sentences. Only what each endpoint takes and says is written down here.

mod operations;
mod schemas;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use self::operations::{Caller, OPERATIONS, Operation};
use crate::http::Code;

/// The document as it is sent.
pub(super) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(assembled().to_string()));
    DOCUMENT.clone()
}

fn assembled() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(operation.method.to_owned(), described(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dariet Gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Sessions, users and API keys",
            "description": "What the gateway answers itself, on every host. Unknown members of a body are \
                ignored, `null` means not given, and a member that is there twice is refused.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session token, from a log-in, or an API key.",
                },
            },
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses(operation),
        "security": match operation.caller {
            Caller::Anyone => json!([]),
            Caller::Credential => json!([{ "bearer": [] }]),
        },
    });
    let mut parameters: Vec<Value> = operation.query.iter().map(|name| query(name)).collect();
    if operation.path.contains("{id}") {
        parameters.push(json!({
            "name": "id", "in": "path", "required": true,
            "schema": { "type": "string", "format": "uuid" },
        }));
    }
    if !parameters.is_empty() {
        schemas::set(&mut described, "parameters", parameters);
    }
    if let Some(schema) = operation.body {
        schemas::set(
            &mut described,
            "requestBody",
            json!({
                "required": true,
                "content": { "application/json": { "schema": schemas::reference(schema) } },
            }),
        );
    }
    described
}

fn query(name: &str) -> Value {
    let schema = match name {
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": super::users::MAX_PAGE }),
        _ => json!({ "type": "string", "format": "uuid" }),
    };
    json!({ "name": name, "in": "query", "required": false, "schema": schema })
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    let (status, schema) = operation.success;
    responses.insert(status.to_string(), success(operation, schema));
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in operation.refusals() {
        by_status
            .entry(code.status().as_u16())
            .or_default()
            .push(code);
    }
    for (status, codes) in by_status {
        responses.insert(status.to_string(), refusal(status, &codes));
    }
    responses.into()
}

fn success(operation: &Operation, schema: Option<&str>) -> Value {
    let mut success = json!({ "description": operation.summary });
    if let Some(schema) = schema {
        let (media_type, schema) = match schema {
            "html" => ("text/html; charset=utf-8", json!({ "type": "string" })),
            schema => ("application/json", schemas::reference(schema)),
        };
        schemas::set(
            &mut success,
            "content",
            json!({ media_type: { "schema": schema } }),
        );
    }
    let headers: Map<_, _> = operation
        .headers
        .iter()
        .map(|name| ((*name).to_owned(), header(name)))
        .collect();
    if !headers.is_empty() {
        schemas::set(&mut success, "headers", headers);
    }
    success
}

fn refusal(status: u16, codes: &[Code]) -> Value {
    let said = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.sentence()));
    let words: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let mut refusal = json!({
        "description": said.collect::<Vec<_>>().join("\n\n"),
        "content": { "application/problem+json": { "schema": {
            "allOf": [schemas::reference("Problem")],
            "properties": { "status": { "const": status }, "code": { "enum": words } },
        } } },
    });
    let name = match status {
        401 | 403 => "WWW-Authenticate",
        429 | 503 => "Retry-After",
        _ => return refusal,
    };
    schemas::set(&mut refusal, "headers", json!({ name: header(name) }));
    refusal
}

fn header(name: &str) -> Value {
    let (is_required, schema) = match name {
        "Dariet-Durability" => (
            // A patch that changes nothing writes nothing.
            false,
            json!({ "enum": ["replicated", "primary", "local"] }),
        ),
        "Retry-After" => (true, json!({ "type": "integer", "minimum": 1 })),
        "Link" => (false, json!({ "type": "string" })),
        _ => (true, json!({ "type": "string" })),
    };
    json!({ "required": is_required, "schema": schema })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::Method;

    use super::super::routes::Endpoint;
    use super::*;

    const ID: &str = "019cff2a-5a3e-7c51-9a5e-0d1f6c6b2a77";
    const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "options"];

    fn found(method: &str, path: &str) -> Option<Endpoint> {
        let method: Method = method.to_uppercase().parse().unwrap();
        Endpoint::find(&method, &path.replace("{id}", ID)).ok()
    }

    #[test]
    fn every_endpoint_is_in_the_document_and_nothing_else() {
        let mut endpoints = BTreeSet::new();
        for operation in OPERATIONS {
            for method in METHODS {
                let is_documented = OPERATIONS
                    .iter()
                    .any(|other| other.path == operation.path && other.method == method);
                let found = found(method, operation.path);
                assert_eq!(
                    found.is_some(),
                    is_documented,
                    "{method} {}",
                    operation.path
                );
                endpoints.extend(found.map(|endpoint| format!("{endpoint:?}")));
            }
        }
        // The variants of the enum itself, so that no path can be forgotten with its endpoint.
        let source = include_str!("routes.rs");
        let (_, variants) = source.split_once("enum Endpoint {").unwrap();
        let (variants, _) = variants.split_once("\n}").unwrap();
        let variants = variants.lines().filter(|line| line.ends_with(','));
        assert_eq!(endpoints.len(), variants.count());
    }

    #[test]
    fn every_code_is_in_the_document_but_those_of_forwarding() {
        let forwarding = [
            Code::NoRoute,
            Code::MethodNotAllowed,
            Code::NotImplemented,
            Code::UpstreamRefused,
            Code::UpstreamBroken,
            Code::UpstreamUnavailable,
            Code::UpstreamTimeout,
        ];
        let all: Vec<_> = OPERATIONS.iter().flat_map(Operation::refusals).collect();
        for code in Code::ALL {
            let is_forwarding = forwarding.contains(code);
            assert_ne!(all.contains(code), is_forwarding, "{}", code.as_str());
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = assembled().to_string();
        let schemas = schemas::all();
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name = &text[at + "#/components/schemas/".len()..];
            let name = &name[..name.find('"').unwrap()];
            assert!(schemas.get(name).is_some(), "{name}");
        }
    }
}
