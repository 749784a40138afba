use std::sync::Arc;

use rustls::{ALL_VERSIONS, ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::authority::{Authority, Pair, client, connect};
use crate::support::http2::Http2;
use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::within;
use crate::support::world::World;

const HOST: &str = "a.example";
const LISTED: &str = r#"
[[server.tls.certificates]]
certificate = "a.crt"
private_key = "a.key"
"#;

/// What tells a service of a client's certificate.
const NAMES: [&str; 4] = [
    "x-client-cert-subject",
    "x-client-cert-issuer",
    "x-client-cert-names",
    "x-client-cert-fingerprint",
];

struct Clients {
    world: World,
    authority: Authority,
    service: Service,
}

impl Clients {
    /// A gateway with a public route, whose clients show certificates of `authority` as the lines say.
    async fn start(lines: &str) -> Self {
        let authority = Authority::new("Clients");
        let service = Service::echo().await;
        let setup = Setup::new()
            .plain()
            .upstream("service", service.address)
            .route("/", "service", "public = true")
            .tls(&format!("client_ca = \"ca.crt\"\n{lines}\n{LISTED}"));
        let (folder, config) = setup.write();
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        for (name, serial, until) in [("ca.crl", 13, 2999), ("old.crl", 13, 2021)] {
            let list = authority.revocation_list(&[serial], until);
            std::fs::write(folder.path().join(name), list).unwrap();
        }
        authority.host(&[HOST]).write(folder.path(), "a");
        let mut world = World::of(folder, config);
        world.start().await;
        Self {
            world,
            authority,
            service,
        }
    }

    fn config(&self, shown: Option<&Pair>) -> Arc<ClientConfig> {
        client(&self.authority.pem(), shown, ALL_VERSIONS)
    }

    /// Whether a client gets an answer.
    async fn serves(&self, config: &Arc<ClientConfig>, call: &Call) -> bool {
        serves(&self.world, config, call).await
    }
}

/// Whether a client gets an answer. In TLS 1.3 a client is done before the gateway has looked at what it
/// has shown, so that only the answer tells.
async fn serves(world: &World, config: &Arc<ClientConfig>, call: &Call) -> bool {
    let Ok(mut stream) = connect(world.https(), HOST, config).await else {
        return false;
    };
    let mut start = [0; 12];
    let answered = async {
        stream.write_all(&call.bytes()).await?;
        stream.read_exact(&mut start).await
    };
    let answered = within("an answer or the end", answered).await;
    answered.is_ok() && start == *b"HTTP/1.1 200"
}

#[tokio::test]
async fn only_certificates_of_the_authority_open_a_connection() {
    for (demand, serves_without) in [("required", false), ("optional", true)] {
        let lines = format!("client_certificates = {demand:?}\nclient_crl = \"ca.crl\"");
        let clients = Clients::start(&lines).await;
        let own = &clients.authority;
        let expired = own.client_with("late", 1, |params| {
            params.not_after = rcgen::date_time_ymd(2024, 2, 29);
        });
        let for_hosts = own.client_with("host", 2, |params| {
            params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        });
        for (what, pair, is_served) in [
            ("none", None, serves_without),
            ("a good one", Some(own.client("ada", 7)), true),
            (
                "another authority's",
                Some(Authority::new("Clients").client("ada", 7)),
                false,
            ),
            ("an expired one", Some(expired), false),
            ("one for hosts alone", Some(for_hosts), false),
            ("a revoked one", Some(own.client("eve", 13)), false),
        ] {
            let config = clients.config(pair.as_ref());
            let is_answered = clients.serves(&config, &Call::get("/x")).await;
            assert_eq!(is_answered, is_served, "{demand}: {what}");
        }
    }
}

/// A call that claims to be of another certificate, in every spelling.
fn forged(call: Call) -> Call {
    call.header("X-Client-Cert-Subject", "CN=root")
        .header("x_client_cert_issuer", "CN=root")
        .header("X-Client.Cert-Names", "DNS:root")
        .header("X-CLIENT-CERT-FINGERPRINT", "00")
        .header("X-Client-Cert-Subject", "CN=twice")
        .header("Connection", "X-Client-Cert-Subject, close")
}

fn fingerprint(certificate: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[tokio::test]
async fn services_are_told_whose_certificate_it_was() {
    let mut clients = Clients::start("client_certificates = \"optional\"").await;
    let ada = clients
        .authority
        .client_with("Ada Zo\u{eb}, 100%", 7, |params| {
            params
                .distinguished_name
                .push(rcgen::DnType::OrganizationName, "Engines");
            let uri = rcgen::string::Ia5String::try_from("spiffe://example/ada").unwrap();
            params.subject_alt_names.push(rcgen::SanType::URI(uri));
        });

    let config = clients.config(Some(&ada));
    assert!(clients.serves(&config, &forged(Call::get("/x"))).await);
    let seen = clients.service.next().await.headers;
    let subject = seen.get(NAMES[0]).unwrap();
    assert!(
        subject.contains("CN=Ada%20Zo%C3%AB\\,%20100%25"),
        "{subject}"
    );
    assert!(subject.contains("O=Engines"), "{subject}");
    assert!(seen.get(NAMES[1]).unwrap().contains("CN=Clients"));
    assert_eq!(seen.get(NAMES[2]), Some("URI:spiffe://example/ada"));
    assert_eq!(seen.get(NAMES[3]), Some(&*fingerprint(&ada.der())));
    assert!(
        !seen.0.iter().any(|(name, _)| name.contains(['_', '.'])),
        "{seen:?}"
    );

    let mut over_http2 = ClientConfig::clone(&config);
    over_http2.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(clients.world.https(), HOST, &Arc::new(over_http2)).await;
    let mut http2 = Http2::over(Wire::of_tls(stream.unwrap())).await;
    let forgery = Call::get("/x").header("X-Client-Cert-Subject", "CN=root");
    http2.call(&forgery.host(HOST)).await.expect(200);
    let same = clients.service.next().await.headers;
    for name in NAMES {
        assert_eq!(same.get(name), seen.get(name));
    }

    // Without a certificate, and without TLS, nothing is said of one.
    let config = clients.config(None);
    assert!(clients.serves(&config, &forged(Call::get("/x"))).await);
    let without = clients.service.next().await.headers;
    let mut plain = Wire::plain(clients.world.http()).await;
    plain.call(&forged(Call::get("/x"))).await.expect(200);
    let bare = clients.service.next().await.headers;
    for seen in [without, bare] {
        let names = seen
            .0
            .iter()
            .map(|(name, _)| name.to_lowercase().replace(['_', '.'], "-"));
        assert!(
            !names.into_iter().any(|name| NAMES.contains(&name.as_str())),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn who_resumes_a_session_is_still_who_they_were() {
    let mut clients = Clients::start("client_certificates = \"required\"").await;
    let ada = clients.authority.client("ada", 7);
    let config = clients.config(Some(&ada));

    assert!(clients.serves(&config, &Call::get("/x")).await);
    let first = clients.service.next().await.headers;
    let stream = connect(clients.world.https(), HOST, &config).await.unwrap();
    let kind = stream.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    Wire::of_tls(stream)
        .call(&Call::get("/x"))
        .await
        .expect(200);
    let second = clients.service.next().await.headers;

    for name in NAMES {
        assert_eq!(first.get(name), second.get(name));
        assert!(first.has(name));
    }
}

#[tokio::test]
async fn nobody_resumes_a_session_past_an_authority_that_is_trusted_no_more() {
    let clients = Clients::start("client_certificates = \"required\"").await;
    let ada = clients.authority.client("ada", 7);
    let config = clients.config(Some(&ada));
    assert!(clients.serves(&config, &Call::get("/x")).await);

    let other = Authority::new("Others");
    std::fs::write(clients.world.config().with_file_name("ca.crt"), other.pem()).unwrap();
    let is_told = |line: &serde_json::Value| {
        line["message"] == "authorities of client certificates exchanged"
    };
    clients
        .world
        .node()
        .log
        .wait_for("the exchange", is_told)
        .await;

    assert!(!clients.serves(&config, &Call::get("/x")).await);
    let config = clients.config(Some(&other.client("bob", 8)));
    assert!(clients.serves(&config, &Call::get("/x")).await);
}

#[tokio::test]
async fn a_list_of_revoked_certificates_takes_effect_when_it_changes() {
    let lines = "client_certificates = \"required\"\nclient_crl = \"ca.crl\"";
    let clients = Clients::start(lines).await;
    let config = clients.config(Some(&clients.authority.client("ada", 7)));
    assert!(clients.serves(&config, &Call::get("/x")).await);
    let file = clients.world.config().with_file_name("ca.crl");

    std::fs::write(&file, clients.authority.revocation_list(&[7], 2999)).unwrap();
    let log = &clients.world.node().log;
    let is_told = |line: &serde_json::Value| {
        line["message"] == "authorities of client certificates exchanged"
    };
    log.wait_for("the exchange", is_told).await;

    assert!(!clients.serves(&config, &Call::get("/x")).await);
}

#[tokio::test]
async fn a_list_whose_time_is_over_lets_nobody_in() {
    let lines = "client_certificates = \"required\"\nclient_crl = \"old.crl\"";
    let clients = Clients::start(lines).await;
    let config = clients.config(Some(&clients.authority.client("ada", 7)));

    assert!(!clients.serves(&config, &Call::get("/x")).await);
}
