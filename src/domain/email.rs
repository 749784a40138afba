use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// An email address: as typed, which is shown and written to, and in its normal form, which is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Email {
    typed: String,
    normal: String,
}

/// A text is no email address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// More bytes than SMTP carries (RFC 5321 §4.5.3.1.3).
    #[error("must have at most {max} bytes")]
    Length {
        /// The most bytes it may have.
        max: usize,
    },
    /// Not one `@` between a mailbox and a domain.
    #[error("must be an address such as ada@example.com")]
    Form,
}

impl Email {
    /// The most bytes an address may have, typed or normal.
    pub const MAX_BYTES: usize = 254;

    /// Takes an address as typed.
    ///
    /// The normal form is trimmed, NFC and lower case, and its domain an IDNA A-label, so that two
    /// spellings of one mailbox are one account.
    ///
    /// # Errors
    ///
    /// [`EmailError`] when it cannot be an address.
    pub fn parse(typed: &str) -> Result<Self, EmailError> {
        let typed = typed.trim();
        if typed.len() > Self::MAX_BYTES {
            return Err(EmailError::Length {
                max: Self::MAX_BYTES,
            });
        }
        let (mailbox, domain) = typed.rsplit_once('@').ok_or(EmailError::Form)?;
        if mailbox.is_empty() || mailbox.contains('@') || !typed.chars().all(is_plain) {
            return Err(EmailError::Form);
        }
        let domain = normal_domain(domain)?;
        // Lower case may undo a composed form, so compose last.
        let mailbox: String = mailbox
            .nfc()
            .collect::<String>()
            .to_lowercase()
            .nfc()
            .collect();
        let normal = format!("{mailbox}@{domain}");
        if normal.len() > Self::MAX_BYTES {
            return Err(EmailError::Length {
                max: Self::MAX_BYTES,
            });
        }
        Ok(Self {
            typed: typed.to_owned(),
            normal,
        })
    }

    /// The address as typed, without the spaces around it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// The form that is compared.
    #[must_use]
    pub fn normal(&self) -> &str {
        &self.normal
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// Control characters and spaces break headers; quotes, brackets and lists would make it more than one address.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !c.is_whitespace()
        && !matches!(
            c,
            '"' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\' | '[' | ']'
        )
}

fn normal_domain(domain: &str) -> Result<String, EmailError> {
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Form)?;
    let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
    if ascii.is_empty() {
        return Err(EmailError::Form);
    }
    Ok(ascii.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(typed: &str) -> Result<String, EmailError> {
        Email::parse(typed).map(|email| email.normal().to_owned())
    }

    #[test]
    fn spellings_of_one_mailbox_have_one_normal_form() {
        for typed in [
            "ada@example.com",
            " Ada@Example.COM ",
            "ADA@EXAMPLE.COM",
            "ada@ｅxample.com",
        ] {
            assert_eq!(normal(typed).as_deref(), Ok("ada@example.com"), "{typed}");
        }
        assert_eq!(
            normal("jose\u{301}@bücher.example"),
            normal("JOSÉ@BÜCHER.example")
        );
        assert_eq!(
            normal("a@bücher.example").as_deref(),
            Ok("a@xn--bcher-kva.example")
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for typed in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a b@example.com",
            "a@b@c.example",
            "a@-",
            "<a@b.c>",
            "a\n@b.c",
        ] {
            assert_eq!(normal(typed), Err(EmailError::Form), "{typed:?}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        assert_eq!(normal(&long), Err(EmailError::Length { max: 254 }));
    }
}
