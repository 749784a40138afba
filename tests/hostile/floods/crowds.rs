use crate::support::message::Call;
use crate::support::wire::Wire;

use super::Flooded;

/// So many at once.
const CROWD: usize = 300;

#[tokio::test]
async fn heads_that_do_not_end_are_given_up() {
    let flooded = Flooded::start("head_timeout = \"1s\"").await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut wire = Wire::plain(flooded.world.http()).await;
        wire.send("GET /slow HTTP/1.1\r\nHost: localhost\r\nX-Slow")
            .await;
        crowd.push(wire);
    }
    flooded.others_are_answered().await;

    for mut wire in crowd {
        assert_eq!(wire.answer("GET").await.status, 408);
    }
    flooded.is_over().await;
}

#[tokio::test]
async fn bodies_that_do_not_come_are_given_up() {
    let flooded = Flooded::start("body_timeout = \"1s\"").await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut wire = Wire::plain(flooded.world.http()).await;
        wire.send("POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx")
            .await;
        crowd.push(wire);
    }
    flooded.others_are_answered().await;

    for mut wire in crowd {
        assert_eq!(wire.answer("POST").await.status, 408);
    }
    flooded.is_over().await;
}

#[tokio::test]
async fn connections_without_a_request_are_closed() {
    let flooded = Flooded::start("idle_timeout = \"1s\"").await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut wire = Wire::plain(flooded.world.http()).await;
        wire.call(&Call::get("/once")).await.expect(200);
        crowd.push(wire);
    }
    flooded.others_are_answered().await;

    flooded.is_over().await;
    drop(crowd);
}

#[tokio::test]
async fn handshakes_that_do_not_end_are_given_up() {
    let flooded = Flooded::start("handshake_timeout = \"2s\"").await;
    let mut crowd = Vec::new();
    for at in 0..CROWD {
        let mut wire = Wire::plain(flooded.world.https()).await;
        // Nothing, and the beginning of a greeting as long as they get.
        if at % 2 == 0 {
            wire.send([0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]).await;
        }
        crowd.push(wire);
    }
    flooded.others_are_answered().await;

    flooded.is_over().await;
    let failed = format!("dariet_tls_handshakes_failed_total {CROWD}");
    flooded.world.metric(&failed).await;
    drop(crowd);
}

#[tokio::test]
async fn a_crowd_that_takes_every_place_loses_them_to_the_others() {
    let flooded = Flooded::start("max_connections = 50\nhead_timeout = \"500ms\"").await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(Wire::plain(flooded.world.http()).await);
    }

    flooded.others_are_answered().await;
    assert!(flooded.process.descriptors() < 100);
    drop(crowd);
    flooded.is_over().await;
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let flooded = Flooded::start("max_connections_per_address = 20").await;
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let mut wire = Wire::plain(flooded.world.http()).await;
        wire.call(&Call::get("/once")).await.expect(200);
        crowd.push(wire);
    }

    let mut late = Wire::plain(flooded.world.http()).await;
    assert_eq!(late.rest().await.0, "");
    let refused = "dariet_connections_crowded_out_total 1";
    flooded.world.metric(refused).await;
    // One that has gone makes room for another.
    drop(crowd.pop());
    flooded.world.metric("dariet_connections_open 19").await;
    let mut next = Wire::plain(flooded.world.http()).await;
    next.call(&Call::get("/once")).await.expect(200);

    drop((crowd, next));
    flooded.is_over().await;
}

#[tokio::test]
async fn a_trusted_proxy_may_bring_as_many_as_there_are() {
    let trusted = "max_connections_per_address = 2\ntrusted_proxies = [\"127.0.0.1\"]";
    let flooded = Flooded::start(trusted).await;
    let mut crowd = Vec::new();
    for _ in 0..20 {
        let mut wire = Wire::plain(flooded.world.http()).await;
        wire.call(&Call::get("/once")).await.expect(200);
        crowd.push(wire);
    }
    drop(crowd);
    flooded.is_over().await;
}
