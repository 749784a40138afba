//! Which requests a route takes.

use std::collections::HashMap;
use std::fmt;

use http::Method;

use super::methods;
use crate::config::pattern;
use crate::config::section::Section;
use crate::config::text::Text;
use crate::config::value::Value;

/// `host` or `hosts`, `path` or `exact`, and `methods` of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `host` or `hosts`: only requests to them; empty, every host.
    pub hosts: Vec<HostPattern>,
    /// `path` or `exact`, in normal form without a slash at the end (`/` is empty).
    pub path: String,
    /// Whether it was `path` or `exact`.
    pub reach: Reach,
    /// `methods`; left out, every method.
    pub methods: Option<Vec<Method>>,
}

/// A host of a route, in lower case without port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `app.example.com`: this name alone.
    Name(String),
    /// `*.example.com`: every name below, one label or more, but not `example.com` itself. nginx and
    /// Envoy read it so.
    Below(String),
}

/// How far the path of a route reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// `path`: itself and all below it, by whole segments.
    Below,
    /// `exact`: itself alone.
    Exact,
}

impl Place {
    /// Reads it; reports where another route takes the same requests.
    pub(super) fn read(section: &mut Section<'_>, taken: &mut Taken) -> Option<Self> {
        let number = taken.next_number();
        let hosts = hosts(section);
        let path = path(section);
        let methods = section.value("methods").map(|value| {
            let methods = methods(&value)?;
            refuse_trace(&value, &methods);
            Some(methods)
        });
        let (path, reach) = path?;
        let place = Self {
            hosts: hosts?,
            path: pattern::path(&path)?,
            reach,
            methods: match methods {
                Some(methods) => Some(methods?),
                None => None,
            },
        };
        taken.add(&place, &path, number);
        Some(place)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

/// As an operator writes it: `/reports`, or `= /reports` for one that reaches no further.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reach == Reach::Exact {
            f.write_str("= ")?;
        }
        f.write_str(if self.path.is_empty() {
            "/"
        } else {
            &self.path
        })
    }
}

/// The places of the routes before, so that no two take the same requests.
#[derive(Debug, Default)]
pub(super) struct Taken {
    count: usize,
    by_path: HashMap<(String, Reach), Vec<Other>>,
}

/// What else stands at a path.
#[derive(Debug)]
struct Other {
    /// Its place in the file, from 1.
    number: usize,
    hosts: Vec<HostPattern>,
    methods: Option<Vec<Method>>,
}

impl Taken {
    const fn next_number(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn add(&mut self, place: &Place, path: &Text<'_>, number: usize) {
        let others = self.by_path.entry((place.path.clone(), place.reach));
        let others = others.or_default();
        for other in others.iter() {
            if let Some(overlap) = other.overlap(place) {
                path.wrong(
                    format!(
                        "has another route already {overlap}: route {}",
                        other.number
                    ),
                    "remove one of the two, or give it another path, host or methods",
                );
                break;
            }
        }
        others.push(Other {
            number,
            hosts: place.hosts.clone(),
            methods: place.methods.clone(),
        });
    }
}

impl Other {
    /// Which requests both take, in words; nothing when there are none. A route that lists methods
    /// comes before one that does not, so the two can stand side by side.
    fn overlap(&self, place: &Place) -> Option<String> {
        let host = match (self.hosts.as_slice(), place.hosts.as_slice()) {
            ([], []) => "without a host".to_owned(),
            (mine, theirs) => {
                let host = theirs.iter().find(|host| mine.contains(host))?;
                format!("for the host \"{host}\"")
            }
        };
        match (&self.methods, &place.methods) {
            (None, None) => Some(host),
            (Some(mine), Some(theirs)) => {
                let method = theirs.iter().find(|method| mine.contains(method))?;
                Some(format!("{host} and the method {method}"))
            }
            _ => None,
        }
    }
}

/// The hosts; nothing when they cannot be read.
fn hosts(section: &mut Section<'_>) -> Option<Vec<HostPattern>> {
    let one = section.value("host");
    let Some(list) = section.value("hosts") else {
        return match one {
            Some(value) => Some(vec![pattern::host(&value.text()?)?]),
            None => Some(Vec::new()),
        };
    };
    if one.is_some() {
        section.wrong_key("host", "host and hosts are both there", "write hosts alone");
    }
    let elements = list.list()?;
    if elements.is_empty() {
        list.wrong("is an empty list", "remove it for every host");
        return None;
    }
    let mut hosts = Vec::new();
    for text in elements.iter().filter_map(Value::text) {
        let Some(host) = pattern::host(&text) else {
            continue;
        };
        if hosts.contains(&host) {
            text.wrong("is there twice", "remove one of the two");
        }
        hosts.push(host);
    }
    // With one of them wrong nobody knows where the route stands.
    (hosts.len() == elements.len()).then_some(hosts)
}

fn path<'a>(section: &mut Section<'a>) -> Option<(Text<'a>, Reach)> {
    let Some(exact) = section.value("exact") else {
        let path = section.required("path", "\"/reports\"");
        return Some((path?.text()?, Reach::Below));
    };
    if section.value("path").is_some() {
        section.wrong_key(
            "exact",
            "path takes all below it, exact does not",
            "remove path or exact, or write a route for each",
        );
    }
    Some((exact.text()?, Reach::Exact))
}

/// Answers to it show the client what we told the service; the gateway never forwards it.
fn refuse_trace(value: &Value<'_>, methods: &[Method]) {
    if methods.contains(&Method::TRACE) {
        value.wrong("lists TRACE, which is never forwarded", "remove it");
    }
}
