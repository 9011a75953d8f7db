//! A host with one port and one peer, its maps filled by hand, in a network namespace of this thread.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, HashMap, xdp::DevMap},
    programs::ProgramFd,
};
use inlay_core::{
    flow::{FlowKey, FlowRecord, FlowState},
    ids::{HostPrefix, MacAddress, VirtualIp, Vni},
    policy::service_point,
    substrate::Tag,
    tables::{
        Direction,
        limits::PORTS_MAX,
        records::{
            Config, InterfaceRecord, Interval, MappingKey, MappingRecord, NONE, NetworkRecord,
            PolicyRecord, PortRecord, RouteKind, RouteTarget, Row, Span, SubnetRecord,
        },
    },
    wire::l4::TCP,
};

use crate::wrapper::program;

/// The node's address, its peer's, and their hosts' prefixes.
pub(crate) const LOCAL: [u8; 4] = [10, 0, 1, 10];
/// See [`LOCAL`].
pub(crate) const REMOTE: [u8; 4] = [10, 0, 1, 11];
/// See [`LOCAL`].
pub(crate) const LOCAL_PREFIX: [u8; 8] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1];
/// See [`LOCAL`].
pub(crate) const REMOTE_PREFIX: [u8; 8] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 2];
/// The node's Ethernet address.
pub(crate) const NODE_MAC: [u8; 6] = [2, 0, 0, 0, 1, 10];
/// The network.
pub(crate) const VNI: u32 = 100;

/// What is measured in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorldPlan {
    /// Rules of the port's policy; only the last one matches.
    pub rules: u32,
    /// Flows that the port may have.
    pub ring: u32,
    /// Flows that the host may have.
    pub flows_max: u32,
}

/// The loaded programs and their maps.
pub(crate) struct World {
    ebpf: Ebpf,
    /// The port's interface.
    pub port: u32,
    /// The uplink.
    pub uplink: u32,
}

impl World {
    /// A namespace with a port and an uplink, whose neighbour is known, and the maps filled.
    ///
    /// # Errors
    /// Where this is not root, or the programs cannot be loaded.
    pub(crate) fn new(plan: &WorldPlan) -> Result<Self> {
        own_namespace()?;
        for line in [
            "link set port up",
            "link set node up",
            "link set uplink up",
            "link set fabric up",
            "-6 address add 2001:db8:f::1/64 dev uplink nodad",
            "-6 neighbour add 2001:db8:f::2 lladdr 02:00:00:00:00:02 dev uplink",
            "-6 route add 2001:db8:0:2::/64 via 2001:db8:f::2",
        ] {
            ip(line)?;
        }
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1")?;
        let (port, uplink) = (index("port")?, index("uplink")?);
        let mut loader = EbpfLoader::new();
        loader
            .map_max_entries("FLOWS", plan.flows_max)
            .map_max_entries("FLOW_RINGS", plan.flows_max);
        let mut ebpf = loader.load(inlay_dataplane::OBJECT)?;
        for name in ["inlay_outbound", "inlay_inbound"] {
            program(&mut ebpf, name)?
                .load()
                .with_context(|| format!("load {name}"))?;
        }
        let mut world = Self { ebpf, port, uplink };
        world.fill(plan)?;
        Ok(world)
    }

    /// How many flows are established.
    ///
    /// # Errors
    /// Where the table cannot be read.
    pub(crate) fn established(&mut self) -> Result<u32> {
        let map = self.ebpf.map_mut("FLOWS").context("FLOWS")?;
        let flows: HashMap<_, FlowKey, FlowRecord> = map.try_into()?;
        let mut count = 0;
        for flow in &flows {
            count += u32::from(flow?.1.state() == FlowState::Established);
        }
        Ok(count)
    }

    /// A program.
    pub(crate) fn program(&mut self, name: &str) -> Result<ProgramFd> {
        Ok(program(&mut self.ebpf, name)?.fd()?.try_clone()?)
    }

    fn set<V: Pod>(&mut self, map: &str, index: u32, value: V) -> Result<()> {
        let map = self
            .ebpf
            .map_mut(map)
            .with_context(|| format!("no map {map}"))?;
        Ok(Array::<_, V>::try_from(map)?.set(index, value, 0)?)
    }

    fn fill(&mut self, plan: &WorldPlan) -> Result<()> {
        let tag = Tag::ipv4(Vni::new(VNI).context("a VNI of 24 bits")?);
        let prefix = HostPrefix::from_octets(LOCAL_PREFIX);
        self.set(
            "CONFIG",
            0,
            Config {
                prefix,
                virtual_mtu: 1500,
                hop_limit_min: 240,
            },
        )?;
        for (interface_index, device) in [(self.port, 0), (self.uplink, PORTS_MAX)] {
            self.set(
                "INTERFACES",
                interface_index,
                InterfaceRecord {
                    interface_index,
                    device,
                },
            )?;
            let map = self.ebpf.map_mut("DEVICES").context("DEVICES")?;
            DevMap::try_from(map)?.set(device, interface_index, None, 0)?;
        }
        let port = PortRecord {
            host_prefix: prefix,
            mac: MacAddress::from_octets(NODE_MAC),
            tag,
            virtual_ip: VirtualIp::from_octets(LOCAL),
            interface_index: self.port,
            network: 1,
            subnet: 0,
            policy: 0,
            ring_base: 0,
            ring_mask: plan.ring - 1,
            new_flows_per_s: u32::MAX,
            flags: 0,
        };
        self.set("PORTS", 0, port)?;
        self.set("HOSTS", 0, prefix)?;
        self.set("HOSTS", 1, HostPrefix::from_octets(REMOTE_PREFIX))?;
        self.map_addresses(tag)?;
        self.write_policy(plan.rules)?;
        let routes = Span { base: 0, count: 1 };
        self.set("INTERVALS", 0, Interval { start: 0, value: 1 })?;
        let local = RouteTarget {
            kind: RouteKind::LOCAL,
            virtual_ip: VirtualIp(0),
        };
        self.set("ROUTE_TARGETS", 1, local)?;
        let subnet = SubnetRecord {
            tag,
            network: 1,
            virtual_ip: VirtualIp::from_octets([10, 0, 1, 0]),
            mask: u32::from_ne_bytes([255, 255, 255, 0]),
            gateway: VirtualIp::from_octets([10, 0, 1, 1]),
            acl: NONE,
            routes,
        };
        self.set("SUBNETS", 0, subnet)?;
        self.set(
            "NETWORKS",
            1,
            NetworkRecord {
                tag,
                epoch: 1,
                subnets: routes,
            },
        )
    }

    fn map_addresses(&mut self, tag: Tag) -> Result<()> {
        let map = self.ebpf.map_mut("MAPPINGS").context("MAPPINGS")?;
        let mut mappings: HashMap<_, MappingKey, MappingRecord> = map.try_into()?;
        for (address, host, port) in [(LOCAL, 0, 0), (REMOTE, 1, NONE)] {
            let key = MappingKey {
                tag,
                virtual_ip: VirtualIp::from_octets(address),
            };
            mappings.insert(
                key,
                MappingRecord {
                    host,
                    port,
                    groups: 0,
                    flags: 0,
                },
                0,
            )?;
        }
        Ok(())
    }

    /// All rules but the last are for a range of ports that the packets do not have, each a different
    /// one, so that every table is as large as such rules make it.
    fn write_policy(&mut self, rules: u32) -> Result<()> {
        let row = |bits: &dyn Fn(u32) -> bool| {
            let mut row = Row::default();
            (0..rules).filter(|&rule| bits(rule)).for_each(|rule| {
                row.0[rule as usize / 64] |= 1 << (rule % 64);
            });
            row
        };
        let last = rules - 1;
        self.set("ROWS", 0, row(&|_| true))?;
        self.set("ROWS", 1, row(&|_| false))?;
        self.set("ROWS", 2, row(&|rule| rule == last))?;
        let mut intervals = vec![Interval { start: 0, value: 2 }];
        for rule in 0..last {
            // Protocol 200 is nobody's: the rules are many, and none of them matches.
            let start = service_point(Direction::Outbound, 200, u16::try_from(rule * 20)?);
            self.set("ROWS", 3 + rule, row(&|bit| bit == rule || bit == last))?;
            intervals.push(Interval {
                start,
                value: 3 + rule,
            });
            intervals.push(Interval {
                start: start + 10,
                value: 2,
            });
        }
        ensure!(
            service_point(Direction::Outbound, TCP, 0) < service_point(Direction::Outbound, 200, 0)
        );
        self.set("INTERVALS", 1, Interval { start: 0, value: 0 })?;
        self.set("INTERVALS", 2, Interval { start: 0, value: 1 })?;
        let count = u32::try_from(intervals.len())?;
        for (at, interval) in (3..).zip(intervals) {
            self.set("INTERVALS", at, interval)?;
        }
        let one = |base| Span { base, count: 1 };
        let services = Span { base: 3, count };
        self.set(
            "POLICIES",
            0,
            PolicyRecord {
                addresses: one(1),
                groups: one(2),
                services,
                allow: 0,
                rules,
            },
        )
    }
}

/// Moves this thread to a network namespace of its own, with a port and an uplink. It goes with the thread.
///
/// # Errors
/// Where this is not root.
pub(crate) fn own_namespace() -> Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
        .context("a network namespace of its own needs root")?;
    ip("link set lo up")?;
    ip("link add port type veth peer name node")?;
    ip("link add uplink address 02:00:00:00:00:01 type veth peer name fabric")
}

fn ip(line: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(line.split(' '))
        .output()
        .context("run ip")?;
    ensure!(
        output.status.success(),
        "ip {line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// The number of an interface of this thread's namespace.
///
/// # Errors
/// Where there is none.
pub(crate) fn index(interface: &str) -> Result<u32> {
    nix::net::if_::if_nametoindex(interface).with_context(|| format!("index of {interface}"))
}
