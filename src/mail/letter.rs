use std::fmt;
use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{self, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::{Failure, StartError};
use super::{Mail, ResetMail};
use crate::domain::{Email, Timestamp};

/// A mail as it goes over the wire.
pub(super) struct Letter {
    pub(super) id: Uuid,
    pub(super) envelope: Envelope,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) written: Timestamp,
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Who mails are from.
#[derive(Debug, Clone)]
pub(super) struct Sender(Mailbox);

impl Sender {
    /// Reads `Dariet <no-reply@example.com>`.
    pub(super) fn parse(from: &str) -> Result<Self, StartError> {
        let refused = || StartError::From {
            from: from.to_owned(),
        };
        if from.chars().any(char::is_control) {
            return Err(refused());
        }
        let typed: Mailbox = from.parse().map_err(|_| refused())?;
        let email = Email::parse(typed.email.as_ref()).map_err(|_| refused())?;
        let sender = Self(Mailbox::new(typed.name, address(&email)));
        // The builder reads the header back; a name that it cannot read would stop every mail.
        let probe = Message::builder()
            .from(sender.0.clone())
            .envelope(sender.envelope(&email).map_err(|_| refused())?)
            .body(String::new());
        probe.map(|_| sender).map_err(|_| refused())
    }

    /// Writes `mail` down, from this sender.
    pub(super) fn write(&self, id: Uuid, mail: &Mail, now: Timestamp) -> Result<Letter, Failure> {
        let Mail::Reset(mail) = mail;
        let to = Mailbox::new(Some(mail.name.to_string()), address(&mail.to));
        let message = Message::builder()
            .date(system_time(now))
            .from(self.0.clone())
            .header(header::To::from(Mailboxes::from(to)))
            .subject(ResetMail::SUBJECT)
            .message_id(Some(format!("<{id}@{}>", self.0.email.domain())))
            // Keeps away the answers of machines (RFC 3834 §2).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .envelope(self.envelope(&mail.to).map_err(Failure::Unwritable)?)
            .multipart(MultiPart::alternative_plain_html(mail.text(), mail.html()))
            .map_err(Failure::Unwritable)?;
        Ok(Letter {
            id,
            envelope: message.envelope().clone(),
            bytes: Zeroizing::new(message.formatted()),
            written: now,
        })
    }

    fn envelope(&self, to: &Email) -> Result<Envelope, lettre::error::Error> {
        Envelope::new(Some(self.0.email.clone()), vec![address(to)])
    }
}

/// The mailbox as typed at the domain's A-label, which every server understands.
///
/// `Email` has let through neither spaces nor brackets nor control characters, so that nothing can
/// leave its place in a command or a header. lettre's own check is narrower than the mailboxes in
/// use (`a..b@`); the server decides.
fn address(email: &Email) -> Address {
    let mailbox = email.as_str().rsplit_once('@').map_or("", |(at, _)| at);
    let domain = email.normal().rsplit_once('@').map_or("", |(_, at)| at);
    Address::new_dangerous(mailbox, domain)
}

fn system_time(at: Timestamp) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(at.as_secs()).unwrap_or(0));
    SystemTime::UNIX_EPOCH
        .checked_add(since)
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{ResetToken, UserName};
    use crate::mail::ResetLink;

    fn written(from: &str, to: &str, name: &str) -> Letter {
        let token = ResetToken::new("token".to_owned());
        let mail = ResetMail {
            to: Email::parse(to).unwrap(),
            name: UserName::parse(name).unwrap(),
            link: ResetLink::new("https://g.example/r", &token),
            valid_for: Duration::from_secs(60),
        };
        let now = Timestamp::parse("2026-03-18T10:00:00").unwrap();
        let sender = Sender::parse(from).unwrap();
        sender.write(Uuid::nil(), &Mail::Reset(mail), now).unwrap()
    }

    /// The names of the headers of the whole mail, in their order.
    fn header_names(letter: &Letter) -> Vec<String> {
        let text = std::str::from_utf8(&letter.bytes).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        head.split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect()
    }

    const HEADERS: [&str; 8] = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    ];

    #[test]
    fn a_mail_says_when_from_whom_and_that_a_machine_wrote_it() {
        let letter = written("Dariet <no-reply@example.com>", "ada@example.com", "Ada");
        let text = std::str::from_utf8(&letter.bytes).unwrap();
        for line in [
            "Date: Wed, 18 Mar 2026 10:00:00 +0000\r\n",
            "From: Dariet <no-reply@example.com>\r\n",
            "To: Ada <ada@example.com>\r\n",
            "Subject: Reset your password\r\n",
            "Message-ID: <00000000-0000-0000-0000-000000000000@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(header_names(&letter), HEADERS);
    }

    #[test]
    fn a_domain_goes_out_as_servers_know_it_and_a_mailbox_as_typed() {
        let letter = written("no-reply@bücher.example", "A..da@BÜCHER.example", "Ada");
        let to: Vec<_> = letter
            .envelope
            .to()
            .iter()
            .map(Address::to_string)
            .collect();
        assert_eq!(to, ["A..da@xn--bcher-kva.example"]);
        let from = letter.envelope.from().map(ToString::to_string);
        assert_eq!(from.as_deref(), Some("no-reply@xn--bcher-kva.example"));
    }

    #[test]
    fn a_from_that_is_no_address_is_refused_with_the_way_out() {
        for from in [
            "",
            "Dariet",
            "Dariet <no-reply>",
            "a@b.example, c@d.example",
            "Dariet\r\nBcc: x@y.example <no-reply@example.com>",
        ] {
            let error = Sender::parse(from).unwrap_err().to_string();
            assert!(
                error.ends_with("write it as Dariet <no-reply@example.com>"),
                "{error}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_name_adds_a_header(name in "\\PC{1,200}") {
            prop_assume!(UserName::parse(&name).is_ok());
            let letter = written("Dariet <no-reply@example.com>", "ada@example.com", &name);
            prop_assert_eq!(header_names(&letter), HEADERS);
        }

        #[test]
        fn no_address_becomes_two(to in "\\PC{1,30}@[a-z]{1,8}\\.example") {
            prop_assume!(Email::parse(&to).is_ok());
            let letter = written("Dariet <no-reply@example.com>", &to, "Ada");
            prop_assert_eq!(header_names(&letter), HEADERS);
            prop_assert_eq!(letter.envelope.to().len(), 1);
        }

        #[test]
        fn what_is_taken_as_sender_can_write(from in "\\PC{0,20} <[a-z.]{1,9}@[a-z]{1,8}\\.example>") {
            if Sender::parse(&from).is_ok() {
                written(&from, "ada@example.com", "Ada");
            }
        }
    }
}
