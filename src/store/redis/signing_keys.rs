use redis::Cmd;

use super::Redis;
use super::fault::Fault;
use crate::domain::Timestamp;
use crate::store::Answer;

impl Redis {
    /// Says that this node signs with the key `kid` at `now`, so that nodes without it learn of it. To be
    /// said again while it is true.
    pub fn announce_signing_key<'a>(&'a self, kid: &'a str, now: Timestamp) -> Answer<'a, ()> {
        let kid = kid.to_owned();
        self.change(async move |at| {
            let mut add = redis::cmd("ZADD");
            add.arg(at.keys.signing_keys())
                .arg("GT")
                .arg(now.as_millis())
                .arg(kid);
            let added = at.data.ask::<u64>(&add, at.patience).await;
            added.map(drop).map_err(Fault::of_change)
        })
    }

    /// The keys that some node signed with since `since`.
    pub fn signing_keys_seen_since(&self, since: Timestamp) -> Answer<'_, Vec<String>> {
        self.read(async move |at| at.read(&range(&at.keys.signing_keys(), since)).await)
    }
}

fn range(key: &str, since: Timestamp) -> Cmd {
    let mut range = redis::cmd("ZRANGEBYSCORE");
    range.arg(key).arg(since.as_millis()).arg("+inf");
    range
}
