//! Who may speak: a node from its own addresses, a host for its own nodes.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    nodes::{BLUE_A, BLUE_B, Host, RED_A, RED_B, RED_D, RED_H, RED_M, STRANGER_INTERFACE},
    packet::{
        flags::{ACK, SYN},
        substrate_address,
    },
    row::Row,
    world::{BLUE, HOP_LIMIT_MIN, RED, mapping_key},
};

const PORTS: (u16, u16) = (40000, 8080);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = nodes();
    rows.extend(more_addresses());
    rows.extend(hosts());
    rows.extend(networks());
    rows
}

fn nodes() -> Vec<Row> {
    let syn = RED_A.tcp(&RED_B, PORTS, SYN);
    vec![
        Row::new("a node sends from its own address")
            .frame(RED_A.sends(&syn))
            .sends(&RED_A, &syn, Host::Two),
        Row::new("a node does not send from another's address")
            .frame(RED_A.sends(&syn.clone().source(RED_D.ip)))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("a node does not send from an address that nobody has")
            .frame(RED_A.sends(&syn.clone().source([10, 0, 1, 200])))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("a node does not send from the virtual router's address")
            .frame(RED_A.sends(&syn.clone().source([10, 0, 1, 1])))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("a node does not send from 0.0.0.0")
            .frame(RED_A.sends(&syn.clone().source([0; 4])))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("a node does not send from another's MAC address")
            .frame(
                RED_A
                    .sends(&syn)
                    .edited(|bytes| bytes[6..12].copy_from_slice(&RED_D.mac)),
            )
            .drops(RED, Outbound, DropReason::SpoofedMac),
        Row::new("a node does not send from another's MAC address within an established flow")
            .after(RED_A.sends(&RED_A.udp(&RED_B, (7, 9000))))
            .after(RED_B.arrives(&RED_B.udp(&RED_A, (9000, 7))))
            .frame(
                RED_A
                    .sends(&RED_A.udp(&RED_B, (7, 9000)))
                    .edited(|bytes| bytes[11] ^= 1),
            )
            .drops(RED, Outbound, DropReason::SpoofedMac)
            .flows(1),
        Row::new("a frame from an interface that is no port is dropped")
            .frame({
                let mut frame = RED_A.sends(&syn);
                frame.interface = STRANGER_INTERFACE;
                frame
            })
            .drops(0, Outbound, DropReason::UnknownPort),
        Row::new("a frame from an uplink is not one of a node")
            .frame({
                let mut frame = RED_A.sends(&syn);
                frame.interface = crate::nodes::UPLINK_INTERFACE;
                frame
            })
            .drops(0, Outbound, DropReason::UnknownPort),
        Row::new("a port whose record names another interface is none")
            .world(|world| world.port(&RED_A).interface_index = STRANGER_INTERFACE)
            .frame(RED_A.sends(&syn))
            .drops(0, Outbound, DropReason::UnknownPort),
    ]
}

fn more_addresses() -> Vec<Row> {
    let first = RED_M.tcp(&RED_B, PORTS, SYN);
    let second = first.clone().source([10, 0, 1, 31]);
    let back = RED_B.udp(&RED_M, (9000, 7)).destination([10, 0, 1, 31]);
    let forth = RED_M.udp(&RED_B, (7, 9000)).source([10, 0, 1, 31]);
    vec![
        Row::new("a node with two addresses sends from its first")
            .frame(RED_M.sends(&first))
            .sends(&RED_M, &first, Host::Two),
        Row::new("a node with two addresses sends from its second")
            .frame(RED_M.sends(&second))
            .sends(&RED_M, &second, Host::Two),
        Row::new("a node with two addresses keeps a flow on its second")
            .after(RED_M.sends(&forth))
            .after(RED_B.arrives(&back))
            .frame(RED_M.sends(&forth))
            .sends(&RED_M, &forth, Host::Two),
        Row::new("a node with two addresses does not send from a third")
            .frame(RED_M.sends(&first.clone().source([10, 0, 1, 32])))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("a node with two addresses does not send from another's")
            .frame(RED_M.sends(&first.source(RED_A.ip)))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        Row::new("a second address of a port that has no more addresses is not its own")
            .world(|world| {
                let key = mapping_key(100, [10, 0, 1, 31]);
                world.image.mappings.get_mut(&key).unwrap().port = RED_A.slot();
            })
            .frame(RED_A.sends(&RED_A.tcp(&RED_B, PORTS, SYN).source([10, 0, 1, 31])))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
    ]
}

fn hosts() -> Vec<Row> {
    let syn = RED_B.tcp(&RED_A, PORTS, SYN);
    let udp = RED_B.udp(&RED_A, (7, 9000));
    let answer = RED_A.udp(&RED_B, (9000, 7));
    vec![
        Row::new("a host sends for its own node")
            .frame(RED_B.arrives(&syn))
            .delivers(&RED_A, &syn),
        Row::new("a host does not send for another's node")
            .frame(RED_B.arrives_from(&syn, Host::Four))
            .drops(0, Inbound, DropReason::ForgedSource),
        Row::new("a host does not send for another's node within an established flow")
            .after(RED_B.arrives(&udp))
            .after(RED_A.sends(&answer))
            .frame(RED_B.arrives_from(&udp, Host::Four))
            .drops(0, Inbound, DropReason::ForgedSource)
            .flows(1),
        Row::new("a host does not send for a node of the host that it sends to")
            .frame(RED_D.arrives_from(&RED_D.tcp(&RED_A, PORTS, SYN), Host::Two))
            .drops(0, Inbound, DropReason::ForgedSource),
        Row::new("nothing of this host arrives from the substrate")
            .frame(RED_D.arrives_from(&RED_D.tcp(&RED_A, PORTS, SYN), Host::One))
            .drops(0, Inbound, DropReason::ForgedSource),
        Row::new("nothing of this host arrives from the substrate, in a flow between its nodes")
            .after(RED_D.sends(&RED_D.udp(&RED_A, (7, 9000))))
            .after(RED_A.sends(&RED_A.udp(&RED_D, (9000, 7))))
            .frame(RED_D.arrives_from(&RED_D.udp(&RED_A, (7, 9000)), Host::One))
            .drops(0, Inbound, DropReason::ForgedSource)
            .flows(2),
        Row::new("a host does not send from an address that nobody has")
            .frame(RED_B.arrives(&syn.clone().source([10, 0, 1, 200])))
            .drops(0, Inbound, DropReason::UnknownSource),
        Row::new("a host does not send from a multicast address")
            .frame(RED_B.arrives(&syn.clone().source([224, 0, 0, 1])))
            .drops(0, Inbound, DropReason::NotUnicast),
        Row::new("a packet for a node of another host is not delivered")
            .frame(RED_B.arrives(&RED_B.tcp(&RED_H, PORTS, SYN)))
            .drops(0, Inbound, DropReason::NotHere),
        Row::new("a packet for an address that nobody has is not delivered")
            .frame(RED_B.arrives(&syn.clone().destination([10, 0, 1, 200])))
            .drops(0, Inbound, DropReason::NotHere),
        Row::new("a packet at the hop limit's minimum arrives")
            .frame(
                RED_B
                    .arrives(&syn)
                    .edited(|bytes| bytes[21] = HOP_LIMIT_MIN),
            )
            .delivers(&RED_A, &syn),
        Row::new("a packet below the hop limit's minimum came from too far away")
            .frame(
                RED_B
                    .arrives(&syn)
                    .edited(|bytes| bytes[21] = HOP_LIMIT_MIN - 1),
            )
            .drops(0, Inbound, DropReason::HopLimit),
        Row::new("a packet below the hop limit's minimum is not of an established flow either")
            .after(RED_B.arrives(&udp))
            .after(RED_A.sends(&answer))
            .frame(
                RED_B
                    .arrives(&udp)
                    .edited(|bytes| bytes[21] = HOP_LIMIT_MIN - 1),
            )
            .drops(0, Inbound, DropReason::HopLimit)
            .flows(1),
    ]
}

fn networks() -> Vec<Row> {
    let red = RED_A.tcp(&RED_B, PORTS, ACK);
    let blue = BLUE_A.tcp(&BLUE_B, PORTS, ACK);
    let to_red = RED_B.tcp(&RED_A, PORTS, SYN);
    let to_blue = BLUE_B.tcp(&BLUE_A, PORTS, SYN);
    vec![
        Row::new("a packet of blue is inlaid in blue")
            .frame(BLUE_A.sends(&blue))
            .sends(&BLUE_A, &blue, Host::Two),
        Row::new("a flow of red is none of blue, whose addresses are the same")
            .after(RED_A.sends(&red))
            .frame(BLUE_A.sends(&blue))
            .sends(&BLUE_A, &blue, Host::Two)
            .flows(2),
        Row::new("a packet of red reaches the node of red")
            .frame(RED_B.arrives(&to_red))
            .delivers(&RED_A, &to_red),
        Row::new("a packet of blue reaches the node of blue, which has the same address")
            .frame(BLUE_B.arrives(&to_blue))
            .delivers(&BLUE_A, &to_blue),
        Row::new("a source in red does not reach a destination in blue")
            .frame(RED_B.arrives(&to_red).edited(|bytes| {
                bytes[38..54].copy_from_slice(&substrate_address(
                    Host::One.prefix(),
                    200,
                    BLUE_A.ip,
                ));
            }))
            .drops(0, Inbound, DropReason::CrossNetwork),
        Row::new("an address that only red has is unknown in blue")
            .frame(BLUE_A.sends(&BLUE_A.tcp(&RED_D, PORTS, SYN)))
            .drops(BLUE, Outbound, DropReason::UnknownDestination),
        Row::new("a network that this host does not know is not here")
            .frame(RED_B.arrives(&to_red).edited(|bytes| {
                bytes[33] = 99;
                bytes[49] = 99;
            }))
            .drops(0, Inbound, DropReason::UnknownSource),
        Row::new("a VNI of 24 bits that ends as red does is another network")
            .frame(RED_B.arrives(&to_red).edited(|bytes| {
                bytes[31] = 1;
                bytes[47] = 1;
            }))
            .drops(0, Inbound, DropReason::UnknownSource),
    ]
}
