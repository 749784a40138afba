use crate::config;
use crate::http::NormalPath;

/// The routes, in the order in which they match: those for the request's host first, and among them
/// the longest path.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Route>,
}

/// A route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) config: config::Route,
    /// Its index in the order of the file.
    pub(super) index: usize,
}

impl Routes {
    /// The routes of this configuration.
    #[must_use]
    pub fn new(config: &[config::Route]) -> Self {
        let mut routes: Vec<Route> = config
            .iter()
            .enumerate()
            .map(|(index, config)| Route {
                config: config.clone(),
                index,
            })
            .collect();
        routes.sort_by_key(|route| {
            let is_for_any_host = route.config.host.is_none();
            (is_for_any_host, std::cmp::Reverse(route.config.path.len()))
        });
        Self { routes }
    }

    /// The names of the routes, in the order of the file.
    #[must_use]
    pub fn names(config: &[config::Route]) -> Vec<String> {
        config.iter().map(name).collect()
    }

    /// The route of this index in the order of the file.
    pub(super) fn at(&self, index: usize) -> Option<&Route> {
        self.routes.iter().find(|route| route.index == index)
    }

    /// The route of a request to `host`, a name without port.
    pub(super) fn find(&self, host: Option<&str>, path: &NormalPath<'_>) -> Option<&Route> {
        self.routes.iter().find(|route| {
            let is_its_host = match &route.config.host {
                Some(wanted) => host.is_some_and(|host| host.eq_ignore_ascii_case(wanted)),
                None => true,
            };
            is_its_host && path.is_below(&route.config.path)
        })
    }
}

fn name(route: &config::Route) -> String {
    let host = route.host.as_deref().unwrap_or_default();
    if route.path.is_empty() {
        format!("{host}/")
    } else {
        format!("{host}{}", route.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Access;

    fn route(host: Option<&str>, path: &str) -> config::Route {
        config::Route {
            host: host.map(str::to_owned),
            path: path.to_owned(),
            upstream: 0,
            access: Access::SignedIn,
            keep_path_parameters: false,
            keep_encoded_slash: false,
            keep_headers: Vec::new(),
            pass_credential: false,
            deadlines: config::RouteDeadlines::default(),
        }
    }

    fn found(routes: &Routes, host: Option<&str>, path: &str) -> Option<String> {
        let path = NormalPath::parse(path).unwrap();
        routes.find(host, &path).map(|route| name(&route.config))
    }

    #[test]
    fn the_requests_host_comes_first_and_then_the_longest_path() {
        let routes = Routes::new(&[
            route(None, ""),
            route(None, "/reports"),
            route(None, "/reports/secret"),
            route(Some("a.example"), ""),
        ]);
        assert_eq!(found(&routes, None, "/x").as_deref(), Some("/"));
        assert_eq!(
            found(&routes, None, "/reports/").as_deref(),
            Some("/reports")
        );
        assert_eq!(found(&routes, None, "/reportsX").as_deref(), Some("/"));
        let deep = found(&routes, Some("b.example"), "/reports/secret/1");
        assert_eq!(deep.as_deref(), Some("/reports/secret"));
        let other = found(&routes, Some("a.example"), "/reports/secret");
        assert_eq!(other.as_deref(), Some("a.example/"));
    }

    #[test]
    fn parameters_do_not_lead_past_a_stricter_route() {
        let routes = Routes::new(&[route(None, ""), route(None, "/reports")]);
        let found = found(&routes, None, "/reports;x/1");
        assert_eq!(found.as_deref(), Some("/reports"));
    }
}
