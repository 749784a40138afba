use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::auth::{AuthError, KeyRing, SigningKey, Tokens};
use crate::config::{Algorithm, OnStale};
use crate::domain::{
    ApiKey, BootUptime, Email, KeyId, KeyName, ManualClock, Role, SharedClock, Timestamp, UserId,
    UserName,
};
use crate::http::Credential;
use crate::revocation::{Admission, FreshStore, Freshness, Ledger, Recent};
use crate::store::{Beat, Change, Embedded, KeyRecord, ServerId, StoreError, StoreId, UserRecord};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const BOUND: Duration = Duration::from_secs(30);
/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(10);

/// A log that a test writes, with a server that it exchanges and cuts off.
#[derive(Debug)]
struct Log {
    state: Mutex<State>,
    /// Something was asked or written.
    moved: Notify,
}

#[derive(Debug)]
struct State {
    server: &'static str,
    store: u128,
    entries: Vec<Entry>,
    is_cut: bool,
    is_open: bool,
    /// What was asked, in its order; of beats and reads only the first after something else.
    asked: Vec<String>,
    /// After which change was read last.
    read_after: u64,
}

impl Log {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                server: "a",
                store: 1,
                entries: Vec::new(),
                is_cut: false,
                is_open: false,
                asked: Vec::new(),
                read_after: 0,
            }),
            moved: Notify::new(),
        })
    }

    fn append(&self, change: Change) {
        let mut state = self.state.lock();
        let number = state.entries.last().map_or(1, |last| last.number + 1);
        state.entries.push(Entry {
            number,
            change,
            epoch: None,
            forget_at: None,
        });
        drop(state);
        self.moved.notify_waiters();
    }

    fn set(&self, set: impl FnOnce(&mut State)) {
        set(&mut self.state.lock());
        self.moved.notify_waiters();
    }

    /// Notes what was asked, unless the log is cut off.
    fn ask(&self, what: &str) -> Result<Beat, StoreError> {
        let mut state = self.state.lock();
        let is_repeated = state.asked.last().is_some_and(|last| last == what);
        if !is_repeated {
            state.asked.push(what.to_owned());
        }
        if state.is_cut {
            return Err(StoreError::unavailable(
                "cut off",
                std::io::Error::other("cut off"),
            ));
        }
        let beat = Beat {
            store: Some(StoreId(Uuid::from_u128(state.store))),
            server: ServerId(state.server.to_owned()),
            last: state.entries.last().map_or(0, |last| last.number),
            trimmed_to: state.entries.first().map_or(0, |first| first.number - 1),
            time: NOW,
            is_sure: true,
        };
        drop(state);
        self.moved.notify_waiters();
        Ok(beat)
    }

    /// Waits until a test's condition holds.
    async fn until(&self, what: &str, mut holds: impl FnMut(&State) -> bool) {
        let waiting = async {
            loop {
                let moved = self.moved.notified();
                if holds(&self.state.lock()) {
                    return;
                }
                moved.await;
            }
        };
        let waited = tokio::time::timeout(SOON, waiting).await;
        waited.unwrap_or_else(|_| panic!("not {what}: {:?}", self.state.lock()));
    }
}

impl Feed for Log {
    fn connect(&self) -> Answer<'_, Beat> {
        Box::pin(async { self.ask("connect") })
    }

    fn beat(&self) -> Answer<'_, Beat> {
        Box::pin(async { self.ask("beat") })
    }

    fn entries(&self, after: u64, wait: Duration) -> Answer<'_, Vec<Entry>> {
        Box::pin(async move {
            self.state.lock().read_after = after;
            self.ask("read")?;
            let moved = self.moved.notified();
            let news = || {
                let state = self.state.lock();
                let news = state.entries.iter().filter(|entry| entry.number > after);
                news.copied().collect::<Vec<_>>()
            };
            if news().is_empty() {
                let _ = tokio::time::timeout(wait, moved).await;
            }
            self.ask("read")?;
            Ok(news())
        })
    }

    fn send_again<'a>(&'a self, entry: &'a Entry) -> Answer<'a, ()> {
        let sent = self.ask("send again").map(drop);
        if sent.is_ok() {
            self.append(entry.change);
        }
        Box::pin(async move { sent })
    }

    fn open(&self) {
        self.set(|state| {
            state.is_open = true;
            state.asked.push("open".to_owned());
        });
    }

    fn close(&self) {
        self.set(|state| {
            if state.is_open {
                state.asked.push("close".to_owned());
            }
            state.is_open = false;
        });
    }
}

/// A node whose link runs, over a store with a user that has keys.
struct Node {
    log: Arc<Log>,
    embedded: Arc<Embedded>,
    authenticator: Arc<Authenticator>,
    applier: Applier,
    user: UserId,
    running: JoinHandle<()>,
    _folder: TempDir,
}

impl Node {
    async fn start(log: Arc<Log>) -> Self {
        Self::checking_with(log, |store| store).await
    }

    /// `checked` is what the link checks with.
    async fn checking_with(
        log: Arc<Log>,
        checked: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let embedded = Embedded::open(&folder.path().join("gateway.db")).unwrap();
        let user = add_user(&embedded).await;
        let freshness = Freshness::bounded(BOUND, OnStale::Keep, Arc::new(BootUptime));
        let ledger = Arc::new(Ledger::default());
        let ring = KeyRing::single(SigningKey::generate(Algorithm::EdDsa).unwrap()).unwrap();
        let tokens = Arc::new(Tokens::new(ring, "a", "a", BOUND));
        let guarded = Arc::new(FreshStore::new(embedded.clone(), freshness.clone()));
        let clock = Arc::new(ManualClock::at(NOW));
        let authenticator = Authenticator::new(guarded, ledger.clone(), tokens, clock);
        let authenticator = Arc::new(authenticator.bounded_by(freshness.clone()));
        let applier = Applier {
            ledger,
            recent: Recent::new(Arc::new(BootUptime)),
            freshness,
        };
        let link = Link {
            feed: log.clone(),
            store: checked(embedded.clone()),
            applier: applier.clone(),
            authenticator: authenticator.clone(),
            bells: Arc::default(),
            clock: Arc::new(SharedClock::new(Arc::new(ManualClock::at(NOW)))),
            max_staleness: Duration::from_millis(200),
            state: Arc::default(),
        };
        let node = Self {
            log,
            embedded,
            authenticator,
            applier,
            user,
            running: tokio::spawn(link.run()),
            _folder: folder,
        };
        node.until_fresh().await;
        node
    }

    async fn until_fresh(&self) {
        let freshness = &self.applier.freshness;
        let is_fresh = |_: &State| freshness.knowledge() == Knowledge::Fresh;
        self.log.until("fresh", is_fresh).await;
    }

    async fn make_key(&self, number: u8) -> (ApiKey, KeyId) {
        let key = ApiKey::from_random(&[number; 20]);
        let name = KeyName::parse("ci").unwrap();
        let record = KeyRecord::new(&key, self.user, name, NOW);
        let _ = self
            .embedded
            .create_key(record.clone(), None, 9)
            .await
            .unwrap();
        (key, record.id)
    }

    /// Revokes a key as another node does; whether that comes through the log is the test's.
    async fn revoke_elsewhere(&self, key: KeyId) -> Change {
        self.embedded.revoke_key(key, NOW).await.unwrap().change
    }

    async fn admit(&self, key: &ApiKey) -> Result<Arc<Admission>, AuthError> {
        self.authenticator
            .admit(Credential::ApiKey(key.expose()))
            .await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn add_user(store: &Embedded) -> UserId {
    let email = Email::parse("ada@example.com").unwrap();
    let name = UserName::parse("Ada").unwrap();
    let user = UserRecord::new(email, name, Role::Admin, NOW);
    let id = user.id;
    let _ = store.create_user(user).await.unwrap();
    id
}

#[tokio::test]
async fn what_another_node_revokes_ends_here() {
    let node = Node::start(Log::new()).await;
    let (key, id) = node.make_key(1).await;
    let admission = node.admit(&key).await.unwrap();

    let change = node.revoke_elsewhere(id).await;
    node.log.append(change);
    node.log.until("read", |state| state.read_after >= 1).await;

    assert!(admission.ended().is_some());
    let refused = node.admit(&key).await.unwrap_err();
    assert!(matches!(refused, AuthError::KeyRevoked), "{refused}");
}

#[tokio::test]
async fn a_link_that_comes_back_to_the_same_log_goes_on_where_it_was() {
    let node = Node::start(Log::new()).await;
    let (key, _) = node.make_key(1).await;
    let admission = node.admit(&key).await.unwrap();
    node.log.set(|state| state.is_cut = true);
    node.log.until("closed", |state| !state.is_open).await;

    node.log.append(Change::Addition);
    node.log.set(|state| state.is_cut = false);

    node.log.until("read", |state| state.read_after >= 1).await;
    assert!(admission.admits(NOW), "nothing was missed");
}

#[tokio::test]
async fn another_server_is_given_what_it_may_have_lost_before_it_is_asked_anything() {
    let node = Node::start(Log::new()).await;
    let (lost, good) = (node.make_key(1).await, node.make_key(2).await);
    let (gone, stays) = (node.admit(&lost.0).await, node.admit(&good.0).await);
    let (gone, stays) = (gone.unwrap(), stays.unwrap());
    node.log.append(Change::Key {
        user: node.user,
        key: KeyId::new(),
    });
    node.log.until("read", |state| state.read_after >= 1).await;

    // This revocation never came through the log.
    let _ = node.revoke_elsewhere(lost.1).await;
    node.log.set(|state| state.is_cut = true);
    node.log.until("closed", |state| !state.is_open).await;
    node.log.set(|state| {
        state.asked.clear();
        state.read_after = 0;
        state.server = "b";
        state.entries.clear();
        state.is_cut = false;
    });
    node.log.until("read", |state| state.read_after >= 1).await;

    let asked = node.log.state.lock().asked.clone();
    let order = ["connect", "beat", "send again", "open", "beat", "read"];
    assert_eq!(asked[..order.len()], order, "{asked:?}");
    assert!(gone.ended().is_some(), "found when it was checked again");
    assert!(stays.ended().is_none() && !stays.admits(NOW));
    node.until_fresh().await;
    assert!(node.admit(&good.0).await.unwrap().admits(NOW));
}

#[tokio::test]
async fn a_store_that_cannot_be_asked_cuts_nothing_and_confirms_nothing() {
    let is_there = Freshness::bounded(BOUND, OnStale::Keep, Arc::new(BootUptime));
    let gate = is_there.clone();
    let node = Node::checking_with(Log::new(), |store| Arc::new(FreshStore::new(store, gate)));
    let node = node.await;
    let (key, id) = node.make_key(1).await;
    let admission = node.admit(&key).await.unwrap();
    let _ = node.revoke_elsewhere(id).await;

    node.log.set(|state| state.server = "b");
    let connects = |state: &State| state.asked.iter().filter(|what| *what == "connect").count();
    node.log
        .until("connecting again", |state| connects(state) >= 4)
        .await;

    assert!(admission.ended().is_none());
    assert_eq!(node.applier.freshness.knowledge(), Knowledge::Stale);
    is_there.confirm(BootUptime.elapsed());
    node.until_fresh().await;
    assert!(admission.ended().is_some());
}

#[tokio::test]
async fn another_store_is_refused_until_the_old_one_is_back() {
    let node = Node::start(Log::new()).await;
    let (key, _) = node.make_key(1).await;
    node.admit(&key).await.unwrap();

    node.log.set(|state| state.store = 2);
    let freshness = &node.applier.freshness;
    let is_replaced = |_: &State| freshness.knowledge() == Knowledge::Replaced;
    node.log.until("replaced", is_replaced).await;

    let refused = node.admit(&key).await.unwrap_err();
    assert!(matches!(refused, AuthError::Store(StoreError::Replaced)));
    assert!(!node.log.state.lock().is_open);
    node.log.set(|state| state.store = 1);
    node.until_fresh().await;
    node.admit(&key).await.unwrap();
}
