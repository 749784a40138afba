//! The shapes of bodies and answers.

use serde_json::{Value, json};

/// A reference to the schema of this name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Puts a member into an object.
pub(super) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value.into());
    }
}

/// Every schema.
pub(super) fn all() -> Value {
    let mut all = requests();
    for more in [answers(), documents()] {
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
    }
    all
}

fn requests() -> Value {
    let password = json!({ "type": "string", "format": "password" });
    let new_password =
        json!({ "type": "string", "format": "password", "minLength": 8, "maxLength": 1024 });
    let email = json!({ "type": "string", "format": "email", "maxLength": 254 });
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 200 });
    json!({
        "LogIn": object(&["email", "password"], json!({
            "email": { "type": "string" }, "password": password,
        })),
        "PasswordChange": object(&["current_password", "new_password"], json!({
            "current_password": password, "new_password": new_password,
        })),
        "Forgotten": object(&["email"], json!({ "email": { "type": "string" } })),
        "Reset": object(&["token", "new_password"], json!({
            "token": { "type": "string" }, "new_password": new_password,
        })),
        "NewUser": object(&["email", "name", "password"], json!({
            "email": email, "name": name, "password": new_password,
            "role": or_null(role()),
            "is_active": { "type": ["boolean", "null"] },
        })),
        "UserPatch": object(&[], json!({
            "email": or_null(email),
            "name": or_null(name),
            "role": or_null(role()),
            "is_active": { "type": ["boolean", "null"] },
            "password": or_null(new_password),
        })),
        "NewKey": object(&["name"], json!({
            "name": { "type": "string", "minLength": 1, "maxLength": 100 },
            "expires_at": {
                "type": ["string", "null"],
                "description": "A time in the future, with or without offset.",
                "examples": ["2036-01-01T00:00:00", "2036-01-01T00:00:00+01:00"],
            },
        })),
    })
}

fn answers() -> Value {
    let key = json!({
        "id": id(), "name": { "type": "string" },
        "key_prefix": { "type": "string", "minLength": 11, "maxLength": 11 },
        "created_at": time(), "last_used_at": or_null(time()), "expires_at": or_null(time()),
    });
    let mut minted = key.clone();
    set(
        &mut minted,
        "key",
        json!({ "type": "string", "minLength": 51, "maxLength": 51 }),
    );
    let fields = [
        "id",
        "name",
        "key_prefix",
        "created_at",
        "last_used_at",
        "expires_at",
    ];
    json!({
        "User": closed(&["id", "email", "name", "role", "is_active", "created_at"], json!({
            "id": id(), "email": { "type": "string" }, "name": { "type": "string" }, "role": role(),
            "is_active": { "type": "boolean" }, "created_at": time(),
        })),
        "Users": { "type": "array", "items": reference("User") },
        "Session": closed(&["access_token", "token_type", "expires_in", "user"], json!({
            "access_token": { "type": "string" }, "token_type": { "const": "bearer" },
            "expires_in": { "type": "integer", "minimum": 1, "description": "In seconds." },
            "user": reference("User"),
        })),
        "Key": closed(&fields, key),
        "Keys": { "type": "array", "items": reference("Key") },
        "MintedKey": closed(&[&fields[..], &["key"]].concat(), minted),
        "Message": closed(&["message"], json!({ "message": { "type": "string" } })),
    })
}

fn documents() -> Value {
    json!({
        "Problem": closed_with(
            &["type", "title", "status", "detail", "code", "request_id"],
            json!({
                "type": { "type": "string", "format": "uri" },
                "title": { "type": "string" },
                "status": { "type": "integer", "minimum": 400, "maximum": 599 },
                "detail": { "type": "string", "description": "What to do, for a person." },
                "code": { "type": "string", "description": "What it is, for a program." },
                "request_id": { "type": "string" },
                "errors": { "type": "array", "minItems": 1, "items": reference("FieldError") },
            }),
            "RFC 9457",
        ),
        "FieldError": closed(&["field", "message"], json!({
            "field": { "type": "string" }, "message": { "type": "string" },
        })),
        "JwkSet": closed_with(&["keys"], json!({
            "keys": { "type": "array", "items": object(&["kty", "crv", "x", "kid", "alg", "use"], json!({
                "kty": { "enum": ["OKP", "EC"] }, "crv": { "enum": ["Ed25519", "P-256"] },
                "x": { "type": "string" }, "y": { "type": "string" }, "kid": { "type": "string" },
                "alg": { "enum": ["EdDSA", "ES256"] }, "use": { "const": "sig" },
            })) },
        }), "RFC 7517"),
        "OpenApi": object(&["openapi", "info", "paths"], json!({
            "openapi": { "type": "string" }, "info": { "type": "object" }, "paths": { "type": "object" },
        })),
    })
}

fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn role() -> Value {
    json!({ "type": "string", "enum": ["admin", "viewer"] })
}

fn time() -> Value {
    json!({
        "type": "string", "minLength": 19, "maxLength": 19,
        "description": "UTC, without fraction and offset.", "examples": ["2026-03-18T10:00:00"],
    })
}

fn or_null(schema: impl Into<Value>) -> Value {
    json!({ "anyOf": [schema.into(), { "type": "null" }] })
}

/// What clients send: more members than these are ignored.
fn object(required: &[&str], properties: impl Into<Value>) -> Value {
    json!({ "type": "object", "required": required, "properties": properties.into() })
}

/// What the gateway says, and nothing else.
fn closed(required: &[&str], properties: impl Into<Value>) -> Value {
    let mut schema = object(required, properties);
    set(&mut schema, "additionalProperties", false);
    schema
}

fn closed_with(required: &[&str], properties: impl Into<Value>, description: &str) -> Value {
    let mut schema = closed(required, properties);
    set(&mut schema, "description", description);
    schema
}
