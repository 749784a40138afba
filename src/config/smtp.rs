use std::fmt;
use std::path::PathBuf;

use super::secret::{USE_A_FILE, password};
use super::section::Section;
use super::text::Text;
use super::url::Url;
use crate::domain::Password;

/// An SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// Its host name.
    pub host: String,
    /// Its port; by default 587 with STARTTLS, 465 with implicit TLS and 25 without TLS.
    pub port: u16,
    /// How the connection is secured.
    pub security: SmtpSecurity,
    /// The account, from the URL; its password from `password_file` or `password`.
    pub credentials: Option<SmtpCredentials>,
    /// `ca`: PEM of the authority to trust instead of the public ones.
    pub ca: Option<PathBuf>,
}

/// How an SMTP connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// `smtps://`: TLS from the first byte.
    Implicit,
    /// `smtp://`: STARTTLS, and nothing is sent without it.
    StartTls,
    /// `smtp+insecure://`: no TLS; only to a loopback address.
    Insecure,
}

/// Who we are to the SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpCredentials {
    /// The account.
    pub user: String,
    /// Its password.
    pub password: Password,
}

impl Smtp {
    /// Reads the server of `url` and the keys beside it. Without a URL the keys are read all the same,
    /// for their mistakes.
    pub(super) fn read(section: &mut Section<'_>, url: Option<&Text<'_>>) -> Option<Self> {
        let password = password(section, ["password_file", "password"]);
        let ca = section.text("ca").and_then(|text| text.path());
        let text = url?;
        let (url, security) = Self::server(text)?;
        let credentials = match (url.user, password) {
            (Some(user), Some(password)) => Some(SmtpCredentials {
                user: unescaped(user),
                password,
            }),
            (Some(_), None) => {
                if !section.has("password") && !section.has("password_file") {
                    text.missing("names an account, but there is no password", USE_A_FILE);
                }
                None
            }
            (None, Some(_)) => {
                text.wrong(
                    "names no account for the password",
                    "write the account before the host, such as \"smtps://mailer@mail.example.com\"",
                );
                None
            }
            (None, None) => None,
        };
        Some(Self {
            host: url.host.to_owned(),
            port: url.port.unwrap_or(security.port()),
            security,
            credentials,
            ca,
        })
    }

    /// Mails to files need none of the keys of a server.
    pub(super) fn refuse_keys(section: &mut Section<'_>) {
        for key in ["password_file", "password", "ca"] {
            if section.value(key).is_some() {
                let message = format!("{key} has no use when mails are written to files");
                section.wrong_key(key, &message, "remove it, or write an smtps:// URL");
            }
        }
    }

    fn server<'t>(text: &'t Text<'_>) -> Option<(Url<'t>, SmtpSecurity)> {
        const WAY_OUT: &str =
            r#"write "smtps://USER@HOST", "smtp://USER@HOST" for STARTTLS, or "file:FOLDER""#;
        let url = Url::parse(text.as_str());
        let security = url.and_then(|url| SmtpSecurity::of(url.scheme));
        let (Some(url), Some(security)) = (url, security) else {
            text.wrong_unquoted("is not the URL of a mail server", WAY_OUT);
            return None;
        };
        if url.has_password {
            text.wrong_unquoted("holds a password", USE_A_FILE);
            return None;
        }
        if !url.is_bare() {
            text.wrong("has a path, which mail servers do not have", WAY_OUT);
            return None;
        }
        if security == SmtpSecurity::Insecure && !url.is_loopback() {
            text.wrong(
                "would send mails and password in the clear",
                "write smtps:// or smtp://; without TLS only a server on this machine may be used",
            );
            return None;
        }
        Some((url, security))
    }
}

impl SmtpSecurity {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "smtps" => Some(Self::Implicit),
            "smtp" => Some(Self::StartTls),
            "smtp+insecure" => Some(Self::Insecure),
            _ => None,
        }
    }

    const fn scheme(self) -> &'static str {
        match self {
            Self::Implicit => "smtps",
            Self::StartTls => "smtp",
            Self::Insecure => "smtp+insecure",
        }
    }

    /// RFC 8314 §3.3 for implicit TLS, RFC 6409 for submission.
    const fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::StartTls => 587,
            Self::Insecure => 25,
        }
    }
}

/// The server as a URL, without the account.
impl fmt::Display for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let scheme = self.security.scheme();
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// Undoes percent-encoding, which an account with an `@` in it needs. What is no encoding stays.
pub(super) fn unescaped(user: &str) -> String {
    let mut bytes = Vec::with_capacity(user.len());
    let mut rest = user.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let encoded = behind
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(encoded.unwrap_or(*first));
        rest = behind
            .get(if encoded.is_some() { 2 } else { 0 }..)
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
