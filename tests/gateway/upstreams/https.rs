use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use super::ask;
use crate::forwarding::https::{Secure, acceptor, started_as};
use crate::support::message::Call;
use crate::support::names::Names;
use crate::support::setup::Setup;
use crate::support::websocket::{BINARY, upgrade};
use crate::support::wire::Wire;
use crate::support::within;
use crate::tls::authority::Authority;

const TLS: &str = "[upstreams.service.tls]\nca = \"ca.crt\"\n";

fn setup(servers: &str, lines: &str) -> Setup {
    Setup::new()
        .upstream_at("service", servers, &format!("{lines}\n{TLS}"))
        .route("/", "service", "public = true")
}

fn of_server(name: &str, server: &str, value: u64) -> String {
    format!("dariet_{name}{{upstream=\"service\",server=\"{server}\"}} {value}")
}

#[tokio::test]
async fn a_check_asks_by_tls_and_finds_only_those_well_who_are_who_they_should_be() {
    let authority = Authority::new("Services");
    let mut own = Secure::start(&authority.host(&["127.0.0.1"]), None).await;
    let stranger = Authority::new("Services").host(&["127.0.0.1"]);
    let stranger = Secure::start(&stranger, None).await;
    let [own_url, stranger_url] = [&own, &stranger].map(|it| format!("https://{}", it.address));
    // Nothing but the checks can take one out.
    let lines = "[upstreams.service.ejection]\nmax_share = 0.0\n\
                 [upstreams.service.health_check]\npath = \"/health\"\ninterval = \"50ms\"";
    let setup = setup(&format!("{own_url:?}, {stranger_url:?}"), lines);
    let world = started_as(&setup, &authority).await;

    let not_well = of_server("upstream_server_healthy", &stranger_url, 0);
    world.metric(&not_well).await;
    // The second question comes after the answer to the first was judged.
    for _ in 0..2 {
        assert_eq!(own.next().await, "GET /health HTTP/1.1");
    }

    let metrics = world.metrics().await;
    for line in [
        of_server("upstream_server_healthy", &own_url, 1),
        of_server("upstream_server_health_checks_failed_total", &own_url, 0),
    ] {
        assert!(metrics.contains(&line), "{metrics}");
    }
    let is_told = |line: &serde_json::Value| line["message"] == "upstream server is not well";
    let line = world.node().log.wait_for("the verdict", is_told).await;
    assert_eq!(line["server"], stranger_url);
    let causes = line["error.sources"].to_string();
    assert!(causes.contains("invalid peer certificate"), "{line}");
    ask(&world, 20).await;
}

#[tokio::test]
async fn a_name_stays_who_its_servers_must_be_wherever_it_leads() {
    let authority = Authority::new("Services");
    let (one, other) = listeners().await;
    let own = Secure::on(one, acceptor(&authority.host(&["app.test"]), None));
    let _stranger = Secure::on(other, acceptor(&authority.host(&["127.0.0.2"]), None));
    let port = own.address.port();
    let names = Names::start().await;
    names.say("app.test", &[Ipv4Addr::LOCALHOST.into()], 1);
    let setup = setup(&format!("\"https://app.test:{port}\""), "").toml(&names.config());
    let world = started_as(&setup, &authority).await;

    let answer = world.call(&Call::get("/x")).await.expect(200);
    assert_eq!(answer.body, "app.test 0 http/1.1");
    let name = format!("https://127.0.0.1:{port} (app.test)");
    world
        .metric(&of_server("upstream_server_healthy", &name, 1))
        .await;

    names.say("app.test", &[Ipv4Addr::new(127, 0, 0, 2).into()], 3600);
    let name = format!("https://127.0.0.2:{port} (app.test)");
    world
        .metric(&of_server("upstream_server_healthy", &name, 1))
        .await;
    let refused = world.call(&Call::get("/x")).await;
    assert_eq!(refused.refusal(), (502, "upstream_refused".to_owned()));
}

/// The same port of two addresses of this machine.
async fn listeners() -> (TcpListener, TcpListener) {
    loop {
        let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = one.local_addr().unwrap().port();
        // The port may be taken there.
        if let Ok(other) = TcpListener::bind(("127.0.0.2", port)).await {
            return (one, other);
        }
    }
}

#[tokio::test]
async fn a_websocket_goes_on_by_tls_both_ways() {
    let authority = Authority::new("Services");
    let acceptor = acceptor(&authority.host(&["127.0.0.1"]), None);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("\"https://{}\"", listener.local_addr().unwrap());
    let world = started_as(&setup(&server, ""), &authority).await;
    let mut client = world.wire().await;
    client.send(upgrade("/socket").bytes()).await;
    let accepted = within("a connection to the service", listener.accept()).await;
    let tls = within("its handshake", acceptor.accept(accepted.unwrap().0)).await;
    let mut service = Wire::of_tls(tls.unwrap());
    service.accept_websocket("").await;
    client.upgraded().await;

    let message = vec![7; 1 << 20];
    let sending = client.send_masked(BINARY, &message);
    let ((), frame) = tokio::join!(sending, service.frame());
    assert_eq!(frame.unwrap().payload, message);
    let sending = service.send_frame(BINARY, &message);
    let ((), frame) = tokio::join!(sending, client.frame());
    assert_eq!(frame.unwrap().payload, message);
}
