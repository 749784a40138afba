use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use super::connection::Connection;
use super::dialer::Dialer;
use super::fault::Fault;
use super::info::Info;
use super::slots::{SlotMap, slot_of};
use super::trouble::Trouble;
use crate::config::{RedisAddress, RedisHost, RedisServers};

/// The server that takes the changes, as it was found.
pub(super) struct Primary {
    pub(super) address: RedisAddress,
    /// The first connection to it.
    pub(super) connection: Connection,
    /// Its `INFO`.
    pub(super) info: Info,
    /// Who has which slots, where it is one of a Cluster.
    pub(super) slots: Option<SlotMap>,
}

/// Finds the primary of a store.
#[derive(Debug)]
pub(super) struct Finder {
    servers: RedisServers,
    dialer: Dialer,
    sentinels: Dialer,
    /// The slot of every record.
    slot: u16,
    patience: Duration,
    /// How often it was looked for.
    attempts: AtomicUsize,
}

/// What servers named, with what else they said, and how many of them did.
type Named<T> = (RedisHost, T, usize);

/// What several servers say of where the primary is.
struct Ballot<T> {
    named: Vec<Named<T>>,
    /// Why one of them said nothing.
    failed: Option<Fault>,
}

impl<T> Ballot<T> {
    /// It ends when most of those asked agree, and `grace` after the first answer: who is away must not
    /// hold up the others.
    async fn hold(
        mut asked: FuturesUnordered<impl Future<Output = Result<(RedisHost, T), Fault>>>,
        grace: Duration,
    ) -> Self {
        let all = asked.len();
        let (mut named, mut failed) = (Vec::<Named<T>>::new(), None);
        let mut ends = None;
        loop {
            let answer = match ends {
                None => asked.next().await,
                Some(ends) => timeout_at(ends, asked.next()).await.unwrap_or(None),
            };
            let votes = match answer {
                None => return Self { named, failed },
                Some(Err(fault)) => {
                    failed = Some(fault);
                    continue;
                }
                Some(Ok((host, more))) => {
                    ends = ends.or_else(|| Instant::now().checked_add(grace));
                    match named.iter_mut().find(|(other, ..)| *other == host) {
                        Some((_, said, votes)) => {
                            (*said, *votes) = (more, *votes + 1);
                            *votes
                        }
                        None => {
                            named.push((host, more, 1));
                            1
                        }
                    }
                }
            };
            if votes * 2 > all {
                return Self { named, failed };
            }
        }
    }
}

impl Primary {
    /// Makes sure that one more connection to its address has come to it: behind a name there may be
    /// several servers, and what one of them tells the log of says nothing of another.
    pub(super) async fn must_be_behind(
        &self,
        connection: &Connection,
        patience: Duration,
    ) -> Result<(), Fault> {
        let info: String = connection
            .ask(redis::cmd("INFO").arg("server"), patience)
            .await?;
        if Info::new(info).field("run_id") == self.info.field("run_id") {
            return Ok(());
        }
        Err(Fault::Unasked(format!(
            "several redis servers answer at {}; name the primary, or its Sentinels with redis+sentinel://",
            self.address
        )))
    }
}

impl Finder {
    pub(super) fn new(
        servers: &RedisServers,
        dialer: Dialer,
        a_record: &str,
        patience: Duration,
    ) -> Self {
        let sentinels = match servers {
            RedisServers::Sentinel { login, .. } => dialer.for_sentinels(login.as_ref()),
            RedisServers::One(_) | RedisServers::Cluster(_) => dialer.clone(),
        };
        Self {
            servers: servers.clone(),
            dialer,
            sentinels,
            slot: slot_of(a_record),
            patience,
            attempts: AtomicUsize::new(0),
        }
    }

    /// Finds it and connects to it; a server that turns out to be a replica is refused.
    pub(super) async fn find(&self, trouble: &Arc<Trouble>) -> Result<Primary, Fault> {
        match &self.servers {
            RedisServers::One(address) => self.reach(address.clone(), None, trouble).await,
            RedisServers::Sentinel {
                sentinels, primary, ..
            } => self.ask_sentinels(sentinels, primary, trouble).await,
            RedisServers::Cluster(seeds) => self.ask_cluster(seeds, trouble).await,
        }
    }

    /// The Sentinels, what they call the primary, and how to speak to them.
    pub(super) fn sentinels(&self) -> Option<(&[RedisHost], &str, &Dialer)> {
        match &self.servers {
            RedisServers::Sentinel {
                sentinels, primary, ..
            } => Some((sentinels, primary, &self.sentinels)),
            RedisServers::One(_) | RedisServers::Cluster(_) => None,
        }
    }

    async fn reach(
        &self,
        address: RedisAddress,
        slots: Option<SlotMap>,
        trouble: &Arc<Trouble>,
    ) -> Result<Primary, Fault> {
        let connection = self.dialer.dial(&address, trouble).await?;
        let info: String = connection
            .ask(redis::cmd("INFO").arg("default"), self.patience)
            .await
            .map_err(|fault| fault.at(&address))?;
        let info = Info::new(info);
        if info.number("loading") == Some(1) {
            return Err(Fault::Unasked(format!(
                "redis at {address} is still loading its data"
            )));
        }
        if !info.is_primary() {
            let way_out = match (
                &self.servers,
                info.field("master_host"),
                info.field("master_port"),
            ) {
                (RedisServers::One(_), Some(host), Some(port)) => {
                    format!(
                        " of {host}:{port}; name the primary, or its Sentinels with redis+sentinel://"
                    )
                }
                _ => String::new(),
            };
            return Err(Fault::Unasked(format!(
                "redis at {address} is a replica{way_out}"
            )));
        }
        Ok(Primary {
            address,
            connection,
            info,
            slots,
        })
    }

    async fn ask_sentinels(
        &self,
        sentinels: &[RedisHost],
        name: &str,
        trouble: &Arc<Trouble>,
    ) -> Result<Primary, Fault> {
        let ask = sentinels
            .iter()
            .map(async |sentinel| Ok((self.ask_sentinel(sentinel, name).await?, None)));
        self.reach_named(ask.collect(), trouble).await
    }

    async fn ask_sentinel(&self, sentinel: &RedisHost, name: &str) -> Result<RedisHost, Fault> {
        let address = RedisAddress::Host(sentinel.clone());
        let connection = self.sentinels.dial(&address, &Arc::default()).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let answer: Option<(String, u16)> = connection
            .ask(&question, self.patience)
            .await
            .map_err(|fault| fault.at(&address))?;
        let known = answer.map(|(host, port)| RedisHost { host, port });
        known.ok_or_else(|| {
            Fault::Unasked(format!(
                "the Sentinel at {address} knows no primary {name:?}"
            ))
        })
    }

    async fn ask_cluster(
        &self,
        seeds: &[RedisHost],
        trouble: &Arc<Trouble>,
    ) -> Result<Primary, Fault> {
        let ask = seeds.iter().map(async |seed| {
            let slots = self.slots_at(seed).await?;
            let primary = slots.primary_of(self.slot).cloned();
            let primary = primary.ok_or_else(|| {
                let slot = self.slot;
                Fault::Unasked(format!(
                    "no node of the Redis Cluster at {seed} has slot {slot}"
                ))
            })?;
            Ok((primary, Some(slots)))
        });
        self.reach_named(ask.collect(), trouble).await
    }

    /// Hears all answers to where the primary is, and tries what they say, the most frequent
    /// answer first: one that was cut off from the others still names the primary of yesterday.
    async fn reach_named(
        &self,
        asked: FuturesUnordered<impl Future<Output = Result<(RedisHost, Option<SlotMap>), Fault>>>,
        trouble: &Arc<Trouble>,
    ) -> Result<Primary, Fault> {
        let Ballot { named, mut failed } = Ballot::hold(asked, self.patience / 4).await;
        for (host, slots, _) in self.by_votes(named) {
            match self.reach(RedisAddress::Host(host), slots, trouble).await {
                Ok(primary) => return Ok(primary),
                Err(fault) => failed = Some(fault),
            }
        }
        Err(failed.unwrap_or_else(|| Fault::Unasked("no server is named".to_owned())))
    }

    /// Of answers that were as frequent another one comes first each time: the first may be a server
    /// that can be reached and not be believed.
    fn by_votes<T>(&self, mut named: Vec<Named<T>>) -> Vec<Named<T>> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        if let Some(by) = attempt.checked_rem(named.len()) {
            named.sort_by_cached_key(|(host, ..)| host.to_string());
            named.rotate_left(by);
        }
        named.sort_by_key(|(_, _, votes)| std::cmp::Reverse(*votes));
        named
    }

    async fn slots_at(&self, seed: &RedisHost) -> Result<SlotMap, Fault> {
        let address = RedisAddress::Host(seed.clone());
        let connection = self.dialer.dial(&address, &Arc::default()).await?;
        let mut question = redis::cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = connection
            .ask(&question, self.patience)
            .await
            .map_err(|fault| fault.at(&address))?;
        SlotMap::read(answer, seed)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    fn host(port: u16) -> RedisHost {
        let host = "redis".to_owned();
        RedisHost { host, port }
    }

    fn finder() -> Finder {
        let text = "[store]\nurl = 'redis://a'\n[sessions]\nissuer = 'https://a.example'\n\
            [[sessions.signing_keys]]\nfile = 'key.pem'\n";
        let config = crate::config::Config::parse(
            text,
            "gateway.toml",
            std::path::Path::new("/"),
            &crate::config::Environment::new(),
        );
        let crate::config::StoreUrl::Redis(store) = config.unwrap().store else {
            panic!("a redis");
        };
        let dialer = Dialer::new(&store, GRACE).unwrap();
        Finder::new(&store.servers, dialer, "{dk}:id", GRACE)
    }

    #[tokio::test]
    async fn who_is_away_holds_nobody_up() {
        let agreed = [1, 1].map(|port| ready(Ok((host(port), ()))).boxed());
        let away = || pending().boxed();
        let asked = agreed.into_iter().chain([away()]).collect();

        let begin = Instant::now();
        let Ballot { named, failed } = Ballot::hold(asked, GRACE).await;

        assert_eq!(named, [(host(1), (), 2)]);
        assert!(failed.is_none());
        assert!(begin.elapsed() < GRACE, "most agree");
        let one = ready(Ok((host(1), ()))).boxed();
        let asked = [one, away(), away()].into_iter().collect();
        let short = Duration::from_millis(1);
        assert_eq!(Ballot::hold(asked, short).await.named.len(), 1);
    }

    #[tokio::test]
    async fn the_most_frequent_answer_comes_first_and_of_equals_another_each_time() {
        let finder = finder();
        let first = |votes: [usize; 2]| {
            let named = vec![(host(1), (), votes[0]), (host(2), (), votes[1])];
            finder.by_votes(named).remove(0).0.port
        };
        assert_eq!([first([1, 2]), first([1, 2]), first([2, 1])], [2, 2, 1]);
        let tried = [first([1, 1]), first([1, 1])];
        assert!(tried.contains(&1) && tried.contains(&2), "{tried:?}");
    }
}
