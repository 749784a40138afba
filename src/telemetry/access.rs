use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::{Line, LineFormat, field};
use crate::domain::Timestamp;

/// Where access lines go: to a thread that writes them, never in a request's way.
#[derive(Debug, Clone)]
pub struct AccessLog {
    writer: Option<SyncSender<Vec<u8>>>,
    spare: Spare,
    format: LineFormat,
    dropped: Arc<AtomicU64>,
}

/// Buffers that were written, to be filled again: memory that is known to the processor's caches.
#[derive(Debug, Clone, Default)]
struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

/// The thread that writes access lines; it ends when the last [`AccessLog`] and buffer are gone.
#[derive(Debug)]
pub struct AccessWriter(Option<JoinHandle<()>>);

/// The access lines of one worker, gathered so that writing many costs as little as writing one.
#[derive(Debug)]
pub struct AccessBuffer {
    lines: RefCell<Vec<u8>>,
    /// The second that is being written, and how it reads: to write it anew for each line would cost
    /// more than the rest of it.
    second: RefCell<(i64, String)>,
    log: AccessLog,
}

/// Handed to the writer when it has grown to this, or when [`AccessBuffer::flush`] is called.
const BUFFER_BYTES: usize = 64 * 1024;
/// Buffers that may wait for a slow disk or pipe; beyond it lines are dropped and counted.
const WAITING_BUFFERS: usize = 128;
const SPARE_BUFFERS: usize = 4;
/// How long the writer lets buffers gather after it has written some: to wake it for each would cost a
/// busy worker more than the writing.
const GATHER: Duration = Duration::from_millis(10);

impl AccessLog {
    /// Starts a thread that writes to standard output.
    ///
    /// # Errors
    ///
    /// When the system has no more threads.
    pub fn start(format: LineFormat) -> io::Result<(Self, AccessWriter)> {
        let (sender, receiver) = sync_channel(WAITING_BUFFERS);
        let spare = Spare::default();
        let written = spare.clone();
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(&receiver, &written))?;
        let log = Self {
            writer: Some(sender),
            spare,
            format,
            dropped: Arc::default(),
        };
        Ok((log, AccessWriter(Some(thread))))
    }

    /// A log that writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self {
            writer: None,
            spare: Spare::default(),
            format: LineFormat::Text,
            dropped: Arc::default(),
        }
    }

    /// A buffer for one worker.
    #[must_use]
    pub fn buffer(&self) -> AccessBuffer {
        AccessBuffer {
            lines: RefCell::default(),
            second: RefCell::new((i64::MIN, String::new())),
            log: self.clone(),
        }
    }

    /// How many buffers of lines were dropped, because nobody took them in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl AccessBuffer {
    /// Writes one line of `now`; `fields` adds what is in it.
    pub fn line(&self, now: Timestamp, fields: impl FnOnce(&mut Line<'_>)) {
        if self.log.writer.is_none() {
            return;
        }
        let mut lines = self.lines.borrow_mut();
        let mut line = Line::begin(&mut lines, self.log.format);
        self.timestamp(&mut line, now);
        fields(&mut line);
        line.end();
        let is_full = lines.len() >= BUFFER_BYTES;
        drop(lines);
        if is_full {
            self.flush();
        }
    }

    fn timestamp(&self, line: &mut Line<'_>, now: Timestamp) {
        let mut second = self.second.borrow_mut();
        if second.0 != now.as_secs() {
            *second = (now.as_secs(), format!("{now}Z"));
        }
        line.word(field!("timestamp"), &second.1);
    }

    /// Hands what was gathered to the writer.
    pub fn flush(&self) {
        let Some(writer) = &self.log.writer else {
            return;
        };
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            return;
        }
        let lines = std::mem::replace(&mut *lines, self.log.spare.take());
        if let Err(TrySendError::Full(_)) = writer.try_send(lines) {
            self.log.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for AccessBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

impl AccessWriter {
    /// Waits until every line is written. Every [`AccessLog`] and buffer must be gone by then.
    pub fn join(mut self) {
        if let Some(thread) = self.0.take() {
            // It does not panic; were it to, there is nothing left to save.
            let _ = thread.join();
        }
    }
}

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.0.lock().pop().unwrap_or_default()
    }

    /// Keeps a buffer, unless there are enough or it has grown beyond what lines commonly take.
    fn put(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.0.lock();
        if buffers.len() < SPARE_BUFFERS && buffer.capacity() <= 2 * BUFFER_BYTES {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}

fn write_all(buffers: &Receiver<Vec<u8>>, spare: &Spare) {
    for first in buffers {
        for lines in std::iter::once(first).chain(buffers.try_iter()) {
            // Held no longer than for this: the command line prints too.
            let mut out = io::stdout().lock();
            // A reader that went away is no reason to stop serving.
            let _ = out.write_all(&lines);
            let _ = out.flush();
            drop(out);
            spare.put(lines);
        }
        rest();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the writer has a thread of its own, and nobody waits for it"
)]
fn rest() {
    std::thread::sleep(GATHER);
}
