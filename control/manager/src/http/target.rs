//! Which object or list the path of a request names.

use axum::extract::RawPathParams;
use inlay_api::{
    Name,
    objects::{Kind, Scope},
};

use super::{
    problems::{Failure, not_found},
    routes::Operation,
};
use crate::service::Target;

/// Parameters of a path; those that it has not are empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Path {
    pub(crate) project: String,
    pub(crate) network: String,
    pub(crate) name: String,
}

/// Reads the parameters of a path.
///
/// # Errors
/// 404 for what cannot be a name: nothing is called so, and no key of the store is made of it.
pub(crate) fn read(parameters: &RawPathParams) -> Result<Path, Failure> {
    let mut path = Path::default();
    for (key, value) in parameters {
        value
            .parse::<Name>()
            .map_err(|wrong| not_found(format!("there is no such {key}: {wrong}")))?;
        match key {
            "project" => value.clone_into(&mut path.project),
            "network" => value.clone_into(&mut path.network),
            _ => value.clone_into(&mut path.name),
        }
    }
    Ok(path)
}

/// What an operation on a kind is about.
pub(crate) fn target(operation: Operation, kind: Kind, path: Path) -> Target {
    let is_list = matches!(
        operation,
        Operation::List(_) | Operation::ListAll(_) | Operation::Create(_)
    );
    let Path {
        project,
        network,
        name,
    } = path;
    // The last parameter of a single object's path is its name, whatever the path calls it.
    let (project, network, name) = match (kind, is_list) {
        (Kind::Project, false) => (String::new(), String::new(), project),
        (Kind::Network, false) => (project, String::new(), network),
        _ => (project, network, name),
    };
    Target {
        kind,
        project,
        network,
        name,
    }
}

/// Path of an object.
pub(crate) fn location(target: &Target, name: &str) -> String {
    let plural = target.kind.plural();
    let Target {
        project, network, ..
    } = target;
    match target.kind.scope() {
        Scope::System => format!("/v1/{plural}/{name}"),
        Scope::Project => format!("/v1/projects/{project}/{plural}/{name}"),
        Scope::Network => format!("/v1/projects/{project}/networks/{network}/{plural}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Path {
        Path {
            project: "acme".into(),
            network: "main".into(),
            name: "web".into(),
        }
    }

    #[test]
    fn the_last_parameter_is_the_name() {
        let of = |operation: Operation, path| {
            let kind = operation.kind().unwrap();
            let target = target(operation, kind, path);
            format!("{}/{}/{}", target.project, target.network, target.name)
        };
        let project = Path {
            project: "acme".into(),
            ..Path::default()
        };
        let network = Path {
            name: String::new(),
            ..path()
        };
        assert_eq!(of(Operation::Read(Kind::Node), path()), "acme/main/web");
        assert_eq!(
            of(Operation::Read(Kind::Project), project.clone()),
            "//acme"
        );
        assert_eq!(
            of(Operation::Read(Kind::Network), network.clone()),
            "acme//main"
        );
        assert_eq!(of(Operation::Create(Kind::Network), project), "acme//");
        assert_eq!(of(Operation::List(Kind::Node), network), "acme/main/");
    }

    #[test]
    fn an_object_is_where_its_path_leads() {
        let target = target(Operation::Read(Kind::Node), Kind::Node, path());
        assert_eq!(
            location(&target, "web"),
            "/v1/projects/acme/networks/main/nodes/web"
        );
    }
}
