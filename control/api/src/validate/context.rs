//! What the checks of a state share: names, limits of lists, and what is known of the hosts.

use std::collections::HashMap;
use std::str::FromStr;

use crate::field_path::FieldPath;
use crate::invalid_value::shown;
use crate::limits::PORT_FLOWS_DEFAULT;
use crate::problem::Problems;
use crate::raw::RawState;
use crate::{FlowsMax, HostIndex, InvalidValue, Name};

/// Where the host of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostPlace {
    Local,
    Remote(HostIndex),
}

/// What the checks of networks need from outside their network, and the problems found so far.
pub(super) struct Context<'a> {
    pub(super) problems: &'a mut Problems,
    pub(super) places: HashMap<&'a str, HostPlace>,
    pub(super) own_host: &'a str,
    pub(super) uplinks: &'a [String],
    /// `None` where the host's own value is refused.
    pub(super) flows_per_port: Option<FlowsMax>,
    /// Interfaces in use, by host and name, with the path of their node.
    pub(super) interfaces: HashMap<(&'a str, &'a str), String>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        raw: &'a RawState,
        problems: &'a mut Problems,
        places: HashMap<&'a str, HostPlace>,
    ) -> Self {
        let flows = raw.host.flows_per_port.unwrap_or(PORT_FLOWS_DEFAULT);
        Self {
            problems,
            places,
            own_host: &raw.host.name,
            uplinks: &raw.host.uplinks,
            flows_per_port: FlowsMax::new(flows).ok(),
            interfaces: HashMap::new(),
        }
    }
}

/// The first `max` elements of a list; a longer one is a problem.
pub(super) fn bounded<'a, T>(
    list: &'a [T],
    max: usize,
    what: &str,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> &'a [T] {
    let Some(rest) = list.len().checked_sub(max).filter(|&rest| rest > 0) else {
        return list;
    };
    let found = list.len();
    let message = format!("{found} {what} are more than {max}; take {rest} of them out");
    problems.add(path, message);
    &list[..max]
}

/// The places of named things in their list, by name; a name that comes again is a problem.
///
/// `what` is the word for one such thing, `path` that of their list.
pub(super) fn unique_names<'a>(
    names: impl Iterator<Item = &'a str>,
    what: &str,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> HashMap<&'a str, usize> {
    let mut places = HashMap::new();
    for (place, name) in names.enumerate() {
        let first = *places.entry(name).or_insert(place);
        if first != place {
            let other = path.element(first);
            let name = shown(name);
            let message = format!("{what} {name} is there already as {other}; rename one of them");
            problems.add(&path.element(place).field("name"), message);
        }
    }
    places
}

/// The value that `text` stands for.
pub(super) fn parse<T: FromStr<Err = InvalidValue>>(
    text: &str,
    path: &FieldPath<'_>,
    problems: &mut Problems,
) -> Option<T> {
    problems.take(path, text.parse())
}

/// The name in the field `name` of what is at `path`.
pub(super) fn name(text: &str, path: &FieldPath<'_>, problems: &mut Problems) -> Option<Name> {
    parse(text, &path.field("name"), problems)
}
