use redis::Cmd;

use super::Redis;
use super::fault::Fault;
use crate::domain::Timestamp;
use crate::store::{Answer, KeyRoll};

impl KeyRoll for Redis {
    fn announce<'a>(&'a self, kid: &'a str, now: Timestamp) -> Answer<'a, ()> {
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

    fn seen_since(&self, since: Timestamp) -> Answer<'_, Vec<String>> {
        self.read(async move |at| at.read(&range(&at.keys.signing_keys(), since)).await)
    }
}

fn range(key: &str, since: Timestamp) -> Cmd {
    let mut range = redis::cmd("ZRANGEBYSCORE");
    range.arg(key).arg(since.as_millis()).arg("+inf");
    range
}
