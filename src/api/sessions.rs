use bytes::Bytes;
use http::StatusCode;
use http_body::Body;

use super::answers::{SessionResponse, UserResponse, done, durable, json};
use super::call::{Call, Deed};
use super::{Api, Outcome};
use crate::http::ApiError;
use crate::telemetry::audit::{Actor, Event};

impl Api {
    pub(super) async fn login<B>(&self, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let mut fields = call.fields().await?;
        let email = fields.required_text("email");
        let password = fields.required_password("password");
        let (Some(email), Some(password)) = (email, password) else {
            return Err(fields.refusal());
        };
        let client = call.context.client;
        match self.accounts.login(&email, password, client).await {
            Ok(session) => {
                let deed = Deed {
                    user: Some(session.user.id),
                    ..Deed::default()
                };
                call.audit(Event::Login, Actor::Anyone, deed);
                Ok(json(StatusCode::OK, &SessionResponse::of(&session)))
            }
            Err(refused) => {
                let user = refused.account();
                let error = ApiError::from(refused);
                let deed = Deed {
                    user,
                    code: Some(error.code),
                    ..Deed::default()
                };
                call.audit(Event::LoginRefused, Actor::Anyone, deed);
                Err(error)
            }
        }
    }

    pub(super) async fn logout<B>(&self, call: &mut Call<'_, B>) -> Outcome {
        let caller = self.caller(call).await?;
        call.ends_own_admission = true;
        let deed = Deed {
            user: caller.user(),
            ..Deed::default()
        };
        let ended = self.accounts.logout(&caller).await;
        let durability = call.settled(ended, Event::Logout, &caller, deed)?;
        call.audit(Event::Logout, caller.actor(), deed);
        Ok(done(durability))
    }

    pub(super) async fn change_password<B>(&self, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let caller = self.caller(call).await?;
        caller.session()?;
        let mut fields = call.fields().await?;
        let current = fields.required_password("current_password");
        let new = fields.required_password("new_password");
        let (Some(current), Some(new)) = (current, new) else {
            return Err(fields.refusal());
        };
        call.ends_own_admission = true;
        let client = call.context.client;
        let changed = self.accounts.change_password(&caller, current, new, client);
        let deed = Deed {
            user: caller.user(),
            ..Deed::default()
        };
        match changed.await {
            Ok((session, durability)) => {
                call.audit(Event::PasswordChanged, caller.actor(), deed);
                let response = json(StatusCode::OK, &SessionResponse::of(&session));
                Ok(durable(response, durability))
            }
            Err(refused) => {
                let error = ApiError::from(refused);
                let code = Some(error.code);
                let deed = Deed { code, ..deed };
                call.audit(Event::PasswordChangeRefused, caller.actor(), deed);
                Err(error)
            }
        }
    }

    pub(super) async fn me<B>(&self, call: &mut Call<'_, B>) -> Outcome {
        let caller = self.caller(call).await?;
        let user = self.accounts.me(&caller).await?;
        caller.is_still_admitted()?;
        Ok(json(StatusCode::OK, &UserResponse::of(&user)))
    }
}
