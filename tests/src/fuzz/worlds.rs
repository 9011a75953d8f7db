//! Small worlds at random: what an agent could have written, and some that it could not.

use inlay_core::tables::{
    Direction,
    records::{NONE, PortRecord},
};

use crate::{
    fuzz::prng::Prng,
    nodes::{ALL, Host, Node},
    policy::{self, Peer, Rule},
    world::{ACL, BLUE, BLUE_1, RED, RED_1, RED_2, World, mapping_key},
};

/// The world of a seed.
#[must_use]
pub fn world(seed: u64) -> World {
    let mut prng = Prng::new(seed);
    let mut world = World::standard();
    let config = &mut world.image.config;
    config.virtual_mtu = prng.pick(&[1500, 1500, 576, 100, 8972]);
    config.hop_limit_min = prng.pick(&[0, 250, 255]);
    for node in ALL {
        if prng.once_in(4) {
            remap(&mut prng, &mut world, node);
        }
        if node.port.is_some() {
            change_port(&mut prng, &mut world, node);
        }
    }
    for subnet in [RED_1, RED_2, BLUE_1] {
        change_subnet(&mut prng, &mut world, subnet);
    }
    for target in world.image.route_targets.values_mut() {
        if prng.once_in(6) {
            target.kind = prng.pick(&[0, 1, 2, 3, 77]);
        }
    }
    let forwarders: Vec<_> = world.image.forwarders.keys().copied().collect();
    for key in forwarders {
        if prng.once_in(3) {
            world.image.forwarders.remove(&key);
        }
    }
    for slot in [RED, BLUE] {
        world.image.networks.get_mut(&slot).unwrap().epoch = prng.below(1000);
    }
    world
}

fn remap(prng: &mut Prng, world: &mut World, node: &Node) {
    let key = mapping_key(node.vni, node.ip);
    let Some(mapping) = world.image.mappings.get_mut(&key) else {
        return;
    };
    match prng.below(5) {
        0 => mapping.groups = prng.below(5),
        1 => mapping.host = prng.pick(&Host::ALL).slot(),
        2 => mapping.port = prng.pick(&[NONE, 0, 1, 2, 9]),
        // A host that nobody has written.
        3 => mapping.host = 9,
        _ => {
            world.image.mappings.remove(&key);
        }
    }
}

fn change_port(prng: &mut Prng, world: &mut World, node: &Node) {
    if prng.once_in(2) {
        let count = prng.pick(&[0, 1, 2, 5, 70]);
        let rules: Vec<Rule> = (0..count).map(|_| rule(prng)).collect();
        world.rules(node, &rules);
    }
    let port = world.port(node);
    if prng.once_in(8) {
        port.flags = prng.below(8);
    }
    if prng.once_in(8) {
        port.policy = prng.pick(&[0, 999, u32::MAX]);
    }
    port.ring_mask = prng.pick(&[0, 3, 15]);
    port.new_flows_per_s = prng.pick(&[0, 3, 1_000_000, 1_000_000, 1_000_000, 1_000_000]);
    if prng.once_in(20) {
        *port = PortRecord::default();
    }
}

fn change_subnet(prng: &mut Prng, world: &mut World, subnet: u32) {
    if prng.once_in(3) {
        let slot = ACL + 100 + subnet;
        let count = prng.pick(&[0, 1, 3, 8]);
        let rules: Vec<Rule> = (0..count).map(|_| rule(prng)).collect();
        policy::write(&mut world.image, slot, &rules);
        world.image.subnets.get_mut(&subnet).unwrap().acl = slot;
    }
    let intervals = world.image.subnets[&subnet].routes;
    for index in intervals.base..intervals.base + intervals.count {
        if prng.once_in(8) {
            world.image.intervals.get_mut(&index).unwrap().value =
                prng.pick(&[0, 1, 2, 3, 4, 5, 9, NONE]);
        }
    }
    let subnet = world.image.subnets.get_mut(&subnet).unwrap();
    if prng.once_in(12) {
        subnet.routes.count = prng.pick(&[0, 1, 2, 3]);
    }
    if prng.once_in(12) {
        // A /25, in memory order.
        subnet.mask = u32::from_ne_bytes([255, 255, 255, 128]);
    }
}

fn rule(prng: &mut Prng) -> Rule {
    let protocol = prng.pick(&[
        None,
        None,
        Some(1),
        Some(6),
        Some(6),
        Some(17),
        Some(17),
        Some(47),
    ]);
    let first = prng.pick(&[0, 7, 22, 53, 2048, 8080, 9000, 40000]);
    let last = if prng.once_in(2) {
        first
    } else {
        prng.pick(&[first, 9999, 50000, u16::MAX]).max(first)
    };
    let services = if protocol.is_none() || prng.once_in(2) {
        (0, u16::MAX)
    } else {
        (first, last)
    };
    let peer = match prng.below(4) {
        0 => Peer::Cidr(prng.pick(ALL).ip, prng.pick(&[0, 8, 24, 30, 32])),
        1 => Peer::Groups(prng.pick(&[&[1], &[2], &[1, 2, 3], &[]])),
        _ => Peer::Any,
    };
    let peer = match peer {
        Peer::Cidr(ip, len) => {
            let mask = u32::MAX.checked_shl(32 - len).unwrap_or(0);
            Peer::Cidr((u32::from_be_bytes(ip) & mask).to_be_bytes(), len)
        }
        other => other,
    };
    let direction = prng.pick(&[Direction::Outbound, Direction::Inbound]);
    Rule {
        direction,
        peer,
        protocol,
        services,
        allow: !prng.once_in(4),
    }
}
