//! Why a node was not made, and what to do about it.

use std::{io, path::PathBuf};

/// Something that a backend could not do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The attachment itself is at fault.
    #[error("{0}")]
    Attachment(String),
    /// There is an interface of the name that this agent did not make.
    #[error(
        "interface {interface} is there and was not made for this node: delete it or rename it, or give the \
         node another interface"
    )]
    ForeignInterface {
        /// The interface.
        interface: String,
    },
    /// There is a network namespace of the name that this agent did not make.
    #[error(
        "network namespace {name} is there and was not made for this node: delete it with \
         `ip netns delete {name}`, or rename the node"
    )]
    ForeignNamespace {
        /// The namespace.
        name: String,
    },
    /// There is a DNS file that this agent did not write.
    #[error("{path} is there and was not written for this node: remove it, or rename the node")]
    ForeignFile {
        /// The file.
        path: PathBuf,
    },
    /// A device cannot be a port.
    #[error("interface {interface} cannot be a node's: {reason}")]
    Device {
        /// The interface.
        interface: String,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// rtnetlink refused, or did not answer.
    #[error("cannot {verb} {subject}: {cause}")]
    Netlink {
        /// What was to be done.
        verb: &'static str,
        /// To what.
        subject: String,
        /// Why not.
        cause: io::Error,
    },
    /// A file.
    #[error("{path}: cannot {verb} it: {cause}")]
    File {
        /// What was to be done.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// A namespace could not be entered, or a driver refused a setting.
    #[error(transparent)]
    Dataplane(#[from] inlay_dataplane::Error),
}

impl Error {
    /// For a failed operation on a file.
    pub(super) fn file(
        verb: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { verb, path, cause }
    }

    /// For a failed operation on an interface.
    pub(super) fn netlink(verb: &'static str, subject: &str) -> impl FnOnce(io::Error) -> Self {
        let subject = subject.to_owned();
        move |cause| Self::Netlink {
            verb,
            subject,
            cause,
        }
    }
}
