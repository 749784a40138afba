use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// It cannot be printed or serialised, is compared in constant time and wiped when dropped.
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Takes the secret as it is.
            #[must_use]
            pub fn new(secret: String) -> Self {
                Self(Zeroizing::new(secret))
            }

            /// The secret itself. Every use is a place where it could leak.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
            }
        }

        impl Eq for $name {}
    };
}

secret! {
    /// A password, exactly as typed.
    Password
}
secret! {
    /// A session token: a signed JWT.
    SessionToken
}
secret! {
    /// A password reset token, as it was mailed.
    ResetToken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        let shown = format!("{:?}", Password::new("hunter2".to_owned()));
        assert_eq!(shown, "Password(..)");
    }

    #[test]
    fn secrets_are_equal_when_their_bytes_are() {
        let secret = |text: &str| ResetToken::new(text.to_owned());
        assert_eq!(secret("abc"), secret("abc"));
        assert_ne!(secret("abc"), secret("abd"));
        assert_ne!(secret("abc"), secret("abcd"));
    }
}
