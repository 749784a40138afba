use crate::support::{Reply, Trouble, World};

async fn logout(world: &World, credential: &str) -> Reply {
    world
        .call("POST", "/api/auth/logout")
        .bearer(credential)
        .send()
        .await
}

#[tokio::test]
async fn a_log_out_ends_this_session_and_no_other() {
    let world = World::new().await;
    let (first, second) = (world.admin().await, world.admin().await);

    let reply = logout(&world, &first.token).await.expect(204);

    assert!(reply.body.is_empty());
    assert_eq!(reply.header("dariet-durability"), Some("local"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    world.me(&first.token).await.refused(401, "session_revoked");
    world.me(&second.token).await.expect(200);
}

#[tokio::test]
async fn the_answer_to_a_log_out_is_given_although_the_session_ended() {
    let world = World::new().await;
    let session = world.admin().await;
    let reply = logout(&world, &session.token).await.expect(204);
    assert!(reply.outlives_admission);
    assert!(reply.admission.unwrap().ended().is_some());
}

#[tokio::test]
async fn only_a_session_can_be_logged_out() {
    let world = World::new().await;
    let session = world.admin().await;
    let (_, key) = world.key(&session).await;

    logout(&world, &key).await.refused(403, "session_required");
    let operator = world.call("POST", "/api/auth/logout").by_operator();
    operator.send().await.refused(403, "session_required");
    let nobody = world.call("POST", "/api/auth/logout").send().await;
    nobody.refused(401, "credential_missing");
    logout(&world, &session.token).await.expect(204);
    logout(&world, &session.token)
        .await
        .refused(401, "session_revoked");
}

#[tokio::test]
async fn a_log_out_that_was_refused_ended_nothing() {
    let world = World::new().await;
    let session = world.admin().await;
    world.me(&session.token).await.expect(200);

    world.breaks(Trouble::Down);
    logout(&world, &session.token)
        .await
        .refused(503, "store_unavailable");
    world.heals();

    world.me(&session.token).await.expect(200);
}

#[tokio::test]
async fn a_log_out_that_nobody_knows_of_says_so() {
    let world = World::new().await;
    let session = world.admin().await;
    world.breaks(Trouble::Silent);
    let reply = logout(&world, &session.token).await;
    assert!(reply.refused(503, "outcome_unknown").outlives_admission);
}
