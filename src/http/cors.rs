//! Which web pages of other origins may call (the Fetch standard's CORS protocol), said by the gateway
//! in place of the service.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::header::{lists, remove_all};
use crate::config::{self, Origins};

/// What a `cors` of the configuration has browsers told.
#[derive(Debug)]
pub struct Cors {
    origins: Origins,
    credentials: bool,
    methods: HeaderValue,
    headers: HeaderValue,
    expose: Option<HeaderValue>,
    max_age: HeaderValue,
}

/// The method that a browser asks about before it sends a request: `OPTIONS` with `Origin` and
/// `Access-Control-Request-Method`. Any other `OPTIONS` is a request like others.
#[must_use]
pub fn preflight<'a>(method: &Method, headers: &'a HeaderMap) -> Option<&'a str> {
    if *method != Method::OPTIONS || !headers.contains_key(ORIGIN) {
        return None;
    }
    headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.to_str().ok()
}

impl Cors {
    /// What `config` says.
    #[must_use]
    pub fn new(config: &config::Cors) -> Self {
        let methods = config.methods.iter().map(Method::as_str);
        let names = |names: &[HeaderName]| list(names.iter().map(HeaderName::as_str));
        Self {
            origins: config.origins.clone(),
            credentials: config.credentials,
            methods: list(methods),
            headers: names(&config.headers),
            expose: (!config.expose.is_empty()).then(|| names(&config.expose)),
            max_age: HeaderValue::from(config.max_age.as_secs()),
        }
    }

    /// Whether pages of this origin may call. Browsers write an origin in one way, so bytes are compared.
    #[must_use]
    pub fn admits(&self, origin: &HeaderValue) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::Listed(origins) => origins
                .iter()
                .any(|listed| listed.as_bytes() == origin.as_bytes()),
        }
    }

    /// Says in the answer to a preflight what pages may send.
    pub fn answer_preflight(&self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
    }

    /// Says in any answer whether the page that asked, which is of `origin`, may read it. What the
    /// service says of it is removed.
    pub fn answer(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap, kind: Answer) {
        if kind == Answer::Service {
            remove_all(headers, |name| name.as_str().starts_with("access-control-"));
        }
        self.vary(headers);
        let Some(origin) = origin.filter(|origin| self.admits(origin)) else {
            return;
        };
        let allowed = match self.origins {
            Origins::Any => HeaderValue::from_static("*"),
            Origins::Listed(_) => origin.clone(),
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(expose) = &self.expose {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    /// Caches keep an answer apart for each origin, also one to a request without any: another page
    /// would else be given the answer that does not name it.
    fn vary(&self, headers: &mut HeaderMap) {
        if matches!(self.origins, Origins::Any) {
            return;
        }
        if !lists(headers, VARY, "origin") && !lists(headers, VARY, "*") {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
    }
}

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The gateway's own, which has said nothing of origins but what is said here.
    Own,
    /// The service's, which may have said anything.
    Service,
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> HeaderValue {
    let list: Vec<_> = names.collect();
    // Methods and names of headers are tokens, which every value can hold.
    HeaderValue::from_str(&list.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn cors(origins: Origins) -> Cors {
        Cors::new(&config::Cors {
            origins,
            methods: vec![Method::GET, Method::PUT],
            headers: vec![HeaderName::from_static("authorization")],
            expose: vec![HeaderName::from_static("x-total")],
            credentials: false,
            max_age: Duration::from_secs(600),
        })
    }

    fn listed() -> Cors {
        cors(Origins::Listed(vec!["https://a.example".to_owned()]))
    }

    #[test]
    fn only_a_whole_preflight_is_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(preflight(&Method::OPTIONS, &headers), None);
        headers.insert(ORIGIN, HeaderValue::from_static("https://a.example"));
        assert_eq!(preflight(&Method::OPTIONS, &headers), None);
        headers.insert(
            ACCESS_CONTROL_REQUEST_METHOD,
            HeaderValue::from_static("PUT"),
        );
        assert_eq!(preflight(&Method::OPTIONS, &headers), Some("PUT"));
        assert_eq!(preflight(&Method::GET, &headers), None);
    }

    #[test]
    fn an_origin_is_compared_as_it_is_written() {
        let cors = listed();
        for (origin, admitted) in [
            ("https://a.example", true),
            ("https://a.example:444", false),
            ("http://a.example", false),
            ("https://a.example.evil.example", false),
            ("https://xa.example", false),
            ("https://A.example", false),
            ("null", false),
            ("", false),
        ] {
            let origin = HeaderValue::from_str(origin).unwrap();
            assert_eq!(cors.admits(&origin), admitted, "{origin:?}");
        }
    }

    #[test]
    fn what_the_service_says_of_origins_is_replaced() {
        let origin = HeaderValue::from_static("https://a.example");
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(VARY, HeaderValue::from_static("Accept"));

        listed().answer(Some(&origin), &mut headers, Answer::Service);

        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "x-total");
        let vary: Vec<_> = headers.get_all(VARY).iter().collect();
        assert_eq!(vary, ["Accept", "Origin"]);
    }

    #[test]
    fn caches_are_told_of_the_origin_also_where_there_is_none() {
        let mut headers = HeaderMap::new();
        listed().answer(None, &mut headers, Answer::Own);
        assert_eq!(headers[VARY], "Origin");
        assert_eq!(headers.len(), 1);

        let mut headers = HeaderMap::new();
        cors(Origins::Any).answer(None, &mut headers, Answer::Own);
        assert!(headers.is_empty());
    }
}
