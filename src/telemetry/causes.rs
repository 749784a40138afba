use std::error::Error;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines of a JSON formatter, and in them the causes of each error: those of the field `error` are
/// `error.sources`, the outermost first. The formatter for people writes them by itself, that for JSON only
/// what an error says of its own.
#[derive(Debug)]
pub(super) struct WithCauses<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for WithCauses<F>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut causes = Causes::default();
        event.record(&mut causes);
        if causes.fields.is_empty() {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        match line.strip_suffix("}\n") {
            Some(fields) => writeln!(writer, "{fields}{}}}", causes.fields),
            None => writer.write_str(&line),
        }
    }
}

/// The causes of an event's errors as further fields of its line.
#[derive(Debug, Default)]
struct Causes {
    fields: String,
}

impl Visit for Causes {
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let causes: Vec<_> = causes_of(error).map(ToString::to_string).collect();
        if !causes.is_empty() {
            let causes = serde_json::Value::from(causes);
            self.fields
                .push_str(&format!(",\"{}.sources\":{causes}", field.name()));
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

/// An error and what is beneath it, in one line.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    causes_of(error).fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn causes_of<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Layer {
        words: &'static str,
        source: Option<Box<Self>>,
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The line that is written, as JSON.
    fn written(write: impl FnOnce()) -> Value {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .map_event_format(WithCauses)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, write);
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn error(words: &[&'static str]) -> Layer {
        let (&words, beneath) = words.split_first().unwrap();
        let source = (!beneath.is_empty()).then(|| Box::new(error(beneath)));
        Layer { words, source }
    }

    #[test]
    fn every_cause_of_an_error_is_in_its_line() {
        let error = error(&["not sent", "broken \"off\"\n}", "no route"]);

        let line = written(|| {
            let error = &error as &dyn Error;
            tracing::warn!(error, upstream = "reports", "upstream gave no answer");
        });

        assert_eq!(line["error"], "not sent");
        assert_eq!(
            line["error.sources"],
            json!(["broken \"off\"\n}", "no route"])
        );
        assert_eq!(line["upstream"], "reports");
        assert_eq!(line["message"], "upstream gave no answer");
    }

    #[test]
    fn an_error_without_causes_and_a_line_without_an_error_are_as_they_were() {
        let alone = error(&["not sent"]);
        let line = written(|| tracing::warn!(error = &alone as &dyn Error, "failed"));
        assert_eq!(line["error"], "not sent");
        assert!(line.get("error.sources").is_none());

        let line = written(|| tracing::info!(error = "a word", "ready"));
        assert_eq!(line["error"], "a word");
        assert!(line.get("error.sources").is_none());
    }
}
