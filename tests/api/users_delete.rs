use serde_json::json;

use crate::support::{Reply, Session, World};

async fn delete(world: &World, by: &Session, id: &str) -> Reply {
    let call = world.call("DELETE", &format!("/api/auth/users/{id}"));
    call.bearer(&by.token).send().await
}

#[tokio::test]
async fn a_deleted_user_has_no_session_and_no_key() {
    let world = World::new().await;
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    let (_, key) = world.key(&viewer).await;

    let reply = delete(&world, &admin, &viewer.id).await.expect(204);

    assert!(reply.body.is_empty());
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    assert_eq!(
        world
            .me(&viewer.token)
            .await
            .refused(401, "user_inactive")
            .status,
        401
    );
    world.me(&key).await.refused(401, "key_revoked");
    world
        .try_login(World::VIEWER, World::PASSWORD)
        .await
        .refused(401, "login_failed");
    delete(&world, &admin, &viewer.id)
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_new_user_of_the_same_email_inherits_nothing() {
    let world = World::new().await;
    let (admin, viewer) = (world.admin().await, world.viewer().await);
    let (_, key) = world.key(&viewer).await;
    delete(&world, &admin, &viewer.id).await.expect(204);

    let again = world
        .add_user(World::VIEWER, "Grace Hopper", "viewer")
        .await;

    assert_ne!(again, viewer.id);
    world.me(&viewer.token).await.refused(401, "user_inactive");
    world.me(&key).await.refused(401, "key_revoked");
}

#[tokio::test]
async fn nobody_deletes_their_own_account() {
    let world = World::new().await;
    let admin = world.admin().await;
    world
        .add_user("second@example.com", "Second", "admin")
        .await;
    delete(&world, &admin, &admin.id)
        .await
        .refused(400, "own_account");
    world.me(&admin.token).await.expect(200);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let world = World::new().await;
    let admin = world.admin().await;
    let call = world.call("DELETE", &format!("/api/auth/users/{}", admin.id));
    call.by_operator().send().await.refused(409, "last_admin");
}

#[tokio::test]
async fn an_unknown_user_is_404() {
    let world = World::new().await;
    let admin = world.admin().await;
    for id in ["0192a6c0-5a3e-7c51-9a5e-0d1f6c6b2a77", "7"] {
        delete(&world, &admin, id).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn of_two_administrators_who_delete_each_other_one_stays() {
    let world = World::new().await;
    let first = world.admin().await;
    let id = world
        .add_user("second@example.com", "Second", "admin")
        .await;
    let second = world.login("second@example.com").await;
    assert_eq!(second.id, id);

    let (one, other) = tokio::join!(
        delete(&world, &first, &second.id),
        delete(&world, &second, &first.id)
    );

    let deleted = [one, other]
        .iter()
        .filter(|reply| reply.status == 204)
        .count();
    assert_eq!(deleted, 1);
    let list = world
        .call("GET", "/api/auth/users")
        .by_operator()
        .send()
        .await
        .json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["role"], json!("admin"));
}
