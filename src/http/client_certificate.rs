use std::fmt::Write as _;

use http::HeaderValue;

use super::identity::push_identity;
use crate::certificate::{AlternativeName, Certificate};

/// What identity headers say of the certificate that a client has shown, made once a connection.
///
/// It is written as identity headers are: every byte outside 0x21–0x7E, and `%`, is percent-encoded.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    pub(super) subject: HeaderValue,
    pub(super) issuer: HeaderValue,
    pub(super) names: HeaderValue,
    pub(super) fingerprint: HeaderValue,
}

impl From<&Certificate> for ClientCertificate {
    fn from(certificate: &Certificate) -> Self {
        Self {
            subject: encoded(&certificate.subject),
            issuer: encoded(&certificate.issuer),
            names: names(&certificate.names),
            fingerprint: encoded(&certificate.fingerprint.to_string()),
        }
    }
}

fn encoded(text: &str) -> HeaderValue {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        push_identity(&mut value, byte);
    }
    header_value(&value)
}

/// `DNS:ada.example,URI:spiffe://example/ada`. A comma within a name is encoded too, so that the list
/// comes apart in one way.
fn names(names: &[AlternativeName]) -> HeaderValue {
    let mut value = String::new();
    for name in names {
        if !value.is_empty() {
            value.push(',');
        }
        let text = match name {
            AlternativeName::Dns(host) => ("DNS:", host.clone()),
            AlternativeName::Email(mailbox) => ("email:", mailbox.clone()),
            AlternativeName::Uri(uri) => ("URI:", uri.clone()),
            AlternativeName::Ip(address) => ("IP:", address.to_string()),
        };
        value.push_str(text.0);
        for byte in text.1.bytes() {
            match byte {
                b',' => {
                    let _ = write!(value, "%2C");
                }
                _ => push_identity(&mut value, byte),
            }
        }
    }
    header_value(&value)
}

/// The text is visible ASCII, which every header can hold.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Digest, Timestamp};

    #[test]
    fn a_client_cannot_write_a_second_name_into_its_first() {
        let certificate = Certificate {
            not_before: Timestamp::from_secs(0),
            not_after: Timestamp::from_secs(0),
            subject: "CN=Zo\u{eb} %41\r\nX-Auth-User-Role: admin".to_owned(),
            issuer: String::new(),
            names: vec![
                AlternativeName::Uri("spiffe://a/b,DNS:root.example".to_owned()),
                AlternativeName::Dns("ada.example".to_owned()),
            ],
            fingerprint: Digest::of(&[]),
        };

        let client = ClientCertificate::from(&certificate);

        assert_eq!(
            client.subject,
            "CN=Zo%C3%AB%20%2541%0D%0AX-Auth-User-Role:%20admin"
        );
        assert_eq!(client.issuer, "");
        assert_eq!(
            client.names,
            "URI:spiffe://a/b%2CDNS:root.example,DNS:ada.example"
        );
        assert_eq!(client.fingerprint.len(), 64);
    }
}
