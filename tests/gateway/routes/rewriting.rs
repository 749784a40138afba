use crate::support::message::Call;
use crate::support::service::Service;
use crate::support::setup::Setup;
use crate::support::world::Version;

#[tokio::test]
async fn a_prefix_is_stripped_and_another_added() {
    let mut service = Service::echo().await;
    let keep = "path_parameters = 'keep'\nencoded_slash = 'keep'";
    let route = |path: &str, lines: &str| {
        format!("[[routes]]\npath = '{path}'\nupstream = 'service'\npublic = true\n{lines}\n")
    };
    let routes = [
        route("/strip", "strip_prefix = '/strip'"),
        route("/add", "add_prefix = '/v2/x'"),
        route("/both/deep", "strip_prefix = '/both'\nadd_prefix = '/v2'"),
        route("/keep", &format!("strip_prefix = '/keep'\n{keep}")),
        route("/@me", "strip_prefix = '/@me'\nadd_prefix = '/@you'"),
    ];
    let setup = Setup::new().upstream("service", service.address);
    let world = setup.toml(&routes.concat()).start_empty().await;

    for version in Version::ALL {
        let mut client = world.client(version).await;
        for (sent, seen) in [
            ("/strip/a/b", "/a/b"),
            ("/strip", "/"),
            ("/strip/", "/"),
            ("/strip?x=1", "/?x=1"),
            (
                "/strip/a%20b%2D?q=%2e%2e//&r;s=%ff",
                "/a%20b-?q=%2e%2e//&r;s=%ff",
            ),
            ("//strip/./a//b/..", "/a/"),
            ("/%73trip/a", "/a"),
            ("/strip/strip/a", "/strip/a"),
            ("/strip/..//strip/etc", "/etc"),
            ("/add/a", "/v2/x/add/a"),
            ("/both/deep/a/", "/v2/deep/a/"),
            ("/keep/a;b/c%2Fd", "/a;b/c%2Fd"),
            ("/keep;v=1/a", "/a"),
            ("/keep;v=1", "/"),
            ("/%40me/a", "/@you/a"),
        ] {
            client.call(&Call::get(sent)).await.expect(200);
            assert_eq!(service.next().await.target, seen, "{sent} {version:?}");
        }
        // What would be left is no path.
        let answer = client.call(&Call::get("/keep%2Fa")).await;
        assert_eq!(answer.refusal(), (400, "path_refused".to_owned()));
        assert!(service.is_quiet());
    }
}

#[tokio::test]
async fn the_location_of_an_answer_is_passed_on_as_it_is() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n";
    let service = Service::answering(answer).await;
    let setup = Setup::new().upstream("service", service.address).route(
        "/app",
        "service",
        "public = true\nstrip_prefix = '/app'",
    );
    let world = setup.start_empty().await;

    let answer = world.call(&Call::get("/app/x")).await.expect(302);
    assert_eq!(answer.headers.get("location"), Some("/login"));
}
