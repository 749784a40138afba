use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http_body::Body;

use super::fields::Fields;
use super::read::read_fields;
use super::{Api, ApiContext, CallerSource};
use crate::accounts::{AccountError, Caller};
use crate::domain::{KeyId, UserId};
use crate::http::{ApiError, Code, read_credential};
use crate::revocation::Admission;
use crate::telemetry::audit::{Actor, Entry, Event};

/// One request on its way through an endpoint.
pub(super) struct Call<'a, B> {
    pub(super) head: &'a Parts,
    /// Until it is read.
    body: Option<B>,
    pub(super) context: &'a ApiContext<'a>,
    /// What let it in, once something did.
    pub(super) admission: Option<Arc<Admission>>,
    /// Whether it sets out to end its own admission.
    pub(super) ends_own_admission: bool,
}

/// What was done to whom, for the audit line.
#[derive(Clone, Copy, Default)]
pub(super) struct Deed<'a> {
    pub(super) user: Option<UserId>,
    pub(super) key: Option<KeyId>,
    pub(super) fields: &'a [&'static str],
    pub(super) code: Option<Code>,
}

/// A body of 64 KiB that is not there by then is not worth the wait.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

impl<'a, B> Call<'a, B> {
    pub(super) const fn new(head: &'a Parts, body: B, context: &'a ApiContext<'a>) -> Self {
        Self {
            head,
            body: Some(body),
            context,
            admission: None,
            ends_own_admission: false,
        }
    }

    /// Reads the fields of the body.
    pub(super) async fn fields(&mut self) -> Result<Fields, ApiError>
    where
        B: Body<Data = Bytes>,
    {
        let body = self.body.take().ok_or(Code::Internal)?;
        let read = tokio::time::timeout(BODY_TIMEOUT, read_fields(self.head, body));
        read.await.map_err(|_| Code::RequestTimeout)?
    }

    /// What became of a change. One whose outcome nobody knows may have happened: it is audited too.
    pub(super) fn settled<T>(
        &self,
        outcome: Result<T, AccountError>,
        event: Event,
        caller: &Caller,
        deed: Deed<'_>,
    ) -> Result<T, ApiError> {
        let error = match outcome {
            Ok(done) => return Ok(done),
            Err(error) => ApiError::from(error),
        };
        if error.code == Code::OutcomeUnknown {
            let code = Some(error.code);
            self.audit(event, caller.actor(), Deed { code, ..deed });
        }
        Err(error)
    }

    /// Writes an audit line.
    pub(super) fn audit(&self, event: Event, actor: Actor, deed: Deed<'_>) {
        let client = match self.context.caller {
            CallerSource::Credential => Some(self.context.client),
            CallerSource::Operator => None,
        };
        let entry = Entry {
            event,
            actor,
            subject: deed.user,
            key: deed.key,
            client,
            request_id: self.context.request_id,
            code: deed.code.map(Code::as_str),
            fields: deed.fields,
        };
        entry.write();
    }
}

impl Api {
    /// On whose behalf a call comes.
    pub(super) async fn caller<B>(&self, call: &mut Call<'_, B>) -> Result<Caller, ApiError> {
        match call.context.caller {
            CallerSource::Operator => Ok(Caller::Operator),
            CallerSource::Credential => {
                let found = read_credential(&call.head.headers, false)?;
                let found = found.ok_or(Code::CredentialMissing)?;
                let admitted = self.accounts.authenticator.admit(found.credential).await;
                let admission = call.admission.insert(admitted?);
                Ok(Caller::Principal(Arc::clone(admission)))
            }
        }
    }
}
