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
    for (word, rule) in schema.as_object().unwrap() {
        if !holds(word, rule, value) {
            faults.push(format!("{at}: not {word} {rule}: {value}"));
        }
    }
    if let Some(rule) = schema.get("additionalProperties") {
        assert_eq!(rule, false);
        let names = value.as_object().into_iter().flatten();
        for (name, _) in names.filter(|(name, _)| schema["properties"].get(name).is_none()) {
            faults.push(format!("{at}: {name} is nothing that the document knows"));
        }
    }
    follow(document, schema, value, at, faults);
}

/// Whether a value obeys a rule that says nothing of what is in it.
fn holds(word: &str, rule: &Value, value: &Value) -> bool {
    match word {
        "type" => is_of_type(rule, value),
        "enum" => items(rule).contains(value),
        "const" => rule == value,
        "minLength" => length(value) >= rule.as_u64().unwrap(),
        "maxLength" => length(value) <= rule.as_u64().unwrap(),
        "minimum" => value.as_f64() >= rule.as_f64(),
        "maximum" => value.as_f64() <= rule.as_f64(),
        "minItems" => items(value).len() as u64 >= rule.as_u64().unwrap(),
        "format" => rule != "uuid" || is_uuid(value),
        "required" => items(rule)
            .iter()
            .all(|name| value.get(name.as_str().unwrap()).is_some()),
        _ => true,
    }
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
