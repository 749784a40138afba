use zeroize::Zeroizing;

use super::members::{Member, Members};
use crate::domain::Password;
use crate::http::{ApiError, FieldError};

/// Takes the fields of a body one after the other, and gathers what is wrong with any of them.
///
/// A field that nobody takes is ignored. `null` is as if not given.
pub(super) struct Fields {
    members: Members,
    wrong: Vec<FieldError>,
}

impl Fields {
    pub(super) const fn of(members: Members) -> Self {
        Self {
            members,
            wrong: Vec::new(),
        }
    }

    /// A field that must be there.
    pub(super) fn required<T, E: ToString>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.required_text(field)?;
        self.parsed(field, &text, parse)
    }

    /// A field that may be left out.
    pub(super) fn optional<T, E: ToString>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(field)?;
        self.parsed(field, &text, parse)
    }

    /// A text that must be there, exactly as typed.
    pub(super) fn required_text(&mut self, field: &'static str) -> Option<Zeroizing<String>> {
        let before = self.wrong.len();
        let text = self.text(field);
        if text.is_none() && self.wrong.len() == before {
            self.reject(field, "must be given");
        }
        text
    }

    /// A password that must be there.
    pub(super) fn required_password(&mut self, field: &'static str) -> Option<Password> {
        self.required_text(field).map(password)
    }

    /// A password that may be left out.
    pub(super) fn password(&mut self, field: &'static str) -> Option<Password> {
        self.text(field).map(password)
    }

    /// A flag that may be left out.
    pub(super) fn flag(&mut self, field: &'static str) -> Option<bool> {
        match self.members.take(field)? {
            Member::Flag(flag) => Some(flag),
            Member::Null | Member::Text(_) | Member::Other => {
                self.reject(field, "must be true or false");
                None
            }
        }
    }

    /// A field that nobody may change: another value than the record's is wrong.
    pub(super) fn read_only(&mut self, field: &'static str, is_same: impl FnOnce(&str) -> bool) {
        let same = match self.members.take(field) {
            None => true,
            Some(Member::Text(text)) => is_same(&text),
            Some(_) => false,
        };
        if !same {
            self.reject(field, "cannot be changed; leave it out");
        }
    }

    /// Notes that a field is wrong.
    pub(super) fn reject(&mut self, field: &'static str, message: impl Into<String>) {
        self.wrong.push(FieldError {
            field,
            message: message.into(),
        });
    }

    /// Refuses the body if any field was wrong.
    pub(super) fn finish(&mut self) -> Result<(), ApiError> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(self.refusal())
    }

    /// The refusal that names every field that was wrong.
    pub(super) fn refusal(&mut self) -> ApiError {
        ApiError::invalid(std::mem::take(&mut self.wrong))
    }

    fn text(&mut self, field: &'static str) -> Option<Zeroizing<String>> {
        match self.members.take(field)? {
            Member::Text(text) => Some(text),
            Member::Null | Member::Flag(_) | Member::Other => {
                self.reject(field, "must be a string");
                None
            }
        }
    }

    fn parsed<T, E: ToString>(
        &mut self,
        field: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text)
            .map_err(|error| self.reject(field, error.to_string()))
            .ok()
    }
}

fn password(mut text: Zeroizing<String>) -> Password {
    Password::new(std::mem::take(&mut *text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Email, Role};

    fn fields(body: &str) -> Fields {
        Fields::of(Members::read(body.as_bytes()).unwrap())
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut fields = fields(r#"{"email":"nobody","role":7,"is_active":"yes","id":"x"}"#);

        let email = fields.required("email", Email::parse);
        let name = fields.required_text("name");
        let role = fields.optional("role", str::parse::<Role>);
        let flag = fields.flag("is_active");
        fields.read_only("id", |_| false);

        assert!(email.is_none() && name.is_none() && role.is_none() && flag.is_none());
        let wrong = fields.finish().unwrap_err().fields;
        let named: Vec<_> = wrong.iter().map(|wrong| wrong.field).collect();
        assert_eq!(named, ["email", "name", "role", "is_active", "id"]);
    }

    #[test]
    fn what_was_left_out_or_null_is_not_given() {
        let mut fields = fields(r#"{"role":null,"id":null}"#);
        assert!(fields.optional("role", str::parse::<Role>).is_none());
        assert!(fields.flag("is_active").is_none());
        assert!(fields.password("password").is_none());
        fields.read_only("id", |_| false);
        assert!(fields.finish().is_ok());
    }

    #[test]
    fn a_read_only_field_may_be_sent_back_as_it_was() {
        let mut fields = fields(r#"{"id":"1","created_at":3}"#);
        fields.read_only("id", |text| text == "1");
        fields.read_only("created_at", |_| true);
        let wrong = fields.finish().unwrap_err().fields;
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].field, "created_at");
    }
}
