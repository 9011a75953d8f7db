//! Later fragments carry no ports: they are looked up by those of their first fragment, which is
//! remembered for as long as a receiver would wait for the rest.
//!
//! Each port has places of its own, so that no tenant can push out another's. A datagram's place
//! follows from its Identification; two of a port that fall on one place cost a datagram, as loss does.

use crate::{
    drop_reason::DropReason,
    ids::{Tick, VirtualIp},
    tables::{Direction, FragmentKey, FragmentRecord, Tables, limits::FRAGMENTS_PER_PORT},
};

/// How long a first fragment is remembered, in ticks: RFC 791 suggests 15 s.
const LIFETIME_TICKS: u32 = 15 * Tick::PER_SECOND;

/// A datagram as one port sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// The port.
    pub slot: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// The node's address.
    pub local: VirtualIp,
    /// The other's.
    pub remote: VirtualIp,
    /// Identification.
    pub identification: u16,
    /// Protocol.
    pub protocol: u8,
}

impl Datagram {
    #[inline(always)]
    const fn key(&self) -> FragmentKey {
        let rest = (self.direction as u32) << 8 | self.protocol as u32;
        let datagram = (self.identification as u32) << 16 | rest;
        FragmentKey {
            local: self.local,
            remote: self.remote,
            datagram,
        }
    }

    #[inline(always)]
    const fn place(&self) -> u32 {
        // The direction must not make a datagram and its answer share a place.
        let mixed =
            self.identification as u32 ^ self.remote.0.rotate_left(7) ^ self.direction as u32;
        let hash = mixed.wrapping_mul(0x9e37_79b1) >> 16;
        self.slot * FRAGMENTS_PER_PORT + (hash & (FRAGMENTS_PER_PORT - 1))
    }
}

/// Remembers the ports of a first fragment that was allowed.
#[inline(always)]
pub fn remember<T: Tables>(tables: &T, datagram: &Datagram, ports: u32) {
    let record = FragmentRecord {
        key: datagram.key(),
        ports,
        seen: tables.now().0,
        used: 1,
    };
    tables.put_fragment(datagram.place(), &record);
}

/// The ports of a later fragment.
#[inline(always)]
pub fn recall<T: Tables>(tables: &T, datagram: &Datagram) -> Result<u32, DropReason> {
    let record = tables
        .fragment(datagram.place())
        .ok_or(DropReason::FragmentUnknown)?;
    let age = tables.now().since(Tick(record.seen));
    if record.used == 0 || record.key != datagram.key() || age > LIFETIME_TICKS {
        return Err(DropReason::FragmentUnknown);
    }
    Ok(record.ports)
}
