use bytes::Bytes;
use http::StatusCode;
use http_body::Body;

use super::answers::{Message, durable, json};
use super::call::{Call, Deed};
use super::{Api, Outcome};
use crate::domain::ResetToken;
use crate::http::ApiError;
use crate::telemetry::audit::{Actor, Event};

const ASKED: Message = Message {
    message: "If there is an account with this email address, a mail with a link to reset its password is on its way.",
};
const RESET: Message = Message {
    message: "Your password has been changed. Log in with the new one.",
};

impl Api {
    pub(super) async fn forgot_password<B>(&self, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let mut fields = call.fields().await?;
        let Some(typed) = fields.required_text("email") else {
            return Err(fields.refusal());
        };
        let (client, id) = (call.context.client, call.context.request_id);
        let asked = self.accounts.forgot(&typed, client, id).await;
        let asked = asked.map_err(ApiError::from);
        let deed = Deed {
            code: asked.as_ref().err().map(|error| error.code),
            ..Deed::default()
        };
        call.audit(Event::ResetAsked, Actor::Anyone, deed);
        asked.map(|()| json(StatusCode::OK, &ASKED))
    }

    pub(super) async fn reset_password<B>(&self, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let mut fields = call.fields().await?;
        let token = fields.required_text("token");
        let password = fields.required_password("new_password");
        let (Some(mut token), Some(password)) = (token, password) else {
            return Err(fields.refusal());
        };
        let token = ResetToken::new(std::mem::take(&mut *token));
        match self.accounts.reset_password(&token, password).await {
            Ok((user, durability)) => {
                let deed = Deed {
                    user: Some(user.id),
                    ..Deed::default()
                };
                call.audit(Event::ResetSpent, Actor::Anyone, deed);
                Ok(durable(json(StatusCode::OK, &RESET), durability))
            }
            Err(refused) => {
                let error = ApiError::from(refused);
                let deed = Deed {
                    code: Some(error.code),
                    ..Deed::default()
                };
                call.audit(Event::ResetRefused, Actor::Anyone, deed);
                Err(error)
            }
        }
    }
}
