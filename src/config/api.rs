use super::Cors;
use super::section::Section;
use http::Method;

/// `[api]`: the gateway's own endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiSettings {
    /// `cors`: which web pages of other origins may log in and manage users and keys; left out, none.
    pub cors: Option<Cors>,
}

impl ApiSettings {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let methods = [
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PATCH,
            Method::DELETE,
        ];
        let cors = section.part("cors", |cors| Cors::read(cors, Some(&methods)));
        Self {
            cors: cors.flatten(),
        }
    }
}
