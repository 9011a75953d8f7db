//! The way to a value from the root of a state, like `networks[0].nodes[2].addresses[0]`.

use std::fmt;

/// A step of a path, and the steps before it. It lives on the stack of the functions that go down
/// the state, and becomes text only where there is a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FieldPath<'a> {
    /// The state itself.
    Root,
    /// A field of a mapping.
    Field(&'a FieldPath<'a>, &'static str),
    /// An element of a list, from 0.
    Element(&'a FieldPath<'a>, usize),
}

impl FieldPath<'_> {
    pub(crate) fn field(&self, name: &'static str) -> FieldPath<'_> {
        FieldPath::Field(self, name)
    }

    pub(crate) fn element(&self, place: usize) -> FieldPath<'_> {
        FieldPath::Element(self, place)
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Root => Ok(()),
            FieldPath::Field(FieldPath::Root, name) => f.write_str(name),
            FieldPath::Field(parent, name) => write!(f, "{parent}.{name}"),
            FieldPath::Element(parent, place) => write!(f, "{parent}[{place}]"),
        }
    }
}
