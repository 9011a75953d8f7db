//! Epochs: which networks a change touches. Flows of those are decided anew, flows of others are not.

use std::collections::{BTreeMap, BTreeSet};

use inlay_core::{substrate::Tag, tables::records::NetworkRecord};
use inlay_dataplane::image::{Image, MapChanges};

/// An epoch that no network of `images` has had.
pub(crate) fn next<'a>(images: impl IntoIterator<Item = &'a Image>) -> u32 {
    let networks = images.into_iter().flat_map(|image| image.networks.values());
    let last = networks.map(|network| network.epoch).max().unwrap_or(0);
    // After 2^32 changes it starts over: flows of the first are long gone.
    last.checked_add(1).unwrap_or(1)
}

/// Gives each network of `image` its epoch: the one it has, where nothing about it differs from
/// `previous[0]`, which is what the maps hold now; else the next.
pub(super) fn set(image: &mut Image, previous: &[&Image]) {
    let next = next(previous.iter().copied());
    let Some(actual) = previous.first() else {
        image
            .networks
            .values_mut()
            .for_each(|network| network.epoch = next);
        return;
    };
    for (slot, network) in &mut image.networks {
        network.epoch = actual
            .networks
            .get(slot)
            .map_or(next, |network| network.epoch);
    }
    let touched = touched(actual, image);
    for network in image.networks.values_mut() {
        if touched.contains(&network.tag) {
            network.epoch = next;
        }
    }
}

/// The networks of which a record differs, or what a record refers to. Policies and route tables are
/// addressed by their content, so that they differ where the reference does.
fn touched(actual: &Image, image: &Image) -> BTreeSet<Tag> {
    let mut touched = BTreeSet::new();
    touched.extend(tags(&actual.ports, &image.ports, |_, port| port.tag));
    touched.extend(tags(&actual.subnets, &image.subnets, |_, subnet| {
        subnet.tag
    }));
    touched.extend(tags(&actual.mappings, &image.mappings, |key, _| key.tag));
    touched.extend(tags(&actual.forwarders, &image.forwarders, |key, _| {
        key.tag
    }));
    touched.extend(tags(
        &actual.networks,
        &image.networks,
        |_, network: &NetworkRecord| network.tag,
    ));
    let hosts = MapChanges::between(&actual.hosts, &image.hosts);
    let moved: BTreeSet<u32> = hosts.put.iter().map(|(slot, _)| *slot).collect();
    let mappings = image
        .mappings
        .iter()
        .filter(|(_, mapping)| moved.contains(&mapping.host));
    touched.extend(mappings.map(|(key, _)| key.tag));
    touched
}

/// The tags of the entries that differ, before and after.
fn tags<'a, K: Ord + Copy, V: PartialEq + Copy>(
    actual: &'a BTreeMap<K, V>,
    desired: &'a BTreeMap<K, V>,
    tag: impl Fn(&K, &V) -> Tag,
) -> BTreeSet<Tag> {
    let changes = MapChanges::between(actual, desired);
    let put = changes.put.iter().map(|(key, _)| *key);
    let keys: Vec<K> = put.chain(changes.removed.iter().copied()).collect();
    let tags_in = |map: &'a BTreeMap<K, V>| {
        keys.iter()
            .filter_map(|key| map.get(key).map(|value| tag(key, value)))
            .collect::<Vec<_>>()
    };
    [tags_in(actual), tags_in(desired)]
        .concat()
        .into_iter()
        .collect()
}
