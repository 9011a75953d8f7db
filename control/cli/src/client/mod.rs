//! A client of the manager's API: what it connects to, how it asks, and the verbs of every kind of object.
//!
//! ```text
//! flags, environment, context file -> Connection -> Http (retries) -> Api (objects, pages, waiting) -> verbs
//! ```
//!
//! It knows nothing of this host's dataplane, except for `inlay node exec`.

pub(crate) mod address;
pub(crate) mod api;
pub(crate) mod command;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod failure;
pub(crate) mod flags;
pub(crate) mod http;
pub(crate) mod mutation;
pub(crate) mod rule_text;
pub(crate) mod scope;
pub(crate) mod show;
pub(crate) mod tls;
pub(crate) mod verbs;
