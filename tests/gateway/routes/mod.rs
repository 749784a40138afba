//! What routes do besides sending a request to its service.

mod browser;
mod cors;
mod early;
mod headers;
mod limits;
mod matching;
mod max_body;
mod redirects;
mod rewriting;
mod trusted;
