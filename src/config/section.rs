mod tables;

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

pub(super) use tables::Named;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Rate;
use super::mistake::{Kind, Mistake};
use super::suggest::did_you_mean;
use super::text::{Text, quoted};
use super::value::{Context, Value};

/// A table of the file. It remembers which keys were asked for: what is left when it ends is unknown.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) context: &'a Context<'a>,
    /// What stands before a key in messages: `[server] ` or `route "/reports": `.
    prefix: String,
    /// Its name in the file with `*` for what the operator names: `upstreams.*`.
    schema: String,
    /// Nothing when the section is not in the file.
    table: Option<&'a DeTable<'a>>,
    place: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The file as a whole.
    pub(super) const fn root(context: &'a Context<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            context,
            prefix: String::new(),
            schema: String::new(),
            table: Some(table),
            place: 0..0,
            asked: Vec::new(),
        }
    }

    /// Reads the section `key`, which may be left out: then every key in it has its default.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let name = self.path(key);
        // In a table that the operator named, messages say that name.
        let prefix = match self.prefix.strip_suffix("] ") {
            Some(parent) if name.contains('*') => format!("{parent}.{key}] "),
            _ => format!("[{name}] "),
        };
        let value = self.value(key);
        self.child(value, prefix, name).finish(read)
    }

    /// Reads the section `key` when it is there.
    pub(super) fn optional_section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        if self.has(key) {
            return Some(self.section(key, read));
        }
        self.asked.push(key);
        None
    }

    /// Whether `key` is in the file.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// The value of `key`, if it is in the file.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        let value = self.table?.get(key)?;
        Some(Value::new(self.context, self.subject(key), value))
    }

    /// The value of `key`, which must be there.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Value<'a>> {
        let value = self.value(key);
        // A section that is no table was reported as such.
        if value.is_none() && self.table.is_some() {
            self.missing(
                &format!("{key} is missing"),
                format!("add {key} = {example}"),
            );
        }
        value
    }

    /// The string of `key`.
    pub(super) fn text(&mut self, key: &'static str) -> Option<Text<'a>> {
        self.value(key)?.text()
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let value = self.value(key);
        value
            .and_then(|value| value.duration(bounds))
            .unwrap_or(default)
    }

    pub(super) fn size(
        &mut self,
        key: &'static str,
        default: usize,
        bounds: RangeInclusive<usize>,
    ) -> usize {
        let value = self.value(key);
        value
            .and_then(|value| value.size(bounds))
            .unwrap_or(default)
    }

    pub(super) fn count<T>(&mut self, key: &'static str, default: T, bounds: RangeInclusive<T>) -> T
    where
        T: TryFrom<u64> + PartialOrd + std::fmt::Display,
    {
        let value = self.value(key);
        value
            .and_then(|value| value.count(&bounds))
            .unwrap_or(default)
    }

    /// A share of a whole, in thousandths.
    pub(super) fn share(&mut self, key: &'static str, default: u32) -> u32 {
        let value = self.value(key);
        value.and_then(|value| value.share()).unwrap_or(default)
    }

    pub(super) fn rate(&mut self, key: &'static str, count: u32, per: Duration) -> Rate {
        let value = self.value(key);
        value
            .and_then(|value| value.rate())
            .unwrap_or(Rate { count, per })
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let value = self.value(key);
        value.and_then(|value| value.flag()).unwrap_or(default)
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        default: T,
        choices: &[(&str, T)],
    ) -> T {
        let value = self.value(key);
        value
            .and_then(|value| value.choice(choices))
            .unwrap_or(default)
    }

    /// The elements of the list `key`; nothing when it is left out.
    pub(super) fn list(&mut self, key: &'static str) -> Option<Vec<Value<'a>>> {
        self.value(key)?.list()
    }

    /// Reports, at the head of the section, that something is not there.
    pub(super) fn missing(&self, message: &str, way_out: impl Into<String>) {
        let message = format!("{}{message}", self.prefix);
        self.context.report(Mistake::new(
            Kind::Missing,
            self.place.clone(),
            message,
            way_out,
        ));
    }

    /// Reports at another place that something is not there.
    pub(super) fn missing_at(&self, place: Range<usize>, message: &str, way_out: &str) {
        let message = format!("{}{message}", self.prefix);
        self.context
            .report(Mistake::new(Kind::Missing, place, message, way_out));
    }

    /// Reports, at the key `key`, what is wrong with the section.
    pub(super) fn wrong_key(&self, key: &str, message: &str, way_out: &str) {
        let place = self.place_of(key).unwrap_or_else(|| self.place.clone());
        self.wrong_at(place, message, way_out);
    }

    /// Reports what is wrong at a place of the section.
    pub(super) fn wrong_at(&self, place: Range<usize>, message: &str, way_out: &str) {
        let message = format!("{}{message}", self.prefix);
        self.context
            .report(Mistake::new(Kind::Wrong, place, message, way_out));
    }

    /// Where the key `key` stands, if it is in the file.
    pub(super) fn place_of(&self, key: &str) -> Option<Range<usize>> {
        let (key, _) = self.table?.get_key_value(key)?;
        Some(key.span())
    }

    fn subject(&self, key: &str) -> String {
        if self.schema.is_empty() {
            return format!("[{key}]");
        }
        format!("{}{key}", self.prefix)
    }

    fn path(&self, key: &str) -> String {
        match self.schema.as_str() {
            "" => key.to_owned(),
            schema => format!("{schema}.{key}"),
        }
    }

    fn child(&self, value: Option<Value<'a>>, prefix: String, schema: String) -> Self {
        let place = value.as_ref().map_or(0..0, |value| value.place.clone());
        let table = value.and_then(|value| match value.value {
            DeValue::Table(table) => Some(table),
            _ => value.not("a table", "give it keys and values"),
        });
        Self {
            context: self.context,
            prefix,
            schema,
            table,
            place,
            asked: Vec::new(),
        }
    }

    /// Reads the section and reports every key that nobody asked for.
    pub(super) fn finish<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let read = read(&mut self);
        #[cfg(test)]
        self.context
            .known
            .borrow_mut()
            .extend(self.asked.iter().map(|key| self.path(key)));
        for (key, value) in self.table.into_iter().flat_map(DeTable::iter) {
            if !self.asked.contains(&key.get_ref().as_ref()) {
                self.unknown(key, value.get_ref());
            }
        }
        read
    }

    fn unknown(&self, key: &Spanned<std::borrow::Cow<'a, str>>, value: &DeValue<'a>) {
        let what = if value.is_table() { "section" } else { "key" };
        let name = quoted(key.get_ref());
        let meant = did_you_mean(key.get_ref(), self.asked.iter().copied());
        let message = format!("{}unknown {what} {name}{meant}", self.prefix);
        let way_out = format!("known here: {}", self.asked.join(", "));
        self.context
            .report(Mistake::new(Kind::Wrong, key.span(), message, way_out));
    }
}
