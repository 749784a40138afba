use std::path::PathBuf;

use rustls::pki_types::ServerName;

use super::CertificateFiles;
use super::section::Section;
use super::text::Text;

/// `[upstreams.NAME.tls]`: TLS to servers that are `https://`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// `ca`: PEM of the authorities to trust instead of the public ones.
    pub ca: Option<PathBuf>,
    /// `client_certificate` and `client_key`: what servers are shown that ask for a certificate.
    pub client: Option<CertificateFiles>,
    /// `server_name`: what the servers' certificates must be for; left out, the host of each server's URL.
    pub server_name: Option<String>,
}

impl UpstreamTls {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let path = |text: Text<'_>| text.path();
        let ca = section.text("ca").and_then(path);
        let certificate = section.text("client_certificate").and_then(path);
        let key = section.text("client_key").and_then(path);
        for (one, other) in [
            ("client_certificate", "client_key"),
            ("client_key", "client_certificate"),
        ] {
            if section.has(one) && !section.has(other) {
                let message = format!("{one} is there, but {other} is missing");
                let way_out = format!("add {other} = \"tls/gateway-client.pem\", or remove {one}");
                section.wrong_key(one, &message, &way_out);
            }
        }
        let client = certificate
            .zip(key)
            .map(|(certificate, private_key)| CertificateFiles {
                certificate,
                private_key,
            });
        let server_name = section.text("server_name").and_then(|text| name(&text));
        Self {
            ca,
            client,
            server_name,
        }
    }
}

fn name(text: &Text<'_>) -> Option<String> {
    if ServerName::try_from(text.as_str()).is_err() {
        text.wrong(
            "is no name that a certificate could be for",
            "write a name or an address alone, such as \"reports.internal\"",
        );
        return None;
    }
    Some(text.as_str().to_owned())
}
