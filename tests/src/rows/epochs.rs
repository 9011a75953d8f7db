//! Changes: no flow outlives what allowed it, and what still holds is not disturbed.

use inlay_core::{
    drop_reason::DropReason,
    ids::MacAddress,
    tables::{
        Direction::{Inbound, Outbound},
        records::{PortRecord, RouteKind},
    },
};

use crate::{
    nodes::{BLUE_A, Host, RED_A, RED_B, RED_C, RED_D, RED_E},
    packet::Packet,
    policy::{Peer, allow},
    row::Row,
    world::{RED, World, mapping_key, standard_rules},
};

const PORTS: (u16, u16) = (7, 9000);

fn inbound() -> Packet {
    RED_B.udp(&RED_A, PORTS)
}

fn answer() -> Packet {
    RED_A.udp(&RED_B, (PORTS.1, PORTS.0))
}

/// A flow from red-b to red-a, answered.
fn established(name: &'static str) -> Row {
    Row::new(name)
        .after(RED_B.arrives(&inbound()))
        .after(RED_A.sends(&answer()))
}

/// A flow from red-a to red-b, answered.
fn asked(name: &'static str) -> Row {
    Row::new(name)
        .after(RED_A.sends(&RED_A.udp(&RED_B, (7, 53))))
        .after(RED_B.arrives(&RED_B.udp(&RED_A, (53, 7))))
}

fn delivers(row: Row) -> Row {
    row.frame(RED_B.arrives(&inbound()))
        .delivers(&RED_A, &inbound())
}

fn close(world: &mut World) {
    world.rules(&RED_A, &[allow(Outbound)]);
}

fn reopen(world: &mut World) {
    world.rules(&RED_A, &standard_rules());
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = rules();
    rows.extend(locations());
    rows.extend(ports());
    rows
}

fn rules() -> Vec<Row> {
    let routed = RED_A.udp(&RED_C, (7, 53));
    vec![
        delivers(established("an established flow goes on")),
        established("a revoked rule ends an established flow, inbound")
            .change(close)
            .frame(RED_B.arrives(&inbound()))
            .drops(RED, Inbound, DropReason::SecurityGroup)
            .flows(0),
        established("a revoked rule ends an established flow, outbound: it is decided as it was started")
            .change(close)
            .frame(RED_A.sends(&answer()))
            .drops(RED, Outbound, DropReason::SecurityGroup)
            .flows(0),
        delivers(established("a change that still allows an established flow does not end it").change(reopen)),
        delivers(established("a flow whose rule was revoked and given again goes on").change(close).change(reopen)),
        asked("a flow that was started from inside is decided by outbound rules, whatever became of inbound ones")
            .change(close)
            .frame(RED_B.arrives(&RED_B.udp(&RED_A, (53, 7))))
            .delivers(&RED_A, &RED_B.udp(&RED_A, (53, 7))),
        asked("a flow that was started from inside ends with the outbound rule")
            .change(|world| world.rules(&RED_A, &[]))
            .frame(RED_B.arrives(&RED_B.udp(&RED_A, (53, 7))))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a rule that is given lets through what was dropped")
            .world(close)
            .after_drop(RED_B.arrives(&inbound()))
            .change(reopen)
            .frame(RED_B.arrives(&inbound()))
            .delivers(&RED_A, &inbound()),
        Row::new("a peer that leaves its group ends its flows")
            .world(|world| world.rules(&RED_A, &[allow(Inbound).peer(Peer::Groups(&[2])), allow(Outbound)]))
            .after(RED_B.arrives(&inbound()))
            .after(RED_A.sends(&answer()))
            .change(|world| {
                world.image.mappings.get_mut(&mapping_key(100, RED_B.ip)).unwrap().groups = 5;
                world.bump(&RED_A);
            })
            .frame(RED_B.arrives(&inbound()))
            .drops(RED, Inbound, DropReason::SecurityGroup),
        Row::new("a route that becomes a black hole ends its flows")
            .after(RED_A.sends(&routed))
            .after(RED_C.arrives(&RED_C.udp(&RED_A, (53, 7))))
            .change(|world| {
                world.image.route_targets.get_mut(&1).unwrap().kind = RouteKind::BLACKHOLE;
                world.bump(&RED_A);
            })
            .frame(RED_A.sends(&routed))
            .drops(RED, Outbound, DropReason::Blackhole)
            .flows(1),
        delivers(established("a change of blue does not touch red").change(|world| world.rules(&BLUE_A, &[]))),
    ]
}

fn locations() -> Vec<Row> {
    let local = RED_A.udp(&RED_D, PORTS);
    vec![
        established("a flow follows a node that moved to another host")
            .change(|world| world.moves(&RED_B, Host::Three))
            .frame(RED_A.sends(&answer()))
            .sends(&RED_A, &answer(), Host::Three),
        established("a node that moved sends from its new host")
            .change(|world| world.moves(&RED_B, Host::Three))
            .frame(RED_B.arrives_from(&inbound(), Host::Three))
            .delivers(&RED_A, &inbound()),
        established("a node that moved no longer sends from its old host")
            .change(|world| world.moves(&RED_B, Host::Three))
            .frame(RED_B.arrives(&inbound()))
            .drops(0, Inbound, DropReason::ForgedSource)
            .flows(1),
        Row::new("a flow follows a node that moved away from this host")
            .after(RED_A.sends(&local))
            .change(|world| world.moves(&RED_D, Host::Two))
            .frame(RED_A.sends(&local))
            .sends(&RED_A, &local, Host::Two)
            .flows(2),
        Row::new("a flow follows a node that moved to this host")
            .world(|world| world.moves(&RED_D, Host::Two))
            .after(RED_A.sends(&local))
            .change(|world| {
                let mapping = world
                    .image
                    .mappings
                    .get_mut(&mapping_key(100, RED_D.ip))
                    .unwrap();
                (mapping.host, mapping.port) = (Host::One.slot(), RED_D.slot());
                world.bump(&RED_D);
            })
            .frame(RED_A.sends(&local))
            .delivers(&RED_D, &local),
        established("a flow to an address that nobody has any more ends")
            .change(|world| {
                world.image.mappings.remove(&mapping_key(100, RED_B.ip));
                world.bump(&RED_B);
            })
            .frame(RED_A.sends(&answer()))
            .drops(RED, Outbound, DropReason::UnknownDestination)
            .flows(1)
            .world(|world| world.rules(&RED_A, &[allow(Inbound), allow(Outbound)])),
    ]
}

fn ports() -> Vec<Row> {
    let removed = |world: &mut World| {
        world
            .image
            .ports
            .insert(RED_A.slot(), PortRecord::default());
        world.image.devices.remove(&RED_A.port.unwrap().interface);
        world.image.mappings.remove(&mapping_key(100, RED_A.ip));
        world.bump(&RED_B);
    };
    let in_blue = move |world: &mut World| {
        let blue = *world.port(&BLUE_A);
        removed(world);
        let mac = MacAddress::from_octets(RED_A.mac);
        let interface_index = RED_A.port.unwrap().interface;
        world.image.devices.insert(interface_index, RED_A.slot());
        world.image.ports.insert(
            RED_A.slot(),
            PortRecord {
                mac,
                interface_index,
                ..blue
            },
        );
    };
    vec![
        established("a port that was removed sends nothing")
            .change(removed)
            .frame(RED_A.sends(&answer()))
            .drops(0, Outbound, DropReason::UnknownPort)
            .flows(1),
        established("a port that was removed gets nothing")
            .change(removed)
            .frame(RED_B.arrives(&inbound()))
            .drops(0, Inbound, DropReason::NotHere)
            .flows(1),
        established(
            "a slot that went to a port of another network gets nothing of the old one's flows",
        )
        .change(in_blue)
        .frame(RED_B.arrives(&inbound()))
        .drops(0, Inbound, DropReason::NotHere)
        .flows(1),
        Row::new("a port that was made anew has no flows of the old one")
            .after(RED_A.sends(&RED_A.udp(&RED_E, (7, 53))))
            .change(removed)
            .frame(RED_E.sends(&RED_E.udp(&RED_A, (53, 7))))
            .drops(RED, Outbound, DropReason::UnknownDestination)
            .flows(2)
            .world(|world| world.rules(&RED_E, &[allow(Inbound), allow(Outbound)])),
    ]
}
