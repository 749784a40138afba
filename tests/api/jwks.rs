use crate::support::World;

const PATH: &str = "/.well-known/jwks.json";

#[tokio::test]
async fn anyone_may_see_and_keep_the_public_keys() {
    let world = World::new().await;

    let reply = world.call("GET", PATH).send().await.expect(200);

    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("public, max-age=300"));
    let key = &reply.json()["keys"][0];
    assert_eq!(key["kty"], "OKP");
    assert!(key["kid"].is_string());
    assert!(key.get("d").is_none());
}

#[tokio::test]
async fn head_tells_how_long_they_are() {
    let world = World::new().await;
    let length = world.call("GET", PATH).send().await.body.len().to_string();
    let reply = world.call("HEAD", PATH).send().await.expect(200);
    assert_eq!(reply.header("content-length"), Some(length.as_str()));
    assert!(reply.body.is_empty());
}

#[tokio::test]
async fn there_is_no_other_method() {
    let world = World::new().await;
    let reply = world
        .call("POST", PATH)
        .send()
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}
