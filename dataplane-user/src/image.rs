//! What the agent-written maps hold, as one value: what is desired can be compiled to it, what is actual
//! read back into it, and the difference of the two applied. Pure data, no I/O.
//!
//! Slots and ranges are part of it. Content that is in use is never overwritten: what changes is written
//! to places that are free, and then pointed to.

use std::collections::{BTreeMap, BTreeSet};

use inlay_core::{
    ids::HostPrefix,
    tables::records::{
        Config, ForwarderKey, Interval, MappingKey, MappingRecord, NetworkRecord, PolicyRecord,
        PortRecord, RouteTarget, Row, Span, SubnetRecord,
    },
};

/// The content of every map that only the agent writes. Absent is what was never written or was cleared.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Image {
    /// This host (`CONFIG`).
    pub config: Config,
    /// Device index by interface number (`INTERFACES` and, the other way round, `DEVICES`).
    pub devices: BTreeMap<u32, u32>,
    /// Ports by slot (`PORTS`).
    pub ports: BTreeMap<u32, PortRecord>,
    /// Networks by slot, from 1 on (`NETWORKS`).
    pub networks: BTreeMap<u32, NetworkRecord>,
    /// Subnets by slot (`SUBNETS`).
    pub subnets: BTreeMap<u32, SubnetRecord>,
    /// Addresses (`MAPPINGS`).
    pub mappings: BTreeMap<MappingKey, MappingRecord>,
    /// Hosts that speak for whole networks, with the slot of the network (`FORWARDERS`).
    pub forwarders: BTreeMap<ForwarderKey, u32>,
    /// Hosts by slot, this one among them (`HOSTS`).
    pub hosts: BTreeMap<u32, HostPrefix>,
    /// Intervals by index: those that a policy, route table or network refers to (`INTERVALS`).
    pub intervals: BTreeMap<u32, Interval>,
    /// Rows by index: those that a policy refers to (`ROWS`).
    pub rows: BTreeMap<u32, Row>,
    /// Policies by slot (`POLICIES`).
    pub policies: BTreeMap<u32, PolicyRecord>,
    /// Route targets by index (`ROUTE_TARGETS`).
    pub route_targets: BTreeMap<u32, RouteTarget>,
}

/// What turns one map's content into another's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MapChanges<K, V> {
    /// Entries that are new or differ.
    pub put: Vec<(K, V)>,
    /// Entries that are gone.
    pub removed: Vec<K>,
}

impl<K, V> Default for MapChanges<K, V> {
    fn default() -> Self {
        Self {
            put: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl<K: Ord + Copy, V: PartialEq + Copy> MapChanges<K, V> {
    /// From `actual` to `desired`.
    #[must_use]
    pub fn between(actual: &BTreeMap<K, V>, desired: &BTreeMap<K, V>) -> Self {
        let is_same = |key: &K, value: &V| actual.get(key).is_some_and(|old| old == value);
        Self {
            put: desired
                .iter()
                .filter(|(key, value)| !is_same(key, value))
                .map(|(key, value)| (*key, *value))
                .collect(),
            removed: actual
                .keys()
                .filter(|key| !desired.contains_key(key))
                .copied()
                .collect(),
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.removed.is_empty()
    }

    /// How many entries change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.put.len() + self.removed.len()
    }

    /// Makes `content` what the changes lead to.
    pub fn apply_to(&self, content: &mut BTreeMap<K, V>) {
        content.extend(self.put.iter().copied());
        for key in &self.removed {
            content.remove(key);
        }
    }
}

/// What turns one image into another. Fields are in the order in which they are written: content first,
/// then what points to it, the networks with their epochs last, so that a flow decided half-way is
/// decided again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// The host, where it differs.
    pub config: Option<Config>,
    /// See [`Image::intervals`]. Removed ones need no write: nothing refers to them.
    pub intervals: MapChanges<u32, Interval>,
    /// See [`Image::rows`]; as intervals.
    pub rows: MapChanges<u32, Row>,
    /// See [`Image::route_targets`]; as intervals.
    pub route_targets: MapChanges<u32, RouteTarget>,
    /// See [`Image::policies`].
    pub policies: MapChanges<u32, PolicyRecord>,
    /// See [`Image::hosts`].
    pub hosts: MapChanges<u32, HostPrefix>,
    /// See [`Image::subnets`].
    pub subnets: MapChanges<u32, SubnetRecord>,
    /// See [`Image::mappings`].
    pub mappings: MapChanges<MappingKey, MappingRecord>,
    /// See [`Image::forwarders`].
    pub forwarders: MapChanges<ForwarderKey, u32>,
    /// See [`Image::ports`].
    pub ports: MapChanges<u32, PortRecord>,
    /// See [`Image::devices`].
    pub devices: MapChanges<u32, u32>,
    /// See [`Image::networks`].
    pub networks: MapChanges<u32, NetworkRecord>,
}

impl Changes {
    /// From `actual` to `desired`.
    #[must_use]
    pub fn between(actual: &Image, desired: &Image) -> Self {
        Self {
            config: (actual.config != desired.config).then_some(desired.config),
            intervals: MapChanges::between(&actual.intervals, &desired.intervals),
            rows: MapChanges::between(&actual.rows, &desired.rows),
            route_targets: MapChanges::between(&actual.route_targets, &desired.route_targets),
            policies: MapChanges::between(&actual.policies, &desired.policies),
            hosts: MapChanges::between(&actual.hosts, &desired.hosts),
            subnets: MapChanges::between(&actual.subnets, &desired.subnets),
            mappings: MapChanges::between(&actual.mappings, &desired.mappings),
            forwarders: MapChanges::between(&actual.forwarders, &desired.forwarders),
            ports: MapChanges::between(&actual.ports, &desired.ports),
            devices: MapChanges::between(&actual.devices, &desired.devices),
            networks: MapChanges::between(&actual.networks, &desired.networks),
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The image that `actual` becomes.
    #[must_use]
    pub fn applied_to(&self, actual: &Image) -> Image {
        let mut image = actual.clone();
        image.config = self.config.unwrap_or(image.config);
        self.intervals.apply_to(&mut image.intervals);
        self.rows.apply_to(&mut image.rows);
        self.route_targets.apply_to(&mut image.route_targets);
        self.policies.apply_to(&mut image.policies);
        self.hosts.apply_to(&mut image.hosts);
        self.subnets.apply_to(&mut image.subnets);
        self.mappings.apply_to(&mut image.mappings);
        self.forwarders.apply_to(&mut image.forwarders);
        self.ports.apply_to(&mut image.ports);
        self.devices.apply_to(&mut image.devices);
        self.networks.apply_to(&mut image.networks);
        image
    }
}

impl Image {
    /// Without the content that nothing refers to any more.
    #[must_use]
    pub fn referenced(mut self) -> Self {
        let used: BTreeSet<u32> = self.spans().flat_map(indexes).collect();
        self.intervals.retain(|index, _| used.contains(index));
        let rows = self.referenced_rows();
        self.rows.retain(|index, _| rows.contains(index));
        let targets = self.referenced_targets();
        self.route_targets
            .retain(|index, _| targets.contains(index));
        self
    }

    /// The intervals that policies, subnets and networks refer to.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> {
        let policies = self.policies.values();
        policies
            .flat_map(|policy| [policy.addresses, policy.groups, policy.services])
            .chain(self.subnets.values().map(|subnet| subnet.routes))
            .chain(self.networks.values().map(|network| network.subnets))
    }

    /// The rows that policies and their intervals refer to.
    pub(crate) fn referenced_rows(&self) -> BTreeSet<u32> {
        let rows = self.policies.values().flat_map(|policy| {
            let spans = [policy.addresses, policy.groups, policy.services];
            spans
                .into_iter()
                .flat_map(|span| self.values(span))
                .chain([policy.allow])
        });
        rows.collect()
    }

    /// The targets that the intervals of route tables refer to.
    pub(crate) fn referenced_targets(&self) -> BTreeSet<u32> {
        self.subnets
            .values()
            .flat_map(|subnet| self.values(subnet.routes))
            .collect()
    }

    fn values(&self, span: Span) -> impl Iterator<Item = u32> {
        indexes(span)
            .filter_map(|index| self.intervals.get(&index))
            .map(|interval| interval.value)
    }
}

fn indexes(span: Span) -> std::ops::Range<u32> {
    span.base..span.base.saturating_add(span.count)
}
