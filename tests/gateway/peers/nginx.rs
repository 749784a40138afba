//! nginx as the service, by every protocol that it and the gateway speak.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::world::{Version, World};
use crate::support::{certificates, within};

/// A running nginx. It ends when this is dropped.
struct Nginx {
    process: Child,
    folder: TempDir,
    ports: [u16; 4],
}

/// The upstreams, in the order of the ports.
const UPSTREAMS: [(&str, &str, &str); 4] = [
    ("http1", "http", ""),
    ("h2c", "http", "protocol = \"h2c\""),
    ("https", "https", "protocol = \"http1\""),
    ("h2", "https", "protocol = \"h2\""),
];
const LONG: usize = 3_000_000;

impl Nginx {
    async fn start() -> Self {
        loop {
            let mut nginx = Self::spawn();
            if within("nginx to listen", nginx.listens()).await {
                return nginx;
            }
        }
    }

    fn spawn() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = std::array::from_fn(|_| free_port());
        write_files(folder.path(), ports);
        let mut command = Command::new(program());
        command.arg("-e").arg(folder.path().join("errors"));
        command.arg("-c").arg(folder.path().join("nginx.conf"));
        Self {
            process: command.stderr(Stdio::null()).spawn().unwrap(),
            folder,
            ports,
        }
    }

    /// Whether it does at last; where a port was taken meanwhile it ends.
    async fn listens(&mut self) -> bool {
        while TcpStream::connect(at(self.ports[3])).await.is_err() {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            tokio::task::yield_now().await;
        }
        true
    }

    /// A gateway before it, with one path for each upstream.
    async fn gateway(&self) -> World {
        let mut setup = Setup::new().server("workers = 1");
        for ((name, scheme, lines), port) in UPSTREAMS.iter().zip(self.ports) {
            let tls = match *scheme {
                "https" => format!(
                    "[upstreams.{name}.tls]\nca = {:?}",
                    self.folder.path().join("ca.crt")
                ),
                _ => String::new(),
            };
            let server = format!("\"{scheme}://localhost:{port}\"");
            setup = setup
                .upstream_at(name, &server, &format!("{lines}\n{tls}"))
                .route(
                    &format!("/{name}"),
                    name,
                    &format!("strip_prefix = \"/{name}\""),
                );
        }
        setup.start().await
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps it where only root looks.
fn program() -> &'static str {
    match Path::new("/usr/sbin/nginx") {
        path if path.exists() => "/usr/sbin/nginx",
        _ => "nginx",
    }
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn free_port() -> u16 {
    let socket = TcpListener::bind(at(0)).unwrap();
    socket.local_addr().unwrap().port()
}

fn write_files(folder: &Path, ports: [u16; 4]) {
    certificates::write_into(folder);
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("ca.crt", certificates::authority());
    std::fs::create_dir(folder.join("files")).unwrap();
    write("files/long.txt", &"0123456789".repeat(LONG / 10));
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};", folder.display()));
    let [http1, h2c, https, h2] = ports;
    let (folder, temporary) = (folder.display(), temporary.join("\n"));
    let config = format!(
        r#"
daemon off; master_process off;
pid {folder}/pid; error_log {folder}/errors;
events {{}}
http {{
    access_log off; {temporary}
    types {{ text/plain txt; }}
    # A kept connection ends in the middle of a test.
    keepalive_requests 5;
    gzip on; gzip_proxied any; gzip_http_version 1.0; gzip_types text/plain;
    ssl_certificate {folder}/gateway.crt; ssl_certificate_key {folder}/gateway.key;
    server {{
        listen 127.0.0.1:{http1}; listen 127.0.0.1:{h2c} http2;
        listen 127.0.0.1:{https} ssl; listen 127.0.0.1:{h2} ssl http2;
        root {folder}/files;
        location /who {{ return 200 "$request_method $server_protocol $http_x_auth_user_role $http_x_forwarded_proto"; }}
        location /short {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:1; }}
    }}
}}
"#
    );
    write("nginx.conf", &config);
}

#[tokio::test]
async fn every_protocol_carries_requests_to_nginx_and_its_answers_back() {
    let nginx = Nginx::start().await;
    let world = nginx.gateway().await;
    let get = |path: &str| world.by_administrator("GET", path);

    for (name, ..) in UPSTREAMS {
        let version = if name.starts_with("h2") { "2.0" } else { "1.1" };
        for client in Version::ALL {
            let mut client = world.client(client).await;
            // More than nginx answers over one connection.
            for _ in 0..12 {
                let who = client.call(&get(&format!("/{name}/who"))).await.expect(200);
                assert_eq!(
                    who.body,
                    format!("GET HTTP/{version} admin https"),
                    "{name}"
                );
            }
            let file = format!("/{name}/long.txt");
            let long = client.call(&get(&file)).await.expect(200);
            assert_eq!(long.body.len(), LONG, "{name}");
            let head = client.call(&world.by_administrator("HEAD", &file)).await;
            assert_eq!(
                head.expect(200).headers.get("content-length"),
                Some("3000000")
            );
            let part = get(&file).header("Range", "bytes=10-14");
            let part = client.call(&part).await.expect(206);
            assert_eq!(part.body, "01234", "{name}");
            let tag = long.headers.get("etag").unwrap();
            let same = client.call(&get(&file).header("If-None-Match", tag)).await;
            assert!(same.expect(304).body.is_empty(), "{name}");
            let small = get(&file).header("Accept-Encoding", "gzip");
            let small = client.call(&small).await.expect(200);
            assert_eq!(small.headers.get("content-encoding"), Some("gzip"));
            assert!(small.body.len() < LONG / 100 && small.body.starts_with(&[0x1f, 0x8b]));
        }
    }
}

#[tokio::test]
async fn what_nginx_refuses_before_it_has_read_it_is_passed_on() {
    let nginx = Nginx::start().await;
    let world = nginx.gateway().await;

    for (name, ..) in UPSTREAMS {
        for client in Version::ALL {
            let mut client = world.client(client).await;
            let upload = Call::post(&format!("/{name}/short"))
                .bearer(&world.administrator().token)
                .body("x".repeat(5000));
            client.call(&upload).await.expect(413);
        }
    }
}
