//! Where the desired state comes from: a file, or the manager's stream. The agent does not know which.

use std::future::Future;

use inlay_api::{HostState, Refusal};

/// A state to be made true.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The state.
    pub state: HostState,
    /// What tells it from others, for whoever waits for it.
    pub revision: String,
}

/// A source of states.
pub trait Source {
    /// Waits for the next state, or for one that is refused. May be dropped while it waits, and called
    /// again.
    fn next(&mut self) -> impl Future<Output = Result<Desired, Refusal>>;

    /// Has `next` give the state once more, though it is the one given before.
    fn ask_again(&mut self);
}
