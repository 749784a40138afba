use http::{HeaderMap, HeaderValue, Request, header};
use proptest::prelude::*;

use super::*;
use crate::config::{Config, Environment, HostPattern, Place, Reach};

/// The routes of a file with one upstream, each with these lines.
fn routes(tables: &[&str]) -> Routes {
    Routes::new(&config(tables).unwrap())
}

fn config(tables: &[&str]) -> Result<Vec<config::Route>, config::Mistakes> {
    let mut text = "[upstreams.a]\nservers = ['http://a']\n".to_owned();
    for table in tables {
        let upstream = "upstream = 'a'";
        text.push_str(&format!("[[routes]]\n{upstream}\n{table}\n"));
    }
    let base = std::path::Path::new("");
    Ok(Config::parse(&text, "gateway.toml", base, &Environment::new())?.routes)
}

fn head(method: &str, headers: &[(&'static str, &'static str)]) -> request::Parts {
    let (mut head, ()) = Request::builder()
        .method(method)
        .body(())
        .unwrap()
        .into_parts();
    let pairs = headers.iter().map(|(name, value)| {
        let name = header::HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    head.headers = pairs.collect::<HeaderMap>();
    head
}

/// The name of the route that takes a request, or why none does.
fn found(routes: &Routes, host: Option<&str>, path: &str, head: &request::Parts) -> String {
    let path = NormalPath::parse(path).unwrap();
    match routes.find(host, &path, head) {
        Ok(route) => name(&route.config.place),
        Err(error) => match error.allow {
            Some(allow) => format!("405 {allow}"),
            None => error.code.as_str().to_owned(),
        },
    }
}

#[test]
fn the_most_special_place_decides_and_then_the_method() {
    let routes = routes(&[
        "path = '/'",
        "path = '/reports'",
        "path = '/reports/secret'\nmethods = ['GET', 'HEAD']",
        "exact = '/reports'\nmethods = ['POST']",
        "path = '/reports'\nmethods = ['PUT']",
        "path = '/'\nhost = 'a.example'",
        "path = '/'\nhosts = ['*.example', '*.b.example']",
        "exact = '/'\nhost = 'x.b.example'",
    ]);
    for (method, host, path, name) in [
        ("GET", None, "/x", "/"),
        ("GET", None, "/reportsX", "/"),
        ("GET", None, "/reports/", "405 POST"),
        ("POST", None, "/reports/", "POST = /reports"),
        ("GET", None, "/reports/1", "/reports"),
        ("PUT", None, "/reports/1", "PUT /reports"),
        ("GET", None, "/reports/secret/1", "GET,HEAD /reports/secret"),
        ("DELETE", None, "/reports/secret/1", "405 GET, HEAD"),
        ("GET", Some("c.org"), "/reports/1", "/reports"),
        ("GET", Some("a.example"), "/reports/1", "a.example/"),
        ("GET", Some("A.Example"), "/x", "a.example/"),
        ("GET", Some("c.example"), "/x", "*.example+1/"),
        ("GET", Some("d.c.example"), "/x", "*.example+1/"),
        ("GET", Some("example"), "/x", "/"),
        ("GET", Some("y.b.example"), "/x", "*.example+1/"),
        ("GET", Some("x.b.example"), "/", "= x.b.example/"),
        ("GET", Some("x.b.example"), "/x", "*.example+1/"),
        ("GET", Some("x.b.example.evil"), "/", "/"),
        ("GET", Some(""), "/x", "/"),
        ("GET", Some("."), "/x", "/"),
    ] {
        let head = head(method, &[]);
        assert_eq!(
            found(&routes, host, path, &head),
            name,
            "{method} {host:?} {path}"
        );
    }
}

#[test]
fn parameters_and_encodings_do_not_lead_past_a_stricter_route() {
    let routes = routes(&["path = '/'", "path = '/reports'", "exact = '/@me'"]);
    for (path, name) in [
        ("/reports;x/1", "/reports"),
        ("/reports%2F1", "/reports"),
        ("/%40me", "= /@me"),
        ("/@me/", "= /@me"),
        ("/@me;x", "= /@me"),
        ("/@me/1", "/"),
    ] {
        assert_eq!(
            found(&routes, None, path, &head("GET", &[])),
            name,
            "{path}"
        );
    }
}

#[test]
fn a_preflight_goes_to_the_route_it_asks_about() {
    let cors = "cors = { origins = ['https://a.example'] }";
    let routes = routes(&[
        &format!("path = '/'\nmethods = ['PUT']\n{cors}"),
        "path = '/'\nmethods = ['OPTIONS']",
        "path = '/plain'",
    ]);
    let asks = |method| {
        [
            ("origin", "https://a.example"),
            ("access-control-request-method", method),
        ]
    };
    let put = head("OPTIONS", &asks("PUT"));
    assert_eq!(found(&routes, None, "/", &put), "PUT /");
    let get = head("OPTIONS", &asks("GET"));
    assert_eq!(found(&routes, None, "/", &get), "OPTIONS /");
    let bare = head("OPTIONS", &[]);
    assert_eq!(found(&routes, None, "/", &bare), "OPTIONS /");
    assert_eq!(found(&routes, None, "/plain", &put), "/plain");
}

#[test]
fn where_nothing_stands_no_route_is_found() {
    let routes = routes(&["path = '/a/b'", "exact = '/c'", "path = '/'\nhost = 'x'"]);
    for path in ["/", "/a", "/a/bc", "/c/d", "/b"] {
        let found = found(&routes, Some("y"), path, &head("GET", &[]));
        assert_eq!(found, "no_route", "{path}");
    }
}

/// What finds the same by looking at every route.
fn by_looking_at_all(
    config: &[config::Route],
    host: &str,
    path: &NormalPath<'_>,
    method: &Method,
) -> Result<usize, bool> {
    let rank = |place: &Place| {
        let hosts = place.hosts.iter().filter_map(|pattern| match pattern {
            HostPattern::Name(name) => host.eq_ignore_ascii_case(name).then_some((2, name.len())),
            HostPattern::Below(name) => {
                let is_below = host.to_ascii_lowercase().ends_with(&format!(".{name}"));
                is_below.then_some((1, name.len()))
            }
        });
        let host = if place.hosts.is_empty() {
            Some((0, 0))
        } else {
            hosts.max()
        };
        let is_below = path.is_below(&place.path);
        let is_there = match place.reach {
            Reach::Below => is_below,
            Reach::Exact => is_below && matches!(path.behind(&place.path), Ok("" | "/")),
        };
        let length = place.path.split('/').count();
        is_there.then_some((host?, place.reach == Reach::Exact, length))
    };
    let ranked = config
        .iter()
        .enumerate()
        .filter_map(|(index, route)| Some((rank(&route.place)?, index, &route.place)));
    let ranked: Vec<_> = ranked.collect();
    let best = ranked.iter().map(|(rank, ..)| *rank).max().ok_or(false)?;
    let here = || ranked.iter().filter(|(rank, ..)| *rank == best);
    let listed = here().find(|(.., place)| {
        let methods = place.methods.as_ref();
        methods.is_some_and(|methods| methods.contains(method))
    });
    let other = || here().find(|(.., place)| place.methods.is_none());
    listed
        .or_else(other)
        .map(|(_, index, _)| *index)
        .ok_or(true)
}

fn table() -> impl Strategy<Value = String> {
    let hosts = prop::sample::select(vec![
        "",
        "host = 'a.ex'",
        "host = 'b.a.ex'",
        "host = '*.ex'",
        "host = '*.a.ex'",
        "hosts = ['c.ex', '*.c.ex']",
        "host = 'ex'",
    ]);
    let key = prop::sample::select(vec!["path", "path", "exact"]);
    let segment = prop::sample::select(vec!["a", "b", "@", "%2A"]);
    let path = prop::collection::vec(segment, 0..4);
    let methods = prop::sample::select(vec![
        "",
        "",
        "methods = ['GET']",
        "methods = ['POST', 'PUT']",
    ]);
    (hosts, key, path, methods).prop_map(|(host, key, path, methods)| {
        format!("{host}\n{key} = '/{}'\n{methods}", path.join("/"))
    })
}

proptest! {
    #[test]
    fn the_tree_finds_what_looking_at_every_route_finds(
        tables in prop::collection::vec(table(), 1..16),
        host in prop::sample::select(vec!["ex", "a.ex", "A.EX", "b.a.ex", "x.b.a.ex", "c.ex", "d.c.ex", "x.ex", "org", ""]),
        segments in prop::collection::vec(
            prop::sample::select(vec!["a", "b", "@", "%40", "*", "%2A", "a;x", "a%2Fb", "ab"]), 0..5),
        slash in any::<bool>(),
        method in prop::sample::select(vec!["GET", "POST", "DELETE"]),
    ) {
        // Of routes that take the same requests the first one stays.
        let mut kept: Vec<&str> = Vec::new();
        for table in &tables {
            kept.push(table);
            if config(&kept).is_err() {
                kept.pop();
            }
        }
        let config = config(&kept).unwrap();
        let routes = Routes::new(&config);
        let mut path = format!("/{}", segments.join("/"));
        if slash && !segments.is_empty() {
            path.push('/');
        }
        let path = NormalPath::parse(&path).unwrap();
        let head = head(method, &[]);

        let found = routes.find(Some(host), &path, &head);
        let found = found.map(|route| route.index).map_err(|error| error.allow.is_some());

        prop_assert_eq!(found, by_looking_at_all(&config, host, &path, &head.method));
    }
}
