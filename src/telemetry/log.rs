use tracing_subscriber::EnvFilter;

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

/// Sends life-cycle, fault and audit lines to standard error, as `format` and `level` say.
///
/// # Errors
///
/// [`LogError`]
pub fn start_log(format: LineFormat, level: &str) -> Result<(), LogError> {
    // Audit lines are no matter of how much an operator wants to read, unless they say so.
    let wanted = if level.contains("audit") {
        level.to_owned()
    } else {
        format!("{level},audit=info")
    };
    let filter = EnvFilter::try_new(wanted).map_err(|source| LogError::Filter {
        level: level.to_owned(),
        source,
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    let started = match format {
        LineFormat::Text => lines.try_init(),
        LineFormat::Json => {
            let lines = lines.json().flatten_event(true);
            lines.map_event_format(WithCauses).try_init()
        }
    };
    started.map_err(|_| LogError::Started)
}
