//! A gateway's API over a real store in a folder of its own, with a clock that tests move.

mod call;
mod flaky;
mod log;
mod mails;
mod overtaken;
mod world;

pub(crate) use call::{Call, Reply};
pub(crate) use flaky::Trouble;
pub(crate) use log::Log;
pub(crate) use mails::Mails;
pub(crate) use overtaken::overtaken;
pub(crate) use world::{Session, Setup, World};
