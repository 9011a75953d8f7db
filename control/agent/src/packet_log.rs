//! The programs' debug trace, line by line into the agent's log. It is there only where it was asked for:
//! otherwise the verifier has removed it from the programs.

use std::os::fd::AsRawFd as _;

use inlay_dataplane::Dataplane;
use tokio::io::{Interest, unix::AsyncFd};
use tracing::warn;

/// Carries the trace of `dataplane` for as long as the runtime lives.
///
/// # Errors
/// Where the trace's descriptor cannot be waited for.
pub(crate) fn carry(dataplane: &mut Dataplane) -> anyhow::Result<()> {
    let Some(logger) = dataplane.take_logger() else {
        warn!("the programs have no trace");
        return Ok(());
    };
    // SAFETY: the logger owns the descriptor and goes into the same task, which drops it after this.
    let readable =
        unsafe { AsyncFd::register_with_interest(logger.as_raw_fd(), Interest::READABLE) }?;
    tokio::spawn(async move {
        // Locals go in reverse order.
        let (mut logger, readable) = (logger, readable);
        while let Ok(mut guard) = readable.readable().await {
            logger.flush();
            guard.clear_ready();
        }
    });
    Ok(())
}
