use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

use super::SigningKey;
use super::random::random;
use super::signing_key::SigningKeyError;
use crate::config::Algorithm;

impl SigningKey {
    /// Reads a private key as `openssl genpkey` writes it: PEM, PKCS#8.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError`]: the file is missing, cannot be read, can be read by others, or holds
    /// something else.
    pub fn read(path: &Path) -> Result<Self, SigningKeyError> {
        let text = private_text(path)?;
        let wrong = |found| SigningKeyError::WrongKind {
            file: path.to_owned(),
            found,
        };
        let der = private_key(&text).map_err(wrong)?;
        Self::from_pkcs8(&der).ok_or_else(|| wrong(kind_of(&der)))
    }

    /// Makes a key pair and writes it to a new file that only its owner may read.
    ///
    /// The file appears whole or not at all, whatever happens meanwhile.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Exists`] when there is a file already, which stays as it is;
    /// [`SigningKeyError::Unwritable`].
    pub fn create(path: &Path, algorithm: Algorithm) -> Result<Self, SigningKeyError> {
        let key = Self::generate(algorithm)?;
        let pem = pem(&key.to_pkcs8()?);
        write_new(path, pem.as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => SigningKeyError::Exists {
                file: path.to_owned(),
            },
            _ => SigningKeyError::Unwritable {
                file: path.to_owned(),
                source,
            },
        })?;
        Ok(key)
    }
}

/// The text of a file that nobody else can read.
fn private_text(path: &Path) -> Result<Zeroizing<Vec<u8>>, SigningKeyError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => SigningKeyError::Missing {
            file: path.to_owned(),
        },
        _ => SigningKeyError::Unreadable {
            file: path.to_owned(),
            source,
        },
    };
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SigningKeyError::Exposed {
            file: path.to_owned(),
            mode,
        });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_FILE_BYTES));
    file.take(MAX_FILE_BYTES as u64)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    Ok(text)
}

/// The first PKCS#8 key in a PEM text, or what is there instead.
fn private_key(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut found = if memchr::memmem::find(text, b"BEGIN ENCRYPTED PRIVATE KEY").is_some() {
        "an encrypted key"
    } else {
        "no PEM"
    };
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        let (kind, der) = section.map_err(|_| "damaged PEM")?;
        let der = Zeroizing::new(der);
        found = match kind {
            SectionKind::PrivateKey => return Ok(der),
            SectionKind::RsaPrivateKey => "an RSA key",
            SectionKind::EcPrivateKey => {
                "a key that is not PKCS#8 (`openssl pkcs8 -topk8 -nocrypt` makes it so)"
            }
            SectionKind::PublicKey => "a public key",
            SectionKind::Certificate => "a certificate",
            _ => "something else",
        };
    }
    Err(found)
}

/// What a PKCS#8 key that is none of ours is, told by the identifier of its algorithm.
fn kind_of(der: &[u8]) -> &'static str {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let has = |id| memchr::memmem::find(der, id).is_some();
    if has(RSA) {
        "an RSA key"
    } else if has(EC) && !has(P256) {
        "a key on another curve"
    } else {
        "a damaged key, or one of another kind"
    }
}

fn pem(der: &[u8]) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64_STANDARD.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(base64.len() + 128));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}

/// Writes a file beside its place and links it there: a crash leaves no half of a key, and a link,
/// unlike a rename, never replaces what is there.
fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    // A file in the folder's place is another mistake than one in the key's.
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
        _ => error,
    })?;
    let draft = draft_of(path)?;
    let written = write_private(&draft, text).and_then(|()| std::fs::hard_link(&draft, path));
    let removed = std::fs::remove_file(&draft);
    written.and(removed)?;
    File::open(folder)?.sync_all()
}

fn draft_of(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let random = u64::from_le_bytes(random().map_err(io::Error::other)?);
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{random:016x}"));
    Ok(path.with_file_name(draft))
}

fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// No key of ours comes near it; a device file would have no end.
const MAX_FILE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    const OPENSSL_ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIPKGQfVG+pf/A6uJCxAIHjs20SSSuwHInchVjHS77i5u
-----END PRIVATE KEY-----
";
    const OPENSSL_P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdqR7JX81Nh7BjLFb
UCzWwrO0vO5qA8QEM7AfOWLoHLChRANCAAQ0U118tz8a4BPcckdmI7ndK4rP4hxN
3CdMsZrI5Jo/0M/uKr8b6t7eaCKMy6jMa9Fl72ukC86ctC/3OIaHxLB5
-----END PRIVATE KEY-----
";
    const OPENSSL_P384: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDC3KE6AfS0JNFDNGYuQ
1DbQqpLeCM1rEjXmx2Yo6e8K5mtnCX+CJktFtnlISfYTIzahZANiAATxvnMtVHcZ
LGf/Ku1Omzwk2XgT8tQ5AMvkKiA5VN8RrnLMhTVZvpcA6mYP5hXM9ldpR3frtrf7
vDmRVuVDPv3kIbexZBShSpAoqACP8ShyxmLvz5x65753/qXDL6LVR3M=
-----END PRIVATE KEY-----
";
    const OPENSSL_SEC1: &str = "-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIHtFhOyvMHWTB65zbTBV6QFktsZ88z3+WEn6gkKg+HfBoAoGCCqGSM49
AwEHoUQDQgAEPIf6pNs4dPD95dLethBEd1mFOQ50bPbnr/EfQ8c9+TbMvz54X6WX
+M6+v4wmF0IxW2f/nNsphukN6zI+3jouDQ==
-----END EC PRIVATE KEY-----
";
    /// The head of an RSA key is enough to tell it.
    const RSA: &str = "-----BEGIN PRIVATE KEY-----
MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBAMzxnwaCB9oDRYet
-----END PRIVATE KEY-----
";

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        file
    }

    fn refusal(text: &str) -> String {
        let file = file(text, 0o600);
        SigningKey::read(file.path()).unwrap_err().to_string()
    }

    #[test]
    fn what_openssl_writes_is_read() {
        for (text, algorithm) in [
            (OPENSSL_ED25519, Algorithm::EdDsa),
            (OPENSSL_P256, Algorithm::Es256),
        ] {
            let file = file(text, 0o600);
            let key = SigningKey::read(file.path()).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(*pem(&key.to_pkcs8().unwrap()), text);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        for mode in [0o644, 0o640, 0o604, 0o660] {
            let file = file(OPENSSL_ED25519, mode);
            let message = SigningKey::read(file.path()).unwrap_err().to_string();
            let way_out = format!("run `chmod 600 {}`", file.path().display());
            assert!(message.ends_with(&way_out), "{message}");
        }
        assert!(SigningKey::read(file(OPENSSL_ED25519, 0o400).path()).is_ok());
    }

    #[test]
    fn what_is_no_key_of_ours_is_named() {
        for (text, found) in [
            ("", "found no PEM"),
            ("hello", "found no PEM"),
            (RSA, "found an RSA key"),
            (&RSA.replace(" PRIVATE", " RSA PRIVATE"), "found an RSA key"),
            (OPENSSL_P384, "found a key on another curve"),
            (OPENSSL_SEC1, "openssl pkcs8 -topk8"),
            (
                &OPENSSL_P256.replace(" PRIVATE", " ENCRYPTED PRIVATE"),
                "found an encrypted key",
            ),
            (
                &OPENSSL_P256.replace(" PRIVATE KEY", " CERTIFICATE"),
                "found a certificate",
            ),
            (&OPENSSL_ED25519.replace('+', "!"), "found damaged PEM"),
            (
                &OPENSSL_P256.replace("3OIaHxLB5", "3OIaHxLB6"),
                "found a damaged key",
            ),
        ] {
            let message = refusal(text);
            assert!(message.contains(found), "{message}");
            assert!(message.contains("expected an Ed25519 or P-256 private key"));
        }
    }

    #[test]
    fn a_missing_key_is_told_from_one_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let missing = SigningKey::read(&folder.path().join("none.pem"));
        assert!(matches!(missing, Err(SigningKeyError::Missing { .. })));
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        let unreadable = SigningKey::read(folder.path());
        assert!(matches!(
            unreadable,
            Err(SigningKeyError::Unreadable { .. })
        ));
    }

    #[test]
    fn a_new_key_reads_back_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/still/key.pem");

        let key = SigningKey::create(&path, Algorithm::Es256).unwrap();

        assert_eq!(SigningKey::read(&path).unwrap().kid(), key.kid());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&folder.path().join("deeper")), 0o700);
        let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(entries.count(), 1, "no draft is left");
    }

    #[test]
    fn a_key_is_never_written_over() {
        let file = file("precious", 0o600);
        let refused = SigningKey::create(file.path(), Algorithm::EdDsa);
        assert!(matches!(refused, Err(SigningKeyError::Exists { .. })));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let file = file("no folder", 0o600);
        let refused = SigningKey::create(&file.path().join("key.pem"), Algorithm::EdDsa);
        let message = refused.unwrap_err().to_string();
        assert!(message.ends_with("key.pem: cannot be written"), "{message}");
    }
}
