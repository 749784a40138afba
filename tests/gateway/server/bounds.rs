use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;

#[tokio::test]
async fn connections_over_the_bound_wait_until_another_has_ended() {
    let world = Setup::new()
        .plain()
        .server("max_connections = 2")
        .start_empty()
        .await;
    let call = Call::get("/x");
    let mut first = world.wire().await;
    let mut second = Wire::plain(world.http()).await;
    first.call(&call).await;
    second.call(&call).await;

    let mut third = Wire::plain(world.http()).await;
    third.send(call.bytes()).await;
    for _ in 0..3 {
        assert_eq!(first.call(&call).await.code(), "no_route");
        assert_eq!(second.call(&call).await.code(), "no_route");
    }
    drop(first);

    assert_eq!(third.answer("GET").await.code(), "no_route");
}

#[tokio::test]
async fn a_head_over_the_bound_is_refused() {
    let service = Service::echo().await;
    let setup = Setup::new()
        .server(r#"max_head = "16KiB""#)
        .upstream("service", service.address)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    let fits = Call::get("/x").header("X-Long", &"x".repeat(12_000));
    world.call(&fits).await.expect(200);
    let long = Call::get("/x").header("X-Long", &"x".repeat(20_000));
    let answer = world.call(&long).await;
    assert_eq!(answer.refusal(), (431, "head_too_large".to_owned()));
    let target = Call::get(&format!("/{}", "x".repeat(20_000)));
    let status = world.call(&target).await.status;
    assert!(matches!(status, 414 | 431), "{status}");

    let mut http2 = world.http2().await;
    http2.call(&fits).await.expect(200);
    assert_eq!(http2.call(&long).await.status, 431);
    http2.call(&fits).await.expect(200);
}

#[tokio::test]
async fn a_connection_has_a_bound_of_streams() {
    let service = crate::support::service::Scripted::start().await;
    let setup = Setup::new()
        .server("[server.http2]\nmax_streams = 3")
        .upstream("service", service.address)
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;
    let mut http2 = world.http2().await;

    // The first answer proves that the client has seen the gateway's settings.
    let ping = Call::get("/api/auth/unknown");
    http2.call(&ping).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(http2.start(&Call::get("/x")).await);
    }
    let mut upstream = service.accept().await;
    let (pong, ()) = tokio::join!(http2.call(&ping), async {
        upstream.request().await;
        upstream
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
    });
    assert_eq!(pong.status, 404);
}
