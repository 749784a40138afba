use crate::config::pattern;
use crate::config::section::Section;

/// `strip_prefix` and `add_prefix`: how the path that an upstream gets differs from the client's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// `strip_prefix`: taken from the beginning, in normal form without a slash at the end; empty,
    /// nothing is. The route's own path begins with it.
    pub strip: String,
    /// `add_prefix`: put before what is left, in the same form.
    pub add: String,
}

impl Rewrite {
    /// Reads it, for a route whose path is `path`.
    pub(super) fn read(section: &mut Section<'_>, path: Option<&str>) -> Self {
        let strip = section.text("strip_prefix").and_then(|text| {
            let strip = pattern::prefix(&text)?;
            if path.is_some_and(|path| !pattern::is_below(path, &strip)) {
                text.wrong(
                    "does not begin the route's path, so it could never be stripped",
                    "write the route's path, or a beginning of it",
                );
            }
            Some(strip)
        });
        let add = section.text("add_prefix");
        Self {
            strip: strip.unwrap_or_default(),
            add: add
                .and_then(|text| pattern::prefix(&text))
                .unwrap_or_default(),
        }
    }

    /// Whether the upstream gets the path as it is.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.strip.is_empty() && self.add.is_empty()
    }
}
