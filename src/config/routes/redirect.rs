use http::{StatusCode, Uri};

use crate::config::section::Section;
use crate::config::text::Text;

/// `redirect = { to = "https://www.example.com", status = 308, keep_path = true }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `to`: a URL, or a path on the same host. Where the path is kept, without a slash at its end.
    pub to: String,
    /// `status`: 301, 302, 303, 307 or 308 (307).
    pub status: StatusCode,
    /// `keep_path`: whether path and query of the request follow it.
    pub keep_path: bool,
}

const WAY_OUT: &str = "write a URL such as \"https://www.example.com\", or a path such as \"/new\"";

impl Redirect {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let to = section.required("to", "\"https://www.example.com\"");
        let status = section.value("status").and_then(|value| {
            let status = value.count(&(0..=999_u16))?;
            let known = matches!(status, 301 | 302 | 303 | 307 | 308);
            if !known {
                value.wrong(
                    "is not a status that redirects",
                    "write 301 or 308 for ever, 302, 303 or 307 for now",
                );
            }
            StatusCode::from_u16(status).ok()
        });
        let keep_path = section.flag("keep_path", false);
        let text = to?.text()?;
        Some(Self {
            to: location(&text, keep_path)?,
            // A slip is not remembered for ever, and a POST stays a POST.
            status: status.unwrap_or(StatusCode::TEMPORARY_REDIRECT),
            keep_path,
        })
    }
}

fn location(text: &Text<'_>, keep_path: bool) -> Option<String> {
    let to = text.as_str();
    // `//host` is another host, and so is `/\host` to some browsers.
    let is_path = to.starts_with('/') && !to.starts_with("//");
    if !is_path && !is_url(to) || to.contains(['\\', '"', '<', '>']) || !to.bytes().all(is_visible)
    {
        text.wrong("leads nowhere", WAY_OUT);
        return None;
    }
    if !keep_path {
        return Some(to.to_owned());
    }
    if to.contains(['?', '#']) {
        text.wrong(
            "has a query or a fragment, which a path cannot follow",
            "remove it, or keep_path",
        );
        return None;
    }
    Some(to.trim_end_matches('/').to_owned())
}

fn is_url(to: &str) -> bool {
    let Ok(url) = to
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .parse::<Uri>()
    else {
        return false;
    };
    matches!(url.scheme_str(), Some("http" | "https"))
        && url
            .authority()
            .is_some_and(|authority| !authority.as_str().contains('@'))
}

const fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}
