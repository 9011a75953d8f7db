//! How a change is made: whether it is only planned, and whether one waits until the hosts have it.

use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

/// The longest that the manager waits.
const TIMEOUT_MAX: Duration = Duration::from_mins(5);

/// Flags of everything that changes something.
#[derive(Args, Clone, Debug)]
pub(crate) struct MutationFlags {
    /// Waits until the hosts concerned have it in their maps (the default where hosts are concerned)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,
    /// Does not wait until the hosts have it
    #[arg(long)]
    no_wait: bool,
    /// How long is waited, like 30s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout)]
    timeout: Duration,
    /// Shows what would be done and which hosts it would touch, and does nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How a change is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    /// How long one waits until the hosts have it.
    pub(crate) wait: Option<Duration>,
    /// Only the plan.
    pub(crate) is_dry_run: bool,
    /// Somebody else shows the progress of several changes.
    pub(crate) is_quiet: bool,
}

impl MutationFlags {
    /// Of a change that concerns hosts.
    pub(crate) fn how(&self) -> How {
        How {
            wait: (!self.no_wait && !self.dry_run).then_some(self.timeout),
            is_dry_run: self.dry_run,
            is_quiet: false,
        }
    }

    /// Of a change that concerns none, as a rule: waits if asked to.
    pub(crate) fn how_without_hosts(&self) -> How {
        How {
            wait: (self.wait && !self.dry_run).then_some(self.timeout),
            is_dry_run: self.dry_run,
            is_quiet: false,
        }
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let invalid = || "write a time like 30s or 2m, 5m at most".to_owned();
    let parsed: SignedDuration = text.parse().map_err(|_| invalid())?;
    let found = Duration::try_from(parsed).map_err(|_| invalid())?;
    let is_whole = found.subsec_nanos() == 0;
    if !is_whole || found.is_zero() || found > TIMEOUT_MAX {
        return Err(invalid());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_a_limit() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("2m", Some(120)),
            ("5m", Some(300)),
            ("6m", None),
            ("0s", None),
            ("-1s", None),
            ("500ms", None),
            ("30", None),
            ("", None),
        ] {
            let found = timeout(text).ok().map(|found| found.as_secs());
            assert_eq!(found, expected, "{text}");
        }
    }
}
