use std::io::{self, Write};

use serde_json::Value;

use super::CliError;

/// Where results and messages go: tables or bare values for people, JSON for programs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    is_json: bool,
}

impl Output {
    pub(super) const fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// Writes a result, which is `json` for programs and `text` for people.
    pub(super) fn result(
        &self,
        json: &Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        let text = if self.is_json {
            json.to_string()
        } else {
            text()
        };
        print(text.trim_end_matches('\n'))
    }

    /// Says something to whoever sits there; programs are not spoken to.
    pub(super) fn say(&self, message: &str) {
        if !self.is_json {
            // There is nobody left to tell that this failed.
            let _ = writeln!(io::stderr(), "{message}");
        }
    }
}

/// Writes lines to standard output.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}

/// Columns as wide as their widest cell, two spaces apart.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(&head).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row.iter()) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["é", "1"], ["long", "2"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["A", "B"], &rows), "A     B\né     1\nlong  2\n");
    }
}
