use std::cell::RefCell;
use std::fmt::{self, Display};
use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::mistake::{Kind, Mistake};
use super::quantity::{self, Bytes, Span};
use super::suggest::did_you_mean;
use super::text::Text;
use super::{Environment, Rate};

/// What reading one file rests on, and the mistakes found so far.
pub(super) struct Context<'a> {
    /// The folder that relative paths start from.
    pub(super) base: &'a Path,
    /// What `${NAME}` stands for.
    pub(super) env: &'a Environment,
    text: &'a str,
    mistakes: RefCell<Vec<Mistake>>,
    /// Every key that was asked for, so that a test can hold the documents against it.
    #[cfg(test)]
    pub(super) known: RefCell<std::collections::BTreeSet<String>>,
}

impl<'a> Context<'a> {
    pub(super) const fn new(text: &'a str, base: &'a Path, env: &'a Environment) -> Self {
        Self {
            base,
            env,
            text,
            mistakes: RefCell::new(Vec::new()),
            #[cfg(test)]
            known: RefCell::new(std::collections::BTreeSet::new()),
        }
    }

    pub(super) fn report(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Reports what is wrong at a place.
    pub(super) fn report_wrong(&self, place: Range<usize>, message: String, way_out: &str) {
        self.report(Mistake::new(Kind::Wrong, place, message, way_out));
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(..)")
    }
}

/// A value of the file that still has to be understood. Each reading either succeeds or reports a mistake.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    pub(super) context: &'a Context<'a>,
    /// What messages call it: `[server] listen` or `route "/reports": upstream`.
    pub(super) subject: String,
    pub(super) value: &'a DeValue<'a>,
    pub(super) place: Range<usize>,
}

impl<'a> Value<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        subject: String,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Self {
        Self {
            context,
            subject,
            value: value.get_ref(),
            place: value.span(),
        }
    }

    /// A string.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        self.text_or("write it in quotes")
    }

    /// A duration within `bounds`.
    pub(super) fn duration(&self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let bounds = Span(*bounds.start())..=Span(*bounds.end());
        self.quantity("a duration", quantity::DURATION, |text| {
            quantity::duration(text).map(Span)
        })
        .filter(|span| self.within(span, &bounds))
        .map(|span| span.0)
    }

    /// A number of bytes within `bounds`.
    pub(super) fn size(&self, bounds: RangeInclusive<usize>) -> Option<usize> {
        let bounds = Bytes(*bounds.start())..=Bytes(*bounds.end());
        self.quantity("a size", quantity::SIZE, |text| {
            quantity::size(text).map(Bytes)
        })
        .filter(|bytes| self.within(bytes, &bounds))
        .map(|bytes| bytes.0)
    }

    /// So many in a span.
    pub(super) fn rate(&self) -> Option<Rate> {
        let rate = self.quantity("a rate", quantity::RATE, quantity::rate)?;
        let spans = Span(Duration::from_secs(1))..=Span(Duration::from_secs(30 * 86_400));
        if !(1..=1_000_000).contains(&rate.count) {
            self.wrong("must begin with 1 to 1000000", quantity::RATE);
            return None;
        }
        if !spans.contains(&Span(rate.per)) {
            let range = format!("must be per {} to {}", spans.start(), spans.end());
            self.wrong(range, quantity::RATE);
            return None;
        }
        Some(rate)
    }

    /// A whole number within `bounds`. One from the environment stands in quotes.
    pub(super) fn count<T>(&self, bounds: &RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let (digits, radix) = match self.value {
            DeValue::Integer(integer) => (integer.as_str().to_owned(), integer.radix()),
            DeValue::String(_) => (self.substituted("a whole number")?, 10),
            _ => return self.not("a whole number", "write it in digits, without quotes"),
        };
        let number = u64::from_str_radix(&digits, radix).ok();
        let number = number.and_then(|number| T::try_from(number).ok());
        if let Some(number) = number.filter(|number| bounds.contains(number)) {
            return Some(number);
        }
        self.wrong(range(bounds), "");
        None
    }

    /// A share of a whole, in thousandths. One from the environment stands in quotes.
    pub(super) fn share(&self) -> Option<u32> {
        let written = match self.value {
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Integer(integer) => integer.as_str().to_owned(),
            DeValue::String(_) => self.substituted("a share")?,
            _ => return self.not("a share", "write a number from 0.0 to 1.0"),
        };
        let share = quantity::thousandths(&written).filter(|share| *share <= 1_000);
        if share.is_none() {
            self.wrong(
                "must be 0.0 to 1.0, with three digits behind the point at the most",
                "",
            );
        }
        share
    }

    /// True or false. One from the environment stands in quotes.
    pub(super) fn flag(&self) -> Option<bool> {
        let word = match self.value {
            DeValue::Boolean(flag) => return Some(*flag),
            DeValue::String(_) => self.substituted("true or false")?,
            _ => return self.not("true or false", "write true or false, without quotes"),
        };
        match word.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => self.not("true or false", "write true or false"),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let listed = format!("write {}", one_of(&words));
        let text = self.text_or(&listed)?;
        let chosen = choices.iter().find(|(word, _)| *word == text.as_str());
        if chosen.is_none() {
            let meant = did_you_mean(text.written(), words.iter().copied());
            text.wrong(format!("is not known{meant}"), listed);
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// The elements of a list. A text alone is no list, so that a second one has its place.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            return self.not("a list", "write it in [ ]");
        };
        let element = |value| Self::new(self.context, self.subject.clone(), value);
        Some(array.iter().map(element).collect())
    }

    /// Reports that this is wrong: `[server] workers …`.
    pub(super) fn wrong(&self, predicate: impl Display, way_out: impl Into<String>) {
        self.report(Kind::Wrong, self.place.clone(), predicate, way_out);
    }

    /// Reports that something is not there which this needs.
    pub(super) fn missing(&self, predicate: impl Display, way_out: impl Into<String>) {
        self.report(Kind::Missing, self.place.clone(), predicate, way_out);
    }

    /// Reports that this is wrong where `needle` stands in it.
    pub(super) fn wrong_at(
        &self,
        needle: &str,
        predicate: impl Display,
        way_out: impl Into<String>,
    ) {
        let written = self
            .context
            .text
            .get(self.place.clone())
            .unwrap_or_default();
        let place = written
            .match_indices(needle)
            .find(|(at, _)| !written.get(..*at).is_some_and(|head| head.ends_with('$')))
            .map_or(self.place.clone(), |(at, _)| {
                let start = self.place.start + at;
                start..start + needle.len()
            });
        self.report(Kind::Wrong, place, predicate, way_out);
    }

    fn report(
        &self,
        kind: Kind,
        place: Range<usize>,
        predicate: impl Display,
        way_out: impl Into<String>,
    ) {
        let message = format!("{} {predicate}", self.subject);
        self.context
            .report(Mistake::new(kind, place, message, way_out));
    }

    /// Reports that this is of another kind.
    pub(super) fn not<T>(&self, expected: &str, way_out: &str) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(format!("must be {expected}, not {found}"), way_out);
        None
    }

    fn text_or(&self, way_out: &str) -> Option<Text<'a>> {
        match self.value {
            DeValue::String(written) => Text::new(self.clone(), written),
            _ => self.not("a text", way_out),
        }
    }

    fn quantity<T>(
        &self,
        kind: &str,
        way_out: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let DeValue::String(_) = self.value else {
            return self.not(kind, way_out);
        };
        let text = self.text()?;
        let parsed = parse(text.as_str());
        if parsed.is_none() {
            text.wrong(format!("is not {kind}"), way_out);
        }
        parsed
    }

    /// What the environment says. A text that does not come from there should have no quotes.
    fn substituted(&self, expected: &str) -> Option<String> {
        let text = self.text()?;
        if !text.is_substituted() {
            return self.not(expected, "write it without quotes");
        }
        Some(text.as_str().trim().to_owned())
    }

    fn within<T: PartialOrd + Display>(&self, value: &T, bounds: &RangeInclusive<T>) -> bool {
        let within = bounds.contains(value);
        if !within {
            self.wrong(range(bounds), "");
        }
        within
    }
}

fn range<T: Display>(bounds: &RangeInclusive<T>) -> String {
    format!("must be {} to {}", bounds.start(), bounds.end())
}

/// `"text" or "json"`
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    quoted.join(" or ")
}
