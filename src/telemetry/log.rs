use tracing_subscriber::{EnvFilter, reload};

use super::LineFormat;
use super::causes::WithCauses;

/// The log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operator's filter cannot be read.
    #[error(
        "log level {level:?} cannot be read; write error, warn, info, debug, or a list such as info,audit=off"
    )]
    Filter {
        /// What was written.
        level: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else logs in this process already.
    #[error("the log was started twice")]
    Started,
}

/// How much the log says, which can be changed while it is written.
pub struct LogLevel(Box<dyn Fn(EnvFilter) + Send + Sync>);

impl LogLevel {
    /// Says as much as `level` wants from now on.
    ///
    /// # Errors
    ///
    /// [`LogError::Filter`]; then nothing has changed.
    pub fn set(&self, level: &str) -> Result<(), LogError> {
        (self.0)(filter(level)?);
        Ok(())
    }
}

impl std::fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogLevel").finish_non_exhaustive()
    }
}

/// Sends life-cycle, fault and audit lines to standard error, as `format` and `level` say.
///
/// # Errors
///
/// [`LogError`]
pub fn start_log(format: LineFormat, level: &str) -> Result<LogLevel, LogError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(level)?)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let (started, level) = match format {
        LineFormat::Text => {
            let lines = lines.with_filter_reloading();
            let level = changing(lines.reload_handle());
            (lines.try_init(), level)
        }
        LineFormat::Json => {
            let lines = lines.json().flatten_event(true);
            let lines = lines.map_event_format(WithCauses).with_filter_reloading();
            let level = changing(lines.reload_handle());
            (lines.try_init(), level)
        }
    };
    started.map_err(|_| LogError::Started)?;
    Ok(level)
}

fn changing<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> LogLevel {
    LogLevel(Box::new(move |filter| {
        // It fails once nobody logs any more.
        let _ = handle.reload(filter);
    }))
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    // Audit lines are no matter of how much an operator wants to read, unless they say so.
    let mut wanted = level.to_owned();
    if !level.contains("audit") {
        wanted.push_str(",audit=info");
    }
    // It warns of every frame that a client should not have sent.
    if !level.contains("h2") {
        wanted.push_str(",h2=error");
    }
    EnvFilter::try_new(wanted).map_err(|source| LogError::Filter {
        level: level.to_owned(),
        source,
    })
}
