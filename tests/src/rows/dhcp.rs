//! DHCP: what a client sends is passed to the host where the port asks for it, and nothing else is.

use inlay_core::{
    drop_reason::DropReason,
    tables::{Direction::Outbound, records::PortRecord},
};

use crate::{
    dataplane::Frame,
    nodes::{RED_A, RED_B, RED_D, gateway, quote, router_error},
    packet::{Body, Ip, Packet},
    row::Row,
    world::RED,
};

/// Client to server.
const PORTS: (u16, u16) = (68, 67);
const NOBODY: Ip = [0; 4];
const EVERYBODY: Ip = [255; 4];

pub(super) fn rows() -> Vec<Row> {
    let mut rows = passed();
    rows.extend(spoofed());
    rows.extend(other_packets());
    rows.extend(rate());
    rows.extend(without_the_flag());
    rows
}

/// In a world where red-a has DHCP.
fn row(name: &'static str) -> Row {
    Row::new(name).world(|world| world.port(&RED_A).flags |= PortRecord::DHCP)
}

fn request(source: Ip, destination: Ip, ports: (u16, u16)) -> Packet {
    let payload = vec![1; 300];
    let body = Body::Udp {
        ports,
        has_checksum: true,
        payload,
    };
    Packet::new(source, destination, body)
}

fn discover() -> Packet {
    request(NOBODY, EVERYBODY, PORTS)
}

fn renewal() -> Packet {
    request(RED_A.ip, gateway(&RED_A), PORTS)
}

/// From red-a to everybody on its link.
fn broadcast(packet: &Packet) -> Frame {
    RED_A
        .sends(packet)
        .edited(|bytes| bytes[..6].copy_from_slice(&[0xff; 6]))
}

fn is_passed(name: &'static str, packet: &Packet, frame: Frame) -> Row {
    row(name)
        .frame(frame)
        .passes_as_it_is()
        .counts(&RED_A, Outbound, packet.len_bytes())
}

fn passed() -> Vec<Row> {
    let rebinding = request(RED_A.ip, EVERYBODY, PORTS);
    vec![
        is_passed(
            "a client that has no address asks everybody",
            &discover(),
            broadcast(&discover()),
        ),
        is_passed(
            "a client that may be fragmented asks everybody",
            &discover().may_fragment().identification(7),
            broadcast(&discover().may_fragment().identification(7)),
        ),
        is_passed(
            "a client renews with its router",
            &renewal(),
            RED_A.sends(&renewal()),
        ),
        is_passed(
            "a client that rebinds asks everybody",
            &rebinding,
            broadcast(&rebinding),
        ),
        is_passed(
            "a client that has no address asks its router",
            &request(NOBODY, gateway(&RED_A), PORTS),
            RED_A.sends(&request(NOBODY, gateway(&RED_A), PORTS)),
        ),
    ]
}

fn spoofed() -> Vec<Row> {
    let other_mac = |packet: &Packet| {
        broadcast(packet).edited(|bytes| bytes[6..12].copy_from_slice(&RED_D.mac))
    };
    let from_other = request(RED_D.ip, gateway(&RED_A), PORTS);
    vec![
        row("a client does not ask from another's MAC address")
            .frame(other_mac(&discover()))
            .drops(RED, Outbound, DropReason::SpoofedMac),
        row("a client does not renew from another's MAC address")
            .frame(
                RED_A
                    .sends(&renewal())
                    .edited(|bytes| bytes[6..12].copy_from_slice(&RED_D.mac)),
            )
            .drops(RED, Outbound, DropReason::SpoofedMac),
        row("a client does not renew from another's address")
            .frame(RED_A.sends(&from_other))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        row("a client does not ask everybody from another's address")
            .frame(broadcast(&request(RED_D.ip, EVERYBODY, PORTS)))
            .drops(RED, Outbound, DropReason::NotUnicast),
        row("a node with DHCP does not send from another's address")
            .frame(RED_A.sends(&RED_D.udp(&RED_B, (7, 9000))))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        row("a node with DHCP does not send from 0.0.0.0")
            .frame(RED_A.sends(&RED_A.udp(&RED_B, (7, 9000)).source(NOBODY)))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
    ]
}

fn other_packets() -> Vec<Row> {
    let not_unicast = |name, frame| {
        row(name)
            .frame(frame)
            .drops(RED, Outbound, DropReason::NotUnicast)
    };
    let from_server = request(RED_A.ip, EVERYBODY, (67, 68));
    let elsewhere = request(RED_A.ip, [10, 0, 1, 255], PORTS);
    let tcp = Packet::new(
        NOBODY,
        EVERYBODY,
        Body::Tcp {
            ports: PORTS,
            flags: 2,
            payload: Vec::new(),
        },
    );
    let first = discover()
        .may_fragment()
        .identification(9)
        .part(0, 64, true);
    let later = discover()
        .may_fragment()
        .identification(9)
        .part(64, 64, false);
    let options = discover().options(&[1, 1, 1, 0]);
    let bad = broadcast(&discover()).edited(|bytes| bytes[24] ^= 1);
    let reserved = renewal().may_fragment();
    let asked = request(RED_A.ip, gateway(&RED_A), (68, 68));
    vec![
        not_unicast("a node is no DHCP server", broadcast(&from_server)),
        not_unicast(
            "a client asks from its own port",
            broadcast(&request(NOBODY, EVERYBODY, (69, 67))),
        ),
        not_unicast(
            "a client asks the server's port",
            broadcast(&request(NOBODY, EVERYBODY, (68, 53))),
        ),
        not_unicast(
            "a client does not ask the subnet's broadcast address",
            broadcast(&elsewhere),
        ),
        not_unicast("a client does not ask by TCP", broadcast(&tcp)),
        not_unicast("a first fragment is no request", broadcast(&first)),
        not_unicast("a later fragment is no request", broadcast(&later)),
        not_unicast("a request has no options of IPv4", broadcast(&options)),
        not_unicast("a request has a right header checksum", bad),
        not_unicast(
            "what is for the router goes to its MAC address",
            broadcast(&renewal()),
        ),
        row("what is for everybody goes to everybody's MAC address")
            .frame(RED_A.sends(&discover()))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        row("a client does not ask another node")
            .frame(RED_A.sends(&request(NOBODY, RED_D.ip, PORTS)))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
        row("a fragment to the router is no request")
            .frame(RED_A.sends(&reserved.identification(5).part(0, 64, true)))
            .drops(RED, Outbound, DropReason::NotForRouter),
        row("another port of the router is closed as ever")
            .frame(RED_A.sends(&asked))
            .replies(RED_A.gets(&router_error(&RED_A, (3, 3), [0; 4], &quote(&asked))))
            .drops(RED, Outbound, DropReason::NotForRouter),
    ]
}

fn rate() -> Vec<Row> {
    let limited = |name| row(name).world(|world| world.port(&RED_A).new_flows_per_s = 2);
    let ask = || broadcast(&discover());
    vec![
        limited("a client asks as often in a second as its port starts flows")
            .after(ask())
            .frame(ask())
            .passes_as_it_is()
            .counts(&RED_A, Outbound, discover().len_bytes()),
        limited("a client does not ask more often in a second than its port starts flows")
            .after(ask())
            .after(ask())
            .frame(ask())
            .drops(RED, Outbound, DropReason::NewFlowRate),
    ]
}

fn without_the_flag() -> Vec<Row> {
    let renewal = renewal();
    vec![
        Row::new("without DHCP, nobody asks everybody")
            .frame(broadcast(&discover()))
            .drops(RED, Outbound, DropReason::NotUnicast),
        Row::new("without DHCP, the router has no such port")
            .frame(RED_A.sends(&renewal))
            .replies(RED_A.gets(&router_error(&RED_A, (3, 3), [0; 4], &quote(&renewal))))
            .drops(RED, Outbound, DropReason::NotForRouter),
        Row::new("without DHCP, nobody sends from 0.0.0.0 to the router")
            .frame(RED_A.sends(&request(NOBODY, gateway(&RED_A), PORTS)))
            .drops(RED, Outbound, DropReason::SpoofedAddress),
    ]
}
