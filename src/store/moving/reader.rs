use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;

use super::{FORMAT, ImportError, Item, times};

/// Reads an export, item by item; each as it was in the store that it came from.
#[derive(Debug)]
pub struct ExportReader<R> {
    from: R,
    line: u64,
    items: u64,
    text: String,
    has_ended: bool,
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
