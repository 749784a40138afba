//! X.509 certificates and their keys: read from PEM files, and what is in them.
//!
//! rustls checks signatures, chains and purposes. What is read here is what it does not tell: the names
//! a certificate is for, how long it is valid, and who it speaks of.

mod der;
mod file;
mod name;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use self::der::{BOOLEAN, Der, INTEGER, OCTET_STRING, OID, SEQUENCE};
use crate::domain::{Digest, Timestamp};

pub use file::{FileError, PemFile};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// It is not valid before this.
    pub not_before: Timestamp,
    /// It is not valid after this.
    pub not_after: Timestamp,
    /// Whom it speaks of, as RFC 4514 writes it: `CN=ada,O=Example`. May be empty.
    pub subject: String,
    /// Who signed it, written in the same way.
    pub issuer: String,
    /// The names it speaks of.
    pub names: Vec<AlternativeName>,
    /// SHA-256 of the whole certificate.
    pub fingerprint: Digest,
}

/// One of the names in a certificate (RFC 5280 §4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlternativeName {
    /// A host, in lower case; the first label may be `*`.
    Dns(String),
    /// A mailbox.
    Email(String),
    /// A URI, such as `spiffe://example.org/reports`.
    Uri(String),
    /// An address.
    Ip(IpAddr),
}

/// The bytes are no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no X.509 certificate")]
pub struct Malformed;

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// [`Malformed`]
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        read(der).ok_or(Malformed)
    }

    /// The hosts it is for.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            AlternativeName::Dns(host) => Some(host.as_str()),
            _ => None,
        })
    }
}

fn read(der: &[u8]) -> Option<Certificate> {
    let mut body = Der::new(der).sequence()?.sequence()?;
    // The version.
    body.tagged(CONTEXT | 0x20);
    body.tagged(INTEGER)?;
    body.tagged(SEQUENCE)?;
    let issuer = body.tagged(SEQUENCE)?;
    let mut validity = body.sequence()?;
    let not_before = time(&mut validity)?;
    let not_after = time(&mut validity)?;
    let subject = body.tagged(SEQUENCE)?;
    body.tagged(SEQUENCE)?;
    let extensions = body.find(|element| element.tag == CONTEXT | 0x20 | 3);
    let names = match extensions {
        Some(extensions) => alternative_names(extensions.body)?,
        None => Vec::new(),
    };
    Some(Certificate {
        not_before,
        not_after,
        subject: name::distinguished_name(subject)?,
        issuer: name::distinguished_name(issuer)?,
        names,
        fingerprint: Digest::of(&[der]),
    })
}

/// The class of tags that mean something only where they stand.
const CONTEXT: u8 = 0x80;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// RFC 5280 §4.1.2.5: always in UTC, always with seconds.
fn time(validity: &mut Der<'_>) -> Option<Timestamp> {
    let element = validity.element()?;
    let digits = std::str::from_utf8(element.body).ok()?.strip_suffix('Z')?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let full = match (element.tag, digits.len()) {
        (UTC_TIME, 12) if digits < "50" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let part = |range| full.get(range).filter(|_| is_plain);
    let text = format!(
        "{}-{}-{}T{}:{}:{}",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    );
    Timestamp::parse(&text).ok()
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<AlternativeName>> {
    let mut list = Der::new(extensions).sequence()?;
    while let Some(mut extension) = list.sequence() {
        let kind = extension.tagged(OID)?;
        // Whether it is critical is of no concern here.
        extension.tagged(BOOLEAN);
        let value = extension.tagged(OCTET_STRING)?;
        if kind == SUBJECT_ALTERNATIVE_NAME {
            let names = Der::new(value).sequence()?;
            return Some(names.filter_map(|name| alternative_name(&name)).collect());
        }
    }
    Some(Vec::new())
}

/// One name; kinds that nobody asks for are left out.
fn alternative_name(name: &der::Element<'_>) -> Option<AlternativeName> {
    let text = || {
        let text = std::str::from_utf8(name.body).ok();
        text.filter(|text| text.is_ascii() && !text.is_empty())
    };
    match name.tag ^ CONTEXT {
        1 => text().map(|text| AlternativeName::Email(text.to_owned())),
        2 => text().map(|text| AlternativeName::Dns(text.to_ascii_lowercase())),
        6 => text().map(|text| AlternativeName::Uri(text.to_owned())),
        7 => address(name.body).map(AlternativeName::Ip),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into());
    v4.or(v6).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made() -> Vec<u8> {
        let mut params = CertificateParams::new(["A.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 3, 18);
        params.not_after = date_time_ymd(2051, 3, 18);
        params.distinguished_name.push(DnType::CommonName, "ada");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Engines");
        let uri = Ia5String::try_from("spiffe://a.example/x").unwrap();
        let address = IpAddr::from([10, 0, 0, 7]);
        params.subject_alt_names.push(SanType::URI(uri));
        params.subject_alt_names.push(SanType::IpAddress(address));
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_tells_whom_it_is_for_and_how_long() {
        let der = made();
        let read = Certificate::parse(&der).unwrap();

        assert_eq!(read.not_before, Timestamp::from_secs(1_773_792_000));
        assert_eq!(read.not_after, Timestamp::from_secs(2_562_710_400));
        assert!(read.subject == "O=Engines,CN=ada" || read.subject == "CN=ada,O=Engines");
        assert_eq!(read.issuer, read.subject);
        assert_eq!(read.hosts().collect::<Vec<_>>(), ["a.example"]);
        let others = [
            AlternativeName::Uri("spiffe://a.example/x".to_owned()),
            AlternativeName::Ip(IpAddr::from([10, 0, 0, 7])),
        ];
        assert_eq!(read.names[1..], others);
        assert_eq!(read.fingerprint, Digest::of(&[&der]));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut der = made();
            let at = cut.index(der.len());
            der[at] = byte;
            let _ = Certificate::parse(&der);
            let _ = Certificate::parse(&der[..at]);
        }
    }
}
