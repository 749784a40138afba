use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::TlsError;
use super::material::Pair;

/// Chooses a certificate by the host that a client names (RFC 6066 §3).
///
/// A host of its own comes before a wildcard. Who names no host, or one that no certificate is for, gets
/// the first.
#[derive(Debug)]
pub(super) struct ByName {
    hosts: HashMap<String, Choices>,
    /// By what stands behind `*.`.
    wildcards: HashMap<String, Choices>,
    first: Choices,
}

/// Certificates for the same host, with keys of different kinds.
type Choices = Vec<Arc<CertifiedKey>>;

impl ByName {
    pub(super) fn new<'p>(pairs: impl Iterator<Item = &'p Pair>) -> Result<Self, TlsError> {
        let mut all = Self {
            hosts: HashMap::new(),
            wildcards: HashMap::new(),
            first: Vec::new(),
        };
        let mut seen = HashMap::new();
        for pair in pairs {
            if all.first.is_empty() {
                all.first.push(Arc::clone(&pair.key));
            } else if pair.certificate.hosts().next().is_none() {
                return Err(TlsError::Nameless {
                    certificate: pair.files.certificate.clone(),
                });
            }
            all.add(pair, &mut seen)?;
        }
        Ok(all)
    }

    /// The same for everybody.
    pub(super) fn only(key: CertifiedKey) -> Self {
        Self {
            hosts: HashMap::new(),
            wildcards: HashMap::new(),
            first: vec![Arc::new(key)],
        }
    }

    fn add<'p>(&mut self, pair: &'p Pair, seen: &mut Seen<'p>) -> Result<(), TlsError> {
        let algorithm = pair.key.key.algorithm();
        for host in pair.certificate.hosts() {
            let file = pair.files.certificate.as_path();
            match seen.insert((host, code(algorithm)), file) {
                // A certificate may name a host twice.
                Some(other) if other == file => continue,
                Some(other) => {
                    return Err(TlsError::SameHost {
                        certificate: file.to_owned(),
                        other: other.to_owned(),
                        host: host.to_owned(),
                    });
                }
                None => {}
            }
            let choices = match host.strip_prefix("*.") {
                Some(parent) => self.wildcards.entry(parent.to_owned()),
                None => self.hosts.entry(host.to_owned()),
            };
            choices.or_default().push(Arc::clone(&pair.key));
        }
        Ok(())
    }

    /// The certificates for a host in lower case.
    fn find(&self, host: &str) -> Option<&Choices> {
        // A wildcard stands for one label (RFC 9525 §6.3).
        let wildcard = || self.wildcards.get(host.split_once('.')?.1);
        self.hosts.get(host).or_else(wildcard)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let found = hello.server_name().and_then(|host| self.find(host));
        let choices = found.unwrap_or(&self.first);
        let schemes = hello.signature_schemes();
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        choices.iter().find(fits).or(choices.first()).cloned()
    }
}

/// Which certificate was the first for a host, by the kind of its key.
type Seen<'p> = HashMap<(&'p str, u8), &'p Path>;

/// rustls gives kinds of keys no hash.
fn code(algorithm: SignatureAlgorithm) -> u8 {
    algorithm.into()
}
