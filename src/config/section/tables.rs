//! The tables of a section of which there may be many.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Section;
use crate::config::text::escaped;
use crate::config::value::Value;

/// One of the tables that the operator named.
pub(in crate::config) struct Named<'a> {
    pub(in crate::config) name: &'a str,
    /// Where the name stands.
    pub(in crate::config) key: Range<usize>,
    value: Value<'a>,
}

impl<'a> Section<'a> {
    /// The tables under `key` that the operator named, in the order of their names.
    pub(in crate::config) fn named(&mut self, key: &'static str) -> Vec<Named<'a>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let DeValue::Table(table) = value.value else {
            value.not::<()>("named sections", &format!("write [{key}.NAME]"));
            return Vec::new();
        };
        let named = |(name, table): (&'a Spanned<_>, _)| Named {
            name: AsRef::<Cow<'a, str>>::as_ref(name),
            key: name.span(),
            value: Value::new(
                self.context,
                format!("[{key}.{}]", escaped(name.get_ref())),
                table,
            ),
        };
        table.iter().map(named).collect()
    }

    /// Reads one of the tables that the operator named.
    pub(in crate::config) fn named_section<T>(
        &self,
        key: &str,
        named: Named<'a>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let prefix = format!("[{key}.{}] ", escaped(named.name));
        let schema = format!("{}.*", self.path(key));
        self.child(Some(named.value), prefix, schema).finish(read)
    }

    /// Reads each of the tables `[[key]]`. `title` says what messages call the one at a place of the list.
    pub(in crate::config) fn tables<T>(
        &mut self,
        key: &'static str,
        title: impl Fn(usize, &DeTable<'a>) -> String,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let schema = self.path(key);
        if value.value.is_table() {
            value.not::<()>("a list", &format!("write [[{schema}]], with two brackets"));
            return Vec::new();
        }
        let elements = value.list().unwrap_or_default();
        let section = |(index, mut element): (usize, Value<'a>)| {
            let title = match element.value {
                DeValue::Table(table) => title(index, table),
                _ => format!("{key} {}", index + 1),
            };
            element.subject.clone_from(&title);
            self.child(Some(element), format!("{title}: "), schema.clone())
                .finish(&mut read)
        };
        elements.into_iter().enumerate().map(section).collect()
    }

    /// Reads the table `key` of this section when it is there: one that messages tell of as a part of it.
    pub(in crate::config) fn part<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        let value = self.value(key)?;
        let prefix = format!("{}{key}: ", self.prefix);
        Some(self.child(Some(value), prefix, self.path(key)).finish(read))
    }

    /// Reads each of `elements`, the tables in the list `key` of this section.
    pub(in crate::config) fn elements<T>(
        &self,
        elements: Vec<Value<'a>>,
        key: &str,
        example: &str,
        mut read: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let section = |element: Value<'a>| {
            if !element.value.is_table() {
                element.not::<()>("a table", &format!("write {example}"));
                return None;
            }
            let child = self.child(Some(element), self.prefix.clone(), self.path(key));
            Some(child.finish(&mut read))
        };
        elements.into_iter().filter_map(section).collect()
    }
}
