//! Users, sessions and keys, made as clients make them.

use serde_json::{Value, json};

use super::message::Call;
use super::world::World;

/// A user who has logged in.
#[derive(Debug, Clone)]
pub struct Session {
    pub user: String,
    pub email: String,
    pub password: String,
    pub token: String,
}

/// An API key.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub key: String,
}

pub const ADMINISTRATOR: &str = "root@example.com";
pub const PASSWORD: &str = "tarragon-umbrella-41";

impl World {
    /// Makes the first administrator with the command line.
    pub fn make_administrator(&self) {
        let arguments = [
            "user",
            "create",
            ADMINISTRATOR,
            "--name",
            "Root",
            "--role",
            "admin",
            "--password-stdin",
        ];
        let made = self.command(&arguments, &format!("{PASSWORD}\n"));
        let why = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{}: {why}", made.status);
    }

    pub async fn log_in_administrator(&mut self) {
        let session = self.log_in(ADMINISTRATOR, PASSWORD).await;
        self.set_administrator(session);
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Session {
        let body = json!({"email": email, "password": password});
        let answer = self.call(&Call::post("/api/auth/login").json(&body)).await;
        let answer = answer.expect(200).json();
        Session {
            user: text(&answer["user"]["id"]),
            email: email.to_owned(),
            password: password.to_owned(),
            token: text(&answer["access_token"]),
        }
    }

    /// Makes a user of this role, and logs in.
    pub async fn new_user(&self, name: &str, role: &str) -> Session {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "name": name, "password": PASSWORD, "role": role});
        let call = self.by_administrator("POST", "/api/auth/users").json(&body);
        self.call(&call).await.expect(201);
        self.log_in(&email, PASSWORD).await
    }

    /// Changes a user.
    pub async fn patch_user(&self, user: &Session, change: &Value) {
        let target = format!("/api/auth/users/{}", user.user);
        let call = self.by_administrator("PATCH", &target).json(change);
        self.call(&call).await.expect(200);
    }

    pub async fn delete_user(&self, user: &Session) {
        let target = format!("/api/auth/users/{}", user.user);
        let call = self.by_administrator("DELETE", &target);
        self.call(&call).await.expect(204);
    }

    pub async fn log_out(&self, session: &Session) {
        let call = Call::post("/api/auth/logout").bearer(&session.token);
        self.call(&call).await.expect(204);
    }

    /// Changes the password; the session that did it is another one then.
    pub async fn change_password(&self, session: &Session, to: &str) -> Session {
        let body = json!({"current_password": session.password, "new_password": to});
        let call = Call::post("/api/auth/change-password").bearer(&session.token);
        let answer = self.call(&call.json(&body)).await.expect(200).json();
        Session {
            password: to.to_owned(),
            token: text(&answer["access_token"]),
            ..session.clone()
        }
    }

    /// Makes an API key for the session's user.
    pub async fn new_key(&self, session: &Session) -> Key {
        self.make_key(session, &json!({"name": "a key"})).await
    }

    /// Makes an API key that stops working after some seconds.
    pub async fn new_key_for_seconds(&self, session: &Session, seconds: i64) -> Key {
        let end = jiff::Timestamp::now().as_second() + seconds;
        let end = jiff::Timestamp::from_second(end).unwrap().to_string();
        self.make_key(session, &json!({"name": "a key", "expires_at": end}))
            .await
    }

    async fn make_key(&self, session: &Session, body: &Value) -> Key {
        let call = Call::post("/api/api-keys").bearer(&session.token);
        let answer = self.call(&call.json(body)).await.expect(201).json();
        Key {
            id: text(&answer["id"]),
            key: text(&answer["key"]),
        }
    }

    /// Revokes a key; it must not work from when this returns.
    pub async fn revoke(&self, key: &Key) {
        let target = format!("/api/api-keys/{}", key.id);
        let call = self.by_administrator("DELETE", &target);
        self.call(&call).await.expect(204);
    }

    /// A call that the first administrator makes.
    pub fn by_administrator(&self, method: &str, target: &str) -> Call {
        Call::new(method, target).bearer(&self.administrator().token)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
