//! The lines a process writes, kept as they come.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

use super::within;

/// The lines of one of a process's outputs, from its start on.
#[derive(Clone)]
pub struct Lines {
    all: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Lines {
    /// Reads lines on a thread of their own until the output ends.
    pub fn of(output: impl Read + Send + 'static) -> Self {
        let all = Arc::<Mutex<Vec<String>>>::default();
        let (told, count) = watch::channel(0);
        let kept = Arc::clone(&all);
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                kept.lock()
                    .push(String::from_utf8_lossy(&line).into_owned());
                told.send_modify(|count| *count += 1);
            }
        });
        Self { all, count }
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.all.lock().join("\n")
    }

    /// The JSON lines so far.
    pub fn json(&self) -> Vec<Value> {
        let all = self.all.lock();
        all.iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The first JSON line that `is_it` says yes to, already there or still to come.
    ///
    /// Nothing when the output ended without it.
    pub async fn find(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let mut count = self.count.clone();
        let mut seen = 0;
        let search = async {
            loop {
                let is_over = count.has_changed().is_err();
                let (found, read) = self.look_from(seen, &is_it);
                seen = read;
                if found.is_some() || is_over {
                    return found;
                }
                // An error means that the output has ended; the last lines are still to be looked at.
                let _ = count.changed().await;
            }
        };
        within(what, search).await
    }

    /// As [`Self::find`], and fails when the output ended without it.
    pub async fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        match self.find(what, is_it).await {
            Some(line) => line,
            None => panic!("the output ended without {what}:\n{}", self.text()),
        }
    }

    /// Waits until the output has ended.
    pub async fn ended(&self) {
        let ended = self.find("the end of the output", |_| false);
        assert!(ended.await.is_none());
    }

    fn look_from(&self, from: usize, is_it: impl Fn(&Value) -> bool) -> (Option<Value>, usize) {
        let all = self.all.lock();
        let found = all[from..]
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .find(is_it);
        (found, all.len())
    }
}
