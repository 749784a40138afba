//! A refusal as a problem document (RFC 9457).

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::{ApiError, Code, FieldError};

/// Renders a refusal, with everything HTTP asks to stand beside it: the challenge of a 401, when to
/// try again, which methods there are.
#[must_use]
pub fn problem(error: &ApiError, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(body(error, request_id));
    *response.status_mut() = error.code.status();
    set_headers(response.headers_mut(), error);
    response
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

fn body(error: &ApiError, request_id: &str) -> Bytes {
    let code = error.code;
    let document = Document {
        kind: format!("urn:dariet:problem:{}", code.as_str()),
        title: code.title(),
        status: code.status().as_u16(),
        detail: sentence(&error.to_string()),
        code: code.as_str(),
        request_id,
        errors: &error.fields,
    };
    // Texts and numbers always become JSON; an empty body would still have its status.
    Bytes::from(serde_json::to_vec(&document).unwrap_or_default())
}

fn set_headers(headers: &mut HeaderMap, error: &ApiError) {
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = challenge(error.code) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(wait) = retry_after(error) {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    }
    if let Some(Ok(allow)) = error.allow.as_deref().map(HeaderValue::from_str) {
        headers.insert(ALLOW, allow);
    }
}

/// A detail as a sentence for people: errors are written in lower case, so that they can be joined.
fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let mut sentence: String = first.to_uppercase().chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// The challenge (RFC 6750 §3). Without a credential it names no error; nor where a password was
/// wrong, since the challenge speaks of bearer tokens only, but RFC 9110 wants one with every 401.
fn challenge(code: Code) -> Option<HeaderValue> {
    let error = match (code, code.status()) {
        (Code::CredentialMissing | Code::LoginFailed | Code::PasswordWrong, _) => {
            return Some(HeaderValue::from_static(r#"Bearer realm="dariet""#));
        }
        (_, StatusCode::UNAUTHORIZED) => "invalid_token",
        (_, StatusCode::FORBIDDEN) => "insufficient_scope",
        (Code::TwoCredentials, _) => "invalid_request",
        _ => return None,
    };
    let description = code.sentence();
    let challenge =
        format!(r#"Bearer realm="dariet", error="{error}", error_description="{description}""#);
    HeaderValue::from_str(&challenge).ok()
}

/// Whole seconds, rounded up, at least one. A 429 and a 503 always say some.
fn retry_after(error: &ApiError) -> Option<u64> {
    let always = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let wait = match error.retry_after {
        Some(wait) => wait,
        None if always.contains(&error.code.status()) => Duration::ZERO,
        None => return None,
    };
    let begun = u64::from(wait.subsec_nanos() > 0);
    Some(wait.as_secs().saturating_add(begun).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(response: &Response<Bytes>, name: http::HeaderName) -> Option<&str> {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_problem_has_every_member() {
        let error = ApiError::invalid(vec![FieldError {
            field: "email",
            message: "must be an address".to_owned(),
        }]);

        let response = problem(&error, "id-1");

        let json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:dariet:problem:invalid",
                "title": "Not valid",
                "status": 422,
                "detail": "Some fields are not valid; each is named.",
                "code": "invalid",
                "request_id": "id-1",
                "errors": [{ "field": "email", "message": "must be an address" }],
            })
        );
        assert_eq!(response.status(), 422);
        assert_eq!(
            header(&response, CONTENT_TYPE),
            Some("application/problem+json")
        );
        assert_eq!(header(&response, CACHE_CONTROL), Some("no-store"));
        assert_eq!(header(&response, WWW_AUTHENTICATE), None);
        assert_eq!(header(&response, RETRY_AFTER), None);
    }

    #[test]
    fn only_refused_fields_are_listed() {
        let response = problem(&Code::NotFound.into(), "id-1");
        let json: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(json.get("errors"), None);
    }

    #[test]
    fn every_401_has_a_challenge() {
        for code in Code::ALL {
            let response = problem(&(*code).into(), "");
            let challenge = header(&response, WWW_AUTHENTICATE);
            match code.status() {
                StatusCode::UNAUTHORIZED => {
                    assert!(challenge.unwrap().starts_with(r#"Bearer realm="dariet""#));
                }
                StatusCode::FORBIDDEN => {
                    assert!(challenge.unwrap().contains(r#"error="insufficient_scope""#));
                }
                _ => {}
            }
            // RFC 6750 §3: no quote and no backslash within a description.
            assert!(!code.sentence().contains(['"', '\\']));
            assert!(code.sentence().is_ascii());
        }
        let missing = problem(&Code::CredentialMissing.into(), "");
        assert_eq!(
            header(&missing, WWW_AUTHENTICATE),
            Some(r#"Bearer realm="dariet""#)
        );
        let revoked = problem(&Code::KeyRevoked.into(), "");
        assert_eq!(
            header(&revoked, WWW_AUTHENTICATE),
            Some(
                r#"Bearer realm="dariet", error="invalid_token", error_description="the API key was revoked; make a new one""#
            )
        );
    }

    #[test]
    fn waits_are_whole_seconds_and_never_none() {
        let wait = |millis| {
            let error = ApiError::new(Code::TooManyAttempts);
            retry_after(&error.retry_after(Duration::from_millis(millis)))
        };
        assert_eq!(wait(0), Some(1));
        assert_eq!(wait(1), Some(1));
        assert_eq!(wait(1000), Some(1));
        assert_eq!(wait(1001), Some(2));
        assert_eq!(retry_after(&Code::StoreUnavailable.into()), Some(1));
        assert_eq!(retry_after(&Code::NotFound.into()), None);
    }

    #[test]
    fn a_405_lists_the_methods() {
        let response = problem(&ApiError::method_not_allowed("GET, HEAD"), "");
        assert_eq!(response.status(), 405);
        assert_eq!(header(&response, ALLOW), Some("GET, HEAD"));
    }
}
