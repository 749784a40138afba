use tracing_subscriber::EnvFilter;

use super::section::Section;
use super::suggest::did_you_mean;
use super::text::Text;

/// `[logging]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `format` (`text`)
    pub format: LogFormat,
    /// `level` of life-cycle and fault lines (`info`), as `tracing_subscriber::EnvFilter` reads it.
    pub level: String,
    /// `access` lines, one a request (true).
    pub access: bool,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Logging {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let level = section.text("level").and_then(|text| level(&text));
        Self {
            format: section.choice(
                "format",
                LogFormat::Text,
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            ),
            level: level.unwrap_or_else(|| "info".to_owned()),
            access: section.flag("access", true),
        }
    }
}

/// A level, or several for parts of the program. The filter takes any other word for the name of a
/// part, and would trace it.
fn level(text: &Text<'_>) -> Option<String> {
    let level = text.as_str();
    let plain = !level.contains(['=', ',', '[']);
    if (plain && !LEVELS.contains(&level)) || EnvFilter::try_new(level).is_err() {
        let meant = did_you_mean(text.written(), LEVELS);
        text.wrong(
            format!("is not a level{meant}"),
            format!(
                "write one of {}, or such as \"info,h2=warn\"",
                LEVELS.join(", ")
            ),
        );
        return None;
    }
    Some(level.to_owned())
}
