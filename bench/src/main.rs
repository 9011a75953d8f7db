//! Measures Inlay beside what it replaces. `cargo xtask bench` runs it.

mod world;
mod wrapper;

use anyhow::Result;
use world::*;
use wrapper::{Stream, Wrapper};

fn csum(b: &[u8]) -> u16 {
    let mut s = 0u32;
    for c in b.chunks(2) { s += u32::from(u16::from_be_bytes([c[0], c[1]])); }
    while s >> 16 != 0 { s = (s & 0xffff) + (s >> 16); }
    !(s as u16)
}

fn v4(flags: u8, src: [u8;4]) -> Vec<u8> {
    let mut p = vec![2, 0x69, 0x6e, 0x6c, 0x61, 0x79];
    p.extend(NODE_MAC); p.extend([8, 0]);
    let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
    ip.extend(src); ip.extend(REMOTE);
    let total = 20 + 20 + 66u16;
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    let c = csum(&ip); ip[10..12].copy_from_slice(&c.to_be_bytes());
    p.extend(ip);
    p.extend([0, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 1, 2, 0, 0]);
    p.resize(14 + total as usize, 0xaa);
    p
}
fn v6(flags: u8) -> Vec<u8> {
    let mut p = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 64, 0, 86, 6, 255];
    p.extend(REMOTE_PREFIX); p.extend([4, 0, 0, VNI as u8]); p.extend(REMOTE);
    p.extend(LOCAL_PREFIX); p.extend([4, 0, 0, VNI as u8]); p.extend(LOCAL);
    p.extend([0, 80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 1, 2, 0, 0]);
    p.resize(14 + 40 + 86, 0xaa);
    p
}

fn main() -> Result<()> {
    let mut w = Wrapper::load()?;
    let mut world = World::new(10, 1 << 19)?;
    let out = world.program("inlay_outbound")?;
    let inb = world.program("inlay_inbound")?;
    let s = |frame, ports_at, flows, interface_index| Stream { frame, ports_at, flows, is_inbound: ports_at == 54, interface_index };
    let (po, pu) = (world.port, world.uplink);
    let tro = w.own("bench_translate_outbound")?;
    let tri = w.own("bench_translate_inbound")?;
    let empty = w.own("bench_empty")?;
    for flows in [1u32, 4096, 32768, 1 << 18] {
        // fill: SYN out, SYN/ACK in, ACK out
        for (t, f, at, i) in [(&out, v4(2, LOCAL), 34, po), (&inb, v6(0x12), 54, pu), (&out, v4(0x10, LOCAL), 34, po)] {
            let r = w.run(t, &s(f, at, flows, i), flows * 2)?;
            println!("fill {flows}: {} ns action {}", r.0.as_nanos(), r.1);
        }
        world.debug()?;
        for round in 0..2 {
            let e = w.run(&empty, &s(v4(0x10, LOCAL), 34, flows, po), 1_000_000)?.0.as_nanos() as i64;
            let o = w.run(&out, &s(v4(0x10, LOCAL), 34, flows, po), 1_000_000)?;
            let i = w.run(&inb, &s(v6(0x10), 54, flows, pu), 1_000_000)?;
            println!("{flows} round {round}: empty {e} out +{} ({}) in +{} ({}) tr out +{} tr in +{} spoof +{}", o.0.as_nanos() as i64 - e, o.1, i.0.as_nanos() as i64 - e, i.1,
              w.run(&tro, &s(v4(0x10, LOCAL), 34, flows, po), 1_000_000)?.0.as_nanos() as i64 - e,
              w.run(&tri, &s(v6(0x10), 54, flows, pu), 1_000_000)?.0.as_nanos() as i64 - e,
              w.run(&out, &s(v4(0x10, [10,0,9,9]), 34, flows, po), 1_000_000)?.0.as_nanos() as i64 - e);
        }
    }
    Ok(())
}
