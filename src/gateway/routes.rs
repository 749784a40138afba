//! Which route takes a request.
//!
//! The most special place that the request stands in decides: its host by name before `*.` and a name,
//! the longest first, before every host; and there the exact path before the longest one it is below.
//! Only then the method is looked at. A method that the place does not take is refused there (405): were
//! it looked for at shorter paths, a rule for some methods would leave the others to a laxer one.

mod hosts;
mod paths;

use http::{Method, request};

use self::hosts::Hosts;
use self::paths::Rules;
use crate::config;
use crate::http::{ApiError, Code, Cors, NormalPath, PathError, cors};

/// The routes, built once so that finding one takes the same time with one and with a thousand.
#[derive(Debug)]
pub struct Routes {
    /// In the order of the file.
    routes: Vec<Route>,
    hosts: Hosts,
}

/// A route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) config: config::Route,
    /// Its index in the order of the file.
    pub(super) index: usize,
    pub(super) cors: Option<Cors>,
}

impl Routes {
    /// The routes of this configuration.
    #[must_use]
    pub fn new(config: &[config::Route]) -> Self {
        let mut hosts = Hosts::default();
        for (index, route) in config.iter().enumerate() {
            hosts.add(&route.place, index);
        }
        let route = |(index, config): (usize, &config::Route)| Route {
            config: config.clone(),
            index,
            cors: config.cors.as_ref().map(Cors::new),
        };
        Self {
            routes: config.iter().enumerate().map(route).collect(),
            hosts,
        }
    }

    /// The names of the routes, in the order of the file.
    #[must_use]
    pub fn names(config: &[config::Route]) -> Vec<String> {
        config.iter().map(|route| name(&route.place)).collect()
    }

    /// The route of this index in the order of the file.
    pub(super) fn at(&self, index: usize) -> Option<&Route> {
        self.routes.get(index)
    }

    /// The route of a request to `host`, a name without port.
    ///
    /// A browser's preflight goes to the route of the request that it asks about, where that route
    /// answers other origins.
    pub(super) fn find(
        &self,
        host: Option<&str>,
        path: &NormalPath<'_>,
        head: &request::Parts,
    ) -> Result<&Route, ApiError> {
        let rules = self.hosts.find(host, &path.reading());
        if let Some(other) = path.before_hidden_end() {
            let other = self.hosts.find(host, &other.reading());
            if !is_same(rules, other) {
                return Err(PathError::HiddenEnd.into());
            }
        }
        let rules = rules.ok_or(Code::NoRoute)?;
        let asked = cors::preflight(&head.method, &head.headers);
        let asked = asked.and_then(|method| self.of(rules, method));
        if let Some(route) = asked.filter(|route| route.cors.is_some()) {
            return Ok(route);
        }
        self.of(rules, head.method.as_str())
            .ok_or_else(|| ApiError::method_not_allowed(rules.allow().to_owned()))
    }

    fn of(&self, rules: &Rules, method: &str) -> Option<&Route> {
        self.at(rules.find(method)?)
    }
}

fn is_same(one: Option<&Rules>, other: Option<&Rules>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => std::ptr::eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// What logs and metrics call a route: no two are called alike.
fn name(place: &config::Place) -> String {
    let mut name = String::new();
    let methods = place.methods.as_deref().unwrap_or_default();
    if !methods.is_empty() {
        let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
        name = format!("{} ", methods.join(","));
    }
    if place.reach == config::Reach::Exact {
        name.push_str("= ");
    }
    if let Some(host) = place.hosts.first() {
        name.push_str(&host.to_string());
    }
    if place.hosts.len() > 1 {
        name.push_str(&format!("+{}", place.hosts.len().saturating_sub(1)));
    }
    name.push_str(if place.path.is_empty() {
        "/"
    } else {
        &place.path
    });
    name
}

#[cfg(test)]
mod tests;
