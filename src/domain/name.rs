use std::fmt;

use serde::{Deserialize, Serialize};

/// A text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but spaces, or more characters than the bound.
    #[error("must have 1 to {max} characters")]
    Length {
        /// The most characters it may have.
        max: usize,
    },
    /// A control character, which would break lines of logs and headers.
    #[error("must not contain control characters")]
    Control,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The most characters it may have.
            pub const MAX_CHARS: usize = $max;

            /// Takes a name as typed, without the spaces around it.
            ///
            /// # Errors
            ///
            /// [`NameError`] when it is empty, too long or holds control characters.
            pub fn parse(typed: &str) -> Result<Self, NameError> {
                checked(typed, Self::MAX_CHARS).map(Self)
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// What a person is called.
    UserName, 200
}
name! {
    /// What its owner calls an API key.
    KeyName, 100
}

fn checked(typed: &str, max: usize) -> Result<String, NameError> {
    let trimmed = typed.trim();
    if trimmed.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    if trimmed.is_empty() || trimmed.chars().count() > max {
        return Err(NameError::Length { max });
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_1_to_its_bound_of_characters() {
        assert_eq!(
            UserName::parse(" Ada ").map(|name| name.to_string()),
            Ok("Ada".to_owned())
        );
        assert!(UserName::parse(&"é".repeat(200)).is_ok());
        assert_eq!(
            UserName::parse(&"é".repeat(201)),
            Err(NameError::Length { max: 200 })
        );
        assert_eq!(KeyName::parse("  "), Err(NameError::Length { max: 100 }));
    }

    #[test]
    fn a_name_holds_no_control_characters() {
        for typed in ["a\nb", "a\0", "\u{85}x\u{7f}"] {
            assert_eq!(UserName::parse(typed), Err(NameError::Control), "{typed:?}");
        }
    }
}
