use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn a_public_route_looks_at_no_credential() {
    let mut service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start().await;
    let key = world.new_key(world.administrator()).await;
    world.revoke(&key).await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for call in [
            Call::get("/x"),
            Call::get("/x").bearer("junk"),
            Call::get("/x").bearer(&key.key),
            Call::get("/x")
                .bearer(&key.key)
                .header("X-API-Key", &key.key),
        ] {
            client.call(&call).await.expect(200);
            let seen = service.next().await;
            assert!(!seen.headers.has("authorization"), "{seen:?}");
            assert!(!seen.headers.has("x-api-key"), "{seen:?}");
            assert!(!seen.headers.has("x-auth-user-id"), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_credential_in_the_address_counts_for_nothing() {
    let service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let token = &world.administrator().token;

    for target in [
        format!("/x?access_token={token}"),
        format!("/x?token={token}"),
        format!("/x?authorization=Bearer%20{token}"),
    ] {
        let answer = world.call(&Call::get(&target)).await;
        assert_eq!(answer.refusal(), (401, "credential_missing".to_owned()));
    }
    assert!(service.is_quiet());
}
