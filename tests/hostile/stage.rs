//! Where a row is tried: one gateway for each table, with a route of every kind before one service.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::recorder::{Kept, Message, Recorder};
use crate::support::accounts::Session;
use crate::support::setup::Setup;
use crate::support::wire::Wire;
use crate::support::world::World;

/// A gateway, its users, and the service behind it.
pub struct Stage {
    pub world: World,
    pub service: Recorder,
    pub viewer: Session,
    next_id: AtomicUsize,
}

/// A listener and a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub listener: Listener,
    pub route: Route,
}

/// What clients speak beneath HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    Plain,
    Tls,
}

/// Who may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Public,
    Protected,
    /// For administrators; the request comes from one.
    Restricted,
    /// Protected, and the request asks for a WebSocket.
    WebSocket,
}

impl Listener {
    pub const ALL: [Self; 2] = [Self::Plain, Self::Tls];
}

impl Route {
    pub const ALL: [Self; 4] = [
        Self::Public,
        Self::Protected,
        Self::Restricted,
        Self::WebSocket,
    ];
    /// Those that answer with a message.
    pub const ANSWERING: [Self; 3] = [Self::Public, Self::Protected, Self::Restricted];

    const fn path(self) -> &'static str {
        match self {
            Self::Public => "/open",
            Self::Protected => "/signed",
            Self::Restricted => "/staff",
            Self::WebSocket => "/socket",
        }
    }
}

impl Place {
    /// These routes behind every listener.
    pub fn all(routes: &[Route]) -> Vec<Self> {
        let places = Listener::ALL.into_iter().flat_map(|listener| {
            let place = move |route: &Route| Self {
                listener,
                route: *route,
            };
            routes.iter().map(place)
        });
        places.collect()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.listener, self.route)
    }
}

impl Stage {
    pub async fn start() -> Self {
        Self::with(Setup::new()).await
    }

    /// With more said of the gateway.
    pub async fn with(setup: Setup) -> Self {
        Self::of(|service| {
            setup
                .plain()
                .upstream("service", service.address)
                .route("/open", "service", "public = true")
                .route("/signed", "service", "")
                .route("/socket", "service", "")
                .route("/staff", "service", "allow = [{ role = \"admin\" }]")
        })
        .await
    }

    /// With routes of its own.
    pub async fn of(setup: impl FnOnce(&Recorder) -> Setup) -> Self {
        let service = Recorder::start().await;
        let world = setup(&service).start().await;
        let viewer = world.new_user("victor", "viewer").await;
        Self {
            world,
            service,
            viewer,
            next_id: AtomicUsize::new(0),
        }
    }

    /// A word that stands in one try alone.
    pub fn id(&self) -> String {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        format!("try-{id:05}-")
    }

    /// A connection of a client.
    pub async fn wire(&self, listener: Listener) -> Wire {
        match listener {
            Listener::Plain => Wire::plain(self.world.http()).await,
            Listener::Tls => self.world.wire().await,
        }
    }

    /// A target on the route, in which `id` stands.
    pub fn target(&self, route: Route, id: &str) -> String {
        format!("{}/{id}", route.path())
    }

    /// The header that the route asks for, if it asks for one.
    pub fn credential(&self, route: Route) -> Vec<(Vec<u8>, Vec<u8>)> {
        let token = match route {
            Route::Public => return Vec::new(),
            Route::Protected | Route::WebSocket => &self.viewer.token,
            Route::Restricted => &self.world.administrator().token,
        };
        let value = format!("Bearer {token}");
        vec![(b"Authorization".to_vec(), value.into_bytes())]
    }

    /// The same as header lines, and those of a WebSocket.
    fn lines(&self, route: Route) -> Vec<u8> {
        let fields = self.credential(route).into_iter();
        let lines = fields.map(|(name, value)| [&name[..], b": ", &value, b"\r\n"].concat());
        let mut lines: Vec<u8> = lines.flatten().collect();
        if route == Route::WebSocket {
            lines.extend(UPGRADE);
        }
        lines
    }

    /// Puts the place into a row: `{path}`, `{auth}`, and for whole heads `{post}` and `{get}`.
    pub fn fill(&self, row: &[u8], place: Place, id: &str) -> Vec<u8> {
        let (path, auth) = (self.target(place.route, id), self.lines(place.route));
        let head = |method: &str| {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
            [head.as_bytes(), &auth].concat()
        };
        let mut filled = row.to_vec();
        for (name, text) in [
            ("{post}", head("POST")),
            ("{get}", head("GET")),
            ("{path}", path.clone().into_bytes()),
            ("{auth}", auth.clone()),
        ] {
            filled = replaced(&filled, name.as_bytes(), &text);
        }
        filled
    }

    /// Ends the gateway, and tells everything that arrived behind it.
    pub async fn end(&mut self) -> Kept {
        self.world.node_mut().stop().await;
        self.service.all().await
    }
}

const UPGRADE: &[u8] =
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn replaced(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        replaced.extend(&rest[..at]);
        replaced.extend(by);
        rest = &rest[at + what.len()..];
    }
    replaced.extend(rest);
    replaced
}

/// Fails with everything that went wrong, and says how much was tried.
#[track_caller]
pub fn verdict(table: &str, tries: usize, wrong: &[String], kept: &Kept) {
    tell(table, tries);
    let faults = kept.faults.iter();
    let faults: Vec<_> = faults
        .map(|fault| format!("the service was sent {fault}"))
        .collect();
    let all: Vec<_> = wrong.iter().chain(&faults).map(String::as_str).collect();
    assert!(
        all.is_empty(),
        "{} of {table}:\n{}",
        all.len(),
        all.join("\n")
    );
}

/// Says how much was tried: a table that tries nothing finds nothing.
#[expect(clippy::print_stdout, reason = "for whoever runs the tests")]
pub fn tell(table: &str, tries: usize) {
    println!("{table}: {tries} tries");
    assert!(tries > 0);
}

/// The one message in which `id` stands, or why there is none.
pub fn only<'a>(kept: &'a Kept, id: &'a str) -> Result<&'a Message, String> {
    let all: Vec<_> = kept.about(id).collect();
    match all[..] {
        [only] => Ok(only),
        _ => Err(format!("{} messages arrived", all.len())),
    }
}
