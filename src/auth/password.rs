use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::password_pattern::is_pattern;
use crate::domain::{Email, Password, UserName};

/// What a new password must be like (NIST SP 800-63B §3.1.1): long enough, and not among the first
/// that somebody would try. It asks for no digits and no symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The fewest characters it may have.
    pub min_length: usize,
}

impl PasswordPolicy {
    /// The most characters a password may have.
    pub const MAX_CHARS: usize = 1024;

    /// Whether a user of this address and name may have this password.
    ///
    /// # Errors
    ///
    /// [`PasswordRefused`] says what another must be like.
    pub fn check(
        &self,
        password: &Password,
        email: &Email,
        name: &UserName,
    ) -> Result<(), PasswordRefused> {
        let text = normal_form(password).ok_or(PasswordRefused::TooLong)?;
        if text.chars().count() < self.min_length {
            return Err(PasswordRefused::TooShort {
                min: self.min_length,
            });
        }
        let text = Zeroizing::new(text.to_lowercase());
        if is_common(&text) {
            return Err(PasswordRefused::Common);
        }
        if is_pattern(&text) {
            return Err(PasswordRefused::Pattern);
        }
        if is_personal(&text, email, name) {
            return Err(PasswordRefused::Personal);
        }
        Ok(())
    }
}

/// A new password is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRefused {
    /// Too few characters.
    #[error("must have at least {min} characters; several words in a row are easy to remember")]
    TooShort {
        /// The fewest it may have.
        min: usize,
    },
    /// Too many characters.
    #[error("must have at most {max} characters", max = PasswordPolicy::MAX_CHARS)]
    TooLong,
    /// On the list of common passwords.
    #[error(
        "is among the most common passwords; choose one that nobody would guess, such as several words that do not belong together"
    )]
    Common,
    /// One character, or a run of the alphabet or the keyboard.
    #[error(
        "must be more than a row of the keyboard or a repetition; choose several words that do not belong together"
    )]
    Pattern,
    /// Little more than the user's own address or name.
    #[error(
        "must be more than your own name or email address; choose several words that do not belong together"
    )]
    Personal,
}

/// The form in which a password is measured and hashed: NFC, else exactly as typed. None when it is
/// longer than any password may be.
///
/// Keyboards differ in how they compose an `é`; a person must be able to log in from both.
pub(super) fn normal_form(password: &Password) -> Option<Zeroizing<String>> {
    let typed = password.expose();
    if typed.len() > MAX_BYTES {
        return None;
    }
    // NFC has at most three times the bytes (UAX #15): no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(3 * typed.len()));
    text.extend(typed.nfc());
    (text.chars().count() <= PasswordPolicy::MAX_CHARS).then_some(text)
}

/// On the list, or on it but for a few digits and symbols at its end.
fn is_common(text: &str) -> bool {
    let word = text.trim_end_matches(|c: char| !c.is_alphabetic());
    let added = text.len() - word.len();
    COMMON.contains(text) || (added <= MAX_ADDED && COMMON.contains(word))
}

/// Whether fewer than [`MIN_OWN_CHARS`] letters and digits are left when the user's words are gone.
fn is_personal(text: &str, email: &Email, name: &UserName) -> bool {
    let mut rest = Zeroizing::new(text.to_owned());
    for word in personal_words(email, name) {
        rest = Zeroizing::new(rest.replace(&word, " "));
    }
    let left = rest.chars().filter(|c| c.is_alphanumeric()).count();
    *rest != text && left < MIN_OWN_CHARS
}

/// The address, its mailbox, the name and the parts of both, longest first.
fn personal_words(email: &Email, name: &UserName) -> Vec<String> {
    let fold = |text: &str| text.nfc().collect::<String>().to_lowercase();
    let whole = [fold(email.as_str()), email.normal().to_owned()];
    let mailbox = email
        .normal()
        .rsplit_once('@')
        .map_or("", |(mailbox, _)| mailbox);
    let name = fold(name.as_str());
    let joined: String = name.split_whitespace().collect();
    let mut words = Vec::from(whole);
    for text in [mailbox, &name, &joined] {
        words.push(text.to_owned());
        words.extend(text.split(|c: char| !c.is_alphabetic()).map(str::to_owned));
    }
    words.retain(|word| word.chars().count() >= MIN_WORD_CHARS);
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
}

static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Four bytes for each of [`PasswordPolicy::MAX_CHARS`].
const MAX_BYTES: usize = 4096;
/// `2026!` after a common word adds nothing; a longer tail may.
const MAX_ADDED: usize = 5;
/// Shorter parts of a name are in many words by chance.
const MIN_WORD_CHARS: usize = 3;
/// A year and the like, beside one's own name, is guessed at once.
const MIN_OWN_CHARS: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(password: &str) -> Result<(), PasswordRefused> {
        let policy = PasswordPolicy { min_length: 8 };
        let email = Email::parse("Ada.Lovelace@Example.com").unwrap();
        let name = UserName::parse("Ada Lovelace").unwrap();
        policy.check(&Password::new(password.to_owned()), &email, &name)
    }

    #[test]
    fn a_password_has_8_to_1024_characters() {
        let long = |count: usize| {
            "correct horse "
                .chars()
                .cycle()
                .take(count)
                .collect::<String>()
        };
        assert_eq!(check("kz7 mq"), Err(PasswordRefused::TooShort { min: 8 }));
        assert_eq!(check(""), Err(PasswordRefused::TooShort { min: 8 }));
        assert_eq!(check("tvär ödla"), Ok(()));
        assert_eq!(check(&long(1024)), Ok(()));
        assert_eq!(check(&long(1025)), Err(PasswordRefused::TooLong));
        assert_eq!(check(&long(1 << 20)), Err(PasswordRefused::TooLong));
    }

    #[test]
    fn characters_are_counted_as_composed() {
        // Seven characters in fourteen code points.
        let typed = "e\u{301}a\u{300}o\u{302}u\u{308}n\u{303}c\u{327}i\u{308}";
        assert_eq!(check(typed), Err(PasswordRefused::TooShort { min: 8 }));
        let composed = normal_form(&Password::new("e\u{301}".to_owned())).unwrap();
        assert_eq!(*composed, "\u{e9}");
    }

    #[test]
    fn a_password_is_otherwise_taken_as_typed() {
        for typed in [
            "  spaces stay  ",
            "UPPER lower",
            "a\0b\tc\n",
            "ｆｕｌｌ",
            "ﬁ",
        ] {
            let text = normal_form(&Password::new(typed.to_owned())).unwrap();
            assert_eq!(*text, typed);
        }
    }

    #[test]
    fn common_passwords_are_refused_in_any_case_and_with_a_year_behind() {
        for text in [
            "password",
            "PassWord",
            "iloveyou",
            "trustno1",
            "Password2026!",
            "Sunshine99",
            "dragonballz!",
            "P@ssw0rd",
            "correct horse battery staple",
        ] {
            assert_eq!(check(text), Err(PasswordRefused::Common), "{text}");
        }
        assert_eq!(check("butterfly 7391 4482 1188"), Ok(()));
    }

    #[test]
    fn the_list_is_as_the_comparison_needs_it() {
        let lines: Vec<_> = include_str!("common_passwords.txt").lines().collect();
        assert_eq!(COMMON.len(), lines.len(), "no line is there twice");
        for line in lines {
            assert!(line.chars().count() >= 8, "{line} is too short to be one");
            assert_eq!(line, line.to_lowercase());
            assert_eq!(line, line.nfc().collect::<String>());
        }
    }

    #[test]
    fn runs_and_repetitions_are_refused() {
        for text in ["zzzzzzzzzz", "hgfedcba", "mnbvcxzlk", "890890890890"] {
            assert_eq!(check(text), Err(PasswordRefused::Pattern), "{text}");
        }
    }

    #[test]
    fn ones_own_name_and_address_are_refused() {
        for text in [
            "ada.lovelace@example.com",
            "ADA.LOVELACE",
            "Ada Lovelace",
            "adalovelace1815",
            "Lovelace2024!",
            "lovelaceada",
            "1234lovelace",
            "lovelace!!!???!!!",
        ] {
            assert_eq!(check(text), Err(PasswordRefused::Personal), "{text}");
        }
        for text in ["canada moose", "lovelace likes engines", "notes by ada l."] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let message = PasswordRefused::TooShort { min: 12 }.to_string();
        assert!(message.starts_with("must have at least 12 characters"));
        assert_eq!(
            PasswordRefused::TooLong.to_string(),
            "must have at most 1024 characters"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = check(&text);
        }
    }
}
