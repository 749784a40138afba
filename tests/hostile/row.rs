//! Rows of raw bytes over HTTP/1.1, each tried in all places at once.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::timeout;

use crate::recorder::Kept;
use crate::stage::{Place, Route, Stage, only, verdict};
use crate::support::wire::{End, Wire};

/// An attack: what it is called, where it is known from, and its bytes; see [`Stage::fill`].
pub type Row = (&'static str, &'static str, &'static [u8]);

/// What becomes of the rows of a table.
#[derive(Debug, Clone, Copy)]
pub enum Wants {
    /// This refusal, and the connection closed; nothing reaches the service, nor what comes behind.
    Refused(u16, &'static str),
    /// This refusal, where it is clear what comes behind; the request itself reaches nobody.
    Denied(u16, &'static str),
    /// The message breaks off under the service's eyes, at most with a refusal, and the connection is
    /// closed; the service gets no whole request, nor what comes behind.
    Broken,
    /// One request with this body, and the next on the same connection is the next.
    Taken(&'static str),
}

/// How many tries go on at once: enough that one which waits holds up no other.
const AT_ONCE: usize = 24;

/// Below that of a single wait, so that a table tells all that went wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tries every row on all these routes behind every listener.
pub async fn try_all(table: &str, routes: &[Route], rows: &[Row], wants: Wants) {
    let mut stage = Stage::start().await;
    let tries = try_on(&mut stage, routes, rows, wants).await;
    let kept = stage.end().await;
    let wrong = judged(&tries, &kept);
    verdict(table, tries.len(), &wrong, &kept);
}

/// A try, and what the client saw of it.
pub struct Try {
    pub row: Row,
    pub place: Place,
    pub id: String,
    wants: Wants,
    seen: Result<(), String>,
}

/// Tries every row; what arrived is judged later.
pub async fn try_on(stage: &mut Stage, routes: &[Route], rows: &[Row], wants: Wants) -> Vec<Try> {
    let stage = &*stage;
    let tries = rows.iter().flat_map(|row| {
        let places = Place::all(routes).into_iter();
        places.map(move |place| (*row, place, stage.id()))
    });
    let tries = tries.map(|(row, place, id)| async move {
        let aim = Aim {
            stage,
            place,
            id: &id,
        };
        let bytes = aim.fill(row.2);
        let mut wire = stage.wire(place.listener).await;
        let seen = async {
            match wants {
                Wants::Refused(status, code) => {
                    refused(&aim, &mut wire, &bytes, (status, code)).await
                }
                Wants::Denied(status, code) => denied(&mut wire, &bytes, (status, code)).await,
                Wants::Broken => broken(&aim, &mut wire, &bytes).await,
                Wants::Taken(body) => taken(&aim, &mut wire, &bytes, body).await,
            }
        };
        let seen = timeout(PATIENCE, seen).await;
        let seen = seen.unwrap_or_else(|_| Err("nothing came of it".to_owned()));
        Try {
            row,
            place,
            id,
            wants,
            seen,
        }
    });
    stream::iter(tries)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// What went wrong, in the client's eyes and the service's.
pub fn judged(tries: &[Try], kept: &Kept) -> Vec<String> {
    let wrong = tries.iter().filter_map(|tried| {
        let arrived = tried.arrived(kept);
        let why = match (&tried.seen, arrived) {
            (Ok(()), Ok(())) => return None,
            (Err(seen), Ok(())) => seen.clone(),
            (Ok(()), Err(arrived)) => arrived,
            (Err(seen), Err(arrived)) => format!("{seen}; {arrived}"),
        };
        let (name, rule, _) = tried.row;
        Some(format!("{name} ({rule}), {}: {why}", tried.place))
    });
    wrong.collect()
}

impl Try {
    fn arrived(&self, kept: &Kept) -> Result<(), String> {
        match self.wants {
            Wants::Refused(..) | Wants::Denied(..) => match kept.about(&self.id).next() {
                Some(message) => Err(format!("it arrived: {}", message.text())),
                None => Ok(()),
            },
            Wants::Broken => {
                let mut whole = kept
                    .about(&self.id)
                    .filter(|message| message.is_whole || message.target.contains("smuggled"));
                whole.next().map_or(Ok(()), |message| {
                    Err(format!("it arrived whole: {}", message.text()))
                })
            }
            Wants::Taken(body) => {
                let next = format!("{}next", self.id);
                only(kept, &next)?;
                let all: Vec<_> = kept
                    .about(&self.id)
                    .filter(|message| !message.has(&next))
                    .collect();
                let [message] = all[..] else {
                    return Err(format!("{} messages arrived", all.len()));
                };
                if message.body != body.as_bytes() {
                    return Err(format!("another body arrived: {}", message.text()));
                }
                Ok(())
            }
        }
    }
}

/// Where a row is tried.
struct Aim<'a> {
    stage: &'a Stage,
    place: Place,
    id: &'a str,
}

async fn refused(
    aim: &Aim<'_>,
    wire: &mut Wire,
    bytes: &[u8],
    (status, code): (u16, &str),
) -> Result<(), String> {
    let smuggled = aim.smuggled();
    denied(wire, &[bytes, &smuggled].concat(), (status, code)).await?;
    closed(wire).await
}

async fn denied(wire: &mut Wire, bytes: &[u8], wanted: (u16, &str)) -> Result<(), String> {
    // The gateway may have refused and closed before everything is written.
    let _ = wire.try_send(bytes).await;
    let answer = wire.try_answer("GET").await;
    let answer = answer.map_err(|end| format!("no answer: {end:?}"))?;
    let is_problem = answer.headers.get("content-type") == Some("application/problem+json");
    if !is_problem {
        return Err(format!("answered {answer:?}"));
    }
    let (status, code) = answer.refusal();
    if (status, code.as_str()) != wanted {
        return Err(format!("answered {status} {code}"));
    }
    Ok(())
}

async fn broken(aim: &Aim<'_>, wire: &mut Wire, bytes: &[u8]) -> Result<(), String> {
    let smuggled = aim.smuggled();
    let _ = wire.try_send([bytes, &smuggled].concat()).await;
    let (answers, _) = wire.rest().await;
    let answers = String::from_utf8_lossy(&answers);
    let count = answers.matches("HTTP/1.1 ").count();
    let is_refusal = count == 0 || answers.starts_with("HTTP/1.1 4");
    if count > 1 || !is_refusal {
        return Err(format!("answered {answers:?}"));
    }
    Ok(())
}

async fn taken(aim: &Aim<'_>, wire: &mut Wire, bytes: &[u8], body: &str) -> Result<(), String> {
    wire.send(bytes).await;
    let answer = wire.try_answer("POST").await;
    let answer = answer.map_err(|end| format!("no answer: {end:?}"))?;
    if answer.status != 200 || answer.body != body {
        return Err(format!("answered {answer:?}"));
    }
    let next = aim.fill(b"GET {path}next HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n");
    wire.send(next).await;
    let answer = wire.try_answer("GET").await;
    let answer = answer.map_err(|end| format!("no second answer: {end:?}"))?;
    if answer.status != 200 || !answer.body.is_empty() {
        return Err(format!("the second was answered {answer:?}"));
    }
    Ok(())
}

impl Aim<'_> {
    fn fill(&self, row: &[u8]) -> Vec<u8> {
        self.stage.fill(row, self.place, self.id)
    }

    /// What stands behind each attack. Were it read as a request, the service would see it.
    fn smuggled(&self) -> Vec<u8> {
        self.fill(b"GET {path}smuggled HTTP/1.1\r\nHost: localhost\r\n{auth}\r\n")
    }
}

/// Nothing more comes, and the end is a clean one or a reset.
async fn closed(wire: &mut Wire) -> Result<(), String> {
    let (more, end) = wire.rest().await;
    if !more.is_empty() {
        return Err(format!("more came: {more:?}"));
    }
    match end {
        End::CloseNotify | End::Fin | End::Reset => Ok(()),
    }
}
