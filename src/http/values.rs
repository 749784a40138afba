use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Version, header, request};

use super::{ApiError, Code};

/// A header of an HTTP/2 request that HTTP/1.1 could not carry as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Space around a value (RFC 9113 §8.2.1). Whoever reads it next trims it, and may then see a
    /// credential where we saw none.
    #[error("a header's value begins or ends with white space")]
    Space,
    /// More than one length.
    #[error("the request has more than one `content-length`")]
    Lengths,
    /// A target that is nothing but a query, or for no scheme (RFC 9113 §8.3.1).
    #[error("`:path` does not begin with a slash, or `:scheme` is empty")]
    Target,
    /// A character in the query that HTTP/1.1 has none of in a target; some services end or split the
    /// request line there.
    #[error("the query of `:path` holds a character that must be percent-encoded")]
    Query,
    /// More headers than the bound.
    #[error("the head has more headers than the bound")]
    TooMany,
}

/// The most headers that a request may have. More are somebody's denial of service, and services have
/// bounds of their own, beyond which they read a head as they like.
pub(super) const MAX_FIELDS: usize = 100;

/// Refuses headers over HTTP/2 that the next reader could read otherwise. Over HTTP/1 the framing was
/// checked already, and values were trimmed.
///
/// # Errors
///
/// [`ValueError`]; the request must be refused.
pub fn check_values(head: &request::Parts) -> Result<(), ValueError> {
    if head.version != Version::HTTP_2 {
        return Ok(());
    }
    if !are_trimmed(&head.headers) {
        return Err(ValueError::Space);
    }
    let lengths = head.headers.get_all(header::CONTENT_LENGTH);
    if lengths.iter().nth(1).is_some() {
        return Err(ValueError::Lengths);
    }
    let has_path = |target: &PathAndQuery| !target.as_str().starts_with('?');
    if !head.uri.path_and_query().is_none_or(has_path) || head.uri.scheme_str() == Some("") {
        return Err(ValueError::Target);
    }
    let query = head.uri.query().unwrap_or_default();
    if !query.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ValueError::Query);
    }
    // A cookie may come in crumbs, which are joined before they are passed on.
    if head.headers.len() > MAX_FIELDS {
        let crumbs = head.headers.get_all(header::COOKIE).iter().count();
        if head.headers.len() - crumbs > MAX_FIELDS {
            return Err(ValueError::TooMany);
        }
    }
    Ok(())
}

/// Whether no value has white space around it.
pub fn are_trimmed(headers: &HeaderMap) -> bool {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_trimmed = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        !is_space(bytes.first()) && !is_space(bytes.last())
    };
    headers.values().all(is_trimmed)
}

impl From<ValueError> for ApiError {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::TooMany => Self::new(Code::HeadTooLarge),
            _ => Self::new(Code::MalformedRequest).detail(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check(version: Version, headers: &[(&str, &str)]) -> Result<(), ValueError> {
        let mut request = Request::builder().version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        check_values(&head)
    }

    #[test]
    fn a_value_with_space_around_it_is_refused_over_http2() {
        for value in [" Bearer x", "Bearer x ", "\tBearer x", " "] {
            let headers = [("authorization", value)];
            assert_eq!(check(Version::HTTP_2, &headers), Err(ValueError::Space));
        }
        assert_eq!(check(Version::HTTP_2, &[("a", "b c"), ("d", "")]), Ok(()));
    }

    #[test]
    fn a_second_length_is_refused_over_http2() {
        let headers = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(check(Version::HTTP_2, &headers), Err(ValueError::Lengths));
    }
}
