use std::path::PathBuf;
use std::time::Duration;

use super::Sessions;
use super::section::Section;
use super::sessions::web_url;
use super::smtp::Smtp;
use super::text::Text;

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// `url`
    pub transport: MailTransport,
    /// `from`: `Dariet <no-reply@example.com>`.
    pub from: String,
    /// `reset_link`: where the mail leads; the token is added as the fragment `#token=…`.
    pub reset_link: String,
    /// `reset_lifetime` of a mailed token (1h).
    pub reset_lifetime: Duration,
    /// `queue`: mails that may wait (1000).
    pub queue: usize,
}

/// `[mail] url`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailTransport {
    /// `file:mails/`: each mail a file, for development.
    Files(PathBuf),
    /// `smtp://` (STARTTLS) and `smtps://` (implicit TLS).
    Smtp(Smtp),
}

impl Mail {
    pub(super) fn read(section: &mut Section<'_>, sessions: &Sessions) -> Option<Self> {
        let from = section.required("from", "\"Dariet <no-reply@example.com>\"");
        let from = from.and_then(|value| sender(&value.text()?));
        let reset_link = section.text("reset_link").and_then(|text| link(&text));
        let reset_lifetime = section.duration(
            "reset_lifetime",
            Duration::from_secs(3600),
            Duration::from_secs(1)..=Duration::from_secs(7 * 86_400),
        );
        let queue = section.count("queue", 1000, 1..=1_000_000);
        let transport = MailTransport::read(section);
        Some(Self {
            transport: transport?,
            from: from?,
            reset_link: reset_link.unwrap_or_else(|| own_page(&sessions.issuer)),
            reset_lifetime,
            queue,
        })
    }
}

impl MailTransport {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let url = section.required("url", "\"smtps://mailer@mail.example.com\"");
        let text = url.and_then(|value| value.text());
        let folder = text
            .as_ref()
            .and_then(|text| text.as_str().strip_prefix("file:"));
        match (&text, folder) {
            (Some(text), Some(folder)) => {
                Smtp::refuse_keys(section);
                Self::files(text, folder, section)
            }
            _ => Smtp::read(section, text.as_ref()).map(Self::Smtp),
        }
    }

    fn files(text: &Text<'_>, folder: &str, section: &Section<'_>) -> Option<Self> {
        if folder.is_empty() || folder.contains('\0') {
            text.wrong(
                "names no folder",
                "write \"file:FOLDER\", such as \"file:mails/\"",
            );
            return None;
        }
        Some(Self::Files(section.context.base.join(folder)))
    }
}

fn sender(text: &Text<'_>) -> Option<String> {
    let from = text.as_str();
    let parsed = from.parse::<lettre::message::Mailbox>();
    if parsed.is_err() || from.chars().any(char::is_control) {
        text.wrong(
            "is not a sender",
            "write a name and an address, such as \"Dariet <no-reply@example.com>\"",
        );
        return None;
    }
    Some(from.to_owned())
}

/// The token is added as the fragment, so the link must have none of its own.
fn link(text: &Text<'_>) -> Option<String> {
    let plain = web_url(text.as_str()).filter(|url| url.fragment.is_none() && url.user.is_none());
    if plain.is_none() {
        text.wrong(
            "is not an http:// or https:// URL without user and fragment",
            "write the page that asks for the new password; the gateway adds #token=…",
        );
        return None;
    }
    Some(text.as_str().to_owned())
}

fn own_page(issuer: &str) -> String {
    format!("{}/api/auth/reset-password", issuer.trim_end_matches('/'))
}
