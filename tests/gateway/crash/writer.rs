use serde_json::{Value, json};

use super::{Answered, chance};
use crate::support::accounts::Session;
use crate::support::message::{Answer, Call};
use crate::support::wire::Wire;
use crate::support::world::World;

/// A user who makes one change after the other, and remembers what must be so.
pub(super) struct Writer {
    session: Session,
    /// What the password may be: one, or two while a change of it is unanswered.
    passwords: Vec<String>,
    keys: Vec<Key>,
    ended_tokens: Vec<String>,
    users: Vec<String>,
    /// How many of the tokens and users were checked before.
    checked: (usize, usize),
    number: usize,
    made: usize,
}

struct Key {
    id: String,
    key: String,
    state: State,
    /// Whether it was checked since its last change.
    is_checked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Works,
    /// Its revocation was asked for and not answered.
    Unknown,
    Revoked,
}

/// The connection ended before the answer.
struct Crashed;

impl Writer {
    pub(super) async fn new(world: &World, number: usize) -> Self {
        let session = world.new_user(&format!("writer{number}"), "viewer").await;
        Self {
            passwords: vec![session.password.clone()],
            session,
            keys: Vec::new(),
            ended_tokens: Vec::new(),
            users: Vec::new(),
            checked: (0, 0),
            number,
            made: 0,
        }
    }

    /// Makes changes until the gateway crashes.
    pub(super) async fn write(&mut self, world: &World, wire: &mut Wire, answered: &Answered) {
        while self.change(world, wire).await.is_ok() {
            answered.one();
        }
    }

    async fn change(&mut self, world: &World, wire: &mut Wire) -> Result<(), Crashed> {
        match chance(6) {
            0 | 1 => self.make_key(wire).await,
            2 => self.revoke_key(wire).await,
            3 => self.change_password(wire).await,
            4 => self.log_out(wire).await,
            _ => self.make_user(world, wire).await,
        }
    }

    async fn make_key(&mut self, wire: &mut Wire) -> Result<(), Crashed> {
        let call = Call::post("/api/api-keys").bearer(&self.session.token);
        let key = ask(wire, &call.json(&json!({"name": "k"}))).await?;
        // Over the bound nothing was made, which is an answer too.
        if key.status == 409 {
            return Box::pin(self.revoke_key(wire)).await;
        }
        let key = key.expect(201).json();
        self.keys.push(Key {
            id: text(&key["id"]),
            key: text(&key["key"]),
            state: State::Works,
            is_checked: false,
        });
        Ok(())
    }

    async fn revoke_key(&mut self, wire: &mut Wire) -> Result<(), Crashed> {
        let working = self.keys.iter_mut().filter(|key| key.state == State::Works);
        let mut working: Vec<_> = working.collect();
        if working.is_empty() {
            return self.make_key(wire).await;
        }
        let any = usize::try_from(chance(working.len() as u64)).unwrap();
        let key = &mut working[any];
        key.state = State::Unknown;
        key.is_checked = false;
        let call = Call::delete(&format!("/api/api-keys/{}", key.id));
        ask(wire, &call.bearer(&self.session.token))
            .await?
            .expect(204);
        key.state = State::Revoked;
        Ok(())
    }

    async fn change_password(&mut self, wire: &mut Wire) -> Result<(), Crashed> {
        self.made += 1;
        let new = format!("umbrella-{}-{}-tarragon", self.number, self.made);
        let body = json!({"current_password": self.session.password, "new_password": new});
        let call = Call::post("/api/auth/change-password").bearer(&self.session.token);
        self.passwords.push(new.clone());
        let answer = ask(wire, &call.json(&body)).await?.expect(200).json();
        self.passwords.remove(0);
        let old = std::mem::replace(&mut self.session.token, text(&answer["access_token"]));
        self.session.password = new;
        self.ended_tokens.push(old);
        Ok(())
    }

    async fn log_out(&mut self, wire: &mut Wire) -> Result<(), Crashed> {
        let body = json!({"email": self.session.email, "password": self.session.password});
        let answer = ask(wire, &Call::post("/api/auth/login").json(&body)).await?;
        let token = text(&answer.expect(200).json()["access_token"]);
        let call = Call::post("/api/auth/logout").bearer(&token);
        ask(wire, &call).await?.expect(204);
        self.ended_tokens.push(token);
        Ok(())
    }

    async fn make_user(&mut self, world: &World, wire: &mut Wire) -> Result<(), Crashed> {
        self.made += 1;
        let email = format!("made{}-{}@example.com", self.number, self.made);
        let body = json!({"email": email, "name": "Made", "password": self.session.password});
        let call = world
            .by_administrator("POST", "/api/auth/users")
            .json(&body);
        ask(wire, &call).await?.expect(201);
        self.users.push(email);
        Ok(())
    }

    /// Checks what came since the last check, and what a crash left unknown.
    pub(super) async fn check_latest(&mut self, world: &World) {
        self.settle_password(world).await;
        let (tokens, users) = self.checked;
        self.check(world, tokens, users).await;
        self.checked = (self.ended_tokens.len(), self.users.len());
    }

    pub(super) async fn check_all(&mut self, world: &World) {
        for key in &mut self.keys {
            key.is_checked = false;
        }
        self.check(world, 0, 0).await;
    }

    /// One of the passwords works; a change that was answered has left only one.
    async fn settle_password(&mut self, world: &World) {
        for password in std::mem::take(&mut self.passwords) {
            let body = json!({"email": self.session.email, "password": password});
            let answer = world.call(&Call::post("/api/auth/login").json(&body)).await;
            if answer.status == 200 {
                self.session.token = text(&answer.json()["access_token"]);
                password.clone_into(&mut self.session.password);
                self.passwords.push(password);
            }
        }
        assert_eq!(self.passwords.len(), 1, "the password was lost");
    }

    async fn check(&mut self, world: &World, tokens: usize, users: usize) {
        let mut wire = world.wire().await;
        for key in self.keys.iter_mut().filter(|key| !key.is_checked) {
            key.is_checked = true;
            let status = me(&mut wire, &key.key).await;
            match key.state {
                State::Works => assert_eq!(status, "200", "a key was lost"),
                State::Revoked => assert_eq!(status, "key_revoked", "a revocation was lost"),
                State::Unknown if status == "200" => key.state = State::Works,
                State::Unknown => {
                    assert_eq!(status, "key_revoked");
                    key.state = State::Revoked;
                }
            }
        }
        for token in &self.ended_tokens[tokens..] {
            let status = me(&mut wire, token).await;
            assert_eq!(status, "session_revoked", "the end of a session was lost");
        }
        let all = world.by_administrator("GET", "/api/auth/users");
        let all = wire.call(&all).await.expect(200).json();
        let all: Vec<_> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["email"])
            .collect();
        for user in &self.users[users..] {
            assert!(all.iter().any(|email| *email == user), "{user} was lost");
        }
    }
}

async fn ask(wire: &mut Wire, call: &Call) -> Result<Answer, Crashed> {
    wire.try_send(call.bytes()).await.map_err(|_| Crashed)?;
    wire.try_answer(&call.method).await.map_err(|_| Crashed)
}

/// Whether a credential works: `200`, or the code of the refusal.
async fn me(wire: &mut Wire, credential: &str) -> String {
    let call = Call::get("/api/auth/me").bearer(credential);
    let answer = wire.call(&call).await;
    if answer.status == 200 {
        "200".to_owned()
    } else {
        answer.code()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
