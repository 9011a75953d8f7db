//! The OpenAPI 3.1 document of the API, from the table of routes and from the objects' types themselves.
//! `openapi.json` is this document, checked in.

mod operations;
mod parameters;
mod schemas;

use std::sync::LazyLock;

use bytes::Bytes;
use utoipa::openapi::{
    HttpMethod, Info, License, OpenApi, OpenApiBuilder, PathItem, Paths,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use super::routes::{Route, routes};
use inlay_api::objects::Kind;

/// Name of the one security scheme.
const BEARER: &str = "bearer";

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let mut paths = Paths::new();
    for route in routes() {
        add(&mut paths, &route);
    }
    let mut info = Info::new("Inlay", "v1");
    info.description =
        Some("Private networks for tenants on Linux hosts. See docs/api.md for what holds of all requests.".into());
    info.license = Some(License::new("MIT OR Apache-2.0"));
    let tags = Kind::ALL
        .map(Kind::plural)
        .into_iter()
        .chain([operations::SYSTEM]);
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(schemas::components(BEARER, bearer())))
        .tags(Some(tags.map(|tag| TagBuilder::new().name(tag).build())))
        .build()
}

/// The document as it is served and checked in: indented JSON that ends with a newline.
#[must_use]
pub fn document_text() -> String {
    // Text keys alone: it cannot fail.
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The document as it is served, made once.
pub(crate) fn served() -> Bytes {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| document_text().into());
    TEXT.clone()
}

fn add(paths: &mut Paths, route: &Route) {
    let method = match route.method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    };
    let operation = operations::operation(route);
    let item = PathItem::new(method, operation);
    match paths.paths.get_mut(&route.path) {
        Some(there) => there.merge_operations(item),
        None => {
            paths.paths.insert(route.path.clone(), item);
        }
    }
}

fn bearer() -> SecurityScheme {
    let description = "A token that `inlay manager init` or `inlay token create` printed.";
    SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(description))
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn json() -> Value {
        serde_json::from_str(&document_text()).unwrap()
    }

    fn references(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match value.as_str() {
                        Some(text) if key == "$ref" => {
                            into.insert(text.to_owned());
                        }
                        _ => references(value, into),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = json();
        let mut all = BTreeSet::new();
        references(&document, &mut all);
        assert!(all.len() > 40, "{all:?}");
        for reference in all {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let document = json();
        let mut ids = BTreeSet::new();
        let mut count = 0;
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                count += 1;
                ids.insert(operation["operationId"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(ids.len(), count);
        assert_eq!(count, routes().len());
    }

    #[test]
    fn schemas_have_readable_names() {
        let document = json();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for name in [
            "Network",
            "NetworkSpec",
            "SecurityGroup",
            "NodeList",
            "Problem",
        ] {
            assert!(schemas.contains_key(name), "{name}");
        }
        let odd: Vec<_> = schemas.keys().filter(|name| name.contains('_')).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }
}
