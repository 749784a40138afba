//! What the store in Redis promises, wherever its servers are, and what it promises beyond the contract.

mod changes;
mod examining;
mod feed;
mod lost;
mod places;
mod replicas;
mod world;

pub(crate) use self::places::on_one_server;
