use crate::http::{ApiError, FieldError};

/// The parameters after a path's `?`.
///
/// Those that the API knows are numbers and ids, which nobody percent-encodes; unknown ones are ignored.
#[derive(Debug)]
pub(super) struct Query<'a> {
    text: &'a str,
    wrong: Vec<FieldError>,
}

impl<'a> Query<'a> {
    pub(super) fn of(uri: &'a http::Uri) -> Self {
        Self {
            text: uri.query().unwrap_or_default(),
            wrong: Vec::new(),
        }
    }

    /// The value of `name` if it is there, and is right.
    pub(super) fn read<T, E: ToString>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let mut values = self.text.split('&').filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        });
        let value = values.next()?;
        let read = match values.next() {
            Some(_) => Err("must be given once".to_owned()),
            None => parse(value).map_err(|error| error.to_string()),
        };
        read.map_err(|message| {
            self.wrong.push(FieldError {
                field: name,
                message,
            });
        })
        .ok()
    }

    /// Refuses the request if any parameter was wrong.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(ApiError::invalid(self.wrong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u8, &'static str> {
        text.parse().map_err(|_| "must be a number")
    }

    #[test]
    fn parameters_are_found_and_unknown_ones_ignored() {
        let uri = "/users?x=1&limit=7&y".parse().unwrap();
        let mut query = Query::of(&uri);
        assert_eq!(query.read("limit", number), Some(7));
        assert_eq!(query.read("after", number), None);
        assert!(query.finish().is_ok());
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let uri = "/users?limit=many&after=1&after=2".parse().unwrap();
        let mut query = Query::of(&uri);
        assert_eq!(query.read("limit", number), None);
        assert_eq!(query.read("after", number), None);
        let fields = query.finish().unwrap_err().fields;
        let named: Vec<_> = fields.iter().map(|wrong| wrong.field).collect();
        assert_eq!(named, ["limit", "after"]);
    }
}
