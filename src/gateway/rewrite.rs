//! What an upstream is asked for, and where a redirect leads.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Response, Uri, header};

use super::body::Source;
use super::reply::Passed;
use crate::config::{Redirect, Rewrite};
use crate::http::{ApiError, Code, NormalPath, PathError};

/// The target as the upstream gets it: the normal path as the route rewrites it, and the query as it
/// is. What was sent encoded stays so.
pub(super) fn upstream_target(
    rewrite: &Rewrite,
    path: &NormalPath<'_>,
    target: &Uri,
) -> Result<PathAndQuery, PathError> {
    let Some(original) = target.path_and_query() else {
        return Ok(PathAndQuery::from_static("/"));
    };
    if rewrite.is_none() {
        return path.target(original);
    }
    let text = rewritten("", rewrite, path, original)?;
    PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| PathError::Character)
}

/// The answer that sends the client elsewhere.
pub(super) fn redirect(
    redirect: &Redirect,
    rewrite: &Rewrite,
    path: &NormalPath<'_>,
    target: &Uri,
) -> Result<Passed, ApiError> {
    let location = match target.path_and_query() {
        Some(original) if redirect.keep_path => rewritten(&redirect.to, rewrite, path, original)?,
        _ => redirect.to.clone(),
    };
    let location = HeaderValue::from_maybe_shared(Bytes::from(location));
    let mut response = Response::new(Source::Full(Bytes::new()));
    *response.status_mut() = redirect.status;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location.map_err(|_| Code::PathRefused)?);
    Ok(Passed::own(response))
}

fn rewritten(
    before: &str,
    rewrite: &Rewrite,
    path: &NormalPath<'_>,
    original: &PathAndQuery,
) -> Result<String, PathError> {
    let rest = path.behind(&rewrite.strip)?;
    let query = original.query();
    let length = before.len() + rewrite.add.len() + rest.len() + query.map_or(0, str::len);
    let mut text = String::with_capacity(length + 2);
    text.push_str(before);
    text.push_str(&rewrite.add);
    text.push_str(rest);
    if rewrite.add.is_empty() && rest.is_empty() {
        text.push('/');
    }
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    Ok(text)
}
