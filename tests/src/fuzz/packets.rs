//! Frames at random: valid ones of the world's nodes, which make flows and answer each other, and some of
//! them spoilt.

use inlay_core::tables::Direction;

use crate::{
    dataplane::Frame,
    fuzz::prng::Prng,
    nodes::{ALL, Host, Node, STRANGER_INTERFACE, UPLINK_INTERFACE, quote},
    packet::{Body, Ip, Packet},
    rows::{arp, substrate_errors},
};

const PORTS: [u16; 6] = [7, 22, 53, 8080, 9000, 40000];
const ADDRESSES: [Ip; 12] = [
    [10, 7, 0, 5],
    [10, 8, 0, 5],
    [10, 9, 0, 1],
    [10, 6, 0, 1],
    [10, 0, 1, 1],
    [10, 0, 2, 1],
    [10, 0, 1, 255],
    [10, 0, 1, 99],
    [10, 0, 1, 31],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
    [0, 0, 0, 0],
];

/// Bytes that headers give a meaning to.
const BYTES: [u8; 20] = [
    0, 1, 2, 3, 4, 5, 6, 8, 11, 17, 20, 44, 58, 0x40, 0x45, 0x46, 0x4f, 0x80, 0xfe, 0xff,
];

/// Packets that were sent, to be sent again or answered: flows come of that.
#[derive(Default)]
pub struct Talk {
    said: Vec<(Node, Node, Packet)>,
}

/// How many packets are remembered.
const SAID_MAX: usize = 6;

/// A frame.
#[must_use]
pub fn frame(prng: &mut Prng, talk: &mut Talk) -> Frame {
    let mut frame = if talk.said.is_empty() || prng.once_in(3) {
        valid(prng, talk)
    } else {
        talk.again(prng)
    };
    if prng.once_in(4) {
        spoil(prng, &mut frame);
    }
    if prng.once_in(200) {
        frame.interface = prng.pick(&[STRANGER_INTERFACE, UPLINK_INTERFACE, 101, 103]);
    }
    // Less than an Ethernet header cannot be tested in the kernel.
    frame.bytes.resize(frame.bytes.len().max(14), 0);
    frame
}

impl Talk {
    fn say(&mut self, prng: &mut Prng, from: &Node, to: &Node, packet: &Packet) {
        if self.said.len() == SAID_MAX {
            self.said.remove(prng.index(SAID_MAX));
        }
        self.said.push((*from, *to, packet.clone()));
    }

    fn again(&mut self, prng: &mut Prng) -> Frame {
        let (from, to, mut packet) = prng.pick(&self.said);
        let is_answer = prng.once_in(2);
        if is_answer {
            (packet.source, packet.destination) = (packet.destination, packet.source);
        }
        match &mut packet.body {
            Body::Tcp { ports, flags, .. } => {
                *ports = if is_answer {
                    (ports.1, ports.0)
                } else {
                    *ports
                };
                *flags = prng.pick(&[2, 18, 16, 16, 16, 16, 17, 4]);
            }
            Body::Udp { ports, .. } if is_answer => *ports = (ports.1, ports.0),
            Body::Icmp { kind, .. } if is_answer && kind.0 == 8 => *kind = (0, 0),
            _ => {}
        }
        let whole = Packet {
            part: None,
            ..packet.clone()
        }
        .len_bytes()
            - 20
            - packet.options.len();
        if let Some(part) = &mut packet.part {
            // The next fragment, if there is one.
            let next = (part.offset_bytes + part.len_bytes).min(whole) / 8 * 8;
            if prng.once_in(2) && next < whole {
                (part.offset_bytes, part.len_bytes, part.more) = (next, whole - next, false);
            }
        }
        let sender = if is_answer { to } else { from };
        if sender.port.is_some() {
            sender.sends(&packet)
        } else {
            sender.arrives(&packet)
        }
    }
}

fn valid(prng: &mut Prng, talk: &mut Talk) -> Frame {
    let vni = prng.pick(&[100, 100, 100, 200]);
    let of_network: Vec<&Node> = ALL.iter().filter(|node| node.vni == vni).collect();
    let local: Vec<&Node> = of_network
        .iter()
        .filter(|node| node.port.is_some())
        .copied()
        .collect();
    let here = prng.pick(&local);
    let there = prng.pick(&of_network);
    match prng.below(20) {
        0 => {
            let sender = if prng.once_in(4) {
                prng.pick(&ADDRESSES)
            } else {
                here.ip
            };
            let target = if prng.once_in(2) {
                prng.pick(&ADDRESSES)
            } else {
                there.ip
            };
            arp::asks(here, sender, target)
        }
        1 => {
            let quoted = packet(prng, here, there).ipv6(&here.path_to(there.host));
            let len = prng.pick(&[quoted.len(), quoted.len().min(48), quoted.len().min(56), 30]);
            let kind = prng.pick(&[(1, 0), (2, 0), (3, 0), (4, 1), (128, 0)]);
            let word = prng.pick(&[0, 1280, 1400, 70_000]);
            substrate_errors::error(kind, word, &quoted[..len.min(quoted.len())])
        }
        2..=10 => {
            let packet = packet(prng, here, there);
            talk.say(prng, here, there, &packet);
            here.sends(&packet)
        }
        _ => {
            let host = if prng.once_in(12) {
                prng.pick(&Host::ALL)
            } else {
                there.host
            };
            let packet = packet(prng, there, here);
            talk.say(prng, there, here, &packet);
            there.arrives_from(&packet, host)
        }
    }
}

fn packet(prng: &mut Prng, from: &Node, to: &Node) -> Packet {
    let mut packet = Packet::new(from.ip, to.ip, body(prng, from, to));
    packet.ttl = prng.pick(&[64, 64, 64, 255, 2, 1, 0]);
    packet.tos = if prng.once_in(4) { prng.byte() } else { 0 };
    packet.dont_fragment = !prng.once_in(4);
    packet.identification = prng.pick(&[0, 1, 2, 0xffff]);
    if prng.once_in(30) {
        packet.options = prng.pick(&[vec![1, 1, 1, 0], vec![7; 40]]);
    }
    if prng.once_in(16) {
        packet.source = prng.pick(&ADDRESSES);
    }
    if prng.once_in(8) {
        packet.destination = prng.pick(&ADDRESSES);
    }
    if prng.once_in(6) {
        cut(prng, &mut packet);
    }
    packet
}

fn cut(prng: &mut Prng, packet: &mut Packet) {
    let whole = packet.len_bytes() - 20 - packet.options.len();
    let offset = prng.pick(&[0, 0, 8, 16, 24, 48]).min(whole / 8 * 8);
    let len = prng.pick(&[8, 24, 48, 0, 20, whole]).min(whole - offset);
    *packet = packet.clone().part(offset, len, prng.once_in(2));
}

fn body(prng: &mut Prng, from: &Node, to: &Node) -> Body {
    let ports = (prng.pick(&PORTS), prng.pick(&PORTS));
    let len = prng.pick(&[0, 1, 11, 48, 48, 100, 1400, 1480, 3000]);
    let payload = (0..len).map(|_| prng.byte()).collect();
    match prng.below(12) {
        0..=3 => Body::Tcp {
            ports,
            flags: prng.pick(&[2, 18, 16, 16, 17, 4, 20, 3, 0, 24]),
            payload,
        },
        4..=7 => Body::Udp {
            ports,
            has_checksum: !prng.once_in(4),
            payload,
        },
        8 | 9 => {
            let [high, low] = prng.pick(&[0, 7, 0xffff_u16]).to_be_bytes();
            let kind = prng.pick(&[(8, 0), (0, 0), (8, 1), (13, 0), (255, 1), (255, 2)]);
            Body::Icmp {
                kind,
                word: [high, low, 0, 1],
                payload,
            }
        }
        10 => {
            // About a packet the other way, or another one of the same two.
            let (source, destination) = if prng.once_in(4) {
                (from, to)
            } else {
                (to, from)
            };
            let quoted = Packet::new(source.ip, destination.ip, small_body(prng));
            Body::Icmp {
                kind: prng.pick(&[(3, 3), (3, 4), (11, 0), (12, 0), (4, 0)]),
                word: [0; 4],
                payload: quote(&quoted),
            }
        }
        _ => Body::Other {
            protocol: prng.pick(&[47, 50, 132, 44, 0, 43, 58, 59, 4, 41]),
            payload,
        },
    }
}

fn small_body(prng: &mut Prng) -> Body {
    let ports = (prng.pick(&PORTS), prng.pick(&PORTS));
    match prng.below(3) {
        0 => Body::Tcp {
            ports,
            flags: 16,
            payload: Vec::new(),
        },
        1 => Body::Udp {
            ports,
            has_checksum: true,
            payload: Vec::new(),
        },
        _ => Body::Icmp {
            kind: (8, 0),
            word: [0, 7, 0, 1],
            payload: Vec::new(),
        },
    }
}

/// Bytes that hold headers.
const HEAD: usize = 110;

fn spoil(prng: &mut Prng, frame: &mut Frame) {
    for _ in 0..=prng.below(3) {
        let bytes = &mut frame.bytes;
        let at = prng.index(bytes.len().clamp(1, HEAD));
        match prng.below(8) {
            0 => bytes.truncate(prng.index(bytes.len() + 1)),
            1 => bytes.extend(vec![prng.byte(); prng.index(40)]),
            2 | 3 if at < bytes.len() => bytes[at] ^= 1 << prng.below(8),
            4 if at < bytes.len() => bytes[at] = prng.byte(),
            _ if at < bytes.len() => bytes[at] = prng.pick(&BYTES),
            _ => {}
        }
    }
    if frame.direction == Direction::Outbound && prng.once_in(2) {
        fix_header_checksum(&mut frame.bytes);
    }
}

/// So that what is spoilt is seen by more than the checksum.
fn fix_header_checksum(frame: &mut [u8]) {
    if let Ok((header, _)) = etherparse::Ipv4Header::from_slice(frame.get(14..).unwrap_or_default())
    {
        frame[24..26].copy_from_slice(&header.calc_header_checksum().to_be_bytes());
    }
}
