//! Schemas of the document: of the objects under the kinds' names, and of what else is answered.

use super::operations::problems;
use inlay_api::objects::{
    AclSpec, Applied, AuditEntry, HostSpec, JoinToken, Kind, MoveRequest, NetworkSpec, NodeSpec,
    ObjectKind, ObjectOf, PeeringSpec, Plan, PortSpec, Problem, ProjectSpec, RouteTableSpec,
    SecurityGroupSpec, SubnetSpec, SystemStatus, TokenSpec, Trace,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, Components, ComponentsBuilder, ObjectBuilder, Ref, RefOr, Schema, Type,
        schema::AdditionalProperties, security::SecurityScheme,
    },
};

/// Name of a kind's schema, like `SecurityGroup`.
pub(super) fn name(kind: Kind) -> String {
    kind.name().split('-').map(capitalized).collect()
}

/// The same of its list.
pub(super) fn list_name(kind: Kind) -> String {
    format!("{}List", name(kind))
}

pub(super) fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// All of them.
pub(super) fn components(scheme: &str, security: SecurityScheme) -> Components {
    let mut schemas = Vec::new();
    for kind in Kind::ALL {
        let object = object(kind, &mut schemas);
        schemas.push((name(kind), object));
        schemas.push((list_name(kind), list(&name(kind))));
    }
    schemas.push(("AuditEntryList".into(), list("AuditEntry")));
    schemas.push(("IssuedToken".into(), issued_token()));
    schemas.push(("Applying".into(), applying()));
    schemas.push(("Health".into(), health()));
    add::<Applied>(&mut schemas);
    add::<AuditEntry>(&mut schemas);
    add::<JoinToken>(&mut schemas);
    add::<MoveRequest>(&mut schemas);
    add::<Plan>(&mut schemas);
    add::<Problem>(&mut schemas);
    add::<SystemStatus>(&mut schemas);
    add::<Trace>(&mut schemas);
    schemas.sort_by(|(one, _), (other, _)| one.cmp(other));
    schemas.dedup_by(|(one, _), (other, _)| one == other);
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .responses_from_iter(problems())
        .security_scheme(scheme, security)
        .build()
}

type Named = Vec<(String, RefOr<Schema>)>;

fn add<T: ToSchema>(schemas: &mut Named) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}

fn object(kind: Kind, schemas: &mut Named) -> RefOr<Schema> {
    match kind {
        Kind::Project => of::<ProjectSpec>(schemas),
        Kind::Host => of::<HostSpec>(schemas),
        Kind::Token => of::<TokenSpec>(schemas),
        Kind::Network => of::<NetworkSpec>(schemas),
        Kind::Peering => of::<PeeringSpec>(schemas),
        Kind::Subnet => of::<SubnetSpec>(schemas),
        Kind::Node => of::<NodeSpec>(schemas),
        Kind::Port => of::<PortSpec>(schemas),
        Kind::SecurityGroup => of::<SecurityGroupSpec>(schemas),
        Kind::Acl => of::<AclSpec>(schemas),
        Kind::RouteTable => of::<RouteTableSpec>(schemas),
    }
}

/// The schema of an object; those that it refers to are added.
fn of<S>(schemas: &mut Named) -> RefOr<Schema>
where
    S: ObjectKind + ToSchema,
    S::Status: ToSchema,
{
    add::<S>(schemas);
    add::<S::Status>(schemas);
    ObjectOf::<S>::schemas(schemas);
    ObjectOf::<S>::schema()
}

fn list(item: &str) -> RefOr<Schema> {
    let items = ArrayBuilder::new().items(Ref::from_schema_name(item));
    let token = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "Give it as `page_token` for what follows; left out on the last page.",
        ));
    ObjectBuilder::new()
        .property("items", items)
        .required("items")
        .property("next_page_token", token)
        .into()
}

/// A token, and its secret.
fn issued_token() -> RefOr<Schema> {
    let secret = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "What goes into `Authorization: Bearer …`. It is shown once.",
        ));
    let mut schema = of::<TokenSpec>(&mut Vec::new());
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        object.properties.insert("secret".into(), secret.into());
        object.required.push("secret".into());
    }
    schema
}

fn applying() -> RefOr<Schema> {
    ObjectBuilder::new()
        .description(Some(
            "What was changed, as it is answered otherwise, with one more member: who has not applied it.",
        ))
        .property("applied", Ref::from_schema_name("Applied"))
        .required("applied")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)))
        .into()
}

fn health() -> RefOr<Schema> {
    let status = ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .property("status", status)
        .required("status")
        .into()
}
