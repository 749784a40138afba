use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask::mask;

/// Everything that is wrong with a configuration, in the order of the file.
///
/// `Display` shows each mistake as a compiler would, without colours; it never shows a password.
#[derive(Debug, Clone)]
pub struct Mistakes {
    /// The name of the file, for the reader.
    name: String,
    /// The text of the file, with passwords masked.
    text: String,
    list: Vec<Mistake>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    place: Option<Range<usize>>,
    message: String,
    way_out: String,
    kind: Kind,
}

/// Whether mistakes are rendered with colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// For files, pipes and logs.
    Never,
    /// For a terminal: ANSI escapes.
    Ansi,
}

/// What a mistake rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The text is no TOML here.
    Syntax,
    /// What is written here is wrong.
    Wrong,
    /// Something is not written anywhere. Cannot be said of a file with syntax errors, since what
    /// follows such an error may have been lost.
    Missing,
}

impl Mistakes {
    /// Mistakes of the file `name` with this text; `None` when there are none worth telling.
    pub(super) fn collect(name: &str, text: &str, mut list: Vec<Mistake>) -> Option<Self> {
        let broken: Vec<usize> = list
            .iter()
            .filter(|mistake| mistake.kind == Kind::Syntax)
            .map(|mistake| line_start(text, mistake.start()))
            .collect();
        if !broken.is_empty() {
            list.retain(|mistake| match mistake.kind {
                Kind::Syntax => true,
                Kind::Wrong => !broken.contains(&line_start(text, mistake.start())),
                Kind::Missing => false,
            });
        }
        // A broken line tends to be broken in several ways; the first says enough.
        list.sort_by_key(Mistake::start);
        list.dedup_by(|later, earlier| {
            later.kind == Kind::Syntax
                && earlier.kind == Kind::Syntax
                && line_start(text, later.start()) == line_start(text, earlier.start())
        });
        (!list.is_empty()).then(|| Self {
            name: name.to_owned(),
            text: mask(text),
            list,
        })
    }

    /// The one mistake that the file `name` cannot be read at all.
    pub(super) fn whole_file(name: &str, message: String, way_out: impl Into<String>) -> Self {
        let mistake = Mistake {
            place: None,
            message,
            way_out: way_out.into(),
            kind: Kind::Wrong,
        };
        Self {
            name: name.to_owned(),
            text: String::new(),
            list: vec![mistake],
        }
    }

    /// Each mistake, in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Mistake> {
        self.list.iter()
    }

    /// Every mistake with its file, line and a caret under what is wrong.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Never => Renderer::plain(),
            Colour::Ansi => Renderer::styled(),
        };
        let rendered: Vec<String> = self
            .list
            .iter()
            .map(|mistake| renderer.render(&[mistake.report(&self.name, &self.text)]))
            .collect();
        rendered.join("\n\n")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colour::Never))
    }
}

impl std::error::Error for Mistakes {}

impl Mistake {
    pub(super) fn new(
        kind: Kind,
        place: Range<usize>,
        message: String,
        way_out: impl Into<String>,
    ) -> Self {
        Self {
            place: Some(place),
            message,
            way_out: way_out.into(),
            kind,
        }
    }

    /// What is wrong, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead; empty when the message says it.
    #[must_use]
    pub fn way_out(&self) -> &str {
        &self.way_out
    }

    fn start(&self) -> usize {
        self.place.as_ref().map_or(0, |place| place.start)
    }

    fn report<'a>(&'a self, name: &'a str, text: &'a str) -> Group<'a> {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let Some(place) = &self.place else {
            let group = title.element(Origin::path(name));
            return match self.way_out.as_str() {
                "" => group,
                way_out => group.element(Level::HELP.message(way_out)),
            };
        };
        let line = Line::of(text, place);
        let mark = AnnotationKind::Primary.span(line.mark);
        let mark = match self.way_out.as_str() {
            "" => mark,
            way_out => mark.label(way_out),
        };
        title.element(
            Snippet::source(line.text)
                .line_start(line.number)
                .path(name)
                .annotation(mark),
        )
    }
}

/// The line on which a place begins. Of a value over several lines only the first is shown.
struct Line<'a> {
    text: &'a str,
    number: usize,
    mark: Range<usize>,
}

impl<'a> Line<'a> {
    fn of(text: &'a str, place: &Range<usize>) -> Self {
        // An unexpected end is shown behind the last thing that is there.
        let start = text.floor_char_boundary(place.start.min(text.trim_end().len()));
        let begin = line_start(text, start);
        let rest = text.get(begin..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let from = (start - begin).min(line.len());
        let to = place.end.saturating_sub(begin).clamp(from, line.len());
        Self {
            text: line,
            number: text.get(..begin).unwrap_or_default().matches('\n').count() + 1,
            mark: line.floor_char_boundary(from)..line.ceil_char_boundary(to),
        }
    }
}

/// Where the line begins that holds the byte at `at`.
fn line_start(text: &str, at: usize) -> usize {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or_default();
    before.rfind('\n').map_or(0, |newline| newline + 1)
}
