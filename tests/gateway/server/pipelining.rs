use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;
    let bodies = ["one", "two", "three", "four"];

    let calls = bodies.map(|body| {
        let call = world.by_administrator("POST", &format!("/{body}"));
        call.body(body).bytes()
    });
    wire.send(calls.concat()).await;

    for body in bodies {
        assert_eq!(wire.answer("POST").await.expect(200).body, body);
        assert_eq!(service.next().await.target, format!("/{body}"));
    }
}

#[tokio::test]
async fn each_request_sent_ahead_is_admitted_by_itself() {
    let mut service = Service::echo().await;
    let world = Setup::before(service.address).start().await;
    let mut wire = world.wire().await;

    let calls = [
        world.by_administrator("GET", "/one").bytes(),
        Call::get("/two").bytes(),
        world.by_administrator("GET", "/three").bytes(),
    ];
    wire.send(calls.concat()).await;

    for status in [200, 401, 200] {
        wire.answer("GET").await.expect(status);
    }
    assert_eq!(service.next().await.target, "/one");
    assert_eq!(service.next().await.target, "/three");
    assert!(service.is_quiet());
}
