use std::io::{self, Write};

use serde_json::{Value, json};

use super::{FORMAT, Item, times};
use crate::domain::Timestamp;

/// Writes an export, one line for each item.
#[derive(Debug)]
pub struct ExportWriter<W> {
    out: W,
    items: u64,
}

impl<W: Write> ExportWriter<W> {
    /// Begins an export of the store `from`, made at `now`.
    ///
    /// # Errors
    ///
    /// Whatever `out` answers, here and below.
    pub fn begin(mut out: W, from: &str, now: Timestamp) -> io::Result<Self> {
        let head = json!({ "export": {
            "format": FORMAT,
            "from": from,
            "made": now.to_rfc3339(),
        }});
        line(&mut out, &head)?;
        Ok(Self { out, items: 0 })
    }

    /// Adds an item.
    ///
    /// # Errors
    ///
    /// See [`Self::begin`].
    pub fn add(&mut self, item: &Item) -> io::Result<()> {
        let mut value = serde_json::to_value(item)?;
        times::spell(&mut value);
        self.items = self.items.saturating_add(1);
        line(&mut self.out, &value)
    }

    /// Says that this was all, and gives back what it wrote to and how many items there were.
    ///
    /// # Errors
    ///
    /// See [`Self::begin`].
    pub fn end(mut self) -> io::Result<(W, u64)> {
        line(&mut self.out, &json!({ "end": { "items": self.items } }))?;
        self.out.flush()?;
        Ok((self.out, self.items))
    }
}

fn line(out: &mut impl Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
