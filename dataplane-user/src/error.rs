//! What can go wrong between user space and the kernel, and what to do about it. A cause is part of the text:
//! whoever prints an error with its sources does not see it twice.

use std::{io, path::PathBuf};

/// An operation on the dataplane that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of the instance cannot be a directory of bpffs.
    #[error("instance {instance:?} is not a name: use 1 to 64 letters, digits, `-` and `_`")]
    InstanceName {
        /// What was given.
        instance: String,
    },
    /// The instance is attached to interfaces of another network namespace than this one.
    #[error(
        "instance {instance} is attached in network namespace {inode} ({path}), and this is another: type \
         `nsenter --net={path} inlay agent ...`, or give this agent another --instance"
    )]
    OtherNamespace {
        /// The instance.
        instance: String,
        /// The number of its namespace.
        inode: u64,
        /// What its namespace can be entered by.
        path: PathBuf,
    },
    /// There is no dataplane to look at.
    #[error(
        "no dataplane of instance {instance} is loaded; start it with `inlay agent --static FILE --instance {instance}`"
    )]
    NotLoaded {
        /// The instance.
        instance: String,
    },
    /// Pins are for root alone.
    #[error("the dataplane belongs to root: use sudo")]
    NotRoot,
    /// bpffs is not where the pins should be.
    #[error("{path} is not on a BPF file system: type `mount -t bpf bpf /sys/fs/bpf`")]
    NoBpffs {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file or directory of bpffs, or of the run directory.
    #[error("{path}: cannot {verb} it: {cause}")]
    File {
        /// What was to be done.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The object does not hold what this program expects; it was built from other sources.
    #[error("the BPF object has no {what}: build everything again with `cargo xtask build`")]
    Object {
        /// What is missing or malformed.
        what: String,
    },
    /// aya or the kernel refused the object.
    #[error("the kernel did not load the programs: {cause}")]
    Load {
        /// Why not, with the verifier's log.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A command on a map.
    #[error("map {map}: cannot {verb}: {cause}")]
    Map {
        /// The map.
        map: &'static str,
        /// What was to be done.
        verb: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// A pinned map is not what this program was built with.
    #[error(
        "map {map} has another shape than in this program: use the `inlay` that the agent was started from"
    )]
    Shape {
        /// The map.
        map: &'static str,
    },
    /// A slot or index past the end of its map.
    #[error("map {map} has {entries} entries, {index} is none of them")]
    Index {
        /// The map.
        map: &'static str,
        /// The index.
        index: u32,
        /// How many entries there are.
        entries: u32,
    },
    /// Interface numbers are looked up by their low 16 bits, and two have the same.
    #[error(
        "interface {interface_index} has the number of interface {other}, modulo 65536: create it again"
    )]
    InterfaceNumber {
        /// The interface that cannot be added.
        interface_index: u32,
        /// The interface that has its place.
        other: u32,
    },
    /// A program could not be attached.
    #[error("interface {interface_index}: cannot attach in {mode} mode: {cause}; {hint}")]
    Attach {
        /// The interface.
        interface_index: u32,
        /// How.
        mode: crate::Mode,
        /// Why not.
        cause: io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// The kernel was asked about an interface.
    #[error("interface {interface}: cannot {verb}: {cause}")]
    Interface {
        /// Its name or number.
        interface: String,
        /// What was to be done.
        verb: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// There is one reader of drop events.
    #[error("somebody else follows the drops of instance {instance}: only one can")]
    EventsTaken {
        /// The instance.
        instance: String,
    },
    /// A key or name that a person typed.
    #[error("{what}")]
    Input {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// A program could not be run on a made packet.
    #[error("cannot run {program} on a made packet: {cause}")]
    Run {
        /// The program.
        program: &'static str,
        /// Why not.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(crate) fn file(
        verb: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { verb, path, cause }
    }

    /// What it comes to for whoever is not root.
    pub(crate) fn for_others(self) -> Self {
        match self {
            Self::File { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
                Self::NotRoot
            }
            other => other,
        }
    }

    pub(crate) fn map(
        map: &'static str,
        verb: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + use<> {
        move |cause| Self::Map { map, verb, cause }
    }

    pub(crate) fn load(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Load {
            cause: Box::new(cause),
        }
    }
}
