use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response};

use crate::domain::Digest;

/// `GET /api/auth/reset-password`: the page on which a user sets a new password.
///
/// It takes the token from the URL's fragment, which no server ever sees, and posts it with the new
/// password. It loads nothing, and its policy lets nothing run but what is in the page itself.
#[must_use]
pub fn reset_page() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(PAGE.as_bytes()));
    *response.headers_mut() = HEADERS.clone();
    response
}

const PAGE: &str = include_str!("reset_page.html");

static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
    let value = HeaderValue::from_static;
    HeaderMap::from_iter([
        (CONTENT_TYPE, value("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, policy()),
        (REFERRER_POLICY, value("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (X_FRAME_OPTIONS, value("DENY")),
        (CACHE_CONTROL, value("no-store")),
    ])
});

/// The policy that allows this page's own script and style, by their digests, and nothing else.
fn policy() -> HeaderValue {
    let text = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        digest("<script>", "</script>"),
        digest("<style>", "</style>"),
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The digest of what stands between the two tags. A page without them would get the digest of
/// nothing, and so run nothing.
fn digest(open: &str, close: &str) -> String {
    let after = PAGE.split_once(open).map_or("", |(_, rest)| rest);
    let inner = after.split_once(close).map_or("", |(inner, _)| inner);
    STANDARD.encode(Digest::of(&[inner.as_bytes()]).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_script_and_one_style_and_loads_nothing() {
        for tag in ["<script", "<style"] {
            assert_eq!(PAGE.matches(tag).count(), 1, "{tag}");
        }
        for outside in [
            "src=", "http:", "https:", "url(", "@import", "<link", "<img",
        ] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        for forbidden in [" style=", " onclick=", " onsubmit=", "innerHTML", "eval("] {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn the_page_may_run_nothing_but_itself_and_is_kept_by_nobody() {
        let response = reset_page();
        let header = |name| response.headers()[name].to_str().unwrap();
        let policy = header(CONTENT_SECURITY_POLICY);
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        let digest_of_nothing = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert!(!policy.contains(digest_of_nothing), "{policy}");
        assert_eq!(header(CACHE_CONTROL), "no-store");
        assert_eq!(header(REFERRER_POLICY), "no-referrer");
        assert_eq!(header(X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(X_FRAME_OPTIONS), "DENY");
    }
}
