//! The virtual router speaks: ARP, echo, and errors about packets that it cannot carry.

use crate::{
    drop_reason::DropReason,
    ids::VirtualIp,
    packet::Packet,
    pipeline::{
        Work,
        parse::{self, L4},
    },
    rewrite::{EchoReply, NodeError, QUOTE_MAX, Rewrite, Verdict},
    tables::{MappingKey, PortRecord, SubnetRecord, Tables},
    wire::{
        arp, icmp, ipv4,
        l4::{ICMP, Icmp, Transport, UDP},
    },
};

#[inline(always)]
fn back(work: &mut Work, rewrite: Rewrite) -> Verdict {
    work.rewrite = rewrite;
    Verdict::Reply
}

/// Answers for the gateway and for every node of the subnet, except the asker's own address, which it
/// may be probing for a conflict (RFC 5227).
#[inline(always)]
pub fn arp<T: Tables>(
    tables: &T,
    packet: &mut Packet<'_>,
    work: &mut Work,
    slot: u32,
    port: &PortRecord,
    subnet: &SubnetRecord,
) -> Result<Verdict, DropReason> {
    let request = arp::Request::read(packet).ok_or(DropReason::ArpUnanswered)?;
    let is_probe = request.sender.0 == 0;
    if request.sender_mac != port.mac {
        return Err(DropReason::SpoofedMac);
    }
    if !is_probe && request.sender != port.virtual_ip {
        let key = MappingKey {
            tag: port.tag,
            virtual_ip: request.sender,
        };
        if tables
            .mapping(&key)
            .is_none_or(|mapping| mapping.port != slot)
        {
            return Err(DropReason::SpoofedAddress);
        }
    }
    if request.target == subnet.gateway {
        return Ok(back(work, Rewrite::Arp(request)));
    }
    let key = MappingKey {
        tag: port.tag,
        virtual_ip: request.target,
    };
    let is_other = tables
        .mapping(&key)
        .is_some_and(|mapping| mapping.port != slot);
    if subnet.contains(request.target) && is_other {
        return Ok(back(work, Rewrite::Arp(request)));
    }
    Err(DropReason::ArpUnanswered)
}

/// Answers a packet for the gateway's own address.
#[inline(always)]
pub fn gateway(
    packet: &mut Packet<'_>,
    work: &mut Work,
    port: &PortRecord,
    subnet: &SubnetRecord,
    header: &ipv4::Header,
) -> Result<Verdict, DropReason> {
    if header.fragment.is_fragment() {
        return Err(DropReason::NotForRouter);
    }
    parse::check_payload(
        header.fragment,
        header.protocol,
        header.total_length - ipv4::LEN as u16,
    )?;
    match header.protocol {
        ICMP => {
            let transport = Transport::read(packet, L4, ICMP).ok_or(DropReason::Truncated)?;
            if transport.icmp != Icmp::EchoRequest {
                return Err(DropReason::NotForRouter);
            }
            Ok(echo_reply(work, port, header))
        }
        UDP => {
            let told = DropReason::NotForRouter;
            Ok(error(
                work,
                port,
                subnet,
                header,
                icmp::Error::PortUnreachable,
                told,
            ))
        }
        _ => Err(DropReason::NotForRouter),
    }
}

#[inline(always)]
fn echo_reply(work: &mut Work, port: &PortRecord, header: &ipv4::Header) -> Verdict {
    let (source, destination) = (header.destination, header.source);
    let header = ipv4::Header {
        ttl: 64,
        source,
        destination,
        ..*header
    };
    back(
        work,
        Rewrite::EchoReply(EchoReply {
            destination_mac: port.mac,
            header,
        }),
    )
}

/// The error about a packet of the node of `port`, quoting header and eight bytes. The packet counts as
/// dropped for the reason `told`.
#[inline(always)]
pub fn error(
    work: &mut Work,
    port: &PortRecord,
    subnet: &SubnetRecord,
    header: &ipv4::Header,
    error: icmp::Error,
    told: DropReason,
) -> Verdict {
    work.told = Some(told);
    let whole_words = header.total_length & !3;
    let wanted = (header.header_length() as u16 + 8).min(QUOTE_MAX);
    let error = NodeError {
        destination_mac: port.mac,
        router: subnet.gateway,
        node: header.source,
        error,
        quoted_bytes: wanted.min(whole_words),
    };
    back(work, Rewrite::Error(error))
}

/// Whether an error may be sent about a packet: never about another error, or about a fragment that is
/// not the first (RFC 1122 section 3.2.2).
#[inline(always)]
#[must_use]
pub fn may_tell(header: &ipv4::Header, icmp: Icmp) -> bool {
    icmp != Icmp::Error && header.fragment.offset() == 0
}

/// The address that limits a subnet's broadcast: its last.
#[inline(always)]
#[must_use]
pub const fn is_broadcast(subnet: &SubnetRecord, address: VirtualIp) -> bool {
    subnet.contains(address) && address.0 | subnet.mask == u32::MAX
}
