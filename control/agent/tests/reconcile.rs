//! Properties of reconciling, over random states.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{all_interfaces, states};
use inlay_agent::{
    interface::Interfaces,
    reconcile::{Plan, reconcile},
};
use inlay_api::{HostState, raw::RawNetwork};
use inlay_core::{
    substrate::Tag,
    tables::records::{PortRecord, Span},
};
use inlay_dataplane::image::{Changes, Image};
use proptest::prelude::*;

fn plan(state: &HostState, interfaces: &Interfaces, actual: &Image, older: &[&Image]) -> Plan {
    reconcile(state, interfaces, actual, older).unwrap()
}

/// The places that an image refers to: of intervals, rows and route targets.
fn in_use(image: &Image) -> (BTreeSet<u32>, BTreeSet<u32>, BTreeSet<u32>) {
    let places = |span: Span| span.base..span.base + span.count;
    let values = |span: Span| places(span).map(|place| image.intervals[&place].value);
    let policies = || image.policies.values();
    let dimensions = || policies().flat_map(|it| [it.addresses, it.groups, it.services]);
    let routes = || image.subnets.values().map(|subnet| subnet.routes);
    let subnets = image.networks.values().map(|network| network.subnets);
    (
        dimensions()
            .chain(routes())
            .chain(subnets)
            .flat_map(places)
            .collect(),
        dimensions()
            .flat_map(values)
            .chain(policies().map(|policy| policy.allow))
            .collect(),
        routes().flat_map(values).collect(),
    )
}

/// Nothing that `image` refers to gets another content.
fn assert_not_overwritten(changes: &Changes, image: &Image) {
    let (intervals, rows, targets) = in_use(image);
    for (place, interval) in &changes.intervals.put {
        assert!(!intervals.contains(place) || image.intervals[place] == *interval);
    }
    for (place, row) in &changes.rows.put {
        assert!(!rows.contains(place) || image.rows[place] == *row);
    }
    for (place, target) in &changes.route_targets.put {
        assert!(!targets.contains(place) || image.route_targets[place] == *target);
    }
    for (slot, policy) in &changes.policies.put {
        assert!(
            image
                .policies
                .get(slot)
                .is_none_or(|before| before == policy)
        );
    }
}

fn assert_well_formed(image: &Image) {
    assert_eq!(
        image.clone().referenced(),
        *image,
        "everything is referred to, and nothing missing"
    );
    let mut places = BTreeSet::new();
    for PortRecord {
        ring_base,
        ring_mask,
        ..
    } in image.ports.values()
    {
        assert!((ring_mask + 1).is_power_of_two());
        assert!((*ring_base..=ring_base + ring_mask).all(|place| places.insert(place)));
    }
    let epochs = || image.networks.values().map(|network| network.epoch);
    assert!(epochs().all(|epoch| epoch > 0));
}

/// What an image says of one network.
fn part(image: &Image, tag: Tag) -> impl PartialEq + std::fmt::Debug {
    (
        image
            .ports
            .iter()
            .filter(|(_, it)| it.tag == tag)
            .map(|(k, v)| (*k, *v))
            .collect::<Vec<_>>(),
        image
            .subnets
            .iter()
            .filter(|(_, it)| it.tag == tag)
            .map(|(k, v)| (*k, *v))
            .collect::<Vec<_>>(),
        image
            .networks
            .iter()
            .filter(|(_, it)| it.tag == tag)
            .map(|(k, v)| (*k, *v))
            .collect::<Vec<_>>(),
        image
            .mappings
            .iter()
            .filter(|(it, _)| it.tag == tag)
            .map(|(k, v)| (*k, *v))
            .collect::<Vec<_>>(),
        image
            .forwarders
            .iter()
            .filter(|(it, _)| it.tag == tag)
            .map(|(k, v)| (*k, *v))
            .collect::<Vec<_>>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_plan_leads_to_its_image_and_then_there_is_nothing_to_do(
        first in states::any_state(),
        second in states::any_state(),
    ) {
        let (first, second) = (states::of(&first), states::of(&second));
        let (before, after) = (all_interfaces(&first), all_interfaces(&second));
        let actual = plan(&first, &before, &Image::default(), &[]).image;
        assert_well_formed(&actual);
        let change = plan(&second, &after, &actual, &[]);
        assert_well_formed(&change.image);
        prop_assert_eq!(change.changes.applied_to(&actual), change.image.clone());
        let again = plan(&second, &after, &change.image, &[&actual]);
        prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
        prop_assert_eq!(again.image, change.image);
        prop_assert_eq!((again.labels, again.status), (change.labels, change.status));
    }

    #[test]
    fn content_in_use_is_not_overwritten(history in proptest::collection::vec(states::any_state(), 3..6)) {
        let mut images = vec![Image::default()];
        for raw in &history {
            let state = states::of(raw);
            let newest: Vec<&Image> = images.iter().rev().take(3).collect();
            let change = plan(&state, &all_interfaces(&state), newest[0], &newest[1..]);
            for image in newest {
                assert_not_overwritten(&change.changes, image);
            }
            images.push(change.image);
        }
    }

    #[test]
    fn epochs_never_go_down_or_repeat(history in proptest::collection::vec(states::any_state(), 3..6)) {
        let mut actual = Image::default();
        for raw in &history {
            let state = states::of(raw);
            let image = plan(&state, &all_interfaces(&state), &actual, &[]).image;
            let last = actual.networks.values().map(|network| network.epoch).max().unwrap_or(0);
            for (slot, network) in &image.networks {
                let before = actual.networks.get(slot);
                let is_same = before.is_some_and(|before| before.tag == network.tag)
                    && part(&actual, network.tag) == part(&image, network.tag);
                prop_assert!(network.epoch == last + 1 || is_same);
            }
            actual = image;
        }
    }

    #[test]
    fn the_order_of_lists_means_nothing(raw in states::any_state(), seed in any::<u64>()) {
        let other = states::of(&states::shuffled(raw.clone(), seed));
        let state = states::of(&raw);
        let interfaces = all_interfaces(&state);
        let change = plan(&state, &interfaces, &Image::default(), &[]);
        let of_other = plan(&other, &interfaces, &Image::default(), &[]);
        prop_assert_eq!(&of_other.image, &change.image);
        prop_assert_eq!((of_other.labels, of_other.status), (change.labels, change.status));
        prop_assert!(plan(&other, &interfaces, &change.image, &[]).changes.is_empty());
    }

    #[test]
    fn a_change_of_one_network_leaves_the_others_alone(
        raw in states::any_state(),
        network in states::any_network(),
    ) {
        let changed: Vec<RawNetwork> = match raw.networks.split_last() {
            None => vec![states::named(0, network)],
            Some((_, rest)) => {
                let number = rest.len();
                rest.iter().cloned().chain([states::named(number, network)]).collect()
            }
        };
        let (state, other) = (states::of(&raw), states::of(&states::with_networks(changed)));
        let mut interfaces = all_interfaces(&state);
        let mut next = u32::try_from(interfaces.len()).unwrap() + 11;
        for (name, interface) in all_interfaces(&other) {
            interfaces.entry(name).or_insert_with(|| {
                next += 1;
                inlay_agent::interface::Interface { index: next, ..interface }
            });
        }
        let actual = plan(&state, &interfaces, &Image::default(), &[]).image;
        let image = plan(&other, &interfaces, &actual, &[]).image;
        for untouched in state.networks().iter().rev().skip(1) {
            let tag = common::tag(untouched.vni.get());
            prop_assert_eq!(part(&actual, tag), part(&image, tag));
        }
    }
}

/// An agent that was killed in the middle of a change has written all but the epochs: the next one finds
/// nothing to do, and flows that the old rules allowed.
#[test]
fn flows_are_decided_anew_after_an_interrupted_change() {
    let state = common::state(include_str!("../../api/examples/host.yaml"));
    let interfaces = all_interfaces(&state);
    let actual = plan(&state, &interfaces, &Image::default(), &[]).image;
    let change = plan(&state, &interfaces, &actual, &[]).with_flows_decided_anew(&actual);
    assert_eq!(change.changes.networks.put.len(), 2);
    assert!(
        change
            .changes
            .networks
            .put
            .iter()
            .all(|(_, network)| network.epoch == 2)
    );
    assert_eq!(change.changes.applied_to(&actual), change.image);
}
