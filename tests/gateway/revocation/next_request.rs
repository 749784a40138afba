use std::cell::Cell;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::accounts::Session;
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::{Client, Version, World};

/// Connections of both versions over which this credential has worked, and one of each that is fresh.
async fn clients(world: &World, call: &Call) -> Vec<Client> {
    let mut clients = Vec::new();
    for version in Version::ALL {
        let mut kept = world.client(version).await;
        kept.call(call).await.expect(200);
        clients.push(kept);
        clients.push(world.client(version).await);
    }
    clients
}

async fn all_refuse(clients: Vec<Client>, call: &Call, code: &str) {
    for mut client in clients {
        for _ in 0..2 {
            let refusal = client.call(call).await.refusal();
            assert_eq!(refusal, (401, code.to_owned()));
        }
    }
}

async fn world() -> (Service, World, Session) {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let user = world.new_user("ada", "viewer").await;
    (service, world, user)
}

#[tokio::test]
async fn a_deleted_key_fails_on_the_next_request() {
    let (_service, world, user) = world().await;
    for _ in 0..5 {
        let key = world.new_key(&user).await;
        let call = Call::get("/x").bearer(&key.key);
        let clients = clients(&world, &call).await;

        world.revoke(&key).await;

        all_refuse(clients, &call, "key_revoked").await;
        let me = Call::get("/api/auth/me").bearer(&key.key);
        assert_eq!(
            world.call(&me).await.refusal(),
            (401, "key_revoked".to_owned())
        );
    }
}

#[tokio::test]
async fn no_request_that_is_sent_after_the_answer_passes_however_many_are_on_their_way() {
    let (_service, world, user) = world().await;
    for _ in 0..10 {
        let key = world.new_key(&user).await;
        let call = Call::get("/x").bearer(&key.key);
        let clients = clients(&world, &call).await;
        let is_revoked = Cell::new(false);

        let revoke = async {
            world.revoke(&key).await;
            is_revoked.set(true);
        };
        let (call, is_revoked) = (&call, &is_revoked);
        let ask = clients.into_iter().map(|mut client| async move {
            loop {
                let is_late = is_revoked.get();
                match client.try_call(call).await {
                    Some(answer) if answer.status == 200 => {
                        assert!(!is_late, "a request passed after the revocation");
                    }
                    Some(answer) => {
                        let refusal = (401, "key_revoked".to_owned());
                        break assert_eq!(answer.refusal(), refusal);
                    }
                    // Its answer had begun, and was cut.
                    None => break assert!(!is_late, "a refusal was cut"),
                }
            }
        });
        let asking = join_all(ask);

        tokio::join!(revoke, asking);
    }
}

#[tokio::test]
async fn a_key_that_was_never_used_fails_once_it_is_deleted() {
    let (_service, world, user) = world().await;
    let key = world.new_key(&user).await;

    world.revoke(&key).await;
    world.revoke(&key).await;

    let answer = world.call(&Call::get("/x").bearer(&key.key)).await;
    assert_eq!(answer.refusal(), (401, "key_revoked".to_owned()));
}

#[tokio::test]
async fn a_session_that_logged_out_fails_on_the_next_request() {
    let (_service, world, user) = world().await;
    let call = Call::get("/x").bearer(&user.token);
    let clients = clients(&world, &call).await;

    world.log_out(&user).await;

    all_refuse(clients, &call, "session_revoked").await;
}

#[tokio::test]
async fn every_session_fails_once_the_password_is_another() {
    let (_service, world, user) = world().await;
    let other = world.log_in(&user.email, &user.password).await;
    let call = Call::get("/x").bearer(&user.token);
    let other = Call::get("/x").bearer(&other.token);
    let sessions = [clients(&world, &call).await, clients(&world, &other).await];

    let fresh = world.change_password(&user, "marjoram-balloon-77").await;

    let [mine, others] = sessions;
    all_refuse(mine, &call, "session_revoked").await;
    all_refuse(others, &other, "session_revoked").await;
    world
        .call(&Call::get("/x").bearer(&fresh.token))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_user_who_is_not_active_fails_on_the_next_request() {
    let (_service, world, user) = world().await;
    let key = world.new_key(&user).await;
    let by_session = Call::get("/x").bearer(&user.token);
    let by_key = Call::get("/x").bearer(&key.key);
    let sessions = clients(&world, &by_session).await;
    let keys = clients(&world, &by_key).await;

    world.patch_user(&user, &json!({"is_active": false})).await;

    all_refuse(sessions, &by_session, "user_inactive").await;
    all_refuse(keys, &by_key, "user_inactive").await;
}

#[tokio::test]
async fn a_deleted_user_fails_on_the_next_request() {
    let (_service, world, user) = world().await;
    let key = world.new_key(&user).await;
    let by_session = Call::get("/x").bearer(&user.token);
    let by_key = Call::get("/x").bearer(&key.key);
    let mut sessions = clients(&world, &by_session).await;
    let mut keys = clients(&world, &by_key).await;

    world.delete_user(&user).await;

    for client in &mut sessions {
        assert_eq!(client.call(&by_session).await.status, 401);
    }
    for client in &mut keys {
        assert_eq!(client.call(&by_key).await.status, 401);
    }
}

#[tokio::test]
async fn another_role_counts_from_the_next_request() {
    let service = Service::echo().await;
    let setup = Setup::new().upstream("service", service.address).route(
        "/",
        "service",
        r#"allow = [{ role = "admin" }]"#,
    );
    let world = setup.start().await;
    let user = world.new_user("ada", "admin").await;
    let key = world.new_key(&user).await;

    for credential in [&user.token, &key.key] {
        let call = Call::get("/x").bearer(credential);
        world.patch_user(&user, &json!({"role": "admin"})).await;
        let clients = clients(&world, &call).await;

        world.patch_user(&user, &json!({"role": "viewer"})).await;

        for mut client in clients {
            let refusal = client.call(&call).await.refusal();
            assert_eq!(refusal, (403, "not_allowed".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_revocation_outlives_a_restart() {
    let (_service, mut world, user) = world().await;
    let key = world.new_key(&user).await;
    world.revoke(&key).await;
    world.log_out(&user).await;

    world.node_mut().kill();
    world.start().await;

    let by_key = world.call(&Call::get("/x").bearer(&key.key)).await;
    assert_eq!(by_key.refusal(), (401, "key_revoked".to_owned()));
    let by_session = world.call(&Call::get("/x").bearer(&user.token)).await;
    assert_eq!(by_session.refusal(), (401, "session_revoked".to_owned()));
}
