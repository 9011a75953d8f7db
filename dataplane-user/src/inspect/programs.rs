//! The programs, and how long they ran.

use std::os::fd::AsFd as _;

use serde::Serialize;

use super::Inspection;
use crate::{
    Error, INBOUND, OUTBOUND,
    sys::{self, Access},
};

/// A program of the dataplane.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ProgramView {
    /// Its name.
    pub name: &'static str,
    /// How often it ran while `kernel.bpf_stats_enabled` was 1; 0: it never was.
    pub runs: u64,
    /// How long it ran meanwhile, in nanoseconds, all runs together.
    pub run_time_ns: u64,
}

impl Inspection {
    /// The programs that decide about packets.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn programs(&self) -> Result<Vec<ProgramView>, Error> {
        let view = |name: &'static str| {
            let path = self.set.programs().join(name);
            let runs = sys::open_pin(&path, Access::ReadWrite)
                .and_then(|program| sys::program_runs(program.as_fd()))
                .map_err(Error::file("open", path))?;
            Ok(ProgramView {
                name,
                runs: runs.count,
                run_time_ns: runs.time_ns,
            })
        };
        [OUTBOUND, INBOUND].into_iter().map(view).collect()
    }
}
