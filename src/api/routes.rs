use http::Method;

use crate::domain::{KeyId, UserId};
use crate::http::{ApiError, Code};

/// What is asked for: one of the gateway's own endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Login,
    Logout,
    ChangePassword,
    ForgotPassword,
    ResetPage,
    ResetPassword,
    Me,
    Users,
    CreateUser,
    UpdateUser(UserId),
    DeleteUser(UserId),
    Keys,
    CreateKey,
    RevokeKey(KeyId),
    OpenApi,
    Jwks,
}

/// What the gateway answers itself on every host, with everything below.
pub const OWN: [&str; 3] = ["/api/auth", "/api/api-keys", JWKS];

/// Whether a path is the gateway's own on every host, there or not: nothing of it is ever forwarded.
#[must_use]
pub fn owns(path: &str) -> bool {
    is_under_prefix(path) || path == JWKS
}

/// Whether an answer at this path may be kept by caches.
pub(super) fn is_public(path: &str) -> bool {
    path == JWKS
}

impl Endpoint {
    /// The endpoint of a method and a path in normal form.
    ///
    /// # Errors
    ///
    /// 404 for a path that has none, 405 for a method that the path has not.
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, ApiError> {
        let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
        let at = [(); 5].map(|()| segments.next());
        let [Some(first), second, third, fourth, None] = at else {
            return Err(Code::NotFound.into());
        };
        match (first, second, third, fourth) {
            ("api", Some("auth"), Some(name), None) => Self::of_auth(method, name),
            ("api", Some("auth"), Some("users"), Some(id)) => Self::of_user(method, id),
            ("api", Some("api-keys"), None, None) => {
                choose(method, "GET, HEAD, POST", |method| match *method {
                    Method::GET => Some(Self::Keys),
                    Method::POST => Some(Self::CreateKey),
                    _ => None,
                })
            }
            ("api", Some("api-keys"), Some(id), None) => {
                let id = id.parse().map_err(|_| Code::NotFound)?;
                only(method, &Method::DELETE, "DELETE", Self::RevokeKey(id))
            }
            (".well-known", Some("jwks.json"), None, None) => get(method, Self::Jwks),
            _ => Err(Code::NotFound.into()),
        }
    }

    fn of_auth(method: &Method, name: &str) -> Result<Self, ApiError> {
        let post = |endpoint| only(method, &Method::POST, "POST", endpoint);
        match name {
            "login" => post(Self::Login),
            "logout" => post(Self::Logout),
            "change-password" => post(Self::ChangePassword),
            "forgot-password" => post(Self::ForgotPassword),
            "me" => get(method, Self::Me),
            "openapi.json" => get(method, Self::OpenApi),
            "reset-password" => choose(method, "GET, HEAD, POST", |method| match *method {
                Method::GET => Some(Self::ResetPage),
                Method::POST => Some(Self::ResetPassword),
                _ => None,
            }),
            "users" => choose(method, "GET, HEAD, POST", |method| match *method {
                Method::GET => Some(Self::Users),
                Method::POST => Some(Self::CreateUser),
                _ => None,
            }),
            _ => Err(Code::NotFound.into()),
        }
    }

    fn of_user(method: &Method, id: &str) -> Result<Self, ApiError> {
        let id = id.parse().map_err(|_| Code::NotFound)?;
        choose(method, "PATCH, DELETE", |method| match *method {
            Method::PATCH => Some(Self::UpdateUser(id)),
            Method::DELETE => Some(Self::DeleteUser(id)),
            _ => None,
        })
    }
}

const JWKS: &str = "/.well-known/jwks.json";

fn is_under_prefix(path: &str) -> bool {
    ["/api/auth", "/api/api-keys"].iter().any(|prefix| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// `HEAD` is a `GET` whose body is left out.
fn choose(
    method: &Method,
    allow: &'static str,
    endpoint: impl FnOnce(&Method) -> Option<Endpoint>,
) -> Result<Endpoint, ApiError> {
    let method = match *method {
        Method::HEAD => &Method::GET,
        _ => method,
    };
    endpoint(method).ok_or_else(|| ApiError::method_not_allowed(allow))
}

fn only(
    method: &Method,
    its: &Method,
    allow: &'static str,
    endpoint: Endpoint,
) -> Result<Endpoint, ApiError> {
    choose(method, allow, |method| (method == its).then_some(endpoint))
}

fn get(method: &Method, endpoint: Endpoint) -> Result<Endpoint, ApiError> {
    only(method, &Method::GET, "GET, HEAD", endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: &str, path: &str) -> (Code, Option<&'static str>) {
        let method = method.parse().unwrap();
        let refused = Endpoint::find(&method, path).unwrap_err();
        (refused.code, refused.allow)
    }

    #[test]
    fn every_call_of_the_contract_has_its_endpoint() {
        let user = UserId::new();
        let key = KeyId::new();
        for (method, path, endpoint) in [
            ("POST", "/api/auth/login".to_owned(), Endpoint::Login),
            ("POST", "/api/auth/logout".to_owned(), Endpoint::Logout),
            (
                "POST",
                "/api/auth/change-password".to_owned(),
                Endpoint::ChangePassword,
            ),
            (
                "POST",
                "/api/auth/forgot-password".to_owned(),
                Endpoint::ForgotPassword,
            ),
            (
                "GET",
                "/api/auth/reset-password".to_owned(),
                Endpoint::ResetPage,
            ),
            (
                "POST",
                "/api/auth/reset-password".to_owned(),
                Endpoint::ResetPassword,
            ),
            ("GET", "/api/auth/me".to_owned(), Endpoint::Me),
            ("HEAD", "/api/auth/me".to_owned(), Endpoint::Me),
            ("GET", "/api/auth/users".to_owned(), Endpoint::Users),
            ("POST", "/api/auth/users".to_owned(), Endpoint::CreateUser),
            (
                "PATCH",
                format!("/api/auth/users/{user}"),
                Endpoint::UpdateUser(user),
            ),
            (
                "DELETE",
                format!("/api/auth/users/{user}"),
                Endpoint::DeleteUser(user),
            ),
            ("GET", "/api/api-keys".to_owned(), Endpoint::Keys),
            ("POST", "/api/api-keys".to_owned(), Endpoint::CreateKey),
            (
                "DELETE",
                format!("/api/api-keys/{key}"),
                Endpoint::RevokeKey(key),
            ),
            (
                "GET",
                "/api/auth/openapi.json".to_owned(),
                Endpoint::OpenApi,
            ),
            ("GET", "/.well-known/jwks.json".to_owned(), Endpoint::Jwks),
        ] {
            let found = Endpoint::find(&method.parse().unwrap(), &path);
            assert_eq!(found, Ok(endpoint), "{method} {path}");
        }
    }

    #[test]
    fn an_unknown_path_is_not_found_whatever_the_method() {
        let too_deep = format!("/api/auth/users/{}/keys", UserId::new());
        for path in [
            "/api/auth",
            "/api/auth/",
            "/api/auth/nothing",
            "/api/auth/login/",
            "/api/auth/users/1",
            "/api/auth/users/",
            "/api/api-keys/",
            "/api/api-keys/dk_1",
            &too_deep,
        ] {
            assert_eq!(refusal("GET", path), (Code::NotFound, None), "{path}");
            assert_eq!(refusal("POST", path), (Code::NotFound, None), "{path}");
        }
    }

    #[test]
    fn a_known_path_says_which_methods_it_has() {
        let user = format!("/api/auth/users/{}", UserId::new());
        let key = format!("/api/api-keys/{}", KeyId::new());
        for (method, path, allow) in [
            ("GET", "/api/auth/login", "POST"),
            ("PUT", "/api/auth/users", "GET, HEAD, POST"),
            ("OPTIONS", "/api/auth/me", "GET, HEAD"),
            ("GET", &user, "PATCH, DELETE"),
            ("HEAD", &key, "DELETE"),
            ("POST", "/.well-known/jwks.json", "GET, HEAD"),
        ] {
            let refused = refusal(method, path);
            assert_eq!(refused, (Code::MethodNotAllowed, Some(allow)), "{path}");
        }
    }

    #[test]
    fn the_prefixes_are_owned_by_whole_segments() {
        for path in [
            "/api/auth",
            "/api/auth/x/y",
            "/api/api-keys",
            "/api/api-keys/",
            "/.well-known/jwks.json",
        ] {
            assert!(owns(path), "{path}");
        }
        for path in [
            "/",
            "/api",
            "/api/authx",
            "/api/api-keys-x",
            "/x/api/auth",
            "/.well-known",
            "/.well-known/jwks.json/x",
        ] {
            assert!(!owns(path), "{path}");
        }
    }
}
