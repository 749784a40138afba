//! A whole gateway in a folder of its own, to be tried by hand.

mod early;
mod folder;
mod lines;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use http::Method;
use serde_json::json;

use self::early::Early;
use self::folder::Folder;
use self::lines::lines;
use super::arguments::Demo;
use super::operator::Operator;
use super::output::print;
use super::{CliError, echo, password};
use crate::config::{Config, Environment};
use crate::domain::Password;
use crate::node;

/// The administrator of every demo.
const ADMIN: &str = "admin@example.com";

/// What a demo is made of, for the lines that are printed and the configuration.
#[derive(Debug)]
struct Parts {
    folder: Folder,
    listen: SocketAddr,
    admin: SocketAddr,
    echo: SocketAddr,
}

/// Makes everything, runs the gateway, and prints what to try.
pub(super) fn run(config: Option<&Path>, demo: Demo) -> Result<(), CliError> {
    if config.is_some() {
        return Err(CliError::DemoConfig);
    }
    let listen = free(demo.listen).map_err(|source| CliError::DemoListen {
        listen: demo.listen,
        source,
    })?;
    let mut early = Early::listen().map_err(|error| CliError::demo("listen for signals", error))?;
    let start = |error| CliError::demo("start the service behind it", error);
    let parts = Parts {
        listen,
        admin: free((Ipv4Addr::LOCALHOST, 0).into()).map_err(start)?,
        echo: echo::start().map_err(start)?,
        folder: Folder::make(demo.folder)?,
    };
    parts.folder.write(&parts)?;
    let file = parts.folder.config();
    let config = Config::read(&file, &Environment::new())?;
    let password = create_admin(&config)?;
    let mut printed = Ok(());
    node::serve(&config, &file, |_| {
        printed = print(&lines(&parts, &password));
        early.pass_on();
    })?;
    printed
}

fn create_admin(config: &Config) -> Result<Password, CliError> {
    let password = password::made()?;
    let body = json!({
        "email": ADMIN,
        "name": "Demo Administrator",
        "role": "admin",
        "password": password.expose(),
    });
    let operator = Operator::reach(config)?;
    operator.call(Method::POST, "/api/auth/users", Some(&body))?;
    Ok(password)
}

/// The address, with a free port where it says 0. It is not held: the gateway binds it again.
fn free(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}
