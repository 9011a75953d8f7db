//! What clients may do, without HTTP: validate, decide (place, allocate), commit.

mod request;

pub use request::{Action, Actor, Listing, Mutation, Outcome, Target};
