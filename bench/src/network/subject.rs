//! Who is measured: two nodes each, and the way between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::namespace::Namespace;

/// One way to join two nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Subject {
    /// As in the table.
    pub(super) name: &'static str,
    /// The script in netns-scripts that draws it.
    pub(super) topology: &'static str,
    /// The namespace of the node that sends.
    pub(super) from: &'static str,
    /// The namespace of the node that receives.
    pub(super) to: &'static str,
    /// The address of the node that receives.
    pub(super) address: IpAddr,
}

/// All of them, in the order of their turns. The first are what the others are compared with.
pub(super) const SUBJECTS: [Subject; 4] = [
    Subject {
        name: "plain",
        topology: "peers",
        from: "inlay-bench-plain-a",
        to: "inlay-bench-plain-b",
        address: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 0x10)),
    },
    Subject {
        name: "vxlan",
        topology: "peers",
        from: "inlay-bench-vxlan-a",
        to: "inlay-bench-vxlan-b",
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 1, 11)),
    },
    Subject {
        name: "srv6",
        topology: "peers",
        from: "inlay-bench-srv6-a",
        to: "inlay-bench-srv6-b",
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 2, 10)),
    },
    Subject {
        name: "inlay",
        topology: "two-hosts",
        from: "inlay-red-a",
        to: "inlay-red-b",
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 1, 11)),
    },
];

impl Subject {
    /// Whether its nodes are there.
    pub(super) fn is_up(&self) -> bool {
        [self.from, self.to].into_iter().all(Namespace::exists)
    }
}
