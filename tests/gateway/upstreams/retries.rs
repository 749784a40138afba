use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::{gateway_before, of_upstream};
use crate::support::message::Call;
use crate::support::service::{Scripted, Service, nowhere};
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

/// When the first server of two fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// It takes no connection.
    Refused,
    /// It closes once it has the request.
    BeforeTheHead,
    /// It closes in the middle of the head.
    InTheHead,
    /// It answers what is no HTTP.
    Garbage,
    /// It answers with a status of `retries.statuses`.
    ListedStatus,
    /// It answers with another.
    OtherStatus,
    /// It closes in the middle of the body.
    InTheBody,
    /// It answers nothing in time.
    TooSlow,
}

/// By method, and whether there is a body.
const HARMLESS: [(&str, &str); 5] = [
    ("GET", ""),
    ("HEAD", ""),
    ("OPTIONS", ""),
    ("PUT", ""),
    ("DELETE", ""),
];
const OTHERS: [(&str, &str); 5] = [
    ("POST", ""),
    ("PATCH", ""),
    ("POST", "body"),
    ("PUT", "body"),
    ("DELETE", "body"),
];

/// Whether harmless requests, and whether others, are sent again.
const TABLE: [(Moment, bool, bool); 8] = [
    (Moment::Refused, true, true),
    (Moment::BeforeTheHead, true, false),
    (Moment::InTheHead, true, false),
    (Moment::Garbage, true, false),
    (Moment::ListedStatus, true, false),
    (Moment::OtherStatus, false, false),
    (Moment::InTheBody, false, false),
    (Moment::TooSlow, false, false),
];

/// A server that fails with every request, and counts them.
struct Failing {
    address: SocketAddr,
    seen: Arc<AtomicUsize>,
    /// Ends with the test.
    _serving: JoinSet<()>,
}

impl Failing {
    async fn at(moment: Moment) -> Self {
        let seen = Arc::<AtomicUsize>::default();
        let mut serving = JoinSet::new();
        if moment == Moment::Refused {
            return Self {
                address: nowhere(),
                seen,
                _serving: serving,
            };
        }
        let service = Scripted::start().await;
        let address = service.address;
        let counted = Arc::clone(&seen);
        serving.spawn(async move {
            loop {
                // No deadline of the test's: most are asked once.
                let mut wire = service.accept_at_last().await;
                wire.request().await;
                counted.fetch_add(1, Ordering::SeqCst);
                fail(&mut wire, moment).await;
            }
        });
        Self {
            address,
            seen,
            _serving: serving,
        }
    }
}

async fn fail(wire: &mut Wire, moment: Moment) {
    let bytes = match moment {
        Moment::Refused | Moment::BeforeTheHead => "",
        Moment::InTheHead => "HTTP/1.1 200 OK\r\nContent-Le",
        Moment::Garbage => "SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
        Moment::ListedStatus => "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n",
        Moment::OtherStatus => "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
        Moment::InTheBody => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        Moment::TooSlow => {
            wire.rest().await;
            return;
        }
    };
    wire.send(bytes).await;
}

const LINES: &str = r#"
balance = "round_robin"
response_timeout = "TIME"
[upstreams.NAME.retries]
statuses = [502, 503]
"#;

/// What the first answer is where there is no second attempt; nothing where it is broken off.
fn unmended(moment: Moment, method: &str) -> Option<u16> {
    match moment {
        Moment::Refused | Moment::BeforeTheHead | Moment::InTheHead | Moment::Garbage => Some(502),
        Moment::ListedStatus => Some(503),
        Moment::OtherStatus => Some(500),
        Moment::InTheBody if method == "HEAD" => Some(200),
        Moment::InTheBody => None,
        Moment::TooSlow => Some(504),
    }
}

async fn world_of(rows: &[(Moment, &str, &str)], good: SocketAddr) -> (World, Vec<Failing>) {
    let mut setup = Setup::new();
    let mut failing = Vec::new();
    for (index, (moment, ..)) in rows.iter().enumerate() {
        let server = Failing::at(*moment).await;
        let name = format!("row{index}");
        let patience = if *moment == Moment::TooSlow {
            "300ms"
        } else {
            "1m"
        };
        let lines = LINES.replace("NAME", &name).replace("TIME", patience);
        setup = setup
            .upstream_of(&name, &[server.address, good], &lines)
            .route(&format!("/{index}"), &name, "public = true");
        failing.push(server);
    }
    (setup.start_empty().await, failing)
}

#[tokio::test]
async fn only_what_is_safe_to_send_again_is() {
    let mut good = Service::echo().await;
    let mut rows = Vec::new();
    let mut expected = Vec::new();
    for (moment, harmless, others) in TABLE {
        for ((method, body), again) in HARMLESS
            .map(|call| (call, harmless))
            .into_iter()
            .chain(OTHERS.map(|call| (call, others)))
        {
            rows.push((moment, method, body));
            expected.push(again);
        }
    }
    let (world, failing) = world_of(&rows, good.address).await;

    for (index, ((moment, method, body), again)) in rows.iter().zip(expected).enumerate() {
        let row = format!("{method} {body:?} {moment:?}");
        let call = Call::new(method, &format!("/{index}")).body(*body);
        let mut client = crate::support::world::Client::Http1(Box::new(world.wire().await));
        let answer = client.try_call(&call).await;

        let status = answer.map(|answer| answer.status);
        let wanted = if again {
            Some(200)
        } else {
            unmended(*moment, method)
        };
        assert_eq!(status, wanted, "{row}");
        let seen = good.taken().len();
        assert_eq!(seen, usize::from(again), "{row}: seen by the other server");
    }
    for (server, row) in failing.into_iter().zip(rows) {
        let seen = server.seen.load(Ordering::SeqCst);
        let wanted = usize::from(row.0 != Moment::Refused);
        assert_eq!(seen, wanted, "{row:?}: seen by the first server");
    }
}

#[tokio::test]
async fn the_access_line_names_the_server_that_answered() {
    let (gone, good) = (nowhere(), Service::echo().await);
    let world = gateway_before(&[gone, good.address], "balance = \"round_robin\"").await;

    let call = Call::post("/x").header("User-Agent", "again").body("hello");
    assert_eq!(world.call(&call).await.expect(200).body, "hello");

    let is_it = |line: &serde_json::Value| line["user_agent"] == "again";
    let line = world.node().access.wait_for("the access line", is_it).await;
    assert_eq!(line["server"], good.address.to_string());
    let again = "dariet_upstream_retries_total{upstream=\"service\",reason=\"refused\"} 1";
    world.metric(again).await;
}

#[tokio::test]
async fn each_further_attempt_is_told_at_debug() {
    let (gone, good) = (nowhere(), Service::echo().await);
    let setup = Setup::new()
        .log_level("debug")
        .upstream_of(
            "service",
            &[gone, good.address],
            "balance = \"round_robin\"",
        )
        .route("/", "service", "public = true");
    let world = setup.start_empty().await;

    world.call(&Call::get("/x")).await.expect(200);

    let is_it = |line: &serde_json::Value| line["message"] == "request is sent again";
    let line = world.node().log.wait_for("the attempt", is_it).await;
    assert_eq!(
        (&line["level"], &line["reason"]),
        (&"DEBUG".into(), &"refused".into())
    );
    assert_eq!(line["server"], gone.to_string());
    assert!(line["request_id"].is_string());
}

#[tokio::test]
async fn what_was_sent_is_sent_again_only_while_the_budget_lasts() {
    let closing = Scripted::start().await;
    let mut good = Service::echo().await;
    let lines =
        "balance = \"round_robin\"\n[upstreams.service.retries]\nbudget = 0.0\nmin_per_second = 0";
    let world = gateway_before(&[closing.address, good.address], lines).await;
    let mut wire = world.wire().await;

    wire.send(Call::get("/x").bytes()).await;
    let mut upstream = closing.accept().await;
    upstream.request().await;
    drop(upstream);

    let answer = wire.answer("GET").await;
    assert_eq!(answer.refusal(), (502, "upstream_broken".to_owned()));
    assert!(good.taken().is_empty());
    world
        .metric(&of_upstream("upstream_retries_over_budget_total", 1))
        .await;
}

#[tokio::test]
async fn a_request_is_tried_no_more_often_than_it_may() {
    for (attempts, status) in [(1, 502), (2, 502), (3, 200)] {
        let (one, other) = (nowhere(), nowhere());
        let good = Service::echo().await;
        let lines = format!(
            "balance = \"round_robin\"\n[upstreams.service.retries]\nattempts = {attempts}"
        );
        let world = gateway_before(&[one, other, good.address], &lines).await;

        let answer = world.call(&Call::get("/x")).await;

        assert_eq!(answer.status, status, "{attempts}");
    }
}
