//! Parameters of the document: those of paths, queries and headers.

use inlay_api::objects::Kind;
use serde_json::json;
use utoipa::openapi::{
    ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Required, Schema, SchemaFormat, Type,
    path::{Parameter as Described, ParameterBuilder, ParameterIn},
};

use crate::http::{
    headers::IDEMPOTENCY_KEY_BYTES_MAX,
    query::{COUNT_MAX, LABELS_MAX, LIMIT_DEFAULT, LIMIT_MAX, PAGE_TOKEN_BYTES_MAX, Parameter},
    routes::{Operation, Route},
};

/// What a name is, as a regular expression.
const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// All parameters of an operation.
pub(super) fn of(route: &Route) -> Vec<Described> {
    let mut all: Vec<_> = path_parameters(&route.path).map(path).collect();
    let parameters = Parameter::of(route.operation);
    all.extend(parameters.iter().map(|&parameter| query(parameter)));
    if route.operation.is_mutation() {
        all.push(idempotency_key());
        if !matches!(route.operation, Operation::Create(_)) {
            all.push(if_match());
        }
    }
    all
}

/// The names in braces of a path.
pub(super) fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path(name: &str) -> Described {
    let kind = Kind::from_name(name).map_or("the object", Kind::name);
    let article = if kind == "the object" {
        kind.to_owned()
    } else {
        format!("the {kind}")
    };
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(NAME))
        .build();
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(format!("Name of {article}.")))
        .schema(Some(schema))
        .build()
}

fn query(parameter: Parameter) -> Described {
    let needed = matches!(parameter, Parameter::From | Parameter::To);
    ParameterBuilder::new()
        .name(parameter.name())
        .parameter_in(ParameterIn::Query)
        .required(if needed {
            Required::True
        } else {
            Required::False
        })
        .description(Some(describe(parameter)))
        .schema(Some(schema(parameter)))
        .build()
}

fn describe(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::DryRun => "Answer the plan, and do nothing.",
        Parameter::Wait => "Answer when the hosts concerned have the change in their maps.",
        Parameter::Timeout => {
            "How long to wait for them: 500ms, 30s or 2m; 30s if left out, at most 300s."
        }
        Parameter::Count => "Make so many nodes: NAME-1 to NAME-COUNT.",
        Parameter::Limit => "Objects of the page.",
        Parameter::PageToken => "Where the page before ended: its next_page_token.",
        Parameter::Label => {
            "Only objects with this label, KEY=VALUE; given several times: with all of them."
        }
        Parameter::From => "The sending node.",
        Parameter::To => "The virtual address that the packet goes to.",
        Parameter::Protocol => {
            "A TCP SYN, a UDP datagram or an ICMP echo request; icmp if left out."
        }
        Parameter::Port => "Its destination port; needed for tcp and udp.",
    }
}

fn schema(parameter: Parameter) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    match parameter {
        Parameter::DryRun => ObjectBuilder::new().schema_type(Type::Boolean).into(),
        Parameter::Wait => text().enum_values(Some(["applied"])).into(),
        Parameter::Timeout => text().pattern(Some("^[0-9]+(ms|s|m)?$")).into(),
        Parameter::Count => number(1, COUNT_MAX as usize, None),
        Parameter::Limit => number(1, LIMIT_MAX, Some(LIMIT_DEFAULT)),
        Parameter::PageToken => text()
            .min_length(Some(1))
            .max_length(Some(PAGE_TOKEN_BYTES_MAX))
            .into(),
        Parameter::Label => ArrayBuilder::new()
            .items(text().pattern(Some("^[^=]+=")).build())
            .max_items(Some(LABELS_MAX))
            .into(),
        Parameter::From => text().pattern(Some(NAME)).into(),
        Parameter::To => text()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Ipv4)))
            .into(),
        Parameter::Protocol => text().enum_values(Some(["tcp", "udp", "icmp"])).into(),
        Parameter::Port => number(1, usize::from(u16::MAX), None),
    }
}

fn number(min: usize, max: usize, default: Option<usize>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(min))
        .maximum(Some(max))
        .default(default.map(|number| json!(number)))
        .into()
}

fn idempotency_key() -> Described {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]+$"))
        .max_length(Some(IDEMPOTENCY_KEY_BYTES_MAX));
    header(
        "Idempotency-Key",
        "The same request with the same key is done once, and answered alike.",
        schema,
    )
}

fn if_match() -> Described {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .examples([json!("\"42\"")]);
    header(
        "If-Match",
        "Only if the object still has this ETag (RFC 9110); `*` for any.",
        schema,
    )
}

fn header(name: &str, description: &str, schema: ObjectBuilder) -> Described {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}
