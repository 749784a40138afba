use aws_lc_rs::digest;
use redis::Cmd;
use std::sync::LazyLock;

/// A change as the server runs it: as one step, alone.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    /// How the server names it: the SHA-1 of its text.
    name: String,
}

impl Script {
    fn new(text: &str) -> Self {
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let name = hash.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Self {
            text: text.to_owned(),
            name: name.collect(),
        }
    }

    /// A script that begins with an entry in the log.
    fn recording(text: &str) -> Self {
        let shared = include_str!("scripts/record.lua").replace("LOG_LENGTH", LOG_LENGTH);
        Self::new(&format!("{shared}\n{text}"))
    }

    /// The call by name, for a server that has run the script before.
    pub(super) fn by_name(&self) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.name);
        command
    }

    /// The call with the text, after which the server knows the script.
    pub(super) fn by_text(&self) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.text);
        command
    }
}

/// How many changes the log keeps: about 1 MB. A node that was away for more checks everything again.
const LOG_LENGTH: &str = "10000";

macro_rules! scripts {
    ($($make:ident $name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::$make(include_str!(concat!("scripts/", $file, ".lua"))));)*
    };
}

scripts! {
    new FOUND = "found";
    new CLAIM = "claim";
    new PROBE = "probe";
    recording CREATE_USER = "create_user";
    recording UPDATE_USER = "update_user";
    recording DELETE_USER = "delete_user";
    recording CREATE_KEY = "create_key";
    recording REVOKE_KEY = "revoke_key";
    recording REVOKE_SESSION = "revoke_session";
    new NOTE_USED = "note_used";
    new SWEEP = "sweep";
    new TAKE = "take";
    new GIVE_BACK = "give_back";
}
