use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use dariet_gateway::accounts::{Accounts, ResetDesk};
use dariet_gateway::api::Api;
use dariet_gateway::auth::{
    Authenticator, ForgotBrake, Hasher, KeyRing, LoginBrake, PasswordPolicy, SigningKey, Tokens,
};
use dariet_gateway::config::{self, OnStale};
use dariet_gateway::domain::{Clock as _, ManualClock, ManualUptime, Timestamp};
use dariet_gateway::revocation::{Bells, Changes, FreshStore, Freshness, KeyUsage, Ledger};
use dariet_gateway::store::{Embedded, Store, UserRecord};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::flaky::Flaky;
use super::{Call, Mails, Reply, Trouble};

/// A gateway's API with one administrator in its store.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Flaky>,
    pub(crate) ledger: Arc<Ledger>,
    /// As where several nodes share the store: fresh until a test says otherwise.
    pub(crate) freshness: Arc<Freshness>,
    pub(crate) mails: Mails,
    _folder: TempDir,
}

/// What is different from the defaults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) may_manage: bool,
    pub(crate) max_per_user: usize,
    pub(crate) has_mail: bool,
    pub(crate) mail_queue: usize,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            may_manage: false,
            max_per_user: 100,
            has_mail: true,
            mail_queue: 100,
        }
    }
}

impl World {
    /// Where calls come from unless they say otherwise.
    pub(crate) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    pub(crate) const ADMIN: &'static str = "ada@example.com";
    pub(crate) const VIEWER: &'static str = "grace@example.com";
    /// Everybody's password.
    pub(crate) const PASSWORD: &'static str = "seven stone bridges";
    pub(crate) const NEW_PASSWORD: &'static str = "a lantern in the fog";
    pub(crate) const LIFETIME: Duration = Duration::from_secs(8 * 3600);

    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start = Timestamp::parse("2026-03-18T10:00:00").unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let embedded = Embedded::open(&folder.path().join("gateway.db")).unwrap();
        let store = Arc::new(Flaky::new(embedded));
        let ledger = Arc::new(Ledger::new(Arc::new(KeyUsage::default())));
        let (mails, desk) = match setup.has_mail {
            true => Mails::open(folder.path(), setup.mail_queue, clock.clone()),
            false => (Mails::none(), None),
        };
        let uptime = Arc::new(ManualUptime::default());
        let freshness = Freshness::bounded(Duration::from_secs(2), OnStale::Keep, uptime);
        freshness.confirm(Duration::ZERO);
        let guarded = Arc::new(FreshStore::new(store.clone(), freshness.clone()));
        let accounts = Arc::new(accounts(
            setup,
            guarded,
            (&ledger, &freshness),
            &clock,
            desk,
        ));
        let world = Self {
            api: Api::new(Arc::clone(&accounts)),
            accounts,
            clock,
            store,
            ledger,
            freshness,
            mails,
            _folder: folder,
        };
        world.add_user(Self::ADMIN, "Ada Lovelace", "admin").await;
        world
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        Call::new(self, method, path)
    }

    /// Adds a user as the operator would; answers their id.
    pub(crate) async fn add_user(&self, email: &str, name: &str, role: &str) -> String {
        let body =
            json!({ "email": email, "name": name, "role": role, "password": Self::PASSWORD });
        let call = self.call("POST", "/api/auth/users").by_operator();
        let reply = call.json(&body).send().await.expect(201);
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn try_login(&self, email: &str, password: &str) -> Reply {
        let body = json!({ "email": email, "password": password });
        self.call("POST", "/api/auth/login")
            .json(&body)
            .send()
            .await
    }

    pub(crate) async fn login(&self, email: &str) -> Session {
        let reply = self.try_login(email, Self::PASSWORD).await.expect(200);
        Session::of(&reply.json())
    }

    pub(crate) async fn admin(&self) -> Session {
        self.login(Self::ADMIN).await
    }

    /// Adds a viewer and logs them in.
    pub(crate) async fn viewer(&self) -> Session {
        self.add_user(Self::VIEWER, "Grace Hopper", "viewer").await;
        self.login(Self::VIEWER).await
    }

    /// Makes an API key; answers its id and the key.
    pub(crate) async fn key(&self, session: &Session) -> (String, String) {
        let call = self.call("POST", "/api/api-keys").bearer(&session.token);
        let made = call
            .json(&json!({ "name": "report" }))
            .send()
            .await
            .expect(201)
            .json();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }

    pub(crate) async fn me(&self, credential: &str) -> Reply {
        self.call("GET", "/api/auth/me")
            .bearer(credential)
            .send()
            .await
    }

    pub(crate) async fn patch(&self, by: &Session, id: &str, body: &Value) -> Reply {
        let call = self.call("PATCH", &format!("/api/auth/users/{id}"));
        call.bearer(&by.token).json(body).send().await
    }

    /// The user as the store has them.
    pub(crate) async fn record(&self, id: &str) -> UserRecord {
        self.store.user(id.parse().unwrap()).await.unwrap().unwrap()
    }

    pub(crate) fn breaks(&self, trouble: Trouble) {
        self.store.set(Some(trouble));
    }

    pub(crate) fn heals(&self) {
        self.store.set(None);
    }

    pub(crate) fn time_of_day(&self) -> String {
        self.clock.now().to_string()
    }
}

impl Session {
    pub(crate) fn of(answer: &Value) -> Self {
        Self {
            id: answer["user"]["id"].as_str().unwrap().to_owned(),
            token: answer["access_token"].as_str().unwrap().to_owned(),
        }
    }
}

fn accounts(
    setup: Setup,
    store: Arc<dyn Store>,
    (ledger, freshness): (&Arc<Ledger>, &Arc<Freshness>),
    clock: &Arc<ManualClock>,
    reset_desk: Option<ResetDesk>,
) -> Accounts {
    let bells = Arc::new(Bells::default());
    let key = SigningKey::generate(config::Algorithm::EdDsa).unwrap();
    let issuer = "https://gateway.example.com";
    let ring = KeyRing::single(key).unwrap();
    let tokens = Arc::new(Tokens::new(ring, issuer, issuer, World::LIFETIME));
    let passwords = config::Passwords {
        min_length: 8,
        memory: 64 * 1024,
        iterations: 1,
        threads: 1,
    };
    let login = limits();
    Accounts {
        changes: Changes::new(store.clone(), ledger.clone(), bells, Handle::current()),
        usage: Arc::clone(ledger.usage()),
        authenticator: Arc::new(
            Authenticator::new(store.clone(), ledger.clone(), tokens.clone(), clock.clone())
                .bounded_by(freshness.clone()),
        ),
        hasher: Arc::new(Hasher::new(passwords)),
        policy: PasswordPolicy { min_length: 8 },
        tokens,
        login_brake: LoginBrake::new(store.clone(), login),
        forgot_brake: ForgotBrake::new(store.clone(), login),
        reset_desk,
        clock: clock.clone(),
        api_keys: parking_lot::Mutex::new(config::ApiKeys {
            max_per_user: setup.max_per_user,
            may_manage: setup.may_manage,
        }),
        runtime: Handle::current(),
        store,
    }
}

fn limits() -> config::Login {
    let rate = |count, minutes: u64| config::Rate {
        count,
        per: Duration::from_secs(minutes * 60),
    };
    config::Login {
        per_account_and_address: rate(5, 15),
        per_address: rate(30, 15),
        per_account: rate(50, 15),
        forgot_per_address: rate(10, 60),
        forgot_per_account: rate(3, 60),
    }
}
