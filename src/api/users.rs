use std::num::NonZeroUsize;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body;

use super::answers::{UserResponse, done, durable, json, located};
use super::body::ApiBody;
use super::call::{Call, Deed};
use super::fields::Fields;
use super::query::Query;
use super::user_list::UserList;
use super::{Api, Outcome};
use crate::accounts::{NewUser, Page, UserPatch};
use crate::domain::{Email, Password, Role, Timestamp, UserId, UserName};
use crate::http::ApiError;
use crate::store::UserRecord;
use crate::telemetry::audit::Event;

/// The most users on a page.
pub(super) const MAX_PAGE: usize = 1000;

impl Api {
    pub(super) async fn users<B>(&self, call: &mut Call<'_, B>) -> Outcome {
        let caller = self.caller(call).await?;
        self.accounts.require_admin(&caller)?;
        let mut query = Query::of(&call.head.uri);
        let limit = query.read("limit", page_size);
        let after = query.read("after", str::parse::<UserId>);
        query.finish()?;
        let Some(limit) = limit else {
            let list = UserList::begin(self.accounts.users(&caller, after)?).await?;
            return Ok(streamed(list));
        };
        let page = self.accounts.users_page(&caller, after, limit).await?;
        caller.is_still_admitted()?;
        Ok(paged(&page, limit))
    }

    pub(super) async fn create_user<B>(&self, call: &mut Call<'_, B>) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let caller = self.caller(call).await?;
        self.accounts.require_admin(&caller)?;
        let mut fields = call.fields().await?;
        let new = self.new_user(&mut fields)?;
        let created = self.accounts.create_user(&caller, new).await;
        let (user, durability) =
            call.settled(created, Event::UserCreated, &caller, Deed::default())?;
        let deed = Deed {
            user: Some(user.id),
            ..Deed::default()
        };
        call.audit(Event::UserCreated, caller.actor(), deed);
        let response = json(StatusCode::CREATED, &UserResponse::of(&user));
        let path = format!("/api/auth/users/{}", user.id);
        Ok(located(durable(response, durability), &path))
    }

    pub(super) async fn update_user<B>(&self, call: &mut Call<'_, B>, id: UserId) -> Outcome
    where
        B: Body<Data = Bytes>,
    {
        let caller = self.caller(call).await?;
        self.accounts.require_admin(&caller)?;
        let mut fields = call.fields().await?;
        let old = self.accounts.user(&caller, id).await?;
        let patch = self.patch(&mut fields, &old);
        fields.finish()?;
        call.ends_own_admission = caller.user() == Some(id) && patch.ends_sessions();
        let deed = Deed {
            user: Some(id),
            ..Deed::default()
        };
        let updated = self.accounts.update_user(&caller, id, patch).await;
        let updated = call.settled(updated, Event::UserChanged, &caller, deed)?;
        let response = json(StatusCode::OK, &UserResponse::of(&updated.user));
        let Some(durability) = updated.durability else {
            return Ok(response);
        };
        let fields = updated.fields.as_slice();
        let deed = Deed { fields, ..deed };
        call.audit(Event::UserChanged, caller.actor(), deed);
        Ok(durable(response, durability))
    }

    pub(super) async fn delete_user<B>(&self, call: &mut Call<'_, B>, id: UserId) -> Outcome {
        let caller = self.caller(call).await?;
        let deed = Deed {
            user: Some(id),
            ..Deed::default()
        };
        let deleted = self.accounts.delete_user(&caller, id).await;
        let durability = call.settled(deleted, Event::UserDeleted, &caller, deed)?;
        call.audit(Event::UserDeleted, caller.actor(), deed);
        Ok(done(durability))
    }

    fn new_user(&self, fields: &mut Fields) -> Result<NewUser, ApiError> {
        let email = fields.required("email", Email::parse);
        let name = fields.required("name", UserName::parse);
        let password = fields.required_password("password");
        let role = fields.optional("role", str::parse);
        let is_active = fields.flag("is_active");
        fields.read_only("id", |_| false);
        fields.read_only("created_at", |_| false);
        self.judge(fields, password.as_ref(), email.as_ref(), name.as_ref());
        fields.finish()?;
        let (Some(email), Some(name), Some(password)) = (email, name, password) else {
            return Err(fields.refusal());
        };
        Ok(NewUser {
            email,
            name,
            role: role.unwrap_or(Role::Viewer),
            is_active: is_active.unwrap_or(true),
            password,
        })
    }

    fn patch(&self, fields: &mut Fields, old: &UserRecord) -> UserPatch {
        let patch = UserPatch {
            email: fields.optional("email", Email::parse),
            name: fields.optional("name", UserName::parse),
            role: fields.optional("role", str::parse),
            is_active: fields.flag("is_active"),
            password: fields.password("password"),
        };
        let created_at = old.created_at.as_secs();
        fields.read_only("id", |text| text.parse() == Ok(old.id));
        fields.read_only("created_at", |text| {
            Timestamp::parse(text).is_ok_and(|time| time.as_secs() == created_at)
        });
        let new = patch.applied_to(old);
        self.judge(
            fields,
            patch.password.as_ref(),
            Some(&new.email),
            Some(&new.name),
        );
        patch
    }

    /// Names a password that may not be this user's together with every other wrong field.
    fn judge(
        &self,
        fields: &mut Fields,
        password: Option<&Password>,
        email: Option<&Email>,
        name: Option<&UserName>,
    ) {
        let fault = password.and_then(|it| self.accounts.password_fault(it, email, name));
        if let Some(fault) = fault {
            fields.reject("password", fault);
        }
    }
}

fn page_size(text: &str) -> Result<NonZeroUsize, String> {
    let size = text
        .parse()
        .ok()
        .filter(|size: &NonZeroUsize| size.get() <= MAX_PAGE);
    size.ok_or_else(|| format!("must be a number from 1 to {MAX_PAGE}"))
}

fn streamed(list: UserList) -> Response<ApiBody> {
    let mut response = Response::new(ApiBody::Users(Box::new(list)));
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn paged(page: &Page, limit: NonZeroUsize) -> Response<ApiBody> {
    let users: Vec<_> = page.users.iter().map(UserResponse::of).collect();
    let mut response = json(StatusCode::OK, &users);
    if let Some(after) = page.next {
        let link = format!("</api/auth/users?limit={limit}&after={after}>; rel=\"next\"");
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(LINK, link);
        }
    }
    response
}
