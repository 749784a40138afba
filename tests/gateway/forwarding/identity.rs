use serde_json::json;

use crate::support::message::{Call, Fields};
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

const NAMES: [&str; 6] = [
    "x-auth-user-id",
    "x-auth-user-email",
    "x-auth-user-name",
    "x-auth-user-role",
    "x-auth-method",
    "x-auth-key-id",
];

#[tokio::test]
async fn a_service_is_told_who_asks() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("zoe", "viewer").await;
    let name = "Zoë 100% \"O'Neil\"";
    world.patch_user(&user, &json!({"name": name})).await;
    let key = world.new_key(&user).await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        client.call(&Call::get("/x").bearer(&user.token)).await;
        let by_session = service.next().await.headers;
        let header = |name| by_session.get(name);
        assert_eq!(header("x-auth-user-id"), Some(user.user.as_str()));
        assert_eq!(header("x-auth-user-email"), Some("zoe@example.com"));
        let encoded = "Zo%C3%AB%20100%25%20\"O'Neil\"";
        assert_eq!(header("x-auth-user-name"), Some(encoded));
        assert_eq!(header("x-auth-user-role"), Some("viewer"));
        assert_eq!(header("x-auth-method"), Some("session"));
        assert_eq!(header("x-auth-key-id"), None);

        client.call(&Call::get("/x").bearer(&key.key)).await;
        let by_key = service.next().await.headers;
        assert_eq!(by_key.get("x-auth-user-id"), Some(user.user.as_str()));
        assert_eq!(by_key.get("x-auth-method"), Some("api_key"));
        assert_eq!(by_key.get("x-auth-key-id"), Some(key.id.as_str()));
    }
}

#[tokio::test]
async fn a_key_speaks_with_the_role_its_owner_has_now() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("ada", "viewer").await;
    let key = world.new_key(&user).await;
    let mut wire = world.wire().await;
    let call = Call::get("/x").bearer(&key.key);

    wire.call(&call).await.expect(200);
    world.patch_user(&user, &json!({"role": "admin"})).await;
    wire.call(&call).await.expect(200);

    let roles = [service.next().await, service.next().await];
    let roles = roles.map(|seen| seen.headers.get("x-auth-user-role").map(str::to_owned));
    assert_eq!(roles, [Some("viewer".into()), Some("admin".into())]);
}

#[tokio::test]
async fn nothing_that_a_client_forges_reaches_a_service() {
    let mut service = Service::echo().await;
    let setup = Setup::before(service.address).route("/public", "service", "public = true");
    let world = setup.start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for path in ["/x", "/public"] {
            let call = world.by_administrator("GET", path);
            let call = NAMES.iter().fold(call, |call, name| {
                call.header(name, "forged")
                    .header(&name.to_uppercase(), "forged")
                    .header(&name.replace('-', "_"), "forged")
                    .header(&name.replace('-', "."), "forged")
                    .header(&name.replacen('-', "_", 1), "forged")
            });
            client.call(&call).await.expect(200);

            let seen = service.next().await;
            let has_forged = seen.headers.0.iter().any(|(_, value)| value == "forged");
            assert!(!has_forged, "{version:?} {path}: {seen:?}");
            assert_eq!(seen.headers.has("x-auth-user-id"), path == "/x");
        }
    }
}

#[tokio::test]
async fn a_connection_list_cannot_take_the_identity_away() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let list = format!("close, {}", NAMES.join(", "));

    let call = world
        .by_administrator("GET", "/x")
        .header("Connection", &list);
    world.call(&call).await.expect(200);

    let headers = service.next().await.headers;
    assert_eq!(identity(&headers), 5, "{headers:?}");
    assert_eq!(headers.get("x-auth-user-role"), Some("admin"));
}

#[tokio::test]
async fn the_identity_headers_are_called_as_the_operator_wants() {
    let mut service = Service::echo().await;
    let names = "[identity_headers]\nuser_id = \"X-Remote-Id\"\nuser_role = \"X-Remote-Role\"";
    let world = Setup::before(service.address).toml(names).start().await;

    let call = world
        .by_administrator("GET", "/x")
        .header("X_Remote_Id", "forged")
        .header("X-Remote-Role", "forged");
    world.call(&call).await.expect(200);

    let headers = service.next().await.headers;
    let id = headers.get("x-remote-id").map(str::to_owned);
    assert_eq!(id, Some(world.administrator().user.clone()));
    assert_eq!(headers.get("x-remote-role"), Some("admin"));
    assert!(!headers.has("x_remote_id"));
    assert!(!headers.has("x-auth-user-id"));
}

#[tokio::test]
async fn the_credential_stays_with_the_gateway() {
    let mut service = Service::echo().await;
    let setup = Setup::before(service.address).route("/pass", "service", r#"credential = "pass""#);
    let world = setup.start().await;
    let key = world.new_key(world.administrator()).await.key;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for call in [
            Call::get("/x").bearer(&world.administrator().token),
            Call::get("/x").bearer(&key),
            Call::get("/x").header("X-API-Key", &key),
        ] {
            client.call(&call).await.expect(200);
            let headers = service.next().await.headers;
            assert!(!headers.has("authorization"), "{headers:?}");
            assert!(!headers.has("x-api-key"), "{headers:?}");
        }
        client
            .call(&Call::get("/pass").bearer(&key))
            .await
            .expect(200);
        let passed = service.next().await.headers;
        let bearer = format!("Bearer {key}");
        assert_eq!(passed.get("authorization"), Some(bearer.as_str()));
    }
}

#[tokio::test]
async fn a_public_route_passes_other_credentials_and_not_ours() {
    let mut service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start().await;
    let key = world.new_key(world.administrator()).await.key;

    let ours = Call::get("/x").bearer("anything").header("X-API-Key", &key);
    world.call(&ours).await.expect(200);
    let headers = service.next().await.headers;
    assert!(!headers.has("authorization") && !headers.has("x-api-key"));
    assert_eq!(identity(&headers), 0);

    let theirs = Call::get("/x").header("Authorization", "Basic eDp5");
    world.call(&theirs).await.expect(200);
    let headers = service.next().await.headers;
    assert_eq!(headers.get("authorization"), Some("Basic eDp5"));
}

fn identity(headers: &Fields) -> usize {
    NAMES.iter().filter(|name| headers.has(name)).count()
}
