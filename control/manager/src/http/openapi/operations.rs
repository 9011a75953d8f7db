//! Operations of the document: what each takes and answers.

use inlay_api::objects::Kind;
use utoipa::openapi::{
    Content, ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder, Schema, Type,
    path::{Operation as Described, OperationBuilder},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::AnyOfBuilder,
    security::SecurityRequirement,
};

use super::{
    BEARER, parameters,
    schemas::{capitalized, list_name, name},
};
use crate::http::{
    problems::PROBLEM_JSON,
    routes::{Operation, Route},
};

const JSON: &str = "application/json";
/// Tag of what is about no kind.
pub(super) const SYSTEM: &str = "system";

/// Describes an operation.
pub(super) fn operation(route: &Route) -> Described {
    let operation = route.operation;
    let mut builder = OperationBuilder::new()
        .tag(operation.kind().map_or(SYSTEM, Kind::plural))
        .operation_id(Some(id(operation)))
        .summary(Some(summary(operation)))
        .parameters(Some(parameters::of(route)))
        .request_body(request_body(operation));
    for (status, response) in successes(operation) {
        builder = builder.response(status, response);
    }
    for status in problems_of(operation) {
        builder = builder.response(status, Ref::from_response_name(problem_name(status)));
    }
    if !operation.is_public() {
        builder = builder.security(SecurityRequirement::new(BEARER, Vec::<String>::new()));
    }
    builder.build()
}

/// A kind's plural as part of an operation's id, like `SecurityGroups`.
fn plural(kind: Kind) -> String {
    kind.plural().split('-').map(capitalized).collect()
}

fn id(operation: Operation) -> String {
    match operation {
        Operation::List(kind) => format!("list{}", plural(kind)),
        Operation::ListAll(kind) => format!("listAll{}", plural(kind)),
        Operation::Create(kind) => format!("create{}", name(kind)),
        Operation::Read(kind) => format!("read{}", name(kind)),
        Operation::Replace(kind) => format!("replace{}", name(kind)),
        Operation::Delete(kind) => format!("delete{}", name(kind)),
        Operation::MoveNode => "moveNode".into(),
        Operation::AcceptPeering => "acceptPeering".into(),
        Operation::RejectPeering => "rejectPeering".into(),
        Operation::IssueJoinToken => "issueJoinToken".into(),
        Operation::ProjectEvents => "listProjectEvents".into(),
        Operation::Events => "listEvents".into(),
        Operation::Status => "readStatus".into(),
        Operation::Trace => "tracePacket".into(),
        Operation::Document => "readDocument".into(),
        Operation::Alive => "readAlive".into(),
        Operation::Ready => "readReady".into(),
    }
}

fn summary(operation: Operation) -> String {
    let words = |kind: Kind| kind.name().replace('-', " ");
    let many = |kind: Kind| kind.plural().replace('-', " ");
    match operation {
        Operation::List(Kind::Token) => {
            "Tokens of the caller's project; the operator's: all".into()
        }
        Operation::List(Kind::Project) => "Projects that the caller may see".into(),
        Operation::List(kind) => format!("All {}, in the order of their names", many(kind)),
        Operation::ListAll(kind) => format!("The {} of all projects, for the operator", many(kind)),
        Operation::Create(kind) => format!("Make a {}", words(kind)),
        Operation::Read(kind) => format!("One {}", words(kind)),
        Operation::Replace(kind) => format!("Replace labels and spec of a {}", words(kind)),
        Operation::Delete(kind) => format!("Delete a {}", words(kind)),
        Operation::MoveNode => "Move a node to another host; it works meanwhile".into(),
        Operation::AcceptPeering => "Accept a peering, as the project that is asked".into(),
        Operation::RejectPeering => "Reject a peering, as the project that is asked".into(),
        Operation::IssueJoinToken => "A one-time token with which a host joins".into(),
        Operation::ProjectEvents => "Who changed what in a project, the oldest first".into(),
        Operation::Events => "Who changed what, the oldest first, for the operator".into(),
        Operation::Status => "How all hosts are, for the operator".into(),
        Operation::Trace => "What becomes of a made packet on every host on its way".into(),
        Operation::Document => "This document".into(),
        Operation::Alive => "The manager runs".into(),
        Operation::Ready => "The manager answers requests".into(),
    }
}

fn request_body(operation: Operation) -> Option<RequestBody> {
    let (schema, required) = match operation {
        Operation::Create(kind) | Operation::Replace(kind) => (name(kind), Required::True),
        Operation::MoveNode => ("MoveRequest".into(), Required::False),
        _ => return None,
    };
    let body = RequestBodyBuilder::new()
        .content(JSON, content(Ref::from_schema_name(schema)))
        .required(Some(required));
    Some(body.build())
}

/// What is answered where all is well.
fn successes(operation: Operation) -> Vec<(&'static str, Response)> {
    let mut responses = answers(operation);
    if operation.is_mutation() {
        for (_, response) in &mut responses {
            add_header(
                response,
                "Inlay-Applied",
                "With wait=applied: complete or incomplete.",
            );
        }
    }
    responses
}

fn add_header(response: &mut Response, name: &str, description: &str) {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let header = HeaderBuilder::new()
        .schema(Some(text))
        .description(Some(description));
    response.headers.insert(name.into(), header.build().into());
}

fn answers(operation: Operation) -> Vec<(&'static str, Response)> {
    let named = |schema: &str| Ref::from_schema_name(schema);
    match operation {
        Operation::List(kind) | Operation::ListAll(kind) => {
            vec![("200", ok("A page.", named(&list_name(kind))))]
        }
        Operation::Read(kind) => vec![("200", tagged(ok("The object.", named(&name(kind)))))],
        Operation::Create(kind) => vec![
            ("201", created(kind)),
            (
                "200",
                ok("With dry_run: what would be done.", named("Plan")),
            ),
            ("202", incomplete()),
        ],
        Operation::IssueJoinToken => vec![
            (
                "201",
                ok("The token; it is shown once.", named("JoinToken")),
            ),
            (
                "200",
                ok("With dry_run: what would be done.", named("Plan")),
            ),
            ("202", incomplete()),
        ],
        operation if operation.is_mutation() => {
            let kind = operation.kind().map(name).unwrap_or_default();
            changed(&[&kind, "Plan"])
        }
        Operation::ProjectEvents | Operation::Events => {
            vec![("200", ok("A page.", named("AuditEntryList")))]
        }
        Operation::Status => vec![("200", ok("The system's status.", named("SystemStatus")))],
        Operation::Trace => vec![("200", ok("The packet's way.", named("Trace")))],
        Operation::Document => {
            let document = ObjectBuilder::new().schema_type(Type::Object);
            vec![("200", ok("OpenAPI 3.1.", document))]
        }
        _ => vec![("200", ok("It is so.", named("Health")))],
    }
}

fn created(kind: Kind) -> Response {
    let response = match kind {
        Kind::Node => {
            let schemas = [name(kind), list_name(kind)];
            ok("The node; with count: all of them.", any_of(&schemas))
        }
        Kind::Token => ok(
            "The token, and its secret.",
            Ref::from_schema_name("IssuedToken"),
        ),
        _ => ok("The object.", Ref::from_schema_name(name(kind))),
    };
    let mut response = tagged(response);
    add_header(&mut response, "Location", "Path of the object.");
    response
}

fn changed(schemas: &[&str]) -> Vec<(&'static str, Response)> {
    let schema = any_of(schemas);
    let done = tagged(ok("What was changed; with dry_run: what would be.", schema));
    vec![("200", done), ("202", incomplete())]
}

fn any_of<S: AsRef<str>>(schemas: &[S]) -> RefOr<Schema> {
    let mut any = AnyOfBuilder::new();
    for schema in schemas {
        any = any.item(Ref::from_schema_name(schema.as_ref()));
    }
    any.into()
}

fn incomplete() -> Response {
    ok(
        "It is done, and with wait=applied not every host concerned had it in time: `applied` names them.",
        Ref::from_schema_name("Applying"),
    )
}

fn content(schema: impl Into<RefOr<Schema>>) -> Content {
    ContentBuilder::new().schema(Some(schema)).build()
}

fn ok(description: &str, schema: impl Into<RefOr<Schema>>) -> Response {
    ResponseBuilder::new()
        .description(description)
        .content(JSON, content(schema))
        .build()
}

fn tagged(mut response: Response) -> Response {
    add_header(
        &mut response,
        "ETag",
        "The object's revision in quotes, for If-Match.",
    );
    response
}

/// Every problem: status, and when it is answered.
const PROBLEMS: &[(&str, &str)] = &[
    (
        "400",
        "A parameter or header is wrong, or the body is no JSON.",
    ),
    ("401", "There is no token that is valid."),
    ("403", "The token may not do this, or a quota is used up."),
    (
        "404",
        "There is no such object, or none that the token may know of.",
    ),
    ("408", "The body is too slow."),
    ("409", "The request does not fit what is there."),
    ("412", "The object has changed: If-Match does not hold."),
    ("413", "The body is too large, or what it asks for is."),
    ("414", "The path is too long."),
    ("415", "The body is no application/json."),
    (
        "422",
        "Fields are wrong, each named; or the idempotency key belongs to another request.",
    ),
    ("429", "The project has too many requests at a time."),
    ("431", "The header is too large."),
    ("500", "The manager failed; its log says more."),
    ("503", "The manager is busy, or its store does not answer."),
];
const PUBLIC: &[&str] = &["400", "414", "431"];
const READINESS: &[&str] = &["400", "414", "431", "503"];
const READ: &[&str] = &[
    "400", "401", "403", "404", "414", "422", "429", "431", "503",
];

/// The problems, as responses that operations refer to.
pub(super) fn problems() -> impl Iterator<Item = (String, Response)> {
    PROBLEMS
        .iter()
        .map(|(status, description)| (problem_name(status), problem(status, description)))
}

fn problem_name(status: &str) -> String {
    format!("Problem{status}")
}

fn problems_of(operation: Operation) -> Vec<&'static str> {
    match operation {
        Operation::Ready => READINESS.to_vec(),
        Operation::Document | Operation::Alive => PUBLIC.to_vec(),
        operation if operation.is_mutation() => {
            PROBLEMS.iter().map(|(status, _)| *status).collect()
        }
        _ => READ.to_vec(),
    }
}

fn problem(status: &str, description: &str) -> Response {
    let mut response = ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, content(Ref::from_schema_name("Problem")))
        .build();
    match status {
        "401" => add_header(&mut response, "WWW-Authenticate", "How to authenticate."),
        "429" | "503" => add_header(&mut response, "Retry-After", "Seconds."),
        _ => {}
    }
    response
}
