//! The gateway's own endpoints: what they read from a request and how they answer.
//!
//! [`Api::answer`] takes every request whose path the gateway [`owns`]. What is refused is refused in
//! this order, each before the next is looked at: 404 and 405 by the path, 400 and 401 by the
//! credential, 403 by the caller, 415, 413 and 400 by the body, and then what the endpoint says: a user
//! that is not there (404), fields that are not valid (422), and the rest.

mod answers;
mod body;
mod call;
mod fields;
mod keys;
mod members;
mod openapi;
mod query;
mod read;
mod reset;
mod reset_page;
mod routes;
mod sessions;
mod user_list;
mod users;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;

pub use body::{ApiBody, ApiBodyError};
pub use reset_page::reset_page;
pub use routes::{OWN, owns};
pub use user_list::UserList;

use crate::accounts::Accounts;
use crate::http::{ApiError, Code, NormalPath, problem};
use crate::revocation::Admission;
use call::Call;
use routes::Endpoint;

/// The gateway's own endpoints.
pub struct Api {
    accounts: Arc<Accounts>,
}

/// What is known of a request besides itself.
#[derive(Debug, Clone, Copy)]
pub struct ApiContext<'a> {
    /// Its id.
    pub request_id: &'a str,
    /// The address of the client, behind all trusted proxies.
    pub client: IpAddr,
    /// Where it is said on whose behalf it comes.
    pub caller: CallerSource,
}

/// Where it is said on whose behalf a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerSource {
    /// In the request: a session token or an API key.
    Credential,
    /// It came over the admin socket, which only the operator can use.
    Operator,
}

/// An answer, and what the one who gives it must know.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub response: Response<ApiBody>,
    /// What let the request in, for endpoints that need it. Once it has ended, no further byte of the
    /// answer may be given, unless the answer [outlives it](Self::outlives_admission).
    pub admission: Option<Arc<Admission>>,
    /// Whether this very call set out to end its own admission: then its answer is given all the same.
    pub outlives_admission: bool,
    /// Why the request was refused, if it was.
    pub code: Option<Code>,
}

/// What an endpoint answers.
type Outcome = Result<Response<ApiBody>, ApiError>;

impl Api {
    /// The endpoints over these use cases.
    #[must_use]
    pub const fn new(accounts: Arc<Accounts>) -> Self {
        Self { accounts }
    }

    /// Answers a request whose path, in its normal form, the gateway [`owns`].
    pub async fn answer<B>(&self, request: Request<B>, context: &ApiContext<'_>) -> Answered
    where
        B: Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let mut call = Call::new(&head, body, context);
        let path = NormalPath::parse(head.uri.path());
        let responded = match &path {
            Ok(path) => self.respond(path.as_str(), &mut call).await,
            Err(error) => Err((*error).into()),
        };
        let (mut response, code) = match responded {
            Ok(response) => (response, None),
            Err(error) => {
                let refusal = problem(&error, context.request_id);
                (refusal.map(ApiBody::from), Some(error.code))
            }
        };
        if !path.is_ok_and(|path| routes::is_public(path.as_str())) {
            let no_store = HeaderValue::from_static("no-store");
            response.headers_mut().insert(CACHE_CONTROL, no_store);
        }
        if head.method == Method::HEAD {
            leave_out_body(&mut response);
        }
        Answered {
            response,
            admission: call.admission,
            outlives_admission: call.ends_own_admission,
            code,
        }
    }

    async fn respond<B>(&self, path: &str, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        match Endpoint::find(&call.head.method, path)? {
            Endpoint::Login => self.login(call).await,
            Endpoint::Logout => self.logout(call).await,
            Endpoint::ChangePassword => self.change_password(call).await,
            Endpoint::ForgotPassword => self.forgot_password(call).await,
            Endpoint::ResetPage => Ok(reset_page().map(ApiBody::from)),
            Endpoint::ResetPassword => self.reset_password(call).await,
            Endpoint::Me => self.me(call).await,
            Endpoint::Users => self.users(call).await,
            Endpoint::CreateUser => self.create_user(call).await,
            Endpoint::UpdateUser(id) => self.update_user(call, id).await,
            Endpoint::DeleteUser(id) => self.delete_user(call, id).await,
            Endpoint::Keys => self.keys(call).await,
            Endpoint::CreateKey => self.create_key(call).await,
            Endpoint::RevokeKey(id) => self.revoke_key(call, id).await,
            Endpoint::OpenApi => Ok(openapi_document()),
            Endpoint::Jwks => Ok(self.jwks()),
        }
    }

    /// The public keys that verify session tokens. A verifier that keeps them for five minutes still
    /// knows every key in time: keys verify before they sign.
    fn jwks(&self) -> Response<ApiBody> {
        let keys = self.accounts.tokens.keyring().jwks().clone();
        let mut response = answers::with_body(StatusCode::OK, "application/json", keys);
        let keep = HeaderValue::from_static("public, max-age=300");
        response.headers_mut().insert(CACHE_CONTROL, keep);
        response
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

/// The endpoints for programs that read OpenAPI.
fn openapi_document() -> Response<ApiBody> {
    answers::with_body(StatusCode::OK, "application/json", openapi::document())
}

/// The answer to a HEAD says how long the body would be, where that is known (RFC 9110 §9.3.2).
fn leave_out_body(response: &mut Response<ApiBody>) {
    let body = std::mem::take(response.body_mut());
    if let Some(length) = body.size_hint().exact() {
        let length = HeaderValue::from(length);
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
}
