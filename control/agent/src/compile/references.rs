//! What an image refers to, and so what a packet may be reading while the next image is written.

use std::collections::BTreeSet;

use inlay_core::tables::records::{Interval, PolicyRecord, Span};
use inlay_dataplane::image::Image;

/// Runs of intervals, and places of rows and route targets.
#[derive(Debug, Default)]
pub(super) struct References {
    pub(super) spans: BTreeSet<Span>,
    pub(super) rows: BTreeSet<u32>,
    pub(super) route_targets: BTreeSet<u32>,
}

impl References {
    pub(super) fn of(image: &Image) -> Self {
        let mut references = Self::default();
        for subnet in image.subnets.values() {
            references.spans.insert(subnet.routes);
            references
                .route_targets
                .extend(values(image, subnet.routes));
        }
        for policy in image.policies.values() {
            references.rows.insert(policy.allow);
            for span in spans(policy) {
                references.rows.extend(values(image, span));
                references.spans.insert(span);
            }
        }
        references
            .spans
            .extend(image.networks.values().map(|network| network.subnets));
        references
    }
}

fn spans(policy: &PolicyRecord) -> [Span; 3] {
    [policy.addresses, policy.groups, policy.services]
}

fn values(image: &Image, span: Span) -> impl Iterator<Item = u32> {
    intervals(image, span).map(|interval| interval.value)
}

/// The intervals of `span`; those that the image does not hold are zero in the map.
pub(super) fn intervals(image: &Image, span: Span) -> impl Iterator<Item = Interval> {
    let places = span.base..span.base.saturating_add(span.count);
    places.map(|place| image.intervals.get(&place).copied().unwrap_or_default())
}
