//! Counters of a host, before and after.

use std::path::Path;

use anyhow::{Context as _, Result};
use inlay_dataplane::{PIN_ROOT, inspect::Inspection};

/// The drops of one reason, counted from a moment on.
#[derive(Debug)]
pub struct Drops {
    instance: String,
    network: String,
    direction: &'static str,
    reason: String,
    before: u64,
}

impl Drops {
    /// Starts counting. An empty `network` counts those of all, and those of none.
    ///
    /// # Errors
    /// Where no dataplane of the instance is loaded.
    pub fn of(
        instance: &str,
        network: &str,
        direction: &'static str,
        reason: &str,
    ) -> Result<Self> {
        let mut drops = Self {
            instance: instance.to_owned(),
            network: network.to_owned(),
            direction,
            reason: reason.to_owned(),
            before: 0,
        };
        drops.before = drops.count()?;
        Ok(drops)
    }

    /// Drops since then.
    ///
    /// # Errors
    /// As for [`Drops::of`].
    pub fn since(&self) -> Result<u64> {
        Ok(self.count()? - self.before)
    }

    fn count(&self) -> Result<u64> {
        let counts = inspect(&self.instance)?.drops()?;
        let is_meant = |network: &Option<String>| {
            self.network.is_empty() || network.as_deref() == Some(&self.network)
        };
        let meant = counts.iter().filter(|count| {
            is_meant(&count.network)
                && count.direction == self.direction
                && count.reason == self.reason
        });
        Ok(meant.map(|count| count.packets).sum())
    }
}

fn inspect(instance: &str) -> Result<Inspection> {
    Inspection::open(Path::new(PIN_ROOT), instance)
        .with_context(|| format!("look at the dataplane of {instance}"))
}

/// How many flows a port has.
///
/// # Errors
/// Where no dataplane of the instance is loaded.
pub fn flows_of(instance: &str, port: &str) -> Result<usize> {
    let flows = inspect(instance)?.flows()?;
    let is_own = |name: &Option<String>| name.as_deref().is_some_and(|name| name.ends_with(port));
    Ok(flows.iter().filter(|flow| is_own(&flow.port)).count())
}
