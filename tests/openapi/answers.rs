//! Real answers, each held against the document.

use serde_json::{Value, json};

use crate::schema::faults;
use crate::support::accounts::{ADMINISTRATOR, PASSWORD};
use crate::support::message::{Answer, Call};
use crate::support::setup::Setup;
use crate::support::world::{Version, World};

const DOCUMENT: &str = "/api/auth/openapi.json";
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
    let key = world.new_key(&user).await;
    let gone = world.new_key(&user).await;
    world.revoke(&gone).await;
    let admin = |method: &str, target: &str| world.by_administrator(method, target);
    let by_user = |call: Call| call.bearer(&user.token);
    let users = "/api/auth/users";
    let (id, own) = (
        format!("{users}/{}", user.user),
        format!("{users}/{}", world.administrator().user),
    );
    let nobody = format!("{users}/{NOBODY}");
    let new = |email: &str| json!({"email": email, "name": "New", "password": PASSWORD});
    let log_in = |body: &Value| Call::post("/api/auth/login").json(body);
    let mut asked = Asked::of(&world, &document);

    asked.call(200, Call::get(DOCUMENT)).await;
    asked.call(200, Call::get("/.well-known/jwks.json")).await;
    asked.call(200, Call::get("/api/auth/reset-password")).await;
    asked
        .call(
            200,
            log_in(&json!({"email": ADMINISTRATOR, "password": PASSWORD})),
        )
        .await;
    asked
        .call(401, log_in(&json!({"email": "x", "password": "x"})))
        .await;
    asked.call(422, log_in(&json!({"email": 7}))).await;
    asked.call(400, log_in(&json!([]))).await;
    asked
        .call(415, Call::post("/api/auth/login").body("x"))
        .await;
    asked
        .call(
            413,
            log_in(&json!({"email": "x".repeat(70_000), "password": ""})),
        )
        .await;
    asked
        .call(
            200,
            Call::post("/api/auth/forgot-password").json(&json!({"email": "x"})),
        )
        .await;
    asked
        .call(
            400,
            Call::post("/api/auth/reset-password")
                .json(&json!({"token": "x", "new_password": "x"})),
        )
        .await;
    asked.call(200, by_user(Call::get("/api/auth/me"))).await;
    asked
        .call(200, Call::get("/api/auth/me").bearer(&key.key))
        .await;
    asked.call(401, Call::get("/api/auth/me")).await;
    asked
        .call(401, Call::get("/api/auth/me").bearer(&gone.key))
        .await;
    asked.call(401, Call::get("/api/auth/me").bearer("x")).await;
    asked
        .call(
            400,
            by_user(Call::get("/api/auth/me")).header("X-API-Key", &key.key),
        )
        .await;
    asked.call(200, admin("GET", users)).await;
    asked
        .call(200, admin("GET", &format!("{users}?limit=1")))
        .await;
    asked
        .call(422, admin("GET", &format!("{users}?limit=0&after=x")))
        .await;
    asked.call(403, by_user(Call::get(users))).await;
    asked.call(403, Call::get(users).bearer(&key.key)).await;
    asked
        .call(201, admin("POST", users).json(&new("new@example.com")))
        .await;
    asked
        .call(409, admin("POST", users).json(&new("new@example.com")))
        .await;
    asked
        .call(422, admin("POST", users).json(&json!({"role": "x"})))
        .await;
    asked
        .call(200, admin("PATCH", &id).json(&json!({"name": "Grace"})))
        .await;
    asked.call(200, admin("PATCH", &id).json(&json!({}))).await;
    asked
        .call(404, admin("PATCH", &nobody).json(&json!({})))
        .await;
    asked
        .call(409, admin("PATCH", &own).json(&json!({"role": "viewer"})))
        .await;
    asked.call(400, admin("DELETE", &own)).await;
    asked.call(404, admin("DELETE", &nobody)).await;
    asked.call(200, by_user(Call::get("/api/api-keys"))).await;
    asked
        .call(
            403,
            by_user(Call::get(&format!("/api/api-keys?user_id={NOBODY}"))),
        )
        .await;
    let new_key = json!({"name": "a key", "expires_at": "2036-01-01T00:00:00+01:00"});
    asked
        .call(201, by_user(Call::post("/api/api-keys")).json(&new_key))
        .await;
    asked
        .call(409, by_user(Call::post("/api/api-keys")).json(&new_key))
        .await;
    asked
        .call(
            422,
            by_user(Call::post("/api/api-keys"))
                .json(&json!({"name": "x", "expires_at": "2000-01-01T00:00:00"})),
        )
        .await;
    asked
        .call(
            204,
            by_user(Call::delete(&format!("/api/api-keys/{}", key.id))),
        )
        .await;
    asked
        .call(
            404,
            by_user(Call::delete(&format!("/api/api-keys/{NOBODY}"))),
        )
        .await;
    let change = json!({"current_password": PASSWORD, "new_password": "a lantern in the fog"});
    asked
        .call(
            401,
            by_user(Call::post("/api/auth/change-password"))
                .json(&json!({"current_password": "x", "new_password": "y"})),
        )
        .await;
    asked
        .call(
            200,
            by_user(Call::post("/api/auth/change-password")).json(&change),
        )
        .await;
    let again = world.log_in(&user.email, "a lantern in the fog").await;
    asked
        .call(204, Call::post("/api/auth/logout").bearer(&again.token))
        .await;
    asked
        .call(401, Call::post("/api/auth/logout").bearer(&again.token))
        .await;
    asked.call(204, admin("DELETE", &id)).await;
    asked.every_operation_was_asked();
}

struct Asked<'a> {
    world: &'a World,
    document: &'a Value,
    operations: Vec<String>,
}

impl<'a> Asked<'a> {
    const fn of(world: &'a World, document: &'a Value) -> Self {
        Self {
            world,
            document,
            operations: Vec::new(),
        }
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
