//! From headers to an admission.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use dariet_gateway::auth::{Admitted, Authenticator, HasMethod, KeyRing, SigningKey, Tokens};
use dariet_gateway::config::Algorithm;
use dariet_gateway::domain::{
    ApiKey, Email, KeyName, ManualClock, Role, SessionToken, Timestamp, UserId, UserName,
};
use dariet_gateway::http::{Credential, read_credential};
use dariet_gateway::store::{Embedded, KeyRecord, Store, UserRecord};
use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use super::request::config;
use super::{Result, case};

const TIMES: u32 = 1000;
/// Signatures are so dear that a few of them do.
const COLD_TIMES: u32 = 50;
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn cases() -> Result {
    let folder = tempfile::tempdir()?;
    let store = Embedded::open(&folder.path().join("gateway.db"))?;
    let (user, key) = made(store.as_ref())?;
    let ring = KeyRing::single(SigningKey::generate(Algorithm::EdDsa)?)?;
    let tokens = Arc::new(Tokens::new(ring, "a", "a", HOUR));
    let issue = || Ok(tokens.issue(user, 1, NOW)?.token);
    let token: SessionToken = issue()?;
    let cold: Vec<SessionToken> = (0..=COLD_TIMES).map(|_| issue()).collect::<Result<_>>()?;
    let (ledger, clock) = (Arc::default(), Arc::new(ManualClock::at(NOW)));
    let authenticator = Authenticator::new(store, ledger, Arc::clone(&tokens), clock);

    look_up("session in the cache", TIMES, &authenticator, &mut || {
        Credential::Session(token.expose())
    })?;
    look_up("API key in the cache", TIMES, &authenticator, &mut || {
        Credential::ApiKey(key.expose())
    })?;
    let mut cold = cold.iter();
    look_up(
        "session for the first time",
        COLD_TIMES,
        &authenticator,
        &mut || Credential::Session(cold.next().map_or("", SessionToken::expose)),
    )?;
    admission(&authenticator, &token)
}

fn look_up<'a>(
    name: &str,
    times: u32,
    authenticator: &Authenticator,
    credential: &mut dyn FnMut() -> Credential<'a>,
) -> Result {
    let mut refused = 0;
    case(name, times, &mut || {
        // The embedded store answers at once, so nothing is waited for.
        let admitted = authenticator.admit(black_box(credential())).now_or_never();
        refused += u32::from(!matches!(admitted, Some(Ok(_))));
    })?;
    if refused > 0 {
        return Err(format!("{name}: {refused} refused").into());
    }
    Ok(())
}

/// A request whose credential the cache knows, on a route with rules.
fn admission(authenticator: &Authenticator, token: &SessionToken) -> Result {
    let route = "[upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n[[routes]]\npath = \"/\"\nupstream = \"a\"\n\
        allow = [{ role = \"admin\" }, { role = \"viewer\", methods = [\"GET\", \"HEAD\"] }]\n";
    let config = config(route)?;
    let access = &config.routes.first().ok_or("no route")?.access;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {}", token.expose()).parse()?);
    let mut refused = 0;
    case("admission", TIMES, &mut || {
        let admitted = admit(authenticator, access, black_box(&headers));
        refused += u32::from(black_box(admitted).is_none());
    })?;
    if refused > 0 {
        return Err(format!("admission: {refused} refused").into());
    }
    Ok(())
}

fn admit(
    authenticator: &Authenticator,
    access: &dariet_gateway::config::Access,
    headers: &HeaderMap,
) -> Option<Admitted<Get>> {
    let found = read_credential(headers, false).ok()??;
    let admission = authenticator.admit(found.credential).now_or_never()?;
    Admitted::by_admission(access, admission.ok()?, Get).ok()
}

/// A request as far as rules look at it.
#[derive(Debug)]
struct Get;

impl HasMethod for Get {
    fn method(&self) -> &Method {
        &Method::GET
    }
}

/// A user and a key of theirs.
fn made(store: &Embedded) -> Result<(UserId, ApiKey)> {
    let (email, name) = (
        Email::parse("ada@example.com")?,
        UserName::parse("Ada Lovelace")?,
    );
    let user = UserRecord::new(email, name, Role::Viewer, NOW);
    let key = ApiKey::from_random(&[1; 20]);
    let record = KeyRecord::new(&key, user.id, KeyName::parse("ci")?, NOW);
    let id = user.id;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let _ = runtime.block_on(async {
        let _ = store.create_user(user).await?;
        store.create_key(record, None, 9).await
    })?;
    Ok((id, key))
}
