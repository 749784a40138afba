//! Stores on servers that the test started.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, mpsc};

use dariet_gateway::config::{Config, Environment, RedisStore, StoreUrl};
use dariet_gateway::domain::SystemClock;
use dariet_gateway::store::{Beat, Feed, Redis, StoreError};
use tokio::runtime::Runtime;

use crate::support::Made;

/// Where connections live, as a node's control work does.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| dariet_gateway::runtime::control().unwrap());

/// The settings that `[store]` with this URL, and what else it holds, means.
pub(crate) fn settings_with(url: &str, more: &str) -> RedisStore {
    let patience = if more.contains("max_staleness") {
        ""
    } else {
        "max_staleness = '10s'"
    };
    let text = format!(
        "[store]\nurl = '{url}'\n{more}\n{patience}\n[sessions]\nissuer = 'https://a.example'\n[[sessions.signing_keys]]\nfile = 'key.pem'\n"
    );
    let env = Environment::from([("REDIS_PASSWORD".to_owned(), "hunter2".to_owned())]);
    let config = Config::parse(&text, "gateway.toml", std::path::Path::new("/"), &env);
    match config.unwrap_or_else(|mistakes| panic!("{mistakes}")).store {
        StoreUrl::Redis(settings) => *settings,
        StoreUrl::Embedded(file) => panic!("{}", file.display()),
    }
}

/// Settings for servers that answer, in their own time: the machine may be busy.
pub(crate) fn settings(url: &str) -> RedisStore {
    settings_with(url, "")
}

/// Settings for servers that will not answer: a call waits for a second.
pub(crate) fn impatient(url: &str) -> RedisStore {
    settings_with(url, "max_staleness = '2s'")
}

/// A store that is not connected.
pub(crate) fn store(settings: &RedisStore) -> Arc<Redis> {
    Redis::new(settings, Arc::new(SystemClock), RUNTIME.handle().clone()).unwrap()
}

/// Has a store connect. It may be called where a runtime is already being waited for.
pub(crate) fn connect(store: &Arc<Redis>) -> Result<Beat, StoreError> {
    let store = Arc::clone(store);
    let (answer, answered) = mpsc::channel();
    RUNTIME.spawn(async move { answer.send(store.connect().await) });
    answered.recv().unwrap()
}

/// A store that is connected and open, with its first beat.
pub(crate) fn opened(settings: &RedisStore) -> (Arc<Redis>, Beat) {
    let store = store(settings);
    let beat = connect(&store).unwrap();
    store.open();
    (store, beat)
}

/// Makes empty stores: each has keys of its own on the same servers, which end with the closure.
pub(crate) fn make_on<Servers>(settings: RedisStore, servers: Servers) -> impl Fn() -> Made {
    let stores = AtomicU32::new(0);
    move || -> Made {
        let _alive = &servers;
        let mut settings = settings.clone();
        settings.key_prefix = format!("dk{}", stores.fetch_add(1, Ordering::Relaxed));
        opened(&settings).0
    }
}
