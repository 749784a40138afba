//! What every store promises, and what the embedded one promises beyond that.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]
#![expect(
    clippy::cognitive_complexity,
    reason = "it counts awaits and assertions as branches; the tests are straight lines"
)]

mod damage;
mod embedded;
mod full_disk;
mod model;
mod redis;
#[path = "../support/redis.rs"]
#[expect(unreachable_pub, reason = "it is made for all test programs")]
mod redis_server;
mod suite;
mod support;
