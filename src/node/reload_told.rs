use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::reload::Reloader;
use crate::config::{Change, Changes, Mistakes};
use crate::domain::Clock;
use crate::server::{Ask, Reload, Told};
use crate::telemetry::Metrics;
use crate::telemetry::audit::{Actor, Entry, Event};

/// Why a configuration was not applied.
#[derive(Debug)]
pub(super) struct Refused {
    /// Each mistake, in one line.
    mistakes: Vec<String>,
    /// All of them, as `check` shows them.
    shown: String,
}

/// What is told of reloads: to the log, the metrics and who asks.
#[derive(Debug, Clone)]
pub(super) struct Reloads(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    clock: Arc<dyn Clock>,
    generation: AtomicU64,
    applied: AtomicU64,
    refused: AtomicU64,
    /// When the configuration was read that holds, in seconds.
    at: AtomicU64,
}

/// What is said where nobody can say what happened.
const BROKEN: &str = "the gateway could not read its configuration again; its log says why";

impl Refused {
    pub(super) fn mistakes(mistakes: &Mistakes) -> Self {
        let line = |mistake: &crate::config::Mistake| match mistake.way_out() {
            "" => mistake.message().to_owned(),
            way_out => format!("{}: {way_out}", mistake.message()),
        };
        Self {
            mistakes: mistakes.iter().map(line).collect(),
            shown: mistakes.to_string(),
        }
    }

    /// Files that cannot be used, and what of `changes` needs a restart.
    pub(super) fn files(mut mistakes: Vec<String>, changes: &Changes) -> Self {
        let needs = |key: &&'static str| {
            format!(
                "{key} is another, which takes a restart: restart the gateway, or change it back"
            )
        };
        mistakes.extend(changes.fixed.iter().map(needs));
        Self {
            shown: mistakes.join("\n"),
            mistakes,
        }
    }

    pub(super) fn leaving() -> Self {
        Self::because("the gateway is shutting down")
    }

    fn because(why: &str) -> Self {
        Self {
            shown: why.to_owned(),
            mistakes: vec![why.to_owned()],
        }
    }
}

impl Reloads {
    /// The first configuration, read now.
    pub(super) fn begin(clock: Arc<dyn Clock>) -> Self {
        let this = Self(Arc::new(Counts {
            clock,
            generation: AtomicU64::new(1),
            applied: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            at: AtomicU64::new(0),
        }));
        this.note_time();
        this
    }

    pub(super) fn applied(&self, changes: &Changes) {
        self.note_time();
        self.0.applied.fetch_add(1, Ordering::Relaxed);
        let generation = self.0.generation.fetch_add(1, Ordering::Relaxed);
        let generation = generation.saturating_add(1);
        let changes: Vec<_> = changes.live.iter().map(ToString::to_string).collect();
        tracing::info!(
            generation,
            changes = changes.join(", "),
            "configuration reloaded"
        );
    }

    pub(super) fn refused(&self, refused: &Refused) {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            mistakes = refused.mistakes.join("; "),
            "configuration not reloaded; the one before holds"
        );
    }

    /// Adds what is measured of reloads.
    pub(super) fn measure(&self, metrics: &mut Metrics) {
        let counts = Arc::clone(&self.0);
        let help = "How many configurations this node has gone by, with the one that holds";
        let generation = move || counts.generation.load(Ordering::Relaxed);
        metrics.gauge("config_generation", help, generation);
        let counts = Arc::clone(&self.0);
        let help = "Reloads of the configuration, by what came of them";
        let words = vec!["applied", "refused"];
        metrics.counters_by_word("config_reloads", help, ("result", words), move |word| {
            let count = if word == 0 {
                &counts.applied
            } else {
                &counts.refused
            };
            count.load(Ordering::Relaxed)
        });
        let counts = Arc::clone(&self.0);
        let name = "config_last_reload_timestamp_seconds";
        let help = "When the configuration that holds was applied";
        metrics.gauge(name, help, move || counts.at.load(Ordering::Relaxed));
    }

    fn note_time(&self) {
        let now = u64::try_from(self.0.clock.now().as_secs()).unwrap_or(0);
        self.0.at.store(now, Ordering::Relaxed);
    }
}

impl Reloader {
    /// Answers the command line.
    pub(super) fn over_socket(self: &Arc<Self>) -> Reload {
        let reloader = Arc::clone(self);
        Arc::new(move |ask, request_id| {
            let reloader = Arc::clone(&reloader);
            // On a task of its own: it is done to its end even when who asked has gone away.
            let done = tokio::spawn(async move { reloader.answer(ask, &request_id).await });
            Box::pin(async move {
                done.await
                    .unwrap_or_else(|_| told(Err(Refused::because(BROKEN)), &json!(null)))
            })
        })
    }

    async fn answer(&self, ask: Ask, request_id: &str) -> Told {
        match ask {
            Ask::Apply => {
                let done = self.reload().await;
                audit(&done, request_id);
                told(done, &json!(self.parts.file))
            }
            Ask::Compare(file) => told(self.compare(&file).await, &json!(file)),
        }
    }
}

fn audit(done: &Result<Changes, Refused>, request_id: &str) {
    let mut fields: Vec<&'static str> = Vec::new();
    if let Ok(changes) = done {
        fields.extend(changes.live.iter().map(|change| change.section));
        fields.dedup();
    }
    let entry = Entry {
        event: match done {
            Ok(_) => Event::ConfigReloaded,
            Err(_) => Event::ConfigReloadRefused,
        },
        actor: Actor::Operator,
        subject: None,
        key: None,
        client: None,
        request_id,
        code: None,
        fields: &fields,
    };
    entry.write();
}

fn told(done: Result<Changes, Refused>, file: &Value) -> Told {
    let change = |change: &Change| json!({ "what": change.what, "how": change.how.as_str() });
    match done {
        Ok(changes) => Told {
            is_refused: false,
            json: json!({
                "file": file,
                "changes": changes.live.iter().map(change).collect::<Vec<_>>(),
                "restart": changes.fixed,
            }),
        },
        Err(refused) => Told {
            is_refused: true,
            json: json!({
                "file": file,
                "mistakes": refused.mistakes,
                "shown": refused.shown,
            }),
        },
    }
}
