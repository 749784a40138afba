use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::examination::{Examination, must_be_fit};
use super::opened::Opened;
use super::{KeyWatch, Link, NodeError, Shared};
use crate::accounts::{Accounts, ResetDesk, ResetDeskTask};
use crate::api::Api;
use crate::auth::{
    Authenticator, ForgotBrake, Hasher, KeyRing, LoginBrake, PasswordPolicy, Tokens,
};
use crate::config::{Config, StoreUrl};
use crate::domain::{Clock, SharedClock, SystemClock};
use crate::mail::{Outbox, OutboxTask, Pace};
use crate::revocation::{Bells, Changes, KeyUsage, Ledger};
use crate::store::{Embedded, Redis, Store, StoreError, Tally};

/// Everything beneath the listeners, over one open store.
pub(super) struct Core {
    pub(super) clock: Arc<dyn Clock>,
    /// Where the store is a file of this node.
    pub(super) embedded: Option<Arc<Embedded>>,
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
    redis: Arc<Redis>,
    keys: Arc<KeyWatch>,
    /// Until it runs.
    link: Option<Link>,
}

/// The tasks that send mail, and where they are asked to.
pub(super) struct Post {
    pub(super) outbox: Outbox,
    pub(super) outbox_task: OutboxTask,
    pub(super) desk_task: ResetDeskTask,
}

/// The signing key that is made on first start, beside the store.
const SIGNING_KEY: &str = "signing-key.pem";
/// How long a node waits for a shared store before it serves without it.
const JOIN_WITHIN: Duration = Duration::from_secs(5);
/// How long a command does before it gives up.
const VISIT_WITHIN: Duration = Duration::from_secs(10);

impl Core {
    /// Opens the store of `config` and builds everything over it; changes run on `runtime`.
    pub(super) fn open(config: &Config, runtime: &Handle) -> Result<Self, NodeError> {
        let clock = Arc::new(SharedClock::new(Arc::new(SystemClock)));
        let opened = Opened::open(&config.store, &clock, runtime)?;
        let clock: Arc<dyn Clock> = clock;
        let store = Arc::clone(&opened.store);
        let tokens = tokens(config, clock.as_ref())?;
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
        let (changes, authenticator) = opened.bound(changes, authenticator);
        let authenticator = Arc::new(authenticator);
        let shared = opened.redis.map(|(redis, shared)| SharedCore {
            link: Some(shared.link(&ledger, &authenticator, &bells)),
            keys: KeyWatch::new(Arc::clone(&tokens), Arc::clone(&clock)),
            shared,
            redis,
        });
        let (reset_desk, mail) = post(config, &clock)?.unzip();
        let accounts = Arc::new(Accounts {
            store: Arc::clone(&store),
            changes,
            usage,
            authenticator: Arc::clone(&authenticator),
            hasher: Arc::new(Hasher::new(config.passwords)),
            policy: policy(config),
            tokens,
            login_brake: LoginBrake::new(Arc::clone(&store), config.login),
            forgot_brake: ForgotBrake::new(Arc::clone(&store), config.login),
            reset_desk,
            clock: Arc::clone(&clock),
            api_keys: Mutex::new(config.api_keys),
            runtime: runtime.clone(),
        });
        Ok(Self {
            api: Arc::new(Api::new(Arc::clone(&accounts))),
            clock,
            embedded: opened.embedded,
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
    /// Begins to keep up with other nodes, where the store is shared: as one of them, on `runtime`, with
    /// which the tasks end. Waits a while for the store; a node that has none yet answers 503 until then.
    ///
    /// # Errors
    ///
    /// When a node must not run on the server of the store as it is.
    pub(super) fn join(&mut self, runtime: &Handle) -> Result<(), NodeError> {
        let Some(core) = &mut self.shared else {
            return Ok(());
        };
        let examination = runtime.block_on(Examination::begin(Arc::clone(&core.redis)))?;
        runtime.spawn(examination.go_on(Arc::clone(core.shared.state())));
        if let Some(roll) = core.shared.roll() {
            runtime.spawn(Arc::clone(&core.keys).run(Arc::clone(roll)));
        }
        core.follow(runtime);
        runtime.block_on(core.shared.until_fresh(JOIN_WITHIN));
        Ok(())
    }

    /// The same for a single command, which is no node and must have the store.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked, or must not be used as it is.
    pub(super) fn visit(&mut self, runtime: &Handle) -> Result<(), NodeError> {
        let Some(core) = &mut self.shared else {
            return Ok(());
        };
        runtime.block_on(must_be_fit(&core.redis))?;
        core.follow(runtime);
        if runtime.block_on(core.shared.until_fresh(VISIT_WITHIN)) {
            return Ok(());
        }
        Err(NodeError::StoreAway(StoreError::Stale))
    }

    /// Over what the limits of requests are kept together with other nodes, if there are any.
    pub(super) fn tally(&self) -> Option<Arc<dyn Tally>> {
        self.shared.as_ref()?.shared.tally().cloned()
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

const fn policy(config: &Config) -> PasswordPolicy {
    PasswordPolicy {
        min_length: config.passwords.min_length,
    }
}

impl SharedCore {
    fn follow(&mut self, runtime: &Handle) {
        if let Some(link) = self.link.take() {
            runtime.spawn(link.run());
        }
    }
}

fn tokens(config: &Config, clock: &dyn Clock) -> Result<Arc<Tokens>, NodeError> {
    let sessions = &config.sessions;
    let own = match &config.store {
        StoreUrl::Embedded(file) => file.with_file_name(SIGNING_KEY),
        // Nodes that share a store have their keys listed, so that this one is never made.
        StoreUrl::Redis(_) => PathBuf::from(SIGNING_KEY),
    };
    let ring = KeyRing::load(sessions, &own, clock.now())?;
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
