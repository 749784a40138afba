use std::future::poll_fn;
use std::pin::pin;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body::Body;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::members::Members;
use crate::http::{ApiError, Code};

/// The most bytes a body may have.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// Reads the fields of a body: one JSON object of at most [`MAX_BODY`] bytes.
///
/// # Errors
///
/// 415, 413, 400 in this order; whatever is refused by its head alone is refused before the body is
/// asked for, so that no client that waits for `100 Continue` sends it in vain.
pub(super) async fn read_fields<B>(head: &Parts, body: B) -> Result<Fields, ApiError>
where
    B: Body<Data = Bytes>,
{
    is_json(&head.headers)?;
    is_small(&head.headers)?;
    let body = read(body).await?;
    let members = Members::read(&body).map_err(|_| Code::MalformedJson)?;
    Ok(Fields::of(members))
}

/// JSON is UTF-8 (RFC 8259 §8.1), so the one parameter that may be there says so.
fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let is_json = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(is_json_type),
        _ => false,
    };
    let is_plain = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_json && is_plain {
        return Ok(());
    }
    Err(Code::UnsupportedMediaType.into())
}

fn is_json_type(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") && parts.all(is_utf_8)
}

fn is_utf_8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return parameter.is_empty();
    };
    let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let value = if is_quoted {
        value.trim_matches('"')
    } else {
        value
    };
    name.eq_ignore_ascii_case("charset") && value.eq_ignore_ascii_case("utf-8")
}

fn is_small(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(length) = headers.get(CONTENT_LENGTH) else {
        return Ok(());
    };
    let length = length.to_str().ok().and_then(|text| text.parse().ok());
    if length.is_some_and(|length: usize| length <= MAX_BODY) {
        return Ok(());
    }
    Err(too_large())
}

async fn read<B>(body: B) -> Result<Zeroizing<Vec<u8>>, ApiError>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    // All at once: a vector that grows leaves copies of passwords behind.
    let mut read = Zeroizing::new(Vec::with_capacity(capacity(&*body)));
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(frame) = frame else {
            return Err(ApiError::new(Code::MalformedRequest)
                .detail("the body broke off before its end; send the request again"));
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if read.len() + data.remaining() > MAX_BODY {
            return Err(too_large());
        }
        read.extend_from_slice(&data);
    }
    Ok(read)
}

fn capacity(body: &impl Body) -> usize {
    let most = body.size_hint().upper().unwrap_or(4096);
    usize::try_from(most).unwrap_or(MAX_BODY).min(MAX_BODY)
}

fn too_large() -> ApiError {
    ApiError::new(Code::BodyTooLarge).detail("the body is larger than 64 KiB; send less")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_utf_8_is_taken_in_every_spelling() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json ;",
        ] {
            assert!(is_json_type(value), "{value}");
        }
    }

    #[test]
    fn other_types_and_charsets_are_not() {
        for value in [
            "",
            "text/json",
            "application/jsonx",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
            "application/json; boundary=x",
            "application/json, text/plain",
        ] {
            assert!(!is_json_type(value), "{value}");
        }
    }

    #[test]
    fn a_length_is_looked_at_before_the_body() {
        let refused = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, value.parse().unwrap());
            is_small(&headers).is_err()
        };
        assert!(!refused("65536"));
        assert!(refused("65537"));
        assert!(refused("99999999999999999999999"));
    }
}
