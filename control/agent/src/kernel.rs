//! The machine itself: BPF maps and links, interfaces, sysctls of the network namespace that the agent
//! runs in. Entries of the device map name interfaces of the namespace of whoever writes them, so the
//! agent runs inside the host's.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context as _;
use inlay_api::XdpMode;
use inlay_dataplane::{
    Dataplane, LogLevel, Mode, Options, degraded,
    image::{Changes, Image},
    netlink, offload,
};
use tracing::{info, warn};

use crate::{
    compile::Role,
    host::Host,
    interface::{Interface, Interfaces},
    packet_log,
};

/// The kernel's side of an agent.
#[derive(Debug)]
pub(crate) struct Kernel {
    dataplane: Dataplane,
}

impl Kernel {
    /// Loads the programs over the instance's maps, those that are there if they have the right shape.
    pub(crate) fn open(instance: &str, packet_log: bool) -> anyhow::Result<Self> {
        let mut dataplane = Dataplane::open(&Options {
            log_level: packet_log.then_some(LogLevel::Debug),
            ..Options::new(instance)
        })?;
        for what in dataplane.rejected() {
            warn!(
                what,
                "maps that were there cannot be adopted; they are filled anew beside them"
            );
        }
        info!(
            instance,
            adopted = dataplane.was_adopted(),
            maps = %dataplane.map_directory().display(),
            "dataplane is loaded"
        );
        if packet_log {
            packet_log::carry(&mut dataplane)?;
        }
        Ok(Self { dataplane })
    }
}

impl Host for Kernel {
    fn is_pinned(&self) -> bool {
        // Where it cannot be told, nobody removed it.
        let directory = self.dataplane.map_directory();
        directory.try_exists().unwrap_or(true)
    }

    fn read_image(&self) -> anyhow::Result<Image> {
        self.dataplane
            .read_image()
            .context("cannot read the maps back")
    }

    fn write(&mut self, changes: &Changes) -> anyhow::Result<()> {
        self.dataplane
            .apply(changes)
            .context("cannot write the maps")
    }

    fn remove_flows(&mut self, slot: u32) -> anyhow::Result<usize> {
        Ok(self.dataplane.remove_flows(slot)?)
    }

    fn attach(&mut self, interface_index: u32, role: Role, mode: XdpMode) -> anyhow::Result<()> {
        let mode = match mode {
            XdpMode::Native => Mode::Native,
            XdpMode::Generic => Mode::Generic,
        };
        Ok(match role {
            Role::Uplink => self.dataplane.attach_uplink(interface_index, mode),
            Role::Port => self.dataplane.attach_port(interface_index, mode),
        }?)
    }

    fn detach(&mut self, interface_index: u32) -> anyhow::Result<()> {
        Ok(self.dataplane.detach(interface_index)?)
    }

    fn attached(&self) -> BTreeSet<u32> {
        self.dataplane.attached().into_iter().collect()
    }

    fn retire_old(&mut self) -> anyhow::Result<()> {
        Ok(self.dataplane.retire_old()?)
    }

    fn interfaces(&self, names: &BTreeSet<&str>) -> anyhow::Result<Interfaces> {
        // One that is not there, or goes while it is asked about, is missing, which is no error.
        let found = names.iter().filter_map(|&name| {
            let index = netlink::interface_index(name).ok()?;
            let found = netlink::interface(index)
                .ok()
                .filter(|found| found.name == name)?;
            Some((
                name.to_owned(),
                Interface {
                    index,
                    mtu: found.mtu,
                    is_up: found.is_up,
                },
            ))
        });
        Ok(found.collect())
    }

    fn prepare_host(&mut self) -> Vec<String> {
        let error = forward_ipv6(Path::new(FORWARDING)).err();
        error
            .into_iter()
            .map(|error| format!("{error:#}"))
            .collect()
    }

    fn prepare_interface(
        &mut self,
        interface_index: u32,
        role: Role,
        virtual_mtu: u32,
    ) -> Vec<String> {
        let (prepared, missing) = match role {
            Role::Uplink => (
                offload::prepare_uplink(interface_index),
                degraded::uplink(interface_index, virtual_mtu),
            ),
            Role::Port => (
                offload::prepare_port(interface_index),
                degraded::port(interface_index, virtual_mtu),
            ),
        };
        let error = prepared.err().map(|error| error.to_string());
        error
            .into_iter()
            .chain(missing.iter().map(ToString::to_string))
            .collect()
    }
}

/// Of the namespace of whoever opens it.
const FORWARDING: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Where a neighbour is not resolved yet, the dataplane passes the translated packet to the kernel, which
/// resolves and forwards it: only where forwarding is on.
fn forward_ipv6(file: &Path) -> anyhow::Result<()> {
    let told = || {
        format!(
            "IPv6 forwarding is off and cannot be set, so the first packets to a host are lost; \
             sysctl net.ipv6.conf.all.forwarding=1 ({})",
            file.display()
        )
    };
    if fs::read_to_string(file).with_context(told)?.trim() != "0" {
        return Ok(());
    }
    fs::write(file, "1").with_context(told)?;
    info!(
        "net.ipv6.conf.all.forwarding was 0 and is set to 1; an uplink that learns its routes from \
         router advertisements now needs accept_ra=2"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_is_set_where_it_is_off() {
        let file = std::env::temp_dir().join(format!("inlay-forwarding-{}", std::process::id()));
        for (before, after) in [("0\n", "1"), ("1\n", "1\n"), ("2\n", "2\n")] {
            fs::write(&file, before).unwrap();
            forward_ipv6(&file).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), after);
        }
        fs::remove_file(&file).unwrap();
        let refusal = format!("{:#}", forward_ipv6(&file).unwrap_err());
        assert!(
            refusal.contains("sysctl net.ipv6.conf.all.forwarding=1"),
            "{refusal}"
        );
    }
}
