//! The frames that are measured.

use crate::{
    world::{LOCAL, LOCAL_PREFIX, NODE_MAC, REMOTE, REMOTE_PREFIX, VNI, World},
    wrapper::Stream,
};

/// TCP flags.
pub(crate) const SYN: u8 = 2;
/// See [`SYN`].
pub(crate) const SYN_ACK: u8 = 0x12;
/// See [`SYN`].
pub(crate) const ACK: u8 = 0x10;

/// Bytes after the TCP header: a frame must be as long as the wrapper restores.
const PAYLOAD: usize = 66;
const TCP: [u8; 12] = [0, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1];

/// From the node to its peer.
pub(crate) fn outbound(world: &World, flags: u8, flows: u32) -> Stream {
    Stream {
        frame: ipv4(LOCAL, flags),
        ports_at: 34,
        flows,
        is_inbound: false,
        interface_index: world.port,
    }
}

/// From an address that is not the node's.
pub(crate) fn spoofed(world: &World) -> Stream {
    Stream {
        frame: ipv4([10, 0, 9, 9], ACK),
        ..outbound(world, ACK, 1)
    }
}

fn ipv4(source: [u8; 4], flags: u8) -> Vec<u8> {
    let mut frame = vec![2, b'i', b'n', b'l', b'a', b'y'];
    frame.extend(NODE_MAC);
    frame.extend([8, 0]);
    let total = u8::try_from(40 + PAYLOAD).unwrap_or(u8::MAX);
    let mut header = vec![0x45, 0, 0, total, 0, 0, 0x40, 0, 64, 6, 0, 0];
    header.extend(source);
    header.extend(REMOTE);
    let sum = header.chunks(2).fold(0u32, |sum, word| {
        let sum = sum + u32::from(u16::from_be_bytes([word[0], word[1]]));
        (sum & 0xffff) + (sum >> 16)
    });
    let sum = !u16::try_from(sum).unwrap_or(0);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    tcp(frame, flags)
}

/// From the peer to the node.
pub(crate) fn inbound(world: &World, flags: u8, flows: u32) -> Stream {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd];
    let payload = u8::try_from(20 + PAYLOAD).unwrap_or(u8::MAX);
    frame.extend([0x60, 0, 0, 64, 0, payload, 6, 255]);
    for (prefix, virtual_ip) in [(REMOTE_PREFIX, REMOTE), (LOCAL_PREFIX, LOCAL)] {
        frame.extend(prefix);
        frame.extend((4 << 24 | VNI).to_be_bytes());
        frame.extend(virtual_ip);
    }
    Stream {
        frame: tcp(frame, flags),
        ports_at: 54,
        flows,
        is_inbound: true,
        interface_index: world.uplink,
    }
}

/// The checksum is not right: nobody on the way verifies it, it is only updated.
fn tcp(mut frame: Vec<u8>, flags: u8) -> Vec<u8> {
    frame.extend(TCP);
    frame.extend([0x50, flags, 1, 0, 1, 2, 0, 0]);
    frame.extend([0xaa; PAYLOAD]);
    frame
}
