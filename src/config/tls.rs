use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;

/// `[server.tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `certificate` and `private_key`, then each of `[[server.tls.certificates]]`: never empty. Who names
    /// no host that one of them is for gets the first.
    pub certificates: Vec<CertificateFiles>,
    /// `min_version` (1.2)
    pub min_version: TlsVersion,
    /// `client_certificates`, `client_ca` and `client_crl`; without them no client is asked for a certificate.
    pub clients: Option<ClientCertificates>,
    /// `hsts`, `hsts_include_subdomains` and `hsts_preload`; without them nothing is said.
    pub hsts: Option<Hsts>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// `certificate`: PEM, the whole chain.
    pub certificate: PathBuf,
    /// `private_key`: PEM.
    pub private_key: PathBuf,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// How clients prove who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// `client_certificates`
    pub demand: Demand,
    /// `client_ca`: PEM of the authorities that sign clients' certificates.
    pub ca: PathBuf,
    /// `client_crl`: PEM of the certificates that these have revoked.
    pub crl: Option<PathBuf>,
}

/// Whether a client needs a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// A client without one is served, and nothing is said of it.
    Optional,
    /// A client without one gets no connection.
    Required,
}

/// What browsers are told of TLS (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts {
    /// `hsts`: for how long they must use it.
    pub max_age: Duration,
    /// `hsts_include_subdomains` (false)
    pub include_subdomains: bool,
    /// `hsts_preload` (false)
    pub preload: bool,
}

impl Tls {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let mut certificates = Vec::new();
        // The list alone will do; without either, the single form is what is missing.
        let has_single = section.has("certificate") || section.has("private_key");
        if has_single || !section.has("certificates") {
            certificates.extend(CertificateFiles::read(section, &mut Vec::new()));
        } else {
            let _ = (section.value("certificate"), section.value("private_key"));
        }
        let mut taken = certificates.clone();
        let title = |index, _: &_| format!("certificate {}", index + 1);
        let listed = section.tables("certificates", title, |section| {
            CertificateFiles::read(section, &mut taken)
        });
        certificates.extend(listed.into_iter().flatten());
        let versions = [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
        let min_version = section.choice("min_version", TlsVersion::V1_2, &versions);
        let clients = ClientCertificates::read(section);
        let hsts = Hsts::read(section);
        (!certificates.is_empty()).then_some(Self {
            certificates,
            min_version,
            clients,
            hsts,
        })
    }
}

impl CertificateFiles {
    /// Reads a pair of files, which must not be among those that were `taken` already.
    pub(super) fn read(section: &mut Section<'_>, taken: &mut Vec<Self>) -> Option<Self> {
        let certificate = section.required("certificate", "\"tls/gateway.crt\"");
        let private_key = section.required("private_key", "\"tls/gateway.key\"");
        let certificate = certificate.and_then(|value| value.text());
        let private_key = private_key.and_then(|value| value.text()?.path());
        let text = certificate?;
        let pair = Self {
            certificate: text.path()?,
            private_key: private_key?,
        };
        if taken
            .iter()
            .any(|other| other.certificate == pair.certificate)
        {
            text.wrong("is listed twice", "remove one of them");
            return None;
        }
        taken.push(pair.clone());
        Some(pair)
    }
}

impl ClientCertificates {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let choices = [
            ("off", None),
            ("optional", Some(Demand::Optional)),
            ("required", Some(Demand::Required)),
        ];
        let demand = section.choice("client_certificates", None, &choices);
        let ca = section.text("client_ca").and_then(|text| text.path());
        let crl = section.text("client_crl").and_then(|text| text.path());
        let Some(demand) = demand else {
            for key in ["client_ca", "client_crl"] {
                // A wrong word was reported, and meant something.
                if section.has(key) && !section.has("client_certificates") {
                    let message = format!("{key} has no use: no client is asked for a certificate");
                    let way_out = "remove it, or add client_certificates = \"required\"";
                    section.wrong_key(key, &message, way_out);
                }
            }
            return None;
        };
        if !section.has("client_ca") {
            section.missing_at(
                section.place_of("client_certificates").unwrap_or_default(),
                "client_ca is missing: nobody could say whose certificates count",
                "add client_ca = \"tls/clients-ca.crt\", the authority that signs them",
            );
        }
        Some(Self {
            demand,
            ca: ca?,
            crl,
        })
    }
}

impl Hsts {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        const DAY: Duration = Duration::from_secs(86_400);
        let max_age = section.value("hsts");
        let include_subdomains = section.flag("hsts_include_subdomains", false);
        let preload = section.flag("hsts_preload", false);
        let Some(max_age) = max_age else {
            for (key, is_set) in [
                ("hsts_include_subdomains", include_subdomains),
                ("hsts_preload", preload),
            ] {
                if is_set {
                    let message = format!("{key} has no use without hsts");
                    section.wrong_key(key, &message, "add hsts = \"365d\", or remove it");
                }
            }
            return None;
        };
        // None at all takes back what was said before (RFC 6797 §6.1.1).
        let max_age = max_age.duration(Duration::ZERO..=10 * 365 * DAY)?;
        if preload && (!include_subdomains || max_age < 365 * DAY) {
            section.wrong_key(
                "hsts_preload",
                "hsts_preload asks for a place in the lists of browsers, which take only whole domains for a year",
                "write hsts = \"365d\" or more and hsts_include_subdomains = true, or remove it",
            );
        }
        Some(Self {
            max_age,
            include_subdomains,
            preload,
        })
    }
}

impl std::fmt::Display for Hsts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "max-age={}", self.max_age.as_secs())?;
        if self.include_subdomains {
            f.write_str("; includeSubDomains")?;
        }
        if self.preload {
            f.write_str("; preload")?;
        }
        Ok(())
    }
}
