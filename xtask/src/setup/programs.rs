//! Programs that topologies and checks run, found by name or installed by the distribution's `apt-get`.

use anyhow::{Result, anyhow};

use super::{Missing, OrType, apt};
use crate::process;
use crate::progress::Progress;

/// A program and the Debian package that has it.
struct Program {
    name: &'static str,
    package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

/// What is used, with its use where the name does not tell.
const PROGRAMS: [Program; 18] = [
    program("ip", "iproute2"),
    program("tc", "iproute2"),
    program("ethtool", "ethtool"),
    program("nsenter", "util-linux"),
    program("setsid", "util-linux"),
    program("sysctl", "procps"),
    program("ping", "iputils-ping"),
    program("arping", "iputils-arping"),
    program("traceroute", "traceroute"),
    program("iperf3", "iperf3"),
    program("tcpdump", "tcpdump"),
    // A DHCP client that is not ours, udhcpc.
    program("busybox", "busybox"),
    // A client of the API that is not ours.
    program("curl", "curl"),
    // Listeners and senders of single datagrams and connections.
    program("socat", "socat"),
    // A second reader of the loaded programs and maps, to check our own by.
    program("bpftool", "bpftool"),
    // Counters and drops on the way that are not ours.
    program("nft", "nftables"),
    program("jq", "jq"),
    // Forged packets, by raw sockets.
    program("python3", "python3-minimal"),
];

pub(super) fn ensure(progress: &Progress) -> Result<String, Missing> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(format!("{} found", PROGRAMS.len()));
    }
    let packages = packages(&missing);
    let list = packages.join(" ");
    apt::install(&packages, progress).or_do(remedy(&list))?;
    still_missing().or_do(remedy(&list))?;
    Ok(format!("installed {list}"))
}

fn missing() -> Vec<&'static Program> {
    PROGRAMS
        .iter()
        .filter(|program| process::find(program.name).is_none())
        .collect()
}

fn packages(programs: &[&'static Program]) -> Vec<&'static str> {
    let mut packages: Vec<_> = programs.iter().map(|program| program.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn remedy(list: &str) -> String {
    if process::find("apt-get").is_some() {
        return format!("type  sudo apt-get update && sudo apt-get install {list}");
    }
    format!("install, by your package manager, what Debian names  {list}")
}

fn still_missing() -> Result<()> {
    let names: Vec<_> = missing().iter().map(|program| program.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(anyhow!("installed, and yet not found: {}", names.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_asked_for_once() {
        let both: Vec<_> = PROGRAMS
            .iter()
            .filter(|found| found.package == "iproute2")
            .collect();
        assert_eq!(both.len(), 2);
        assert_eq!(packages(&both), ["iproute2"]);
    }
}
