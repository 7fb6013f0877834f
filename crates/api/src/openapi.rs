//! The OpenAPI 3.1 document, made from the code and compared with `schemas/openapi.json`, and the JSON Schemas of the
//! session's frames, of a rule and of a tool, compared with `schemas/session-v1.json`, `schemas/rule-v1.json` and
//! `schemas/tool-v1.json`.
use crate::router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fleet_types::rule::Rule;
use fleet_types::session::{ClientFrame, Problem, ServerFrame};
use fleet_types::tool::Tool;
use fleet_types::trial::Test;
use std::sync::LazyLock;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, License, OpenApi, Ref, RefOr, ResponseBuilder, Schema,
    SecurityRequirement,
};
use utoipa::{PartialSchema, ToSchema};

/// The document.
#[must_use]
pub fn openapi() -> OpenApi {
    let (_, mut document) = router::routes().split_for_parts();
    document.info = InfoBuilder::new()
        .title("FleetCommand")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Air traffic control for AI agents: agents ask for permits before they act.\n\n\
             Refusals are problems (RFC 9457) with a stable `code`. Lists go on with `next`. \
             Times are microseconds since 1970, spans milliseconds, money millionths.",
        ))
        .license(Some(License::new("Apache-2.0")))
        .build();
    // Functions are named within their file; operations need names of their own. Every one may be refused.
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let tag = operation
                .tags
                .iter()
                .flatten()
                .next()
                .cloned()
                .unwrap_or_default();
            let name = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(format!("{tag}_{name}"));
            operation
                .responses
                .responses
                .insert("default".to_owned(), refusal());
        }
    }
    // The address of a path with slashes says so to the router only.
    document.paths.paths = std::mem::take(&mut document.paths.paths)
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    document
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme(
            "key",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        );
    document.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        ..
    } = item;
    [get, put, post, delete].into_iter().flatten()
}

fn refusal() -> RefOr<utoipa::openapi::Response> {
    let problem = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description("Refused: a problem with a stable code.")
        .content("application/problem+json", Content::new(Some(problem)))
        .build()
        .into()
}

/// Gives the document.
pub async fn serve() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(pretty(&openapi())));
    (
        [(header::CONTENT_TYPE, "application/json")],
        DOCUMENT.clone(),
    )
        .into_response()
}

/// The JSON Schema (2020-12) of the session's frames: `client` says what agents send, `server` what they hear.
#[must_use]
pub fn session_schema() -> serde_json::Value {
    let mut schemas = Vec::new();
    ClientFrame::schemas(&mut schemas);
    ServerFrame::schemas(&mut schemas);
    schemas.push((ClientFrame::name().into(), ClientFrame::schema()));
    schemas.push((ServerFrame::name().into(), ServerFrame::schema()));
    json_schema(
        serde_json::json!({
            "$id": "https://fleetcommand.dev/schemas/session-v1.json",
            "title": "Frames of a FleetCommand session, version 1",
            "oneOf": [{"$ref": "#/$defs/ClientFrame"}, {"$ref": "#/$defs/ServerFrame"}],
        }),
        schemas,
    )
}

/// The JSON Schema (2020-12) of a rule, for the files that people write.
#[must_use]
pub fn rule_schema() -> serde_json::Value {
    let mut schemas = Vec::new();
    Rule::schemas(&mut schemas);
    schemas.push((Rule::name().into(), Rule::schema()));
    json_schema(
        serde_json::json!({
            "$id": "https://fleetcommand.dev/schemas/rule-v1.json",
            "title": "A coordination rule of FleetCommand, version 1",
            "$ref": "#/$defs/Rule",
        }),
        schemas,
    )
}

/// The JSON Schema (2020-12) of a tool, for the files that people write.
#[must_use]
pub fn tool_schema() -> serde_json::Value {
    let mut schemas = Vec::new();
    Tool::schemas(&mut schemas);
    schemas.push((Tool::name().into(), Tool::schema()));
    json_schema(
        serde_json::json!({
            "$id": "https://fleetcommand.dev/schemas/tool-v1.json",
            "title": "A tool of FleetCommand, version 1",
            "$ref": "#/$defs/Tool",
        }),
        schemas,
    )
}

/// The JSON Schema (2020-12) of the part of a declared fleet that rules and their tests are.
#[must_use]
pub fn rule_tests_schema() -> serde_json::Value {
    let mut schemas = Vec::new();
    Rule::schemas(&mut schemas);
    Test::schemas(&mut schemas);
    schemas.push((Rule::name().into(), Rule::schema()));
    schemas.push((Test::name().into(), Test::schema()));
    json_schema(
        serde_json::json!({
            "$id": "https://fleetcommand.dev/schemas/rule-tests-v1.json",
            "title": "Coordination rules of FleetCommand and their tests, version 1",
            "type": "object",
            "properties": {
                "rules": {"type": "array", "items": {"$ref": "#/$defs/Rule"}},
                "tests": {"type": "array", "items": {"$ref": "#/$defs/RuleTest"}},
            },
        }),
        schemas,
    )
}

fn json_schema(
    mut document: serde_json::Value,
    schemas: Vec<(String, RefOr<Schema>)>,
) -> serde_json::Value {
    let definitions: std::collections::BTreeMap<String, serde_json::Value> = schemas
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
        .collect();
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    document["$defs"] = serde_json::to_value(definitions).unwrap_or_default();
    // OpenAPI keeps its definitions elsewhere.
    let text = document
        .to_string()
        .replace("#/components/schemas/", "#/$defs/");
    serde_json::from_str(&text).unwrap_or_default()
}

fn pretty(value: &impl serde::Serialize) -> String {
    // Documents are made of strings and numbers.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with a committed file, or writes it when `UPDATE_EXPECT` is set.
    fn expect(name: &str, text: &str) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../schemas")
            .join(name);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "schemas/{name} is not what the code says: run `UPDATE_EXPECT=1 cargo test -p fleet-api openapi`, and look at the difference"
        );
    }

    #[test]
    fn the_document_is_the_committed_one() {
        expect("openapi.json", &pretty(&openapi()));
    }

    #[test]
    fn the_frames_are_the_committed_ones() {
        expect("session-v1.json", &pretty(&session_schema()));
    }

    #[test]
    fn the_rule_is_the_committed_one() {
        expect("rule-v1.json", &pretty(&rule_schema()));
    }

    #[test]
    fn the_tool_is_the_committed_one() {
        expect("tool-v1.json", &pretty(&tool_schema()));
    }

    #[test]
    fn the_tests_of_rules_are_the_committed_ones() {
        expect("rule-tests-v1.json", &pretty(&rule_tests_schema()));
    }

    /// Names of schemas have no module: two types of one name would silently become one.
    #[test]
    fn no_two_schemas_share_a_name() {
        let mut schemas = Vec::new();
        ClientFrame::schemas(&mut schemas);
        ServerFrame::schemas(&mut schemas);
        fleet_types::Record::schemas(&mut schemas);
        fleet_types::Reply::schemas(&mut schemas);
        fleet_types::explain::Explanation::schemas(&mut schemas);
        fleet_types::permit::View::schemas(&mut schemas);
        fleet_types::view::Status::schemas(&mut schemas);
        fleet_types::view::Agent::schemas(&mut schemas);
        fleet_types::view::Lock::schemas(&mut schemas);
        fleet_types::view::Limit::schemas(&mut schemas);
        fleet_types::view::Rule::schemas(&mut schemas);
        fleet_types::view::Policy::schemas(&mut schemas);
        fleet_types::view::Tool::schemas(&mut schemas);
        fleet_types::view::Budget::schemas(&mut schemas);
        fleet_types::view::Halt::schemas(&mut schemas);
        fleet_types::view::Scope::schemas(&mut schemas);
        let document = serde_json::to_value(openapi()).unwrap();
        for (name, schema) in schemas {
            let schema = serde_json::to_value(schema).unwrap();
            let kept = &document["components"]["schemas"][name.as_str()];
            assert!(
                kept.is_null() || *kept == schema,
                "{name} stands for two types: give one of them #[schema(as = …)]"
            );
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut document = openapi();
        let mut seen = std::collections::BTreeSet::new();
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let name = operation.operation_id.clone().unwrap();
                assert!(seen.insert(name.clone()), "{name} stands twice");
                assert!(operation.summary.is_some(), "{name} has no summary");
            }
        }
        assert!(seen.len() > 50, "{}", seen.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let openapi = serde_json::to_value(openapi()).unwrap();
        for document in [
            openapi,
            session_schema(),
            rule_schema(),
            tool_schema(),
            rule_tests_schema(),
        ] {
            let mut references = Vec::new();
            collect(&document, &mut references);
            for reference in references {
                let pointer = reference.trim_start_matches('#');
                assert!(
                    document.pointer(pointer).is_some(),
                    "{reference} leads nowhere"
                );
            }
        }
    }

    fn collect(value: &serde_json::Value, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                if let Some(serde_json::Value::String(reference)) = map.get("$ref") {
                    into.push(reference.clone());
                }
                map.values().for_each(|value| collect(value, into));
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
}
