//! Every path and method of the API, as data: the router and the OpenAPI document are made from this one table, so
//! that neither can know an operation that the other does not.

use axum::http::Method;
use inlay_api::objects::{Kind, Scope};

/// What a request asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// The objects of a kind within a project or network, or all that the actor may see of the system's.
    List(Kind),
    /// Objects of all projects.
    ListAll(Kind),
    Create(Kind),
    Read(Kind),
    Replace(Kind),
    Delete(Kind),
    MoveNode,
    AcceptPeering,
    RejectPeering,
    IssueJoinToken,
    ProjectEvents,
    Events,
    Status,
    Trace,
    Document,
    Alive,
    Ready,
}

impl Operation {
    /// Whether it changes something.
    pub(crate) fn is_mutation(self) -> bool {
        match self {
            Self::Create(_)
            | Self::Replace(_)
            | Self::Delete(_)
            | Self::MoveNode
            | Self::AcceptPeering
            | Self::RejectPeering
            | Self::IssueJoinToken => true,
            Self::List(_)
            | Self::ListAll(_)
            | Self::Read(_)
            | Self::ProjectEvents
            | Self::Events
            | Self::Status
            | Self::Trace
            | Self::Document
            | Self::Alive
            | Self::Ready => false,
        }
    }

    /// Whether it is answered to whoever asks.
    pub(crate) fn is_public(self) -> bool {
        matches!(self, Self::Document | Self::Alive | Self::Ready)
    }

    /// The kind of object that it is about, if it is about one.
    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Self::List(kind)
            | Self::ListAll(kind)
            | Self::Create(kind)
            | Self::Read(kind)
            | Self::Replace(kind)
            | Self::Delete(kind) => Some(kind),
            Self::MoveNode => Some(Kind::Node),
            Self::AcceptPeering | Self::RejectPeering => Some(Kind::Peering),
            Self::IssueJoinToken => Some(Kind::Host),
            Self::ProjectEvents
            | Self::Events
            | Self::Status
            | Self::Trace
            | Self::Document
            | Self::Alive
            | Self::Ready => None,
        }
    }
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) method: Method,
    pub(crate) operation: Operation,
}

/// Path of the list of a kind, with parameters in braces.
pub(crate) fn collection(kind: Kind) -> String {
    let plural = kind.plural();
    match kind.scope() {
        Scope::System => format!("/v1/{plural}"),
        Scope::Project => format!("/v1/projects/{{project}}/{plural}"),
        Scope::Network => format!("/v1/projects/{{project}}/networks/{{network}}/{plural}"),
    }
}

/// What the name of a kind's object is called in its path: those above others have the same name in all paths.
fn name_parameter(kind: Kind) -> &'static str {
    match kind {
        Kind::Project => "{project}",
        Kind::Network => "{network}",
        _ => "{name}",
    }
}

/// Path of an object of a kind, with parameters in braces.
pub(crate) fn single(kind: Kind) -> String {
    format!("{}/{}", collection(kind), name_parameter(kind))
}

/// The whole API.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes: Vec<Route> = Kind::ALL.into_iter().flat_map(of_kind).collect();
    let node = single(Kind::Node);
    let peering = single(Kind::Peering);
    let host = single(Kind::Host);
    let network = single(Kind::Network);
    routes.extend([
        post(format!("{node}/move"), Operation::MoveNode),
        post(format!("{peering}/accept"), Operation::AcceptPeering),
        post(format!("{peering}/reject"), Operation::RejectPeering),
        post(format!("{host}/join-token"), Operation::IssueJoinToken),
        get(
            "/v1/projects/{project}/events".into(),
            Operation::ProjectEvents,
        ),
        get("/v1/events".into(), Operation::Events),
        get("/v1/status".into(), Operation::Status),
        get(format!("{network}/trace"), Operation::Trace),
        get("/v1/openapi.json".into(), Operation::Document),
        get("/healthz".into(), Operation::Alive),
        get("/readyz".into(), Operation::Ready),
    ]);
    routes
}

fn of_kind(kind: Kind) -> Vec<Route> {
    let (many, one) = (collection(kind), single(kind));
    let mut routes = vec![
        get(many.clone(), Operation::List(kind)),
        get(one.clone(), Operation::Read(kind)),
    ];
    if kind.scope() != Scope::System {
        let all = format!("/v1/{}", kind.plural());
        routes.push(get(all, Operation::ListAll(kind)));
    }
    // A port is a view of its node.
    if kind != Kind::Port {
        routes.push(post(many, Operation::Create(kind)));
        routes.push(row(Method::PUT, one.clone(), Operation::Replace(kind)));
        routes.push(row(Method::DELETE, one, Operation::Delete(kind)));
    }
    routes
}

fn get(path: String, operation: Operation) -> Route {
    row(Method::GET, path, operation)
}

fn post(path: String, operation: Operation) -> Route {
    row(Method::POST, path, operation)
}

fn row(method: Method, path: String, operation: Operation) -> Route {
    Route {
        path,
        method,
        operation,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_method_of_a_path_is_there_twice() {
        let routes = routes();
        let different: BTreeSet<_> = routes
            .iter()
            .map(|route| (&route.path, route.method.as_str()))
            .collect();
        assert_eq!(different.len(), routes.len());
    }

    #[test]
    fn a_port_is_read_and_not_changed() {
        let of = |kind| {
            routes()
                .into_iter()
                .filter(|route| route.operation.kind() == Some(kind))
                .filter(|route| route.operation.is_mutation())
                .count()
        };
        assert_eq!(of(Kind::Port), 0);
        assert_eq!(of(Kind::Node), 4);
    }

    #[test]
    fn paths_are_where_the_kinds_say() {
        assert_eq!(
            single(Kind::Node),
            "/v1/projects/{project}/networks/{network}/nodes/{name}"
        );
        assert_eq!(single(Kind::Project), "/v1/projects/{project}");
        assert_eq!(single(Kind::Token), "/v1/tokens/{name}");
    }
}
