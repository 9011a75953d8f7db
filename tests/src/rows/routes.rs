//! Where packets go: routes, mappings, and the next hop of the substrate.

use inlay_core::{
    drop_reason::DropReason,
    tables::Direction::{Inbound, Outbound},
};

use crate::{
    dataplane::UPLINK,
    nodes::{Host, RED_A, RED_B, RED_C, RED_D, RED_R, RED_U, RED_V, quote, router_error},
    packet::{IPV6, ethernet},
    row::Row,
    world::{DEVICE_MAC, RED},
};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = routes();
    rows.extend(next_hops());
    rows.extend(devices());
    rows
}

fn routes() -> Vec<Row> {
    let to = |destination| RED_A.udp(&RED_B, (7, 9000)).destination(destination);
    let dropped = |name, destination, reason| {
        Row::new(name)
            .frame(RED_A.sends(&to(destination)))
            .drops(RED, Outbound, reason)
    };
    vec![
        Row::new("a local route leads to the node that has the address")
            .frame(RED_A.sends(&to(RED_C.ip)))
            .sends(&RED_A, &to(RED_C.ip).ttl(63), Host::Two),
        Row::new("a route by way of a node leads to that node's host")
            .frame(RED_A.sends(&to([10, 7, 3, 4])))
            .sends(&RED_A, &to([10, 7, 3, 4]).ttl(63), RED_R.host),
        dropped(
            "a route by way of a node that is not there leads nowhere",
            [10, 6, 0, 1],
            DropReason::UnknownDestination,
        ),
        dropped(
            "a black hole swallows",
            [10, 9, 0, 1],
            DropReason::Blackhole,
        ),
        dropped(
            "the last address of a black hole is swallowed",
            [10, 9, 255, 255],
            DropReason::Blackhole,
        ),
        dropped(
            "the address after a black hole has no route",
            [10, 10, 0, 0],
            DropReason::NoRoute,
        ),
        dropped(
            "what has no route is dropped",
            [10, 1, 0, 1],
            DropReason::NoRoute,
        ),
        dropped(
            "what is below all routes is dropped",
            [9, 255, 255, 255],
            DropReason::NoRoute,
        ),
        dropped(
            "an address of a local route that nobody has is dropped",
            [10, 0, 3, 1],
            DropReason::UnknownDestination,
        ),
        dropped(
            "an address of the subnet that nobody has is dropped",
            [10, 0, 1, 200],
            DropReason::UnknownDestination,
        ),
        dropped(
            "the subnet's broadcast address is not carried",
            [10, 0, 1, 255],
            DropReason::NotUnicast,
        ),
        dropped(
            "limited broadcast is not carried",
            [255; 4],
            DropReason::NotUnicast,
        ),
        dropped(
            "multicast is not carried",
            [224, 0, 0, 251],
            DropReason::NotUnicast,
        ),
        dropped("0.0.0.0 is no destination", [0; 4], DropReason::NotUnicast),
        Row::new("a frame to a group of Ethernet is not carried")
            .frame(RED_A.sends(&to(RED_B.ip)).edited(|bytes| bytes[0] = 1))
            .drops(RED, Outbound, DropReason::NotUnicast),
    ]
}

fn next_hops() -> Vec<Row> {
    let unresolved = RED_A.udp(&RED_U, (7, 9000));
    let unreachable = RED_A.udp(&RED_V, (7, 9000));
    let known = RED_A.udp(&RED_B, (7, 9000));
    let path = RED_A.path_to(Host::Four);
    vec![
        Row::new("an unresolved neighbour is resolved by the kernel, which gets the inlaid packet")
            .frame(RED_A.sends(&unresolved))
            .passes(ethernet(
                (DEVICE_MAC, RED_A.mac),
                IPV6,
                &unresolved.ipv6(&path),
            ))
            .counts(&RED_A, Outbound, unresolved.len_bytes())
            .flows(1),
        Row::new("so does the second packet of its flow")
            .after(RED_A.sends(&unresolved))
            .after(RED_U.arrives(&RED_U.udp(&RED_A, (9000, 7))))
            .frame(RED_A.sends(&unresolved))
            .passes(ethernet(
                (DEVICE_MAC, RED_A.mac),
                IPV6,
                &unresolved.ipv6(&path),
            ))
            .counts(&RED_A, Outbound, unresolved.len_bytes())
            .flows(1),
        Row::new("a host without a route is unreachable, and the node is told")
            .frame(RED_A.sends(&unreachable))
            .replies(RED_A.gets(&router_error(&RED_A, (3, 1), [0; 4], &quote(&unreachable))))
            .drops(RED, Outbound, DropReason::HostUnreachable)
            .counts(&RED_A, Outbound, unreachable.len_bytes())
            .flows(1),
        Row::new("a remembered next hop is used")
            .after(RED_A.sends(&RED_A.udp(&RED_B, (8, 9000))))
            .frame(RED_A.sends(&known))
            .sends(&RED_A, &known, Host::Two)
            .flows(2),
        Row::new("a next hop is asked for again after a while")
            .after(RED_A.sends(&RED_A.udp(&RED_B, (8, 9000))))
            .wait_s(1)
            .frame(RED_A.sends(&known))
            .sends(&RED_A, &known, Host::Two)
            .flows(2),
    ]
}

fn devices() -> Vec<Row> {
    let out = RED_A.udp(&RED_B, (7, 9000));
    let back = RED_B.udp(&RED_A, (9000, 7));
    let local = RED_A.udp(&RED_D, (7, 9000));
    vec![
        Row::new("an uplink that is gone is told")
            .remove_device(UPLINK)
            .frame(RED_A.sends(&out))
            .drops(RED, Outbound, DropReason::NoDevice)
            .counts(&RED_A, Outbound, out.len_bytes())
            .flows(1),
        Row::new("an uplink that is gone is told in an established flow")
            .after(RED_A.sends(&out))
            .after(RED_B.arrives(&back))
            .remove_device(UPLINK)
            .frame(RED_A.sends(&out))
            .drops(RED, Outbound, DropReason::NoDevice)
            .may_be_untold()
            .counts(&RED_A, Outbound, out.len_bytes())
            .flows(1),
        Row::new("a port's device that is gone is told")
            .remove_device(RED_A.port.unwrap().slot)
            .frame(RED_B.arrives(&RED_B.udp(&RED_A, (7, 9000))))
            .drops(RED, Inbound, DropReason::NoDevice)
            .counts(&RED_A, Inbound, out.len_bytes())
            .flows(1),
        Row::new("a port's device that is gone is told in an established flow")
            .after(RED_A.sends(&out))
            .after(RED_B.arrives(&back))
            .remove_device(RED_A.port.unwrap().slot)
            .frame(RED_B.arrives(&back))
            .drops(RED, Inbound, DropReason::NoDevice)
            .may_be_untold()
            .counts(&RED_A, Inbound, back.len_bytes())
            .flows(1),
        Row::new("an answer of the virtual router whose device is gone is told")
            .remove_device(RED_A.port.unwrap().slot)
            .frame(RED_A.sends(&RED_A.ping([10, 0, 1, 1], 5)))
            .drops(RED, Outbound, DropReason::NoDevice),
        Row::new("a device of a node on the same host that is gone is told")
            .remove_device(RED_D.port.unwrap().slot)
            .frame(RED_A.sends(&local))
            .drops(RED, Inbound, DropReason::NoDevice)
            .counts(&RED_A, Outbound, local.len_bytes())
            .counts(&RED_D, Inbound, local.len_bytes())
            .flows(2),
    ]
}
