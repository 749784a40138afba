use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

use super::material::{Material, Pair, Renewal};
use super::{EdgeTls, TlsError, TlsErrors, server_config};
use crate::certificate::Certificate;
use crate::domain::{Digest, Timestamp};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How soon again when they have changed. What stands still for so long is used: a certificate that was
/// written before its key is not taken for a broken one.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long before its end a certificate is warned of, and how often.
const WARN_BEFORE: Duration = Duration::from_secs(14 * 86_400);
const WARN_EVERY: Duration = Duration::from_secs(86_400);

impl EdgeTls {
    /// Follows the files for as long as the node runs, and tells of certificates that will expire.
    ///
    /// Files are read again and again, and nobody waits for the system to tell of a change: what exchanges
    /// a folder by turning a link, as Kubernetes does, changes none of the files that could be watched.
    pub async fn watch(self) {
        let mut used = self.look();
        // What was exchanged between the start and this moment.
        self.renew();
        let mut seen = None;
        let mut warned = HashMap::new();
        loop {
            self.warn_of_ends(&mut warned);
            tokio::time::sleep(seen.as_ref().map_or(LOOK_EVERY, |_| LOOK_AGAIN)).await;
            let now = self.look();
            if now == used {
                seen = None;
            } else if seen.as_ref() == Some(&now) {
                self.renew();
                // What was refused is told once, and tried again when it has changed.
                used = now;
                seen = None;
            } else {
                seen = Some(now);
            }
        }
    }

    /// Uses what has changed in the files for new connections. What cannot be used is logged, and what was
    /// there before stays.
    pub fn renew(&self) {
        let Some(old) = self.material() else {
            return;
        };
        let (material, renewal) = old.renewed(self.0.clock.now());
        if renewal.has_changed() {
            match server_config(&material) {
                Ok(config) => self.replace(&old, material, config, &renewal),
                Err(error) => tell_refused(error),
            }
        }
        for error in renewal.refused {
            tell_refused(error);
        }
    }

    /// Puts `material` in the place of `old`, unless another configuration has come there meanwhile.
    fn replace(
        &self,
        old: &Arc<Material>,
        material: Material,
        config: ServerConfig,
        renewal: &Renewal,
    ) {
        let mut state = self.0.state.lock();
        let is_there = |material| Arc::ptr_eq(material, old);
        if state.material.as_ref().is_some_and(is_there) {
            state.current = Arc::new(config);
            state.material = Some(Arc::new(material));
            renewal.tell();
        }
    }

    fn look(&self) -> Vec<Option<Digest>> {
        let material = self.material();
        material.map_or_else(Vec::new, |material| material.look())
    }

    fn warn_of_ends(&self, warned: &mut HashMap<PathBuf, Timestamp>) {
        let now = self.0.clock.now();
        let material = self.material();
        for pair in material.iter().flat_map(|material| material.pairs()) {
            let path = &pair.files.certificate;
            let is_told = |at: &Timestamp| now < at.after(WARN_EVERY);
            if !is_ending(&pair.certificate, now) || warned.get(path).is_some_and(is_told) {
                continue;
            }
            warned.insert(path.clone(), now);
            warn(pair, now);
        }
    }
}

impl Renewal {
    const fn has_changed(&self) -> bool {
        self.has_other_clients || !self.renewed.is_empty()
    }

    fn tell(&self) {
        for files in &self.renewed {
            let certificate = files.certificate.display();
            tracing::info!(%certificate, "certificate exchanged");
        }
        if self.has_other_clients {
            tracing::info!("authorities of client certificates exchanged");
        }
    }
}

fn tell_refused(error: TlsError) {
    let error = TlsErrors::from(error);
    tracing::error!(
        %error,
        "tls files have changed and cannot be used; what was there before stays"
    );
}

/// Certificates that live for weeks are renewed later than those that live for months.
fn is_ending(certificate: &Certificate, now: Timestamp) -> bool {
    let lifetime = certificate.not_after.since(certificate.not_before);
    let before = WARN_BEFORE.min(lifetime / 3);
    now >= certificate.not_after.before(before)
}

fn warn(pair: &Pair, now: Timestamp) {
    let certificate = pair.files.certificate.display();
    let not_after = pair.certificate.not_after;
    if now > not_after {
        tracing::error!(%certificate, %not_after, "certificate has expired");
    } else {
        tracing::warn!(%certificate, %not_after, "certificate expires soon");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_in_its_last_fortnight_or_third() {
        const DAY: i64 = 86_400;
        let certificate = |days| Certificate {
            not_before: Timestamp::from_secs(0),
            not_after: Timestamp::from_secs(days * DAY),
            subject: String::new(),
            issuer: String::new(),
            names: Vec::new(),
            fingerprint: Digest::of(&[]),
        };
        for (lifetime, day, is_warned) in [
            (90, 75, false),
            (90, 76, true),
            (90, 91, true),
            (6, 3, false),
            (6, 4, true),
        ] {
            let now = Timestamp::from_secs(day * DAY);
            assert_eq!(is_ending(&certificate(lifetime), now), is_warned, "{day}");
        }
    }
}
