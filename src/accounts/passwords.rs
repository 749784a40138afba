use std::net::IpAddr;

use super::{AccountError, Accounts};
use crate::auth::Lane;
use crate::domain::{Email, Password, UserName};
use crate::store::UserRecord;

/// Who tries a password, and whose.
pub(super) struct Attempt<'a> {
    /// Which account, as far as anybody said.
    pub(super) account: &'a Email,
    /// Whose it is; `None` is told from a wrong password by nobody.
    pub(super) user: Option<&'a UserRecord>,
    pub(super) client: IpAddr,
    pub(super) lane: Lane,
}

impl Accounts {
    /// Whether a password is right. Only wrong ones count for the brake in the end.
    pub(super) async fn is_right(
        &self,
        attempt: Attempt<'_>,
        password: Password,
    ) -> Result<bool, AccountError> {
        let now = self.clock.now();
        let Attempt {
            account,
            user,
            client,
            lane,
        } = attempt;
        let id = user.map(|user| user.id);
        let brake = &self.login_brake;
        brake.admit_attempt(account, id, client, now).await?;
        let stored = user.map(|user| user.password.as_str());
        match self.hasher.verify(lane, password, stored).await {
            Ok(is_right) => Ok(is_right),
            Err(error) => {
                brake.not_tried(account, id, client, now).await;
                Err(error.into())
            }
        }
    }

    /// Whether a password may be this user's: why not, for the person who chose it.
    #[must_use]
    pub fn password_fault(
        &self,
        password: &Password,
        email: Option<&Email>,
        name: Option<&UserName>,
    ) -> Option<String> {
        // Where one of them is wrong too, a stand-in without words of its own lets the rest be judged.
        let email = email.cloned().or_else(|| Email::parse("a@b").ok())?;
        let name = name.cloned().or_else(|| UserName::parse("a").ok())?;
        let fault = self.policy.check(password, &email, &name).err()?;
        Some(fault.to_string())
    }

    pub(super) fn check_password(
        &self,
        field: &'static str,
        password: &Password,
        email: &Email,
        name: &UserName,
    ) -> Result<(), AccountError> {
        match self.password_fault(password, Some(email), Some(name)) {
            Some(fault) => Err(AccountError::field(field, fault)),
            None => Ok(()),
        }
    }
}
