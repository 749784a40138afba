//! What is written of a store in Redis means.

use super::meaning::read;
use crate::config::{RedisServers, RedisStore, StoreUrl};

/// The store of a URL, with more in its section.
fn redis(url: &str, more: &str) -> RedisStore {
    let text = format!(
        "[store]\nurl = '{url}'\n{more}\n[sessions]\nissuer = 'https://a.example'\n[[sessions.signing_keys]]\nfile = 'key.pem'"
    );
    match read(&text).store {
        StoreUrl::Redis(redis) => *redis,
        StoreUrl::Embedded(file) => panic!("{}", file.display()),
    }
}

#[test]
fn a_store_in_redis_is_where_its_url_says() {
    for (url, shown) in [
        ("redis://10.0.0.1", "redis://10.0.0.1:6379"),
        ("redis://[::1]:7000/3", "redis://[::1]:7000/3"),
        ("rediss://redis.internal/", "rediss://redis.internal:6379"),
        ("valkey://10.0.0.1", "redis://10.0.0.1:6379"),
        ("redis+unix:/run/redis.sock", "redis+unix:/run/redis.sock"),
        (
            "unix:///run/redis.sock?db=2",
            "redis+unix:/run/redis.sock?db=2",
        ),
        ("redis+unix:redis.sock", "redis+unix:conf/redis.sock"),
        (
            "redis+sentinel://s1,s2:7000/mymaster/4",
            "redis+sentinel://s1:26379,s2:7000/mymaster/4",
        ),
        (
            "rediss+cluster://a,b:7000",
            "rediss+cluster://a:6379,b:7000",
        ),
    ] {
        let redis = redis(url, "");
        assert_eq!(redis.to_string(), shown, "{url}");
        assert_eq!(redis.tls.is_some(), url.starts_with("rediss"), "{url}");
        assert!(redis.login.is_none());
    }
}

#[test]
fn the_account_of_a_store_comes_from_its_url_or_from_beside_it() {
    let password = "password = '${REDIS_PASSWORD}'";
    for (url, more) in [
        ("rediss://ada@redis.example.com/1", password.to_owned()),
        (
            "rediss://redis.example.com/1",
            format!("user = 'ada'\n{password}"),
        ),
        ("${REDIS_URL}", String::new()),
    ] {
        let redis = redis(url, &more);
        let shown = format!("{redis:?} {redis}");
        let login = redis.login.unwrap();
        assert_eq!(login.user.as_deref(), Some("ada"), "{url}");
        assert_eq!(login.password.expose(), "hunter2", "{url}");
        assert_eq!(redis.database, 1);
        assert!(!shown.contains("hunter2"));
    }
    let nameless = redis("redis://10.0.0.1", password).login.unwrap();
    assert_eq!(nameless.user, None);
    let sentinel = redis(
        "redis+sentinel://s1/mymaster",
        "sentinel_user = 'bob'\nsentinel_password = '${REDIS_PASSWORD}'",
    );
    assert!(sentinel.login.is_none());
    let RedisServers::Sentinel { login, primary, .. } = sentinel.servers else {
        panic!("{sentinel}");
    };
    assert_eq!(login.unwrap().user.as_deref(), Some("bob"));
    assert_eq!(primary, "mymaster");
}

#[test]
fn a_store_on_the_network_without_tls_is_warned_of() {
    let warned = |url: &str| {
        let text = format!(
            "[store]\nurl = '{url}'\n[sessions]\nissuer = 'https://a.example'\n[[sessions.signing_keys]]\nfile = 'key.pem'"
        );
        let warnings = read(&text).warnings();
        warnings
            .iter()
            .any(|warning| warning.contains("without TLS: whoever"))
    };
    assert!(warned("redis://10.0.0.1") && warned("redis+cluster://127.0.0.1,10.0.0.1"));
    assert!(
        !warned("redis://127.0.0.1") && !warned("redis+unix:a") && !warned("rediss://10.0.0.1")
    );
}
