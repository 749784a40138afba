use std::fmt;
use std::io;
use std::path::PathBuf;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, ParsedPublicKey,
};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::Algorithm;
use crate::domain::Digest;

/// A key pair that signs session tokens: Ed25519, or ECDSA on P-256.
pub struct SigningKey {
    pair: Pair,
    public: ParsedPublicKey,
    kid: String,
    header: String,
}

impl SigningKey {
    /// How many bytes a signature has, of either algorithm (RFC 8032; RFC 7518 §3.4).
    pub const SIGNATURE_BYTES: usize = 64;

    /// A new key pair.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Generate`] when the system gives no random bytes.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningKeyError> {
        let pair = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256)
            }
        };
        let pair = pair.map_err(|_| SigningKeyError::Generate)?;
        Self::of(pair).ok_or(SigningKeyError::Generate)
    }

    /// Reads PKCS#8, version 1 or 2; none when it holds no key of ours.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = match Ed25519KeyPair::from_pkcs8(der) {
            Ok(pair) => Pair::Ed25519(pair),
            Err(_) => {
                Pair::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?)
            }
        };
        Self::of(pair)
    }

    /// The key pair as PKCS#8 version 1, which every OpenSSL reads.
    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
        let document = match &self.pair {
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
            Pair::P256(pair) => pair.to_pkcs8v1(),
        };
        let document = document.map_err(|_| SigningKeyError::Generate)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.pair.algorithm()
    }

    /// The key's name: its RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, as clients and backends are told it.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        Jwk {
            kid: self.kid.clone(),
            alg: alg(self.algorithm()),
            usage: "sig",
            point: Point::of(self.algorithm(), self.pair.public()),
        }
    }

    /// The first segment of every token that it signs.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// Signs `message`; none when the library fails.
    pub(super) fn sign(&self, message: &[u8]) -> Option<[u8; Self::SIGNATURE_BYTES]> {
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.try_sign(message),
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), message),
        };
        signature.ok()?.as_ref().try_into().ok()
    }

    /// Whether it made `signature` for `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; Self::SIGNATURE_BYTES]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    fn of(pair: Pair) -> Option<Self> {
        let algorithm = pair.algorithm();
        let public = match algorithm {
            Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, pair.public()),
            Algorithm::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public()),
        };
        let kid = Point::of(algorithm, pair.public()).thumbprint()?;
        let header = format!(
            r#"{{"alg":"{}","typ":"JWT","kid":"{kid}"}}"#,
            alg(algorithm)
        );
        Some(Self {
            public: public.ok()?,
            header: BASE64_URL_SAFE_NO_PAD.encode(header),
            kid,
            pair,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl Pair {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
        }
    }

    /// The public key: 32 bytes, or on P-256 an uncompressed point.
    fn public(&self) -> &[u8] {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::P256(pair) => pair.public_key().as_ref(),
        }
    }
}

/// A public key as a JSON Web Key (RFC 7517; RFC 8037 for Ed25519).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    #[serde(flatten)]
    point: Point,
}

/// What makes a key the key it is. The order of the fields is that of RFC 7638 §3.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Point {
    crv: &'static str,
    kty: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl Point {
    fn of(algorithm: Algorithm, public: &[u8]) -> Self {
        let base64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match algorithm {
            Algorithm::EdDsa => Self {
                crv: "Ed25519",
                kty: "OKP",
                x: base64(public),
                y: None,
            },
            Algorithm::Es256 => {
                let (x, y) = public
                    .get(1..)
                    .unwrap_or_default()
                    .split_at_checked(32)
                    .unwrap_or_default();
                Self {
                    crv: "P-256",
                    kty: "EC",
                    x: base64(x),
                    y: Some(base64(y)),
                }
            }
        }
    }

    fn thumbprint(&self) -> Option<String> {
        let canonical = serde_json::to_vec(self).ok()?;
        Some(BASE64_URL_SAFE_NO_PAD.encode(Digest::of(&[&canonical]).as_bytes()))
    }
}

/// The word for an algorithm in a token and a JWK (RFC 7518 §3.1, RFC 8037 §3.1).
const fn alg(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::EdDsa => "EdDSA",
        Algorithm::Es256 => "ES256",
    }
}

/// A signing key cannot be had, or the keys together make no sense.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// There is no such file.
    #[error("signing key {}: there is no such file; make one with `dariet-gateway signing-key create`", file.display())]
    Missing {
        /// Which.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("signing key {}: cannot be read", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could read the file, and sign tokens as we do.
    #[error("signing key {}: others may read it (mode {mode:03o}); run `chmod 600 {}`", file.display(), file.display())]
    Exposed {
        /// Which.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "signing key {}: expected an Ed25519 or P-256 private key (PEM, PKCS#8), found {found}; make one with `openssl genpkey -algorithm ED25519`",
        file.display()
    )]
    WrongKind {
        /// Which.
        file: PathBuf,
        /// What it holds.
        found: &'static str,
    },
    /// There is a file already; it may be the only copy of a key that is in use.
    #[error("signing key {}: the file is there already, and a key is never written over; choose another name", file.display())]
    Exists {
        /// Which.
        file: PathBuf,
    },
    /// The file cannot be written.
    #[error("signing key {}: cannot be written", file.display())]
    Unwritable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No key pair could be made.
    #[error("no key pair could be made: the system gives no random bytes")]
    Generate,
    /// Two files hold one key.
    #[error("signing keys {} and {} are the same key; remove one", first.display(), second.display())]
    Duplicate {
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// There would be nothing to sign tokens with.
    #[error(
        "no signing key may sign yet; leave out `sign_from` of one, or set it to a time that has come"
    )]
    NoneSigns,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The key of RFC 8037 appendix A.1, as PKCS#8 version 1.
    pub(in crate::auth) fn rfc8037_key() -> SigningKey {
        let seed = BASE64_URL_SAFE_NO_PAD
            .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
            .unwrap();
        let mut der = vec![
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        der.extend(seed);
        SigningKey::from_pkcs8(&der).unwrap()
    }

    /// The key of RFC 7517 appendix A.2.
    pub(in crate::auth) fn rfc7517_key() -> SigningKey {
        let decode = |text| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let mut public = vec![4];
        public.extend(decode("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"));
        public.extend(decode("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"));
        let private = decode("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &public);
        SigningKey::of(Pair::P256(pair.unwrap())).unwrap()
    }

    #[test]
    fn the_name_of_a_key_is_its_rfc_7638_thumbprint() {
        let kid = |key: SigningKey| key.kid().to_owned();
        assert_eq!(
            kid(rfc8037_key()),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
        assert_eq!(
            kid(rfc7517_key()),
            "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
        );
    }

    #[test]
    fn the_signature_of_rfc_8037_is_ours() {
        let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = rfc8037_key().sign(message.as_bytes()).unwrap();
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    #[test]
    fn the_public_half_is_told_and_nothing_else() {
        let told = serde_json::to_value(rfc7517_key().jwk()).unwrap();
        assert_eq!(
            told,
            serde_json::json!({
                "kty": "EC",
                "crv": "P-256",
                "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
                "use": "sig",
                "alg": "ES256",
                "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
            })
        );
        let told = serde_json::to_value(rfc8037_key().jwk()).unwrap();
        assert_eq!(told["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert!(told.get("d").is_none() && told.get("y").is_none());
    }

    #[test]
    fn a_key_verifies_what_it_signed_and_nothing_else() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let key = SigningKey::generate(algorithm).unwrap();
            let other = SigningKey::generate(algorithm).unwrap();

            let signature = key.sign(b"message").unwrap();

            assert!(key.verifies(b"message", &signature));
            assert!(!key.verifies(b"massage", &signature));
            assert!(!other.verifies(b"message", &signature));
        }
    }

    #[test]
    fn a_key_survives_pkcs8_of_both_versions() {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        let Pair::Ed25519(pair) = &key.pair else {
            panic!("asked for Ed25519")
        };
        let second = pair.to_pkcs8().unwrap();
        let first = key.to_pkcs8().unwrap();
        assert_ne!(*first, second.as_ref());
        for der in [&first, second.as_ref()] {
            assert_eq!(SigningKey::from_pkcs8(der).unwrap().kid(), key.kid());
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let shown = format!("{:?}", rfc8037_key());
        assert_eq!(
            shown,
            "SigningKey(kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k)"
        );
    }
}
