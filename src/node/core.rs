use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::{KeyWatch, Link, NodeError, Shared};
use crate::accounts::{Accounts, ResetDesk, ResetDeskTask};
use crate::api::Api;
use crate::auth::{
    Authenticator, ForgotBrake, Hasher, KeyRing, LoginBrake, PasswordPolicy, Tokens,
};
use crate::config::{Config, StoreUrl};
use crate::domain::{Clock, SystemClock};
use crate::mail::{Outbox, OutboxTask, Pace};
use crate::revocation::{Bells, Changes, KeyUsage, Ledger};
use crate::store::{Embedded, Store};

/// Everything beneath the listeners, over one open store.
pub(super) struct Core {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) embedded: Arc<Embedded>,
    pub(super) store: Arc<dyn Store>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) bells: Arc<Bells>,
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) api: Arc<Api>,
    pub(super) mail: Option<Post>,
    /// Where several nodes share the store.
    pub(super) shared: Option<SharedCore>,
}

/// What keeps a node up with the others.
pub(super) struct SharedCore {
    pub(super) shared: Shared,
    pub(super) keys: Arc<KeyWatch>,
    /// Until it runs.
    link: Option<Link>,
}

impl SharedCore {
    const fn new(link: Link, shared: Shared, keys: Arc<KeyWatch>) -> Self {
        Self {
            shared,
            keys,
            link: Some(link),
        }
    }
}

/// The tasks that send mail, and where they are asked to.
pub(super) struct Post {
    pub(super) outbox: Outbox,
    pub(super) outbox_task: OutboxTask,
    pub(super) desk_task: ResetDeskTask,
}

/// The signing key that is made on first start, beside the store.
const SIGNING_KEY: &str = "signing-key.pem";

impl Core {
    /// Opens the store of `config` and builds everything over it; changes run on `runtime`.
    pub(super) fn open(config: &Config, runtime: &Handle) -> Result<Self, NodeError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let StoreUrl::Embedded(file) = &config.store else {
            return Err(NodeError::SharedStore);
        };
        let embedded = Embedded::open(file)?;
        // A store that other nodes write to as well comes with what keeps this one up with them.
        let shared: Option<Shared> = None;
        let store = guarded(shared.as_ref(), Arc::<Embedded>::clone(&embedded));
        let tokens = tokens(config, file, clock.as_ref())?;
        let usage = Arc::<KeyUsage>::default();
        let ledger = Arc::new(Ledger::new(Arc::clone(&usage)));
        let bells = Arc::<Bells>::default();
        let changes = Changes::new(
            Arc::clone(&store),
            Arc::clone(&ledger),
            Arc::clone(&bells),
            runtime.clone(),
        );
        let authenticator = Authenticator::new(
            Arc::clone(&store),
            Arc::clone(&ledger),
            Arc::clone(&tokens),
            Arc::clone(&clock),
        );
        let (changes, authenticator) = match &shared {
            Some(shared) => shared.bound(changes, authenticator),
            None => (changes, authenticator),
        };
        let authenticator = Arc::new(authenticator);
        let keys = KeyWatch::new(Arc::clone(&tokens), Arc::clone(&clock));
        let link = |shared: &Shared| shared.link(&ledger, &authenticator, &bells);
        let shared = shared.map(|shared| SharedCore::new(link(&shared), shared, keys));
        let (reset_desk, mail) = post(config, &clock)?.unzip();
        let accounts = Arc::new(Accounts {
            store: Arc::clone(&store),
            changes,
            usage,
            authenticator: Arc::clone(&authenticator),
            hasher: Arc::new(Hasher::new(config.passwords)),
            policy: PasswordPolicy {
                min_length: config.passwords.min_length,
            },
            tokens,
            login_brake: LoginBrake::new(Arc::clone(&store), config.login),
            forgot_brake: ForgotBrake::new(Arc::clone(&store), config.login),
            reset_desk,
            clock: Arc::clone(&clock),
            api_keys: config.api_keys,
            runtime: runtime.clone(),
        });
        Ok(Self {
            api: Arc::new(Api::new(Arc::clone(&accounts))),
            clock,
            embedded,
            store,
            ledger,
            bells,
            authenticator,
            accounts,
            mail,
            shared,
        })
    }
}

impl Core {
    /// Begins to keep up with other nodes, where the store is shared, on `runtime`: the tasks end with
    /// it.
    pub(super) fn follow(&mut self, runtime: &Handle) {
        let Some(core) = &mut self.shared else {
            return;
        };
        if let Some(link) = core.link.take() {
            runtime.spawn(link.run());
        }
        if let Some(roll) = core.shared.roll() {
            runtime.spawn(Arc::clone(&core.keys).run(Arc::clone(roll)));
        }
    }

    /// Why this node must not be sent requests, beside what the store says.
    pub(super) fn not_ready(&self) -> impl Fn() -> Option<String> + Send + Sync + use<> {
        let keys = self.shared.as_ref().map(|core| Arc::clone(&core.keys));
        move || {
            let kid = keys.as_ref()?.missing()?;
            Some(format!(
                "another node signs sessions with key {kid}, which this node lacks"
            ))
        }
    }
}

/// The store as everybody but the link has it.
fn guarded(shared: Option<&Shared>, own: Arc<dyn Store>) -> Arc<dyn Store> {
    shared.map_or(own, Shared::guarded)
}

fn tokens(config: &Config, store: &Path, clock: &dyn Clock) -> Result<Arc<Tokens>, NodeError> {
    let sessions = &config.sessions;
    let ring = KeyRing::load(sessions, &store.with_file_name(SIGNING_KEY), clock.now())?;
    Ok(Arc::new(Tokens::new(
        ring,
        sessions.issuer.as_str(),
        sessions.audience.as_str(),
        sessions.lifetime,
    )))
}

fn post(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<(ResetDesk, Post)>, NodeError> {
    let Some(mail) = &config.mail else {
        return Ok(None);
    };
    let (outbox, outbox_task) = Outbox::start(mail, Pace::default(), Arc::clone(clock))?;
    let (desk, desk_task) = ResetDesk::open(outbox.clone(), mail);
    let post = Post {
        outbox,
        outbox_task,
        desk_task,
    };
    Ok(Some((desk, post)))
}
