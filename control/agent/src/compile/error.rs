//! Why a valid state does not fit the maps.

/// What a state asks for that the maps of a host cannot hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// More rules than a policy has bits for.
    #[error("{object} has {found} rules, more than {max}; take {} out", found - max)]
    TooManyRules {
        /// Whose they are.
        object: String,
        /// How many it has.
        found: usize,
        /// How many it may have.
        max: usize,
    },
    /// More intervals than a search takes.
    #[error(
        "{object} splits {dimension} into {found} intervals, more than {max}; \
         use fewer or adjoining ones"
    )]
    TooManyIntervals {
        /// Whose they are.
        object: String,
        /// What they are intervals of.
        dimension: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: u32,
    },
    /// A map has no room for what comes in beside what is in use.
    #[error(
        "{object} does not fit: this host holds at most {max} {what}, those of the state before \
         included; use fewer different ones, or apply the change in steps"
    )]
    NoRoom {
        /// What needs the room.
        object: String,
        /// What there is no room for.
        what: &'static str,
        /// How many the host has.
        max: u32,
    },
}
