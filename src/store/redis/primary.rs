use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

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

    /// Asks all Sentinels at once, and tries what they say, the most frequent answer first: one that was
    /// cut off from the others still names the primary of yesterday.
    async fn ask_sentinels(
        &self,
        sentinels: &[RedisHost],
        name: &str,
        trouble: &Arc<Trouble>,
    ) -> Result<Primary, Fault> {
        let asked = sentinels
            .iter()
            .map(|sentinel| self.ask_sentinel(sentinel, name));
        let (mut named, mut failed) = (Vec::<(RedisHost, usize)>::new(), None);
        for answer in join_all(asked).await {
            match answer {
                Ok(host) => match named.iter_mut().find(|(other, _)| *other == host) {
                    Some((_, votes)) => *votes += 1,
                    None => named.push((host, 1)),
                },
                Err(fault) => failed = Some(fault),
            }
        }
        named.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        for (host, _) in named {
            match self.reach(RedisAddress::Host(host), None, trouble).await {
                Ok(primary) => return Ok(primary),
                Err(fault) => failed = Some(fault),
            }
        }
        Err(failed.unwrap_or_else(|| Fault::Unasked("no Sentinel is named".to_owned())))
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
        let mut failed = None;
        for seed in seeds {
            let found = match self.slots_at(seed).await {
                Ok(slots) => match slots.primary_of(self.slot).cloned() {
                    Some(host) => {
                        self.reach(RedisAddress::Host(host), Some(slots), trouble)
                            .await
                    }
                    None => Err(Fault::Unasked(format!(
                        "no node of the Redis Cluster at {seed} has slot {}",
                        self.slot
                    ))),
                },
                Err(fault) => Err(fault),
            };
            match found {
                Ok(primary) => return Ok(primary),
                Err(fault) => failed = Some(fault),
            }
        }
        Err(failed.unwrap_or_else(|| Fault::Unasked("no node is named".to_owned())))
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
