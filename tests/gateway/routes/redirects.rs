use crate::support::message::Call;
use crate::support::setup::Setup;
use crate::support::world::Version;

const ROUTES: &str = r#"
[[routes]]
path = "/old"
redirect = { to = "https://www.example.com/new?from=old", status = 301 }

[[routes]]
path = "/kept"
redirect = { to = "https://www.example.com/", status = 308, keep_path = true }

[[routes]]
path = "/moved"
strip_prefix = "/moved"
add_prefix = "/there"
redirect = { to = "/now", keep_path = true }

[[routes]]
exact = "/"
redirect = { to = "/app" }

[[routes]]
path = "/lax"
path_parameters = "keep"
encoded_slash = "keep"
strip_prefix = "/lax"
redirect = { to = "/", keep_path = true }
"#;

#[tokio::test]
async fn a_redirect_sends_everybody_elsewhere() {
    let world = Setup::new().toml(ROUTES).start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (method, path, status, location) in [
            (
                "GET",
                "/old/a?b=c",
                301,
                "https://www.example.com/new?from=old",
            ),
            (
                "GET",
                "/kept/a%20b?b=%2F",
                308,
                "https://www.example.com/kept/a%20b?b=%2F",
            ),
            (
                "POST",
                "/kept//evil.example",
                308,
                "https://www.example.com/kept/evil.example",
            ),
            ("GET", "/moved/a?b", 307, "/now/there/a?b"),
            ("HEAD", "/moved", 307, "/now/there"),
            ("GET", "/?x", 307, "/app"),
            ("GET", "//", 307, "/app"),
            ("GET", "/lax//evil.example", 307, "/evil.example"),
            ("GET", "/lax/a%2F%2Fb", 400, ""),
            ("GET", "/lax", 307, "/"),
            ("GET", "/kept;x", 400, ""),
        ] {
            let answer = client.call(&Call::new(method, path)).await.expect(status);
            let told = answer.headers.get("location");
            assert_eq!(told.unwrap_or_default(), location, "{method} {path}");
            if status != 400 {
                assert!(answer.body.is_empty());
            }
        }
    }
}
