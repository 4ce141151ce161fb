//! The `CustomResourceDefinition`, generated from the types.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::CustomResourceExt;
use serde_json::{Map, Number, Value};

use super::PostgresUpgrade;

/// The `CustomResourceDefinition` of [`PostgresUpgrade`].
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let generated = PostgresUpgrade::crd();
    serde_json::to_value(&generated)
        .and_then(|mut value| {
            tidy(&mut value);
            serde_json::from_value(value)
        })
        .unwrap_or(generated)
}

/// The same as YAML, to be applied.
#[must_use]
pub fn crd_yaml() -> String {
    let mut value = serde_json::to_value(crd()).unwrap_or_default();
    whole_numbers(&mut value);
    serde_yaml::to_string(&value).unwrap_or_default()
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            if schema.contains_key("description") || schema.contains_key("type") {
                tidy_schema(schema);
            }
            if let Some(status) = schema
                .get_mut("properties")
                .and_then(|properties| properties.get_mut("status"))
            {
                without_defaults(status);
            }
            schema.values_mut().for_each(tidy);
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn tidy_schema(schema: &mut Map<String, Value>) {
    // An optional member is absent and not null. The server drops a null where it is not allowed, so that a default
    // applies to it too.
    schema.remove("nullable");
    schema.remove("title");
    if schema.contains_key("x-kubernetes-int-or-string") {
        // Implied, and what the generator leaves of it are two empty schemas.
        schema.remove("anyOf");
    }
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description
            .replace('`', "")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
    }
}

/// What the server fills in by itself would have no field manager. Members called `default` there are none.
fn without_defaults(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            schema.remove("default");
            schema.values_mut().for_each(without_defaults);
        }
        Value::Array(list) => list.iter_mut().for_each(without_defaults),
        _ => {}
    }
}

/// `minimum: 1` and not `minimum: 1.0`.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Number(number) => {
            if let Some(whole) = number.is_f64().then(|| number.to_string()).and_then(|text| {
                let digits = text.strip_suffix(".0")?;
                digits.parse::<i64>().ok()
            }) {
                *number = Number::from(whole);
            }
        }
        _ => {}
    }
}
