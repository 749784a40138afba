use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::listen::{Listen, Scheme};
use super::section::Section;
use super::text::Text;
use super::url::Url;
use super::value::Value;
use crate::domain::Timestamp;

/// `[sessions]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// `issuer`: a URL; `iss` and `aud` of tokens, and where reset links lead.
    pub issuer: String,
    /// `audience`; by default the issuer.
    pub audience: String,
    /// `lifetime` (8h)
    pub lifetime: Duration,
    /// `algorithm` of the key that is made on first start (`EdDSA`).
    pub algorithm: Algorithm,
    /// `[[sessions.signing_keys]]`; when there is none, `signing-key.pem` beside the store, made on first start.
    pub signing_keys: Vec<SigningKeyFile>,
}

/// How session tokens are signed (RFC 8037, RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

/// One of `[[sessions.signing_keys]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyFile {
    /// `file`: PEM, PKCS#8.
    pub file: PathBuf,
    /// `sign_from`: until then it only verifies; left out, it signs at once.
    pub sign_from: Option<Timestamp>,
}

/// `[api_keys]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKeys {
    /// `max_per_user`: keys a user may have that work (100).
    pub max_per_user: usize,
    /// `may_manage`: whether a key may manage users and keys (false).
    pub may_manage: bool,
}

impl Sessions {
    /// Reads `[sessions]`. Where there is a `[mail]`, whose place is given, the issuer cannot be guessed.
    pub(super) fn read(
        section: &mut Section<'_>,
        listen: &[Listen],
        mail: Option<Range<usize>>,
    ) -> Self {
        let issuer = section.text("issuer");
        if let Some(mail) = mail
            && !section.has("issuer")
        {
            section.missing_at(
                mail,
                "issuer is missing: [mail] is there, and its reset links lead to the issuer",
                "add issuer = \"https://gateway.example.com\" to [sessions]",
            );
        }
        let issuer = issuer
            .and_then(|text| checked_issuer(&text))
            .unwrap_or_else(|| local_issuer(listen));
        Self {
            audience: audience(section).unwrap_or_else(|| issuer.clone()),
            issuer,
            lifetime: section.duration(
                "lifetime",
                Duration::from_secs(8 * 3600),
                Duration::from_secs(1)..=Duration::from_secs(90 * 86_400),
            ),
            algorithm: section.choice(
                "algorithm",
                Algorithm::EdDsa,
                &[("EdDSA", Algorithm::EdDsa), ("ES256", Algorithm::Es256)],
            ),
            signing_keys: signing_keys(section),
        }
    }
}

impl Sessions {
    /// The nodes of a store that they share must take each other's tokens: none can make keys of its own, or
    /// call itself what no other does.
    pub(super) fn require_what_nodes_share(section: &Section<'_>, store: Range<usize>) {
        if !section.has("issuer") {
            section.missing_at(
                store.clone(),
                "issuer is missing: nodes that share a store give their tokens the same one",
                "add issuer = \"https://gateway.example.com\" to [sessions], the address that clients use",
            );
        }
        if !section.has("signing_keys") {
            section.missing_at(
                store,
                "signing_keys are missing: nodes that share a store sign with the same keys",
                "make one with `dariet-gateway signing-key create`, give it to each node, and add \
                 [[sessions.signing_keys]] with file = \"FILE\"",
            );
        }
    }
}

impl SigningKeyFile {
    fn read(section: &mut Section<'_>, files: &mut Vec<PathBuf>) -> Option<Self> {
        let file = section.required("file", "\"signing-key.pem\"");
        let sign_from = section.value("sign_from");
        let sign_from = sign_from.and_then(|value| moment(&value));
        let text = file?.text()?;
        let file = text.path()?;
        if files.contains(&file) {
            text.wrong("is listed twice", "remove one of them");
        }
        files.push(file.clone());
        Some(Self { file, sign_from })
    }
}

impl ApiKeys {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            max_per_user: section.count("max_per_user", 100, 1..=10_000),
            may_manage: section.flag("may_manage", false),
        }
    }
}

fn signing_keys(section: &mut Section<'_>) -> Vec<SigningKeyFile> {
    let mut files = Vec::new();
    let keys = section.tables(
        "signing_keys",
        |index, _| format!("signing key {}", index + 1),
        |key| SigningKeyFile::read(key, &mut files),
    );
    keys.into_iter().flatten().collect()
}

/// A time in quotes, or as TOML has them.
fn moment(value: &Value<'_>) -> Option<Timestamp> {
    let written = match value.value {
        DeValue::Datetime(datetime) => datetime.to_string(),
        _ => value.text()?.as_str().to_owned(),
    };
    let moment = Timestamp::parse(&written);
    if let Err(error) = moment {
        value.wrong(error, "write the date and the time of day, in UTC");
    }
    moment.ok()
}

/// Tokens carry the issuer exactly as it is written, so it must be a plain URL.
fn checked_issuer(text: &Text<'_>) -> Option<String> {
    const WAY_OUT: &str =
        r#"write the address that clients use, such as "https://gateway.example.com""#;
    let Some(url) = web_url(text.as_str()) else {
        text.wrong("is not an http:// or https:// URL", WAY_OUT);
        return None;
    };
    if url.query.is_some() || url.fragment.is_some() || url.user.is_some() {
        text.wrong("must have no user, query or fragment", WAY_OUT);
        return None;
    }
    Some(text.as_str().to_owned())
}

/// The parts of an `http://` or `https://` URL.
pub(super) fn web_url(text: &str) -> Option<Url<'_>> {
    Url::parse(text).filter(|url| matches!(url.scheme, "http" | "https"))
}

fn audience(section: &mut Section<'_>) -> Option<String> {
    let text = section.text("audience")?;
    if text.as_str().trim().is_empty() {
        text.wrong("is empty", "write a name, or remove the key");
    }
    Some(text.as_str().to_owned())
}

/// The first listener with TLS as this machine reaches it, else the first one.
fn local_issuer(listen: &[Listen]) -> String {
    let first = listen.iter().find(|listen| listen.scheme == Scheme::Https);
    let (scheme, port) = first
        .or_else(|| listen.first())
        .map_or((Scheme::Https, 8443), |listen| {
            (listen.scheme, listen.address.port())
        });
    format!("{}://localhost:{port}", scheme.as_str())
}
