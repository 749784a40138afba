use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn a_service_gets_the_normal_form_of_the_path_and_the_query_as_it_is() {
    let mut service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;
    let mut wire = world.wire().await;

    for (sent, seen) in [
        ("/", "/"),
        ("/a/b/", "/a/b/"),
        ("//a///b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2E/b", "/b"),
        ("/%61%2D%7e", "/a-~"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/a?x=%2e%2e//&y=a+b&x;z=%ff", "/a?x=%2e%2e//&y=a+b&x;z=%ff"),
        ("//a/?", "/a/?"),
        ("http://localhost", "/"),
        ("http://localhost?b", "/?b"),
    ] {
        wire.call(&Call::get(sent)).await.expect(200);
        assert_eq!(service.next().await.target, seen, "{sent}");
    }
}

#[tokio::test]
async fn a_path_that_can_be_read_in_two_ways_is_refused() {
    let service = Service::echo().await;
    let setup = Setup::open_before(service.address);
    let world = setup.start_empty().await;

    for target in [
        "/..",
        "/a/../../b",
        "/%2e%2e/b",
        "/a\\b",
        "/a%5cb",
        "/a%00",
        "/a%252fb",
        "/a%25%32%66",
        "/a;b",
        "/a%3bb",
        "/a%2fb",
        "/a%2Fb",
        "/a%",
        "/a%g0",
        "/a#b",
        "/a%0d%0ab",
        "a",
        "*",
    ] {
        let answer = world.call(&Call::get(target)).await;
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
        answer.code();
    }
    let mut http2 = world.http2().await;
    for target in ["/a/../../b", "/a%5cb", "/a;b", "/a%2fb", "/a%252fb"] {
        let answer = http2.call(&Call::get(target)).await;
        assert_eq!(
            answer.refusal(),
            (400, "path_refused".to_owned()),
            "{target}"
        );
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_route_can_let_parameters_and_encoded_slashes_pass() {
    let mut service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route("/p", "service", "public = true\npath_parameters = \"keep\"")
        .route("/s", "service", "public = true\nencoded_slash = \"keep\"");
    let world = setup.start_empty().await;

    for (sent, seen) in [("/p/a;v=1/b", "/p/a;v=1/b"), ("/s/a%2fb", "/s/a%2Fb")] {
        world.call(&Call::get(sent)).await.expect(200);
        assert_eq!(service.next().await.target, seen);
    }
    for refused in ["/p/a%2fb", "/s/a;b", "/s/..%2fb"] {
        let answer = world.call(&Call::get(refused)).await;
        assert_eq!(
            answer.refusal(),
            (400, "path_refused".to_owned()),
            "{refused}"
        );
    }
    assert!(service.is_quiet());
}

#[tokio::test]
async fn a_stricter_route_cannot_be_walked_around() {
    let service = Service::echo().await;
    let setup = Setup::new()
        .upstream("service", service.address)
        .route(
            "/",
            "service",
            "public = true\npath_parameters = \"keep\"\nencoded_slash = \"keep\"",
        )
        .route("/reports", "service", "");
    let world = setup.start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for target in [
            "/reports",
            "/reports/",
            "//reports",
            "/%72eports",
            "/./reports",
            "/x/../reports",
            "/reports;x",
            "/reports;x/1",
            "/reports%2f1",
            "/reports%3bx",
        ] {
            let status = client.call(&Call::get(target)).await.status;
            assert!(matches!(status, 400 | 401), "{target}: {status}");
        }
    }
    assert!(service.is_quiet());
}
