use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

/// Routes that tell themselves apart by a header of their answers.
fn setup(service: &Service, routes: &[(&str, &str)]) -> Setup {
    let setup = Setup::new().upstream("service", service.address);
    let table = |(name, lines): &(&str, &str)| {
        format!(
            "[[routes]]\n{lines}\nupstream = \"service\"\npublic = true\n\
             response_headers = {{ set = {{ \"X-Route\" = \"{name}\" }} }}\n"
        )
    };
    setup.toml(&routes.iter().map(table).collect::<String>())
}

#[tokio::test]
async fn the_most_special_route_takes_the_request() {
    let service = Service::echo().await;
    let routes = [
        ("any", "path = '/'"),
        ("reports", "path = '/reports'"),
        ("exact", "exact = '/reports'"),
        ("reader", "path = '/read'\nmethods = ['GET', 'HEAD']"),
        ("writer", "path = '/read'\nmethods = ['PUT']"),
        ("sub", "path = '/'\nhost = '*.example.com'"),
        (
            "deep",
            "path = '/'\nhosts = ['*.deep.example.com', 'one.example.com']",
        ),
        ("bücher", "path = '/x'\nhost = 'xn--bcher-kva.example'"),
    ];
    let routes = routes.map(|(name, lines)| (if name.is_ascii() { name } else { "idn" }, lines));
    let world = setup(&service, &routes).start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (method, host, path, route) in [
            ("GET", "localhost", "/", "any"),
            ("GET", "localhost", "/reports", "exact"),
            ("GET", "localhost", "/reports/", "exact"),
            ("GET", "localhost", "/reports/a", "reports"),
            ("GET", "localhost", "/reportsX", "any"),
            ("HEAD", "localhost", "/read/a", "reader"),
            ("PUT", "localhost", "/read/a", "writer"),
            ("GET", "a.example.com", "/reports", "sub"),
            ("GET", "A.B.Example.COM:8443", "/", "sub"),
            ("GET", "a.deep.example.com", "/", "deep"),
            ("GET", "one.example.com", "/", "deep"),
            ("GET", "deep.example.com", "/", "sub"),
            ("GET", "example.com", "/", "any"),
            ("GET", "example.com.evil", "/", "any"),
            ("GET", "xn--bcher-kva.example", "/x", "idn"),
            ("GET", "xn--bcher-kva.example", "/y", "any"),
        ] {
            let call = Call::new(method, path).host(host);
            let answer = client.call(&call).await.expect(200);
            assert_eq!(
                answer.headers.get("x-route"),
                Some(route),
                "{method} {host}{path} {version:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_method_that_no_rule_takes_never_falls_to_a_laxer_path() {
    let service = Service::echo().await;
    let setup = Setup::open_before(service.address)
        .route("/admin", "service", "methods = ['GET', 'HEAD']")
        .route("/admin", "service", "methods = ['PUT']");
    let world = setup.start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for path in ["/admin", "/admin/", "/admin/x", "/%61dmin", "//admin/./x"] {
            let answer = client.call(&Call::delete(path)).await;
            let refusal = (405, "method_not_allowed".to_owned());
            assert_eq!(answer.refusal(), refusal, "{path}");
            assert_eq!(answer.headers.get("allow"), Some("GET, HEAD, PUT"));
            let answer = client.call(&Call::get(path)).await;
            assert_eq!(answer.code(), "credential_missing", "{path}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn metrics_and_access_lines_tell_routes_of_one_path_apart() {
    let service = Service::echo().await;
    let routes = [
        (
            "r",
            "path = '/a'\nmethods = ['GET']\nhosts = ['localhost', '*.x']",
        ),
        ("w", "path = '/a'\nhost = 'localhost'"),
        ("e", "exact = '/a'"),
    ];
    let world = setup(&service, &routes).start_empty().await;

    world.call(&Call::get("/a/1")).await.expect(200);
    world.call(&Call::delete("/a/1")).await.expect(200);
    world.call(&Call::get("/a").host("other")).await.expect(200);

    for name in ["GET localhost+1/a", "localhost/a", "= /a"] {
        let is_it = |line: &serde_json::Value| line["route"] == name;
        world.node().access.wait_for(name, is_it).await;
        let metrics = world.ask_ops("/metrics").await.body;
        let metrics = String::from_utf8_lossy(&metrics);
        let counted = format!("dariet_requests_total{{route=\"{name}\",status=\"2xx\"}} 1");
        assert!(metrics.contains(&counted), "{metrics}");
    }
}
