//! Who may do what, in one place.
//!
//! - The operator (`admin`) may do everything.
//! - `editor` and `reader` are of one project. What is of another project is not there for them: they are told 404,
//!   whether it exists or not. What is the operator's (hosts; which projects there are, and their quotas) they are
//!   told 403.
//! - A reader changes nothing. An editor changes everything in its project, and may make tokens for it that may do
//!   as much as itself or less, for as long as itself or shorter; names of tokens are the whole system's, so a name
//!   that another project took is taken.
//! - A peering is seen, answered and deleted by both of its projects.

use inlay_api::objects::{Kind, PeeringSpec, Problem, Role, Scope, TokenSpec};

use super::problems;
use super::request::{Action, Actor, Target};

/// What is to be done, as far as permission goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    Read,
    List,
    Create,
    /// Replace, move.
    Change,
    Delete,
    /// Accept or reject.
    Answer,
    IssueJoinToken,
}

impl From<&Action> for Verb {
    fn from(action: &Action) -> Self {
        match action {
            Action::Create { .. } => Self::Create,
            Action::Replace { .. } | Action::Move { .. } => Self::Change,
            Action::Delete => Self::Delete,
            Action::Accept | Action::Reject => Self::Answer,
            Action::IssueJoinToken => Self::IssueJoinToken,
        }
    }
}

/// Whether `actor` may do this, as far as it can be told without the object. `token` and `peering` tell the rest.
///
/// # Errors
/// `not-found` for what is another project's, `forbidden` for what is the operator's or needs another role.
pub(super) fn authorize(actor: &Actor, verb: Verb, target: &Target) -> Result<(), Problem> {
    let Some(own) = operator_or_project(actor)? else {
        return Ok(());
    };
    match target.kind.scope() {
        Scope::System => system(own, verb, target)?,
        Scope::Project | Scope::Network if target.project == own => {}
        Scope::Project | Scope::Network if target.project.is_empty() => {
            return Err(problems::forbidden(
                "name the project; all of them are the operator's to list",
            ));
        }
        // Its other project may; that is in the object.
        Scope::Project | Scope::Network
            if target.kind == Kind::Peering
                && matches!(verb, Verb::Read | Verb::Delete | Verb::Answer) => {}
        Scope::Project | Scope::Network => return Err(problems::target_not_found(target)),
    }
    changes(actor, verb)
}

/// `None` for the operator, or the project that the actor is of.
fn operator_or_project(actor: &Actor) -> Result<Option<&str>, Problem> {
    if actor.role == Role::Admin {
        return Ok(None);
    }
    let project = actor.project.as_deref();
    let none = || problems::forbidden("the token is of no project; make another one");
    project.map(Some).ok_or_else(none)
}

fn system(own: &str, verb: Verb, target: &Target) -> Result<(), Problem> {
    match (target.kind, verb) {
        (Kind::Project, Verb::List) | (Kind::Token, _) => Ok(()),
        (Kind::Project, Verb::Read | Verb::Change) if target.name == own => Ok(()),
        (Kind::Project, Verb::Read | Verb::Change) => Err(problems::target_not_found(target)),
        _ => Err(problems::forbidden(format!(
            "this is the operator's: it needs a token of role admin ({})",
            target.kind.plural()
        ))),
    }
}

fn changes(actor: &Actor, verb: Verb) -> Result<(), Problem> {
    match verb {
        Verb::Read | Verb::List => Ok(()),
        _ if actor.role == Role::Reader => Err(problems::forbidden(
            "a reader's token changes nothing; use one of role editor",
        )),
        _ => Ok(()),
    }
}

/// Whether a token is there for `actor`: the operator's eyes see all, others those of their project.
pub(super) fn sees_token(actor: &Actor, spec: &TokenSpec) -> bool {
    actor.role == Role::Admin || (actor.project.is_some() && spec.project == actor.project)
}

/// Whether `actor` may make this token.
///
/// # Errors
/// `forbidden` where it would be of another project, or may do more.
pub(super) fn may_issue(actor: &Actor, spec: &TokenSpec) -> Result<(), Problem> {
    if actor.role == Role::Admin {
        return Ok(());
    }
    if spec.role > actor.role || spec.project != actor.project {
        let detail = "you may make tokens for your own project, of your own role or a lesser one";
        return Err(problems::forbidden(detail));
    }
    Ok(())
}

/// Whether a peering of `target` is there for `actor`, and whether it may do this.
///
/// # Errors
/// `not-found` for projects that it is not of; `forbidden` where the asking project answers for the other.
pub(super) fn peering(
    actor: &Actor,
    verb: Verb,
    target: &Target,
    spec: &PeeringSpec,
) -> Result<(), Problem> {
    let Some(own) = operator_or_project(actor)? else {
        return Ok(());
    };
    let peer = spec.peer_project.as_deref().unwrap_or(&target.project);
    if own != target.project && own != peer {
        return Err(problems::target_not_found(target));
    }
    if verb == Verb::Answer && own != peer {
        return Err(problems::forbidden("the other project answers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(role: Role) -> Actor {
        Actor {
            token: "t".into(),
            role,
            project: (role != Role::Admin).then(|| "mine".to_owned()),
        }
    }

    fn target(kind: Kind, project: &str) -> Target {
        let (network, name) = match kind.scope() {
            Scope::System => (String::new(), project.to_owned()),
            Scope::Project => (String::new(), "x".to_owned()),
            Scope::Network => ("n".to_owned(), "x".to_owned()),
        };
        let project = if kind.scope() == Scope::System {
            String::new()
        } else {
            project.to_owned()
        };
        Target {
            kind,
            project,
            network,
            name,
        }
    }

    const VERBS: [Verb; 6] = [
        Verb::Read,
        Verb::List,
        Verb::Create,
        Verb::Change,
        Verb::Delete,
        Verb::Answer,
    ];

    #[test]
    fn the_operator_may_everything() {
        for kind in Kind::ALL {
            for verb in VERBS {
                assert!(authorize(&actor(Role::Admin), verb, &target(kind, "other")).is_ok());
            }
        }
    }

    #[test]
    fn what_is_anothers_is_not_there_and_what_is_ones_own_is() {
        for kind in Kind::ALL {
            if kind.scope() == Scope::System || kind == Kind::Peering {
                continue;
            }
            for verb in VERBS {
                let own = authorize(&actor(Role::Editor), verb, &target(kind, "mine"));
                assert!(own.is_ok(), "{kind:?} {verb:?}");
                for role in [Role::Editor, Role::Reader] {
                    let refused = authorize(&actor(role), verb, &target(kind, "other"));
                    assert_eq!(refused.unwrap_err().status, 404, "{kind:?} {verb:?}");
                }
            }
        }
    }

    #[test]
    fn readers_read() {
        for verb in VERBS {
            let result = authorize(&actor(Role::Reader), verb, &target(Kind::Network, "mine"));
            let reads = matches!(verb, Verb::Read | Verb::List);
            assert_eq!(result.is_ok(), reads, "{verb:?}");
            if let Err(problem) = result {
                assert_eq!(problem.status, 403);
            }
        }
    }

    #[test]
    fn the_operators_things_are_forbidden() {
        for verb in VERBS {
            let result = authorize(&actor(Role::Editor), verb, &target(Kind::Host, "a"));
            assert_eq!(result.unwrap_err().status, 403, "{verb:?}");
        }
        for (verb, own, other) in [
            (Verb::Read, None, Some(404)),
            (Verb::Change, None, Some(404)),
            (Verb::Create, Some(403), Some(403)),
            (Verb::Delete, Some(403), Some(403)),
        ] {
            for (project, expected) in [("mine", own), ("other", other)] {
                let result = authorize(&actor(Role::Editor), verb, &target(Kind::Project, project));
                assert_eq!(
                    result.err().map(|it| it.status),
                    expected,
                    "{verb:?} {project}"
                );
            }
        }
    }

    #[test]
    fn an_editor_makes_tokens_of_its_project_up_to_its_role() {
        let spec = |role, project: Option<&str>| TokenSpec {
            role,
            project: project.map(str::to_owned),
            ..TokenSpec::default()
        };
        for (role, project, allowed) in [
            (Role::Reader, Some("mine"), true),
            (Role::Editor, Some("mine"), true),
            (Role::Admin, None, false),
            (Role::Admin, Some("mine"), false),
            (Role::Reader, Some("other"), false),
            (Role::Reader, None, false),
        ] {
            let result = may_issue(&actor(Role::Editor), &spec(role, project));
            assert_eq!(result.is_ok(), allowed, "{role:?} {project:?}");
        }
        assert!(may_issue(&actor(Role::Admin), &spec(Role::Admin, None)).is_ok());
    }

    #[test]
    fn both_projects_see_a_peering_and_the_asked_one_answers() {
        let of = |project: &str| Actor {
            project: Some(project.to_owned()),
            ..actor(Role::Editor)
        };
        let spec = PeeringSpec {
            network: "a".into(),
            peer_project: Some("asked".into()),
            peer_network: "b".into(),
        };
        let target = target(Kind::Peering, "asking");
        for (project, verb, expected) in [
            ("asking", Verb::Read, None),
            ("asked", Verb::Read, None),
            ("third", Verb::Read, Some(404)),
            ("asking", Verb::Answer, Some(403)),
            ("asked", Verb::Answer, None),
            ("third", Verb::Answer, Some(404)),
        ] {
            let result = peering(&of(project), verb, &target, &spec);
            assert_eq!(
                result.err().map(|it| it.status),
                expected,
                "{project} {verb:?}"
            );
        }
    }
}
