use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::domain::{Email, ResetToken, UserName};

/// The mail with which a user sets a new password.
#[derive(Debug, Clone)]
pub struct ResetMail {
    /// To whom: the stored address, never one that was typed into the form.
    pub to: Email,
    /// What they are called.
    pub name: UserName,
    /// Where they set the password.
    pub link: ResetLink,
    /// How long the link works from now on. The mail is not sent later than that.
    pub valid_for: Duration,
}

/// Where a new password is set: a URL with the reset token as its fragment, which browsers send to
/// no server. It cannot be printed.
#[derive(Clone)]
pub struct ResetLink(Zeroizing<String>);

impl ResetLink {
    /// The link for `token`; `page` is the configuration's `reset_link`, never made from a request.
    #[must_use]
    pub fn new(page: &str, token: &ResetToken) -> Self {
        let token = token.expose();
        let mut link = Zeroizing::new(String::with_capacity(page.len() + 7 + 3 * token.len()));
        link.push_str(page);
        link.push_str("#token=");
        for byte in token.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                link.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(link, "%{byte:02X}");
            }
        }
        Self(link)
    }

    /// The link itself. Every use is a place where it could leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The host it leads to.
    fn host(&self) -> &str {
        let after_scheme = self.0.split_once("://").map_or("", |(_, rest)| rest);
        after_scheme
            .split(['/', '?', '#'])
            .next()
            .unwrap_or_default()
    }
}

impl fmt::Debug for ResetLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetLink(..)")
    }
}

impl ResetMail {
    pub(super) const SUBJECT: &str = "Reset your password";

    pub(super) fn text(&self) -> String {
        format!(
            include_str!("reset.txt"),
            name = self.name,
            to = self.to,
            host = self.link.host(),
            link = self.link.expose(),
            valid_for = in_words(self.valid_for),
        )
    }

    pub(super) fn html(&self) -> String {
        format!(
            include_str!("reset.html"),
            name = escaped(self.name.as_str()),
            to = escaped(self.to.as_str()),
            host = escaped(self.link.host()),
            link = escaped(self.link.expose()),
            valid_for = in_words(self.valid_for),
        )
    }
}

/// Text as HTML has it, within elements and quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

/// `1 hour`, `90 minutes`, `2 days`: whole units, rounded down, so that it promises no second too much.
fn in_words(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    let (count, unit) = match minutes {
        0 => (span.as_secs(), "second"),
        _ if minutes.is_multiple_of(24 * 60) => (minutes / (24 * 60), "day"),
        _ if minutes.is_multiple_of(60) => (minutes / 60, "hour"),
        _ if minutes > 3 * 60 => (minutes / 60, "hour"),
        _ => (minutes, "minute"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(name: &str) -> ResetMail {
        ResetMail {
            to: Email::parse("ada@example.com").unwrap(),
            name: UserName::parse(name).unwrap(),
            link: ResetLink::new(
                "https://gateway.example.com/api/auth/reset-password",
                &ResetToken::new("tok-en_1".to_owned()),
            ),
            valid_for: Duration::from_secs(3600),
        }
    }

    #[test]
    fn both_parts_say_who_where_and_for_how_long() {
        let mail = mail("Ada");
        for part in [mail.text(), mail.html()] {
            assert!(part.contains("Hello Ada,"), "{part}");
            assert!(part.contains("at gateway.example.com"), "{part}");
            assert!(part.contains("for 1 hour"), "{part}");
            assert!(
                part.contains("/api/auth/reset-password#token=tok-en_1"),
                "{part}"
            );
        }
    }

    #[test]
    fn a_name_is_text_and_never_markup_or_a_placeholder() {
        let mail = mail("<img src=x onerror='alert(1)'> & {link} \"Ada\"");
        let html = mail.html();
        assert!(
            html.contains(
                "&lt;img src=x onerror=&#39;alert(1)&#39;&gt; &amp; {link} &quot;Ada&quot;,"
            ),
            "{html}"
        );
        assert!(mail.text().contains("& {link} \"Ada\","));
    }

    #[test]
    fn neither_a_link_nor_its_mail_shows_the_token() {
        let shown = format!("{:?}", mail("Ada"));
        assert!(!shown.contains("tok-en_1"), "{shown}");
        assert!(shown.contains("ResetLink(..)"), "{shown}");
    }

    #[test]
    fn a_token_cannot_leave_its_place_in_the_link() {
        let token = ResetToken::new("a+b/c=&d #é".to_owned());
        let link = ResetLink::new("https://g.example/r", &token);
        assert_eq!(
            link.expose(),
            "https://g.example/r#token=a%2Bb%2Fc%3D%26d%20%23%C3%A9"
        );
    }

    #[test]
    fn a_span_reads_as_people_say_it() {
        for (seconds, words) in [
            (45, "45 seconds"),
            (60, "1 minute"),
            (90 * 60, "90 minutes"),
            (3600, "1 hour"),
            (86_400, "1 day"),
            (2 * 86_400, "2 days"),
            (5 * 3600 + 1800, "5 hours"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
