//! DHCP messages in Ethernet frames, and out of them.

use std::net::Ipv4Addr;

use bytes::Bytes;
use dhcproto::{
    Decodable as _, Encodable as _,
    v4::{CLIENT_PORT, Decoder, Message, OptionCode, SERVER_PORT},
};
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use inlay_core::ids::MacAddress;

use super::{answer::Answer, lease::Lease};

/// Where the options begin, and what they begin with (RFC 2131, section 3).
const COOKIE_AT: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Messages that are shorter are filled up: BOOTP's (RFC 951, RFC 1542, section 2.1).
const MESSAGE_BYTES_MIN: usize = 300;
/// TTL of what is for the link alone.
const TTL: u8 = 64;
const BROADCAST_MAC: [u8; 6] = [0xff; 6];

/// The message that a client sends in `frame`; `None` where it is none.
///
/// Its checksum is not looked at: a machine that leaves checksums to its hardware sends unfinished ones over a
/// tap, and nothing but its own message can be wrong.
pub(super) fn read(frame: &[u8]) -> Option<Message> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (Some(NetSlice::Ipv4(ipv4)), Some(TransportSlice::Udp(udp))) =
        (&packet.net, &packet.transport)
    else {
        return None;
    };
    let ports = (udp.source_port(), udp.destination_port());
    if ipv4.is_payload_fragmented() || ports != (CLIENT_PORT, SERVER_PORT) {
        return None;
    }
    let (head, options) = udp.payload().split_at_checked(COOKIE_AT + COOKIE.len())?;
    if !head.ends_with(&COOKIE) {
        return None;
    }
    let message = [head, &known_options(options)?].concat();
    Message::decode(&mut Decoder::new(&message)).ok()
}

/// Of a message's options those that a server reads, each once and of the length that it has: the codec is not
/// made for what an attacker writes into the others. `None` where an option ends after the message.
fn known_options(mut rest: &[u8]) -> Option<Vec<u8>> {
    const PAD: u8 = 0;
    const END: u8 = 255;
    let mut known: Vec<u8> = Vec::new();
    let mut seen = [false; 256];
    while let [code, after @ ..] = rest {
        match *code {
            PAD => rest = after,
            END => break,
            code => {
                let (len, after) = after.split_first()?;
                let (value, after) = after.split_at_checked(usize::from(*len))?;
                rest = after;
                let is_first = !std::mem::replace(&mut seen[usize::from(code)], true);
                if is_first && is_right(OptionCode::from(code), value.len()) {
                    known.extend([code, *len]);
                    known.extend(value);
                }
            }
        }
    }
    known.push(END);
    Some(known)
}

/// Whether a server reads an option, and it is as long as RFC 2132 says.
fn is_right(code: OptionCode, len_bytes: usize) -> bool {
    match code {
        OptionCode::MessageType => len_bytes == 1,
        OptionCode::MaxMessageSize => len_bytes == 2,
        OptionCode::RequestedIpAddress | OptionCode::ServerIdentifier => len_bytes == 4,
        OptionCode::ClientIdentifier => len_bytes >= 2,
        _ => false,
    }
}

/// `answer` as it leaves for the node: from the virtual router, which has the gateway's address.
pub(super) fn write(lease: &Lease, answer: &Answer) -> Option<Bytes> {
    let mut payload = answer.message.to_vec().ok()?;
    payload.resize(payload.len().max(MESSAGE_BYTES_MIN), 0);
    let is_to_all = answer.to == Ipv4Addr::BROADCAST;
    let mac = if is_to_all {
        BROADCAST_MAC
    } else {
        lease.mac.octets()
    };
    let builder = PacketBuilder::ethernet2(MacAddress::ROUTER.octets(), mac)
        .ipv4(lease.gateway.octets(), answer.to.octets(), TTL)
        .udp(SERVER_PORT, CLIENT_PORT);
    let mut frame = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut frame, &payload).ok()?;
    Some(frame.into())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::backend::dhcp::answer::answer;

    const MAC: [u8; 6] = [2, 0, 0, 1, 0, 0x0a];

    fn lease() -> Lease {
        Lease {
            mac: MacAddress::from_octets(MAC),
            address: Ipv4Addr::new(10, 0, 1, 10),
            mask: Ipv4Addr::new(255, 255, 255, 0),
            gateway: Ipv4Addr::new(10, 0, 1, 1),
            mtu: 1500,
            dns_servers: vec![],
            dns_domain: String::new(),
        }
    }

    fn frame(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ethernet2(MAC, BROADCAST_MAC)
            .ipv4([0; 4], [255; 4], 64)
            .udp(ports.0, ports.1);
        let mut frame = Vec::new();
        builder.write(&mut frame, payload).unwrap();
        frame
    }

    fn payload(head: &[u8], options: &[u8]) -> Vec<u8> {
        let mut payload = head.to_vec();
        payload.resize(COOKIE_AT, 0);
        payload.extend(COOKIE);
        payload.extend(options);
        payload
    }

    #[test]
    fn only_a_clients_message_to_a_server_is_read() {
        let discover = payload(&[1, 1, 6, 0], &[53, 1, 1, 255]);
        assert!(read(&frame((68, 67), &discover)).is_some());
        assert!(read(&frame((67, 68), &discover)).is_none());
        assert!(read(&frame((68, 67), &discover[..COOKIE_AT])).is_none());
        let mut no_cookie = discover;
        no_cookie[COOKIE_AT] ^= 1;
        assert!(read(&frame((68, 67), &no_cookie)).is_none());
        assert!(read(&[]).is_none());
    }

    /// What the codec would end the server by: 152 and 121 with what their lengths do not hold.
    #[test]
    fn options_that_nobody_reads_do_not_reach_the_codec() {
        for hostile in [
            &[152, 5, 0, 0, 0, 0, 0][..],
            &[151, 0],
            &[121, 5, 255, 1, 2, 3, 4],
            &[82, 3, 1, 200, 0],
        ] {
            let options = [&[53, 1, 1][..], hostile, &[255]].concat();
            let read = read(&frame((68, 67), &payload(&[1, 1, 6, 0], &options))).unwrap();
            assert_eq!(read.opts().len(), 1, "{hostile:?}");
        }
    }

    #[test]
    fn an_option_counts_once_and_with_its_length() {
        let options = |options: &[u8]| known_options(options);
        let twice = [53, 1, 1, 53, 1, 3, 255];
        assert_eq!(options(&twice).unwrap(), [53, 1, 1, 255]);
        assert_eq!(options(&[0, 53, 2, 1, 1, 255]).unwrap(), [255]);
        assert_eq!(
            options(&[54, 4, 10, 0, 1, 1]).unwrap(),
            [54, 4, 10, 0, 1, 1, 255]
        );
        assert_eq!(options(&[54, 4, 10, 0, 1]), None);
        assert_eq!(options(&[54]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_message_ends_the_server(
            head in vec(any::<u8>(), 0..COOKIE_AT),
            is_of_node in any::<bool>(),
            kind in 0..20_u8,
            options in vec(any::<u8>(), 0..400),
            cut in 0..64_usize,
        ) {
            let mut payload = payload(&head, &[&[53, 1, kind][..], &options].concat());
            if is_of_node {
                payload[..4].copy_from_slice(&[1, 1, 6, 0]);
                payload[24..28].fill(0);
                payload[28..34].copy_from_slice(&MAC);
            }
            let mut frame = frame((68, 67), &payload);
            frame.truncate(frame.len() - cut);
            if let Some(request) = read(&frame)
                && let Ok(answer) = answer(&lease(), &request)
            {
                prop_assert!(write(&lease(), &answer).is_some());
            }
        }
    }
}
