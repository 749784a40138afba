//! Real answers, each held against the document.

use serde_json::{Value, json};

use crate::schema::faults;
use crate::support::accounts::{ADMINISTRATOR, PASSWORD, Session};
use crate::support::message::{Answer, Call};
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

const DOCUMENT: &str = "/api/auth/openapi.json";
const USERS: &str = "/api/auth/users";
const NOBODY: &str = "019cff2a-5a3e-7c51-9a5e-0d1f6c6b2a77";

#[tokio::test]
async fn anyone_may_read_the_document() {
    let world = Setup::new().start_empty().await;
    for version in Version::ALL {
        let mut client = world.client(version).await;
        let answer = client.call(&Call::get(DOCUMENT)).await.expect(200);
        assert_eq!(answer.headers.get("content-type"), Some("application/json"));
        assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
        assert_eq!(answer.json()["openapi"], "3.1.0");
        let head = client.call(&Call::new("HEAD", DOCUMENT)).await.expect(200);
        let length = answer.body.len().to_string();
        assert_eq!(head.headers.get("content-length"), Some(&*length));
    }
}

/// Each answer's status, code, headers and shape are what the document has for it.
#[tokio::test]
async fn every_answer_is_in_the_document() {
    let setup = Setup::new().toml("[api_keys]\nmax_per_user = 2");
    let world = setup.start().await;
    let document = world.call(&Call::get(DOCUMENT)).await.json();
    let user = world.new_user("grace", "viewer").await;
    let mut asked = Asked::of(&world, &document, user);

    asked.for_anyone().await;
    asked.for_credentials().await;
    asked.for_administrators().await;
    asked.for_no_user().await;
    asked.for_keys().await;
    asked.for_sessions().await;

    asked.every_operation_was_asked();
}

struct Asked<'a> {
    world: &'a World,
    document: &'a Value,
    /// A viewer.
    user: Session,
    operations: Vec<String>,
}

impl<'a> Asked<'a> {
    const fn of(world: &'a World, document: &'a Value, user: Session) -> Self {
        Self {
            world,
            document,
            user,
            operations: Vec::new(),
        }
    }

    async fn for_anyone(&mut self) {
        self.call(200, Call::get(DOCUMENT)).await;
        self.call(200, Call::get("/.well-known/jwks.json")).await;
        self.call(200, Call::get("/api/auth/reset-password")).await;
        let right = json!({"email": ADMINISTRATOR, "password": PASSWORD});
        let wrong = json!({"email": "x", "password": "x"});
        let huge = json!({"email": "x".repeat(70_000), "password": ""});
        for (status, body) in [
            (200, right),
            (401, wrong),
            (422, json!({"email": 7})),
            (400, json!([])),
            (413, huge),
        ] {
            self.call(status, Call::post("/api/auth/login").json(&body))
                .await;
        }
        self.call(415, Call::post("/api/auth/login").body("x"))
            .await;
        let call = Call::post("/api/auth/forgot-password").json(&json!({"email": "x"}));
        self.call(200, call).await;
        let body = json!({"token": "x", "new_password": "x"});
        let call = Call::post("/api/auth/reset-password").json(&body);
        self.call(400, call).await;
    }

    async fn for_credentials(&mut self) {
        let key = self.world.new_key(&self.user).await;
        let me = || Call::get("/api/auth/me");
        self.call(200, me().bearer(&self.user.token)).await;
        self.call(200, me().bearer(&key.key)).await;
        let two = me().bearer(&self.user.token).header("X-API-Key", &key.key);
        self.call(400, two).await;
        self.call(403, Call::get(USERS).bearer(&key.key)).await;
        self.world.revoke(&key).await;
        self.call(401, me().bearer(&key.key)).await;
        self.call(401, me().bearer("x")).await;
        self.call(401, me()).await;
    }

    async fn for_administrators(&mut self) {
        let world = self.world;
        let admin = |method: &str, target: &str| world.by_administrator(method, target);
        let body = json!({"email": "new@example.com", "name": "New", "password": PASSWORD});
        let user = format!("{USERS}/{}", self.user.user);
        self.call(201, admin("POST", USERS).json(&body)).await;
        self.call(409, admin("POST", USERS).json(&body)).await;
        self.call(422, admin("POST", USERS).json(&json!({"role": "x"})))
            .await;
        self.call(200, admin("GET", USERS)).await;
        self.call(200, admin("GET", &format!("{USERS}?limit=1")))
            .await;
        self.call(422, admin("GET", &format!("{USERS}?limit=0&after=x")))
            .await;
        self.call(403, Call::get(USERS).bearer(&self.user.token))
            .await;
        self.call(200, admin("PATCH", &user).json(&json!({"name": "Grace"})))
            .await;
        self.call(200, admin("PATCH", &user).json(&json!({}))).await;
        let other = world.new_user("other", "viewer").await;
        self.call(204, admin("DELETE", &format!("{USERS}/{}", other.user)))
            .await;
    }

    /// Of users that are not there, or without whom nobody would be.
    async fn for_no_user(&mut self) {
        let world = self.world;
        let admin = |method: &str, target: &str| world.by_administrator(method, target);
        let own = format!("{USERS}/{}", world.administrator().user);
        let nobody = format!("{USERS}/{NOBODY}");
        self.call(404, admin("PATCH", &nobody).json(&json!({})))
            .await;
        self.call(409, admin("PATCH", &own).json(&json!({"role": "viewer"})))
            .await;
        self.call(400, admin("DELETE", &own)).await;
        self.call(404, admin("DELETE", &nobody)).await;
    }

    async fn for_keys(&mut self) {
        let token = self.user.token.clone();
        let call = |method: &str, more: &str| {
            Call::new(method, &format!("/api/api-keys{more}")).bearer(&token)
        };
        let key = self.world.new_key(&self.user).await;
        let new = json!({"name": "a key", "expires_at": "2036-01-01T00:00:00+01:00"});
        let past = json!({"name": "a key", "expires_at": "2000-01-01T00:00:00"});
        self.call(201, call("POST", "").json(&new)).await;
        self.call(409, call("POST", "").json(&new)).await;
        self.call(422, call("POST", "").json(&past)).await;
        self.call(200, call("GET", "")).await;
        self.call(403, call("GET", &format!("?user_id={NOBODY}")))
            .await;
        self.call(204, call("DELETE", &format!("/{}", key.id)))
            .await;
        self.call(404, call("DELETE", &format!("/{NOBODY}"))).await;
    }

    async fn for_sessions(&mut self) {
        let new = "a lantern in the fog";
        let change = |current: &str| {
            let body = json!({"current_password": current, "new_password": new});
            Call::post("/api/auth/change-password").json(&body)
        };
        let token = self.user.token.clone();
        self.call(401, change("wrong password").bearer(&token))
            .await;
        self.call(200, change(PASSWORD).bearer(&token)).await;
        let again = self.world.log_in(&self.user.email, new).await.token;
        let log_out = || Call::post("/api/auth/logout").bearer(&again);
        self.call(204, log_out()).await;
        self.call(401, log_out()).await;
    }

    /// Makes a call, and holds its answer against the document.
    async fn call(&mut self, status: u16, call: Call) {
        let answer = self.world.call(&call).await.expect(status);
        let operation = self.operation(&call);
        let what = format!("{} {} {status}", call.method, call.target);
        let said = &operation["responses"][status.to_string()];
        assert!(said.is_object(), "{what} is not in the document");
        self.headers(&what, said, &answer);
        match said["content"].as_object() {
            None => assert!(answer.body.is_empty(), "{what} has a body"),
            Some(content) => {
                let kind = answer.headers.get("content-type").unwrap();
                let schema = &content[kind]["schema"];
                if kind.contains("json") {
                    let faults = faults(self.document, schema, &answer.json());
                    assert!(faults.is_empty(), "{what}: {faults:#?}");
                }
            }
        }
        let id = operation["operationId"].as_str().unwrap().to_owned();
        self.operations.push(id);
    }

    /// The operation of a call, whose path may have an id in it.
    fn operation(&self, call: &Call) -> &'a Value {
        let path = call.target.split('?').next().unwrap();
        let templated = path
            .rsplit_once('/')
            .map(|(parent, _)| format!("{parent}/{{id}}"));
        let paths = &self.document["paths"];
        let known = paths.get(path).or_else(|| paths.get(templated.unwrap()));
        &known.unwrap()[call.method.to_lowercase()]
    }

    fn headers(&self, what: &str, said: &Value, answer: &Answer) {
        for (name, header) in said["headers"].as_object().into_iter().flatten() {
            let value = answer.headers.get(name);
            assert!(
                value.is_some() || header["required"] == false,
                "{what} lacks {name}"
            );
        }
        for name in ["Dariet-Durability", "Location", "Link"] {
            let is_known = said["headers"].get(name).is_some();
            assert!(is_known || !answer.headers.has(name), "{what} has {name}");
        }
    }

    fn every_operation_was_asked(&self) {
        for (path, operations) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                assert!(
                    self.operations.contains(&id),
                    "{method} {path} was not asked"
                );
            }
        }
    }
}
