use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{AccountError, Accounts, ROUNDS, contended};
use crate::auth::{Throttled, new_reset_token, reset_digest};
use crate::config;
use crate::domain::{Email, ResetToken, UserId};
use crate::mail::{Mail, Outbox, Place, QueueFull, ResetLink, ResetMail};
use crate::store::{LiveReset, StoreError, UserRecord};
use crate::telemetry::audit::{Actor, Entry, Event};

/// Takes in who asks for a reset mail. Everything that could tell whether there is such an account is
/// done behind the answer, by the [`ResetDeskTask`].
#[derive(Debug)]
pub struct ResetDesk {
    /// Every entry holds a place of the outbox, which bounds it.
    queue: mpsc::UnboundedSender<Asked>,
    outbox: Outbox,
}

/// Looks up who asked for a reset mail, makes the token and has the mail sent.
#[derive(Debug)]
pub struct ResetDeskTask {
    queue: mpsc::UnboundedReceiver<Asked>,
    page: String,
    lifetime: Duration,
}

/// Somebody who asked for a reset mail.
#[derive(Debug)]
pub struct Asked {
    /// What they typed; `None` when it cannot be an address, which is told to nobody.
    email: Option<Email>,
    /// Where they are.
    client: IpAddr,
    /// Which request it was.
    request_id: String,
    /// Where the mail will wait, so that a full queue refuses everybody alike.
    place: Place,
}

impl ResetDesk {
    /// A desk that hands its mails to `outbox`, and the task behind it. Nothing is sent unless the
    /// caller runs the task.
    #[must_use]
    pub fn open(outbox: Outbox, mail: &config::Mail) -> (Self, ResetDeskTask) {
        let (sender, queue) = mpsc::unbounded_channel();
        let desk = Self {
            queue: sender,
            outbox,
        };
        let task = ResetDeskTask {
            queue,
            page: mail.reset_link.clone(),
            lifetime: mail.reset_lifetime,
        };
        (desk, task)
    }

    /// Takes in whatever was typed; never waits.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] when too many mails wait, or the node is going down.
    pub fn ask(&self, typed: &str, client: IpAddr, request_id: &str) -> Result<(), QueueFull> {
        let asked = Asked {
            email: Email::parse(typed).ok(),
            client,
            request_id: request_id.to_owned(),
            place: self.outbox.reserve()?,
        };
        self.queue.send(asked).map_err(|_| QueueFull)
    }
}

impl ResetDeskTask {
    /// Works until `shutdown`, and then off what is left.
    pub async fn run(mut self, accounts: Arc<Accounts>, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            // Receiving is cancel safe, and what was received is worked on outside.
            let asked = tokio::select! {
                () = &mut shutdown => break,
                asked = self.queue.recv() => asked,
            };
            match asked {
                Some(asked) => self.serve(&accounts, asked).await,
                None => return,
            }
        }
        self.queue.close();
        while let Some(asked) = self.queue.recv().await {
            self.serve(&accounts, asked).await;
        }
    }

    async fn serve(&self, accounts: &Accounts, asked: Asked) {
        let Some(email) = asked.email else { return };
        match accounts.make_reset(&email, self.lifetime).await {
            Ok(Some((user, token))) => {
                audit(user.id, asked.client, &asked.request_id);
                asked.place.fill(Mail::Reset(ResetMail {
                    to: user.email,
                    name: user.name,
                    link: ResetLink::new(&self.page, &token),
                    valid_for: self.lifetime,
                }));
            }
            Ok(None) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, request_id = asked.request_id, "reset mail not made");
            }
        }
    }
}

impl Accounts {
    /// Gives the active user of this address a new reset token, which replaces the one they had;
    /// `None` when there is no such user or they got as many as they may.
    async fn make_reset(
        &self,
        email: &Email,
        lifetime: Duration,
    ) -> Result<Option<(UserRecord, ResetToken)>, AccountError> {
        let mut is_counted = false;
        for _ in 0..ROUNDS {
            let found = self.store.user_by_email(email).await?;
            let Some(mut user) = found.filter(|user| user.is_active) else {
                return Ok(None);
            };
            let now = self.clock.now();
            if !is_counted {
                match self.forgot_brake.admit_mail(user.id, now).await {
                    Err(Throttled::TooMany { .. }) => return Ok(None),
                    admitted => admitted?,
                }
            }
            is_counted = true;
            let token = new_reset_token()?;
            user.reset = Some(LiveReset {
                digest: reset_digest(&token),
                expires_at: now.after(lifetime),
            });
            match self.changes.update_user(user.clone()).await {
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(Some((user, token))),
            }
        }
        Err(contended())
    }
}

fn audit(user: UserId, client: IpAddr, request_id: &str) {
    let entry = Entry {
        event: Event::ResetMailed,
        actor: Actor::Anyone,
        subject: Some(user),
        key: None,
        client: Some(client),
        request_id,
        code: None,
        fields: &[],
    };
    entry.write();
}
