use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use serde::{Serialize, Serializer};

use super::body::ApiBody;
use crate::accounts::{KeyView, LoggedIn, MintedKey};
use crate::domain::{Role, Timestamp};
use crate::store::{Durability, KeyRecord, UserRecord};

/// A user as clients see them.
#[derive(Serialize)]
pub(super) struct UserResponse<'a> {
    #[serde(serialize_with = "as_text")]
    id: crate::domain::UserId,
    email: &'a str,
    name: &'a str,
    role: Role,
    is_active: bool,
    #[serde(serialize_with = "as_text")]
    created_at: Timestamp,
}

/// What a log-in answers. It holds a secret: it is made, written and gone.
#[derive(Serialize)]
pub(super) struct SessionResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// In seconds.
    expires_in: u64,
    user: UserResponse<'a>,
}

/// An API key as its owner sees it.
#[derive(Serialize)]
pub(super) struct KeyResponse<'a> {
    #[serde(serialize_with = "as_text")]
    id: crate::domain::KeyId,
    name: &'a str,
    key_prefix: &'a str,
    #[serde(serialize_with = "as_text")]
    created_at: Timestamp,
    #[serde(serialize_with = "as_optional_text")]
    last_used_at: Option<Timestamp>,
    #[serde(serialize_with = "as_optional_text")]
    expires_at: Option<Timestamp>,
    /// The key itself, when it was just made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

/// A sentence for a person.
#[derive(Serialize)]
pub(super) struct Message {
    pub(super) message: &'static str,
}

/// How safe a change is.
pub(super) const DURABILITY: HeaderName = HeaderName::from_static("dariet-durability");

impl<'a> UserResponse<'a> {
    pub(super) fn of(user: &'a UserRecord) -> Self {
        Self {
            id: user.id,
            email: user.email.as_str(),
            name: user.name.as_str(),
            role: user.role,
            is_active: user.is_active,
            created_at: user.created_at,
        }
    }

    pub(super) fn write(&self, json: &mut Vec<u8>) {
        write(self, json);
    }
}

impl<'a> SessionResponse<'a> {
    pub(super) fn of(session: &'a LoggedIn) -> Self {
        Self {
            access_token: session.token.expose(),
            token_type: "bearer",
            expires_in: session.lifetime.as_secs(),
            user: UserResponse::of(&session.user),
        }
    }
}

impl<'a> KeyResponse<'a> {
    pub(super) fn of(view: &'a KeyView) -> Self {
        Self::of_record(&view.key, view.last_used_at, None)
    }

    pub(super) fn of_minted(minted: &'a MintedKey) -> Self {
        Self::of_record(&minted.record, None, Some(minted.key.expose()))
    }

    fn of_record(
        record: &'a KeyRecord,
        last_used_at: Option<Timestamp>,
        key: Option<&'a str>,
    ) -> Self {
        Self {
            id: record.id,
            name: record.name.as_str(),
            key_prefix: &record.shown_prefix,
            created_at: record.created_at,
            last_used_at,
            expires_at: record.expires_at,
            key,
        }
    }
}

/// An answer with this value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<ApiBody> {
    let mut body = Vec::with_capacity(512);
    write(value, &mut body);
    with_body(status, "application/json", body)
}

/// An answer with this body.
pub(super) fn with_body(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<ApiBody> {
    let mut response = Response::new(ApiBody::from(body.into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// An answer that says no more than that it was done.
pub(super) fn done(durability: Durability) -> Response<ApiBody> {
    let mut response = Response::new(ApiBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    durable(response, durability)
}

/// Says how safe the change behind an answer is.
pub(super) fn durable(
    mut response: Response<ApiBody>,
    durability: Durability,
) -> Response<ApiBody> {
    let word = HeaderValue::from_static(durability.as_str());
    response.headers_mut().insert(DURABILITY, word);
    response
}

/// Says where what was made is.
pub(super) fn located(mut response: Response<ApiBody>, path: &str) -> Response<ApiBody> {
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    response
}

fn write(value: &impl Serialize, json: &mut Vec<u8>) {
    // Nothing of ours fails to serialise, and a vector takes it all.
    if let Err(error) = serde_json::to_writer(json, value) {
        tracing::error!(%error, "an answer could not be written as JSON");
    }
}

fn as_text<S: Serializer>(value: &impl ToString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

fn as_optional_text<S: Serializer>(
    value: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
