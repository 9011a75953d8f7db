//! Routes as intervals: of the routes that hold an address, the longest prefix decides.

use inlay_api::{Network, Route};
use inlay_core::tables::records::{RouteKind, RouteTarget};

use super::{ids, steps::Steps};

/// The targets along the line of addresses; where no route holds, it is unreachable.
pub(super) fn steps(network: &Network, routes: &[Route]) -> Steps<RouteTarget> {
    let mut routes: Vec<_> = routes
        .iter()
        .map(|route| (ids::ends(route.destination), target(network, route.target)))
        .collect();
    // By first address, the wider before the narrower that it holds.
    routes.sort_unstable_by_key(|((first, last), _)| (*first, std::cmp::Reverse(*last)));
    let mut steps = Steps::all(RouteTarget::default());
    let mut open: Vec<(u32, RouteTarget)> = Vec::new();
    for ((first, last), target) in routes {
        close(&mut open, &mut steps, |end| end < first);
        steps.set_from(first, target);
        open.push((last, target));
    }
    close(&mut open, &mut steps, |_| true);
    steps
}

/// Ends the innermost open routes, as long as `is_over` says so of their last address: what lies
/// around them goes on.
fn close(
    open: &mut Vec<(u32, RouteTarget)>,
    steps: &mut Steps<RouteTarget>,
    is_over: impl Fn(u32) -> bool,
) {
    while let Some((last, _)) = open.pop_if(|(last, _)| is_over(*last)) {
        let around = open
            .last()
            .map_or_else(RouteTarget::default, |(_, target)| *target);
        // A route that goes to the end of the line has nothing after it.
        if let Some(after) = last.checked_add(1) {
            steps.set_from(after, around);
        }
    }
}

fn target(network: &Network, target: inlay_api::RouteTarget) -> RouteTarget {
    let to = |kind| RouteTarget {
        kind,
        ..RouteTarget::default()
    };
    match target {
        inlay_api::RouteTarget::Local => to(RouteKind::LOCAL),
        inlay_api::RouteTarget::Blackhole => to(RouteKind::BLACKHOLE),
        inlay_api::RouteTarget::Node(index) => RouteTarget {
            kind: RouteKind::VIA_NODE,
            virtual_ip: ids::virtual_ip(network.node(index).primary_address()),
        },
    }
}
