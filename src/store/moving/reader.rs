use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, Item, times};
use crate::store::{OpenError, StoreError};

/// Reads an export, item by item; each as it was in the store that it came from.
#[derive(Debug)]
pub struct ExportReader<R> {
    from: R,
    line: u64,
    items: u64,
    text: String,
    has_ended: bool,
}

/// Why an export was not imported. Nothing of it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It begins with something else.
    #[error("it is no export: `store export` makes one")]
    Foreign,
    /// A newer version of the gateway wrote it.
    #[error(
        "it was written by a newer version of the gateway (format {found}, this one reads {FORMAT}): \
         import it with that version"
    )]
    Newer {
        /// Its format.
        found: u64,
    },
    /// A line of it is no item.
    #[error("line {line} of it cannot be read: mend or remove it, and count the last line anew")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Lines are missing, or there are too many.
    #[error(
        "it is not whole: it has {found} items, and says {said}; make it again, or mend its last line"
    )]
    Count {
        /// How many there are.
        found: u64,
        /// How many it says there are.
        said: u64,
    },
    /// It ends without saying so.
    #[error("it was cut short after line {line}: make it again")]
    CutShort {
        /// The last line.
        line: u64,
    },
    /// Something stands after its end.
    #[error("line {line} of it stands after its end")]
    AfterEnd {
        /// Which line, from 1.
        line: u64,
    },
    /// Two records of it stand for one and the same.
    #[error("two of its records have the same {what}: remove one of them")]
    Twice {
        /// What they share.
        what: String,
    },
    /// There is a store at the place to import to.
    #[error("{place} holds records already: import into an empty store")]
    Exists {
        /// Which store.
        place: String,
    },
    /// The new store's file cannot be written.
    #[error("the store cannot be put in its place")]
    File(#[from] OpenError),
    /// The store to import to cannot be asked.
    #[error("the store to import to failed")]
    Store(#[from] StoreError),
    /// The export cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

/// What a line may be.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Head { export: Head },
    End { end: End },
}

#[derive(Deserialize)]
struct Head {
    format: u64,
}

#[derive(Deserialize)]
struct End {
    items: u64,
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    ///
    /// [`ImportError`], here and with every item.
    pub fn begin(from: R) -> Result<Self, ImportError> {
        let mut reader = Self {
            from,
            line: 0,
            items: 0,
            text: String::new(),
            has_ended: false,
        };
        let head = reader.value().map_err(|error| match error {
            ImportError::Line { .. } => ImportError::Foreign,
            error => error,
        })?;
        match head.and_then(|head| Line::deserialize(head).ok()) {
            Some(Line::Head { export }) if export.format == FORMAT => Ok(reader),
            Some(Line::Head { export }) => Err(ImportError::Newer {
                found: export.format,
            }),
            _ => Err(ImportError::Foreign),
        }
    }

    /// The next line that has something on it; `None` where the file ends.
    fn value(&mut self) -> Result<Option<Value>, ImportError> {
        loop {
            self.text.clear();
            if self.from.read_line(&mut self.text)? == 0 {
                return Ok(None);
            }
            self.line = self.line.saturating_add(1);
            if !self.text.trim().is_empty() {
                let line = self.line;
                let value = serde_json::from_str(&self.text);
                return value
                    .map(Some)
                    .map_err(|source| ImportError::Line { line, source });
            }
        }
    }

    fn item(&mut self) -> Result<Option<Item>, ImportError> {
        let Some(mut value) = self.value()? else {
            return Err(ImportError::CutShort { line: self.line });
        };
        if let Ok(Line::End { end }) = Line::deserialize(&value) {
            return self.end(end.items).map(|()| None);
        }
        times::number(&mut value);
        let item = serde_json::from_value(value).map_err(|source| ImportError::Line {
            line: self.line,
            source,
        })?;
        self.items = self.items.saturating_add(1);
        Ok(Some(item))
    }

    fn end(&mut self, said: u64) -> Result<(), ImportError> {
        if said != self.items {
            let found = self.items;
            return Err(ImportError::Count { found, said });
        }
        match self.value() {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(ImportError::Line { .. }) => {
                Err(ImportError::AfterEnd { line: self.line })
            }
            Err(error) => Err(error),
        }
    }
}

/// The items; nothing follows an error.
impl<R: BufRead> Iterator for ExportReader<R> {
    type Item = Result<Item, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let item = self.item().transpose();
        self.has_ended = !matches!(item, Some(Ok(_)));
        item
    }
}
