//! What the store in Redis promises on a single server.

mod world;

use self::world::{make_on, settings};
use crate::redis_server::RedisServer;
use crate::suite::contract;
use crate::support::Made;

fn on_one_server() -> impl Fn() -> Made {
    let server = RedisServer::start();
    make_on(settings(&server.url()), server)
}

contract!(&on_one_server());
