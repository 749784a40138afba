use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn a_route_allows_by_role_and_method() {
    let mut service = Service::echo().await;
    let allow = r#"allow = [{ role = "admin" }, { role = "viewer", methods = ["GET", "HEAD"] }]"#;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/reports", "service", allow)
        .route("/admin", "service", r#"allow = [{ role = "admin" }]"#);
    let world = setup.start().await;
    let viewer = world.new_user("ada", "viewer").await;
    let key = world.new_key(&viewer).await.key;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (method, path, status) in [
            ("GET", "/reports", 200),
            ("HEAD", "/reports", 200),
            ("POST", "/reports", 403),
            ("DELETE", "/reports/1", 403),
            ("GET", "/admin", 403),
        ] {
            for credential in [&viewer.token, &key] {
                let call = Call::new(method, path).bearer(credential);
                let answer = client.call(&call).await.expect(status);
                if status == 403 {
                    assert_eq!(answer.code(), "not_allowed");
                } else {
                    service.next().await;
                }
            }
            let call = world.by_administrator(method, path);
            client.call(&call).await.expect(200);
            service.next().await;
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn where_no_route_leads_nothing_is_found() {
    let service = Service::echo().await;
    let setup = Setup::new().upstream("service", service.address).route(
        "/reports",
        "service",
        "public = true",
    );
    let world = setup.start().await;

    for path in [
        "/",
        "/reportsX",
        "/report",
        "/other/reports",
        "/api",
        "/api/authx",
    ] {
        for call in [Call::get(path), world.by_administrator("GET", path)] {
            let answer = world.call(&call).await;
            assert_eq!(answer.refusal(), (404, "no_route".to_owned()), "{path}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn the_host_and_the_longest_path_decide() {
    let mut services = [
        Service::echo().await,
        Service::echo().await,
        Service::echo().await,
    ];
    let setup = Setup::new()
        .upstream("a", services[0].address)
        .upstream("b", services[1].address)
        .upstream("c", services[2].address)
        .route("/", "a", "public = true")
        .route("/reports/", "b", "public = true")
        .route("/", "c", "public = true\nhost = \"c.example.com\"");
    let world = setup.start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (host, path, service) in [
            ("localhost", "/", 0),
            ("localhost", "/reportsX", 0),
            ("localhost", "/reports", 1),
            ("localhost", "/reports/", 1),
            ("localhost", "/reports/a/b", 1),
            ("c.example.com", "/reports", 2),
            ("C.Example.COM:8443", "/", 2),
            ("x.c.example.com", "/", 0),
        ] {
            client.call(&Call::get(path).host(host)).await.expect(200);
            assert_eq!(services[service].next().await.target, path, "{host}{path}");
        }
    }
}

#[tokio::test]
async fn the_gateways_own_paths_are_never_forwarded() {
    let service = Service::echo().await;
    let setup = Setup::open_before(service.address).route(
        "/api",
        "service",
        "public = true\nhost = \"c.example.com\"",
    );
    let world = setup.start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for host in ["localhost", "c.example.com"] {
            for path in [
                "/api/auth",
                "/api/auth/unknown",
                "/api/auth/users/x/y",
                "/api/api-keys/unknown",
                "//api/./auth/unknown",
                "/api/%61uth/unknown",
            ] {
                let call = world.by_administrator("GET", path).host(host);
                let answer = client.call(&call).await;
                assert_eq!(answer.status, 404, "{path}");
                assert_eq!(answer.code(), "not_found");
                assert_eq!(answer.headers.get("cache-control"), Some("no-store"));
            }
            let call = Call::get("/api/auth/me").host(host);
            assert_eq!(client.call(&call).await.status, 401);
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_dot_behind_the_host_does_not_lead_around_its_route() {
    let service = Service::echo().await;
    let setup =
        Setup::open_before(service.address).route("/", "service", "host = \"name.example\"");
    let world = setup.start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for host in [
            "name.example",
            "name.example.",
            "NAME.Example.",
            "name.example.:8443",
        ] {
            let answer = client.call(&Call::get("/x").host(host)).await;
            let refusal = (401, "credential_missing".to_owned());
            assert_eq!(answer.refusal(), refusal, "{host} {version:?}");
        }
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn parameters_and_encoded_slashes_do_not_carry_the_gateways_own_paths_to_a_service() {
    let mut service = Service::echo().await;
    let lines = "public = true\npath_parameters = \"keep\"\nencoded_slash = \"keep\"";
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/", "service", lines);
    let world = setup.start().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for path in [
            "/api/auth;x/users",
            "/api;x/auth/users",
            "/api/auth/users;x",
            "/api/auth;x",
            "/api/auth%3bx/users",
            "/api%2Fauth/users",
            "/api%2fauth%2fusers",
            "/api/auth%2Fusers",
            "/%2Fapi/auth/users",
            "/;x/api/auth/users",
            "/api/api-keys;x",
            "/api%2Fapi-keys",
        ] {
            let status = client
                .call(&world.by_administrator("GET", path))
                .await
                .status;
            assert!(matches!(status, 400 | 404), "{path}: {status} {version:?}");
        }
        assert!(service.is_quiet());

        client.call(&Call::get("/other;x/a%2Fb")).await.expect(200);
        service.next().await;
    }
}
