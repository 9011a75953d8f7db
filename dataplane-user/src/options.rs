//! What a dataplane is opened with, and how it is attached.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::pins;

/// The programs' debug trace, by aya-log's levels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum LogLevel {
    /// What fails.
    Error = 1,
    /// What is odd.
    Warn = 2,
    /// What happens seldom.
    Info = 3,
    /// What happens to a flow.
    Debug = 4,
    /// What happens to every packet.
    Trace = 5,
}

/// What a dataplane is opened with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name: one for each network namespace that has a dataplane.
    pub instance: String,
    /// The directory of bpffs that holds all instances.
    pub pin_root: PathBuf,
    /// The programs' debug trace. `None`: the verifier removes it, and it costs nothing.
    pub log_level: Option<LogLevel>,
}

impl Options {
    /// The defaults, for `instance`.
    #[must_use]
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            instance: instance.into(),
            pin_root: pins::PIN_ROOT.into(),
            log_level: None,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new("default")
    }
}

/// How programs are attached.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the driver.
    #[default]
    Native,
    /// In the kernel's generic path: slow, and only where it is asked for.
    Generic,
}

impl Mode {
    /// Netlink's `XDP_FLAGS_…`.
    pub(crate) const fn flags(self) -> u32 {
        match self {
            Self::Native => 1 << 2,
            Self::Generic => 1 << 1,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}
