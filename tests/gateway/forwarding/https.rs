use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::support::message::Call;
use crate::support::node::{Node, command};
use crate::support::setup::Setup;
use crate::support::within;
use crate::support::world::{Version, World};
use crate::tls::authority::{Authority, Pair};

/// A service over TLS: it answers each request with whom the client has shown, and which name it asked
/// for.
pub struct Secure {
    pub address: SocketAddr,
    asked: mpsc::UnboundedReceiver<String>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Secure {
    /// Asks for a certificate of `clients` where there is one.
    pub async fn start(pair: &Pair, clients: Option<&Authority>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, acceptor(pair, clients))
    }

    pub fn on(listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        let address = listener.local_addr().unwrap();
        let (told, asked) = mpsc::unbounded_channel();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), stream, told.clone()));
            }
        });
        Self {
            address,
            asked,
            accepting,
        }
    }

    /// The first line of the next request that came.
    pub async fn next(&mut self) -> String {
        let line = within("a request at the service", self.asked.recv()).await;
        line.unwrap()
    }
}

/// A service's side of TLS; it asks for a certificate of `clients` where there is one.
pub fn acceptor(pair: &Pair, clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(authority.pem().as_bytes());
            roots.add(root.unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![pair.der()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: tokio::net::TcpStream,
    told: mpsc::UnboundedSender<String>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let session = stream.get_ref().1;
    let body = format!(
        "{} {} {}",
        session.server_name().unwrap_or("-"),
        session.peer_certificates().map_or(0, <[_]>::len),
        String::from_utf8_lossy(session.alpn_protocol().unwrap_or_default()),
    );
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            let line = String::from_utf8_lossy(&head);
            // The test may be over.
            let _ = told.send(line.lines().next().unwrap_or_default().to_owned());
            head.clear();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            let _ = stream.flush().await;
        }
    }
}

/// A gateway before `https://HOST:PORT`, with lines for its TLS. The folder holds `ca.crt` of the
/// authority and `client.crt` with `client.key`.
async fn started(host: &str, port: u16, authority: &Authority, lines: &str) -> World {
    started_as(&setup(host, port, lines), authority).await
}

/// A gateway with the same files.
pub async fn started_as(setup: &Setup, authority: &Authority) -> World {
    let (folder, config) = setup.write();
    std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
    authority
        .client("gateway", 5)
        .write(folder.path(), "client");
    let mut world = World::of(folder, config);
    world.start().await;
    world
}

fn setup(host: &str, port: u16, lines: &str) -> Setup {
    let upstream = format!(
        "[upstreams.service]\nservers = [\"https://{host}:{port}\"]\n[upstreams.service.tls]\n{lines}"
    );
    Setup::new()
        .toml(&upstream)
        .route("/", "service", "public = true")
}

const CLIENT: &str = "client_certificate = \"client.crt\"\nclient_key = \"client.key\"";

#[tokio::test]
async fn a_server_is_asked_by_tls_when_it_is_who_it_should_be() {
    let authority = Authority::new("Services");
    for (names, host, lines, body) in [
        (&["localhost"][..], "localhost", "", "localhost 0 http/1.1"),
        (&["127.0.0.1"], "127.0.0.1", "", "- 0 http/1.1"),
        (
            &["reports.internal"],
            "127.0.0.1",
            "server_name = \"reports.internal\"",
            "reports.internal 0 http/1.1",
        ),
    ] {
        let secure = Secure::start(&authority.host(names), None).await;
        let lines = format!("ca = \"ca.crt\"\n{lines}");
        let world = started(host, secure.address.port(), &authority, &lines).await;
        for version in Version::ALL {
            let mut client = world.client(version).await;
            for _ in 0..2 {
                let answer = client.call(&Call::get("/x")).await.expect(200);
                assert_eq!(answer.body, body);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_gets_nothing() {
    let authority = Authority::new("Services");
    let expired = authority.host_with(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2024, 2, 29);
    });
    for (what, pair, lines) in [
        (
            "another host",
            authority.host(&["other.internal"]),
            "ca = \"ca.crt\"",
        ),
        ("an expired certificate", expired, "ca = \"ca.crt\""),
        (
            "another authority",
            Authority::new("Services").host(&["localhost"]),
            "ca = \"ca.crt\"",
        ),
        ("no public authority", authority.host(&["localhost"]), ""),
        (
            "not the name that is asked for",
            authority.host(&["localhost"]),
            "ca = \"ca.crt\"\nserver_name = \"reports.internal\"",
        ),
    ] {
        let secure = Secure::start(&pair, None).await;
        let world = started("localhost", secure.address.port(), &authority, lines).await;
        let refused = world.call(&Call::get("/x")).await;
        assert_eq!(
            refused.refusal(),
            (502, "upstream_refused".to_owned()),
            "{what}"
        );
        // localhost has another address too, which may have been tried last.
        let says_why = |line: &serde_json::Value| {
            let causes = line["error.sources"].to_string();
            causes.contains("invalid peer certificate")
        };
        world.node().log.wait_for("why", says_why).await;
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_of_a_request() {
    let authority = Authority::new("Services");
    let scripted = crate::support::service::Scripted::start().await;
    let lines = "ca = \"ca.crt\"";
    let world = started("localhost", scripted.address.port(), &authority, lines).await;

    let call = Call::get("/secret");
    let (refused, ()) = tokio::join!(world.call(&call), async {
        let mut wire = scripted.accept().await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        let (sent, _) = wire.rest().await;
        assert!(!String::from_utf8_lossy(&sent).contains("secret"));
    });

    assert_eq!(refused.refusal(), (502, "upstream_refused".to_owned()));
}

#[tokio::test]
async fn a_server_that_does_not_finish_the_handshake_is_given_up() {
    let authority = Authority::new("Services");
    let scripted = crate::support::service::Scripted::start().await;
    let port = scripted.address.port();
    let setup = Setup::new()
        .toml(&format!(
            "[upstreams.service]\nservers = [\"https://127.0.0.1:{port}\"]\nconnect_timeout = \"300ms\"\n\
             [upstreams.service.tls]\nca = \"ca.crt\""
        ))
        .route("/", "service", "public = true");
    let (folder, config) = setup.write();
    std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
    let mut world = World::of(folder, config);
    world.start().await;

    let refused = world.call(&Call::get("/x")).await;

    assert_eq!(refused.refusal(), (504, "upstream_timeout".to_owned()));
}

#[tokio::test]
async fn a_server_that_asks_is_shown_the_gateways_certificate() {
    let authority = Authority::new("Services");
    let secure = Secure::start(&authority.host(&["localhost"]), Some(&authority)).await;
    let port = secure.address.port();

    let lines = format!("ca = \"ca.crt\"\n{CLIENT}");
    let world = started("localhost", port, &authority, &lines).await;
    let answer = world.call(&Call::get("/x")).await.expect(200);
    assert_eq!(answer.body, "localhost 1 http/1.1");

    let world = started("localhost", port, &authority, "ca = \"ca.crt\"").await;
    world.call(&Call::get("/x")).await.expect(502);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_at_start() {
    let authority = Authority::new("Services");
    let stranger = Pair {
        key: authority.client("x", 1).key,
        ..authority.client("x", 1)
    };
    for (lines, word) in [
        ("ca = \"missing.crt\"", "missing.crt"),
        ("ca = \"client.key\"", "client.key"),
        (CLIENT, "client.key"),
    ] {
        let (folder, config) = setup("localhost", 1, lines).write();
        stranger.write(folder.path(), "client");

        let mut node = Node::spawn(&config);

        assert_eq!(node.exited().await.code(), Some(78));
        let why = node.log.text();
        assert!(why.contains("[upstreams.service.tls]"), "{why}");
        assert!(why.contains(word), "{why}");
        let checked = command(&config).arg("check").output().unwrap();
        assert_eq!(checked.status.code(), Some(78), "{lines}");
    }
}
