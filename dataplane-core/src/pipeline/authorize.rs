//! Who a packet is from: a node may speak for its own addresses, a host for its nodes'.

use crate::{
    drop_reason::DropReason,
    ids::{HostPrefix, VirtualIp},
    substrate::SubstrateAddress,
    tables::{ForwarderKey, MappingKey, MappingRecord, PortRecord, Tables},
};

/// Whether the node of `port` may send from `source`.
#[inline(always)]
pub fn node<T: Tables>(
    tables: &T,
    slot: u32,
    port: &PortRecord,
    source: VirtualIp,
) -> Result<(), DropReason> {
    if source == port.virtual_ip {
        return Ok(());
    }
    if port.flags & PortRecord::FORWARDING != 0 && !source.is_not_unicast() {
        return Ok(());
    }
    if port.flags & PortRecord::MORE_ADDRESSES != 0 {
        let key = MappingKey {
            tag: port.tag,
            virtual_ip: source,
        };
        if tables
            .mapping(&key)
            .is_some_and(|mapping| mapping.port == slot)
        {
            return Ok(());
        }
    }
    Err(DropReason::SpoofedAddress)
}

/// Who a substrate packet is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sender {
    /// Where the source address is, if anywhere.
    pub mapping: Option<MappingRecord>,
    /// Whether it came from there, and not by way of a node that forwards.
    pub is_home: bool,
}

/// Whether the host that `source` names may send from its virtual address: the address is on it, or
/// a node on it forwards for the network.
#[inline(always)]
pub fn host<T: Tables>(tables: &T, source: &SubstrateAddress) -> Result<Sender, DropReason> {
    if source.virtual_ip.is_not_unicast() {
        return Err(DropReason::NotUnicast);
    }
    let key = MappingKey {
        tag: source.tag,
        virtual_ip: source.virtual_ip,
    };
    let mapping = tables.mapping(&key);
    let home = mapping.and_then(|mapping| tables.host_prefix(mapping.host));
    if home == Some(source.prefix) {
        return Ok(Sender {
            mapping,
            is_home: true,
        });
    }
    if is_forwarder(tables, source.prefix, source) {
        return Ok(Sender {
            mapping,
            is_home: false,
        });
    }
    Err(if mapping.is_some() {
        DropReason::ForgedSource
    } else {
        DropReason::UnknownSource
    })
}

#[inline(always)]
fn is_forwarder<T: Tables>(tables: &T, prefix: HostPrefix, address: &SubstrateAddress) -> bool {
    tables.is_forwarder(&ForwarderKey {
        prefix,
        tag: address.tag,
        reserved: 0,
    })
}
