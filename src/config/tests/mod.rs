//! The reader as a whole: what it makes of files, and the documents that describe it.

mod bounds;
mod changes;
mod documents;
mod examples;
mod meaning;
mod mistakes;
mod redis;

use std::path::Path;

use super::{Config, Environment, Mistakes};

/// Reads a text as the file `gateway.toml` in the folder `conf`.
fn parse(text: &str) -> Result<Config, Mistakes> {
    let env = [
        ("SMTP_PASSWORD", "hunter2"),
        ("REDIS_PASSWORD", "hunter2"),
        ("REDIS_URL", "rediss://ada:hunter2@redis.example.com/1"),
        ("MANY", "250"),
        ("HOST", "10.0.0.9"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::parse(
        text,
        "gateway.toml",
        Path::new("conf"),
        &Environment::from(env),
    )
}
