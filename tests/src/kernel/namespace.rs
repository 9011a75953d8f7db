//! A network namespace with interfaces for test frames. It belongs to one thread and goes with it, however
//! that ends.

use std::{collections::BTreeMap, process::Command, thread};

use anyhow::{Context as _, Result, bail};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
};

use crate::{
    kernel::Skip,
    nodes::{ALL, Host, STRANGER_INTERFACE, UPLINK_INTERFACE},
    world::UPLINK_MAC,
};

/// Runs `test` in a namespace of its own. What cannot be done here is told on stderr, and is no success.
///
/// # Panics
/// Where the test does.
pub fn in_namespace(name: &str, test: impl FnOnce() -> Result<(), Skip> + Send + 'static) {
    let run = move || {
        let made = unshare(CloneFlags::CLONE_NEWNET);
        made.map_err(|error| Skip(format!("no network namespace can be made: {error}")))?;
        test()
    };
    match thread::spawn(run).join() {
        Ok(Ok(())) => {}
        Ok(Err(skip)) => eprintln!("skipped: {name}: {skip}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Makes the interfaces of a world, and the substrate's routes. Real numbers by the world's.
pub(super) fn set_up() -> Result<BTreeMap<u32, u32>> {
    let ports = ALL
        .iter()
        .filter_map(|node| node.port)
        .map(|port| port.interface);
    let wanted: Vec<u32> = [UPLINK_INTERFACE, STRANGER_INTERFACE]
        .into_iter()
        .chain(ports)
        .collect();
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").context("IPv6 cannot forward")?;
    let mut interfaces = BTreeMap::new();
    for pair in wanted.chunks(2) {
        let [first, second] =
            [pair[0], pair[pair.len() - 1] + u32::from(pair.len() == 1)].map(interface);
        ip(&format!("link add {first} type veth peer name {second}"))?;
        ip(&format!("link set {first} mtu 1600"))?;
        for number in pair {
            let name = interface(*number);
            interfaces.insert(*number, if_nametoindex(&*name)?);
        }
    }
    ip(&format!(
        "link set {} address {}",
        interface(UPLINK_INTERFACE),
        mac(UPLINK_MAC)
    ))?;
    for number in interfaces.keys() {
        ip(&format!("link set {} up", interface(*number)))?;
    }
    routes(&interface(UPLINK_INTERFACE))?;
    Ok(interfaces)
}

fn interface(number: u32) -> String {
    format!("inlayt6-{number}")
}

/// Hosts 2 and 3 are neighbours, host 4 is one whose address nobody knows, to host 5 there is no route.
fn routes(uplink: &str) -> Result<()> {
    for host in [Host::Two, Host::Three, Host::Four] {
        let number = host.slot();
        ip(&format!(
            "-6 route add 2001:db8:0:{number}::/64 via fe80::{number} dev {uplink}"
        ))?;
        if host != Host::Four {
            let mac = mac(host.mac());
            ip(&format!(
                "-6 neigh replace fe80::{number} lladdr {mac} dev {uplink} nud permanent"
            ))?;
        }
    }
    Ok(())
}

fn mac(octets: [u8; 6]) -> String {
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .context("`ip` cannot be run")?;
    if !output.status.success() {
        bail!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
