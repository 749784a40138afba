//! Accounts under attack: found out, guessed, locked out, raced and overwritten.

mod fields;
mod guessing;
mod races;
mod telling;
mod timing;

use std::cell::Cell;

use serde_json::{Value, json};

use crate::support::message::{Answer, Call};
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

const LOGIN: &str = "/api/auth/login";
const FORGOT: &str = "/api/auth/forgot-password";
const RESET: &str = "/api/auth/reset-password";
const USERS: &str = "/api/auth/users";
const KEYS: &str = "/api/api-keys";

/// A gateway that mails into a folder and believes this machine of where clients are.
fn setup() -> Setup {
    Setup::new()
        .server("trusted_proxies = [\"127.0.0.1\"]")
        .toml(
            "[sessions]\nissuer = \"https://gateway.example.com\"\n\
         [mail]\nurl = \"file:mails/\"\nfrom = \"Dariet <no-reply@example.com>\"\n",
        )
}

fn log_in(email: &str, password: &str) -> Call {
    Call::post(LOGIN).json(&json!({"email": email, "password": password}))
}

fn forgot(email: &str) -> Call {
    Call::post(FORGOT).json(&json!({"email": email}))
}

fn reset(token: &str, password: &str) -> Call {
    Call::post(RESET).json(&json!({"token": token, "new_password": password}))
}

/// The call as it comes from a client at this address.
fn from(call: Call, address: &str) -> Call {
    call.header("X-Forwarded-For", address)
}

/// The tokens that were mailed, once there are so many.
async fn mailed(world: &World, count: usize) -> Vec<String> {
    let sent = Cell::new(0);
    let is_last = |line: &Value| {
        sent.set(sent.get() + usize::from(line["message"] == "mail sent"));
        sent.get() == count
    };
    world.node().log.wait_for("the mail", is_last).await;
    let folder = world.config().parent().unwrap().join("mails");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mails = files.filter(|file| file.extension().is_some_and(|end| end == "eml"));
    let tokens = mails.map(|file| {
        let mail = std::fs::read_to_string(file).unwrap();
        let mail = mail.replace("=\r\n", "").replace("=3D", "=");
        let (_, token) = mail.split_once("#token=").unwrap();
        token.split_whitespace().next().unwrap().to_owned()
    });
    tokens.collect()
}

/// Makes these calls at the same time, each over a connection of its own that is open already.
async fn at_once(world: &World, calls: &[Call]) -> Vec<Answer> {
    let mut wires: Vec<Wire> = Vec::new();
    for _ in calls {
        wires.push(world.wire().await);
    }
    let calls = wires
        .iter_mut()
        .zip(calls)
        .map(|(wire, call)| wire.call(call));
    futures_util::future::join_all(calls).await
}
