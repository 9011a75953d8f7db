//! What is counted of the agents' streams.

use prometheus_client::{
    metrics::{
        counter::Counter,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// Counted by all sessions together.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Open streams.
    pub sessions: Gauge,
    /// Update messages sent.
    pub updates: Counter,
    /// Bytes of the changes in them.
    pub update_bytes: Counter,
    /// Scopes sent as a whole.
    pub replaced: Counter,
    /// Snapshots of networks that were built, each for many hosts.
    pub snapshots_built: Gauge,
    /// From sending a complete update to its acknowledgement, in seconds.
    pub acknowledged_after: Histogram,
    /// Scopes of a host that were not what they should be.
    pub digest_mismatches: Counter,
    /// Resources that hosts rejected, each time that they said so.
    pub rejections: Counter,
    /// Streams that were refused: no valid certificate.
    pub refused: Counter,
    /// Streams that were told to come again, because there were too many.
    pub deferred: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            sessions: Gauge::default(),
            updates: Counter::default(),
            update_bytes: Counter::default(),
            replaced: Counter::default(),
            snapshots_built: Gauge::default(),
            acknowledged_after: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            digest_mismatches: Counter::default(),
            rejections: Counter::default(),
            refused: Counter::default(),
            deferred: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes them part of a page of metrics.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("agents");
        registry.register("sessions", "Open streams", self.sessions.clone());
        registry.register("updates", "Update messages sent", self.updates.clone());
        registry.register_with_unit(
            "update",
            "Size of the changes sent",
            Unit::Bytes,
            self.update_bytes.clone(),
        );
        registry.register(
            "scopes_replaced",
            "Scopes sent as a whole",
            self.replaced.clone(),
        );
        registry.register(
            "snapshots_built",
            "Snapshots of networks that were built",
            self.snapshots_built.clone(),
        );
        registry.register_with_unit(
            "acknowledged_after",
            "From sending a complete update to its acknowledgement",
            Unit::Seconds,
            self.acknowledged_after.clone(),
        );
        registry.register(
            "digest_mismatches",
            "Scopes of a host that were not what they should be",
            self.digest_mismatches.clone(),
        );
        registry.register(
            "rejections",
            "Resources that hosts rejected",
            self.rejections.clone(),
        );
        registry.register(
            "refused",
            "Streams refused: no valid certificate",
            self.refused.clone(),
        );
        registry.register(
            "deferred",
            "Streams told to come again",
            self.deferred.clone(),
        );
    }
}
