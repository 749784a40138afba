use super::{AccountError, Accounts, Caller, ROUNDS, contended};
use crate::auth::Lane;
use crate::domain::{Email, Password, Role, UserId, UserName};
use crate::store::{Durability, StoreError, UserRecord};

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their address.
    pub email: Email,
    /// What they are called.
    pub name: UserName,
    /// What they may do.
    pub role: Role,
    /// Whether they may do anything.
    pub is_active: bool,
    /// Their password, not checked yet.
    pub password: Password,
}

/// What is to be changed of a user; `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// Their address.
    pub email: Option<Email>,
    /// What they are called.
    pub name: Option<UserName>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may do anything.
    pub is_active: Option<bool>,
    /// Their password, not checked yet.
    pub password: Option<Password>,
}

/// What became of a [`UserPatch`].
#[derive(Debug, Clone)]
pub struct Updated {
    /// The user as they are now.
    pub user: UserRecord,
    /// Which fields are other ones now.
    pub fields: Vec<&'static str>,
    /// How safe the change is; `None` when there was nothing to change.
    pub durability: Option<Durability>,
}

impl Accounts {
    /// A user, for an administrator.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn user(&self, caller: &Caller, id: UserId) -> Result<UserRecord, AccountError> {
        self.require_admin(caller)?;
        self.store.user(id).await?.ok_or(AccountError::NotFound)
    }

    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn create_user(
        &self,
        caller: &Caller,
        new: NewUser,
    ) -> Result<(UserRecord, Durability), AccountError> {
        self.require_admin(caller)?;
        self.check_password("password", &new.password, &new.email, &new.name)?;
        // The store is the judge; this spares the hash.
        if self.store.user_by_email(&new.email).await?.is_some() {
            return Err(StoreError::EmailTaken.into());
        }
        let password = self.hasher.hash(Lane::Change, new.password).await?;
        self.confirm_admin(caller).await?;
        let user = UserRecord {
            is_active: new.is_active,
            password,
            ..UserRecord::new(new.email, new.name, new.role, self.clock.now())
        };
        let durability = self.changes.create_user(user.clone()).await?;
        Ok((user, durability))
    }

    /// Changes a user. What a patch leaves as it is writes nothing.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        patch: UserPatch,
    ) -> Result<Updated, AccountError> {
        self.require_admin(caller)?;
        let mut hashed = None;
        for _ in 0..ROUNDS {
            let old = self.user(caller, id).await?;
            let mut user = patch.applied_to(&old);
            if let Some(password) = &patch.password {
                self.check_password("password", password, &user.email, &user.name)?;
                if hashed.is_none() {
                    let hash = self.hasher.hash(Lane::Change, password.clone());
                    hashed = Some(hash.await?);
                }
            }
            if let Some(hash) = &hashed {
                user.password.clone_from(hash);
            }
            let fields = settle(&old, &mut user);
            let durability = match fields.is_empty() {
                true => None,
                false => {
                    self.confirm_admin(caller).await?;
                    match self.changes.update_user(user.clone()).await {
                        Err(StoreError::Conflict) => continue,
                        written => Some(written?),
                    }
                }
            };
            return Ok(Updated {
                user,
                fields,
                durability,
            });
        }
        Err(contended())
    }

    /// Deletes a user, their sessions and their keys.
    ///
    /// # Errors
    ///
    /// [`AccountError`], which says why not.
    pub async fn delete_user(
        &self,
        caller: &Caller,
        id: UserId,
    ) -> Result<Durability, AccountError> {
        self.require_admin(caller)?;
        if caller.user() == Some(id) {
            return Err(AccountError::OwnAccount);
        }
        self.confirm_admin(caller).await?;
        Ok(self.changes.delete_user(id, self.clock.now()).await?)
    }
}

impl UserPatch {
    /// Whether it ends every session of an active user.
    #[must_use]
    pub const fn ends_sessions(&self) -> bool {
        self.password.is_some() || matches!(self.is_active, Some(false))
    }

    /// The user with everything but the password changed.
    #[must_use]
    pub fn applied_to(&self, user: &UserRecord) -> UserRecord {
        let mut user = user.clone();
        if let Some(email) = &self.email {
            user.email.clone_from(email);
        }
        if let Some(name) = &self.name {
            user.name.clone_from(name);
        }
        user.role = self.role.unwrap_or(user.role);
        user.is_active = self.is_active.unwrap_or(user.is_active);
        user
    }
}

/// Names what differs, and lets it take its consequences: another password and deactivation end every
/// session, and with another address they kill a mailed token.
fn settle(old: &UserRecord, new: &mut UserRecord) -> Vec<&'static str> {
    let deactivated = old.is_active && !new.is_active;
    let email = old.email != new.email;
    let password = old.password != new.password;
    if password || deactivated {
        new.epoch = old.epoch.saturating_add(1);
    }
    if password || deactivated || email {
        new.reset = None;
    }
    let differs = [
        ("name", old.name != new.name),
        ("email", email),
        ("role", old.role != new.role),
        ("is_active", old.is_active != new.is_active),
        ("password", password),
    ];
    let fields = differs.into_iter().filter(|(_, differs)| *differs);
    fields.map(|(field, _)| field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Timestamp};
    use crate::store::LiveReset;

    fn ada() -> UserRecord {
        UserRecord {
            id: UserId::new(),
            email: Email::parse("ada@example.com").unwrap(),
            name: UserName::parse("Ada").unwrap(),
            role: Role::Viewer,
            is_active: true,
            created_at: Timestamp::from_secs(0),
            password: "$argon2id$old".to_owned(),
            epoch: 4,
            version: 9,
            reset: Some(LiveReset {
                digest: Digest::of(&[b"token"]),
                expires_at: Timestamp::from_secs(60),
            }),
        }
    }

    fn settled(patch: &UserPatch) -> (UserRecord, Vec<&'static str>) {
        let old = ada();
        let mut new = patch.applied_to(&old);
        let fields = settle(&old, &mut new);
        (new, fields)
    }

    #[test]
    fn a_patch_of_what_is_so_already_changes_nothing() {
        let (user, fields) = settled(&UserPatch {
            email: Some(ada().email),
            name: Some(ada().name),
            role: Some(Role::Viewer),
            is_active: Some(true),
            password: None,
        });
        assert!(fields.is_empty());
        assert_eq!((user.epoch, user.reset.is_some()), (4, true));
    }

    #[test]
    fn deactivation_ends_sessions_and_the_reset_token() {
        let (user, fields) = settled(&UserPatch {
            is_active: Some(false),
            ..UserPatch::default()
        });
        assert_eq!(fields, ["is_active"]);
        assert_eq!((user.epoch, user.reset), (5, None));
    }

    #[test]
    fn reactivation_revives_no_session() {
        let old = UserRecord {
            is_active: false,
            ..ada()
        };
        let mut new = UserRecord {
            is_active: true,
            ..old.clone()
        };
        assert_eq!(settle(&old, &mut new), ["is_active"]);
        assert_eq!(new.epoch, old.epoch);
    }

    #[test]
    fn another_address_ends_the_reset_token_and_no_session() {
        let (user, fields) = settled(&UserPatch {
            email: Some(Email::parse("countess@example.com").unwrap()),
            ..UserPatch::default()
        });
        assert_eq!(fields, ["email"]);
        assert_eq!((user.epoch, user.reset), (4, None));
    }

    #[test]
    fn another_role_or_name_ends_nothing() {
        let (user, fields) = settled(&UserPatch {
            role: Some(Role::Admin),
            name: Some(UserName::parse("Countess").unwrap()),
            ..UserPatch::default()
        });
        assert_eq!(fields, ["name", "role"]);
        assert_eq!((user.epoch, user.reset.is_some()), (4, true));
    }
}
