//! As much of JSON Schema as the document uses. What it does not know it refuses, so that nothing in the
//! document goes unlooked at.

use serde_json::Value;

/// What in `value` is not as `schema` of `document` has it.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(document, schema, value, "", &mut faults);
    faults
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let mut fault = |what: String| faults.push(format!("{at}: {what}: {value}"));
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "type" if !is_of_type(rule, value) => fault(format!("is no {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                fault(format!("is none of {rule}"))
            }
            "const" if rule != value => fault(format!("is not {rule}")),
            "minLength" if length(value) < rule.as_u64().unwrap() => fault("is too short".into()),
            "maxLength" if length(value) > rule.as_u64().unwrap() => fault("is too long".into()),
            "minimum" if value.as_f64() < rule.as_f64() => fault("is too small".into()),
            "maximum" if value.as_f64() > rule.as_f64() => fault("is too large".into()),
            "minItems" if items(value).len() < 1 => fault("has too few".into()),
            "format" if rule == "uuid" && !is_uuid(value) => fault("is no UUID".into()),
            "required" => {
                for name in items(rule)
                    .iter()
                    .filter(|name| value[name.as_str().unwrap()].is_null() && !has(value, name))
                {
                    fault(format!("lacks {name}"));
                }
            }
            "additionalProperties" => {
                assert_eq!(rule, false);
                let known = &schema["properties"];
                for name in value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name)
                {
                    if known.get(name).is_none() {
                        fault(format!("has {name}, which nobody knows"));
                    }
                }
            }
            _ => {}
        }
    }
    follow(document, schema, value, at, faults);
}

/// The schemas within a schema.
fn follow(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(document, document.pointer(path).unwrap(), value, at, faults);
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(document, rule, value, &format!("{at}/{name}"), faults);
                    }
                }
            }
            "items" => {
                for (n, value) in items(value).iter().enumerate() {
                    check(document, rule, value, &format!("{at}/{n}"), faults);
                }
            }
            "allOf" => {
                for rule in items(rule) {
                    check(document, rule, value, at, faults);
                }
            }
            "anyOf" => {
                let fits = |rule: &&Value| self::faults(document, rule, value).is_empty();
                if items(rule).iter().find(fits).is_none() {
                    faults.push(format!("{at}: is none of {rule}: {value}"));
                }
            }
            "type"
            | "enum"
            | "const"
            | "minLength"
            | "maxLength"
            | "minimum"
            | "maximum"
            | "minItems"
            | "format"
            | "required"
            | "additionalProperties"
            | "description"
            | "examples" => {}
            word => panic!("the schema says {word:?}, which is not looked at"),
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], |items| items)
}

fn has(value: &Value, name: &Value) -> bool {
    value.get(name.as_str().unwrap()).is_some()
}

fn length(value: &Value) -> u64 {
    let length = value.as_str().unwrap_or_default().chars().count();
    u64::try_from(length).unwrap()
}

fn is_of_type(types: &Value, value: &Value) -> bool {
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("no type: {kind}"),
    };
    match types {
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    }
}

fn is_uuid(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| uuid::Uuid::parse_str(text).is_ok())
}
