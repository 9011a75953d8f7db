//! What may be said of the objects of each kind when they are made and changed: one file a kind.

pub(crate) mod acl;
pub(crate) mod host;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod peering;
pub(crate) mod project;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod subnet;
pub(crate) mod token;

use std::{collections::BTreeMap, fmt::Debug, str::FromStr};

use clap::Args;
use inlay_api::objects::ObjectKind;

use super::{failure::Failure, scope::ScopeFlags};

/// A kind of object on the command line.
pub(crate) trait Flags: Debug + 'static {
    /// What is wanted of an object.
    type Spec: ObjectKind + Default;
    /// Where the objects are.
    type Scope: ScopeFlags + Debug;
    /// What is said to make one.
    type Create: Args + Debug + Write<Self::Spec>;
    /// What is said to change one; [`Nothing`] where none can be changed.
    type Update: Args + Debug + Write<Self::Spec>;
    /// Whether the maps of hosts depend on it, so that one waits for them.
    const CONCERNS_HOSTS: bool;
}

/// Flags that say something of a spec.
pub(crate) trait Write<S> {
    /// Writes what was said into `spec`, and leaves the rest as it is.
    fn write(&self, spec: &mut S) -> Result<(), Failure>;

    /// What goes with the request that makes it, and is no part of the spec.
    fn query(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Nothing can be said.
#[derive(Args, Clone, Debug)]
pub(crate) struct Nothing {}

impl<S> Write<S> for Nothing {
    fn write(&self, _: &mut S) -> Result<(), Failure> {
        Ok(())
    }
}

/// Replaces what is there, if something was said.
pub(crate) fn set<T: Clone>(field: &mut T, said: Option<&T>) {
    if let Some(said) = said {
        field.clone_from(said);
    }
}

/// As [`set`], for what may be left out; an empty text leaves it out.
pub(crate) fn set_or_clear(field: &mut Option<String>, said: Option<&String>) {
    if let Some(said) = said {
        *field = Some(said.clone()).filter(|said| !said.is_empty());
    }
}

/// As [`set`], for numbers that may be left out.
pub(crate) fn set_some<T: Copy>(field: &mut Option<T>, said: Option<T>) {
    if said.is_some() {
        *field = said;
    }
}

/// Reads `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Reads `KEY=NUMBER,KEY=NUMBER`.
pub(crate) fn numbers<K: FromStr<Err = String> + Ord>(
    text: &str,
) -> Result<BTreeMap<K, u64>, String> {
    let mut found = BTreeMap::new();
    for part in text.split(',') {
        let (key, number) = key_value(part.trim()).map_err(|_| "write KEY=NUMBER,KEY=NUMBER")?;
        let number = number
            .parse()
            .map_err(|_| format!("{number} is no number"))?;
        if found.insert(key.parse()?, number).is_some() {
            return Err(format!("{key} is there twice"));
        }
    }
    Ok(found)
}
