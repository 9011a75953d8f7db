//! Interfaces, addresses and routes of one network namespace, by rtnetlink. Calls block: each waits for the
//! kernel's answer, within [`ANSWER`].

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsRawFd as _, BorrowedFd},
    time::Duration,
};

use futures_util::TryStreamExt as _;
use inlay_core::ids::MacAddress;
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection,
    packet_route::{
        AddressFamily,
        address::{AddressAttribute, AddressMessage},
        link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
        route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage},
    },
};
use tokio::runtime::{Builder, Runtime};

use super::error::Error;

/// How long the kernel may take. Removing a namespace's last interface waits for readers, for milliseconds.
const ANSWER: Duration = Duration::from_secs(5);

/// A socket in the network namespace of the thread that opened it, which is no task of a runtime's.
#[derive(Debug)]
pub(super) struct Netlink {
    runtime: Runtime,
    handle: Handle,
}

/// An interface.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// What made it: `veth`, `tun`; empty for hardware.
    pub(super) kind: String,
    pub(super) alias: String,
    pub(super) mtu: u32,
    pub(super) mac: Vec<u8>,
    pub(super) is_up: bool,
    pub(super) is_loopback: bool,
    /// Whether a bridge, a bond or the like has it.
    pub(super) is_controlled: bool,
}

/// What an interface is to be.
pub(super) type Change = LinkMessageBuilder<LinkUnspec>;

/// A change of the interface `index`.
pub(super) fn change(index: u32) -> Change {
    LinkUnspec::new_with_index(index)
}

impl Netlink {
    pub(super) fn open() -> Result<Self, Error> {
        let error = || Error::netlink("open", "a socket for rtnetlink");
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(error())?;
        let guard = runtime.enter();
        let (connection, handle, _) = new_connection().map_err(error())?;
        runtime.spawn(connection);
        drop(guard);
        Ok(Self { runtime, handle })
    }

    fn wait<T>(
        &self,
        verb: &'static str,
        subject: &str,
        work: impl Future<Output = Result<T, rtnetlink::Error>>,
    ) -> Result<T, Error> {
        let done = self.runtime.block_on(async {
            match tokio::time::timeout(ANSWER, work).await {
                Ok(result) => result.map_err(cause),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        });
        done.map_err(Error::netlink(verb, subject))
    }

    /// The interface `name`, where there is one.
    pub(super) fn link(&self, name: &str) -> Result<Option<Link>, Error> {
        let request = self.handle.link().get().match_name(name).execute();
        let found = self.wait("ask for interface", name, async {
            std::pin::pin!(request).try_next().await
        });
        match found {
            Ok(found) => Ok(found.map(Link::from)),
            Err(Error::Netlink { cause, .. }) if cause.raw_os_error() == Some(libc::ENODEV) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Every interface.
    pub(super) fn links(&self) -> Result<Vec<Link>, Error> {
        let request = self.handle.link().get().execute();
        let found: Vec<LinkMessage> =
            self.wait("list", "interfaces", async { request.try_collect().await })?;
        Ok(found.into_iter().map(Link::from).collect())
    }

    /// Makes a pair of veth interfaces here: `name` with the virtual router's address, and `peer` with `mac`.
    pub(super) fn add_pair(
        &self,
        name: &str,
        peer: &str,
        mac: MacAddress,
        mtu: u32,
    ) -> Result<(), Error> {
        use rtnetlink::packet_route::link::{InfoData, InfoVeth};
        let other = LinkMessageBuilder::<LinkUnspec>::new()
            .name(peer)
            .address(mac.octets().to_vec())
            .mtu(mtu)
            .build();
        let pair = LinkVeth::new(name, peer)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(other)))
            .address(MacAddress::ROUTER.octets().to_vec())
            .mtu(mtu);
        let request = self.handle.link().add(pair.build()).execute();
        self.wait("make interface", name, request)
    }

    /// Changes `link`.
    pub(super) fn set(&self, link: &Link, change: Change) -> Result<(), Error> {
        let request = self.handle.link().set(change.build()).execute();
        self.wait("change interface", &link.name, request)
    }

    /// Moves `link` to another namespace, where it keeps name and alias. Fails with EEXIST where the name is
    /// taken there.
    pub(super) fn set_namespace(&self, link: &Link, to: BorrowedFd<'_>) -> Result<(), Error> {
        self.set(link, change(link.index).setns_by_fd(to.as_raw_fd()))
    }

    /// Deletes `link`, of a veth both ends. It may be gone by now, with the namespace of its other end.
    pub(super) fn delete(&self, link: &Link) -> Result<(), Error> {
        let request = self.handle.link().del(link.index).execute();
        without(
            libc::ENODEV,
            self.wait("delete interface", &link.name, request),
        )
    }

    /// The addresses of `link` that reach further than the link, in the kernel's order: the primary one first.
    pub(super) fn addresses(&self, link: &Link) -> Result<Vec<Assigned>, Error> {
        let request = self.handle.address().get();
        let request = request.set_link_index_filter(link.index).execute();
        let found: Vec<AddressMessage> =
            self.wait("list addresses of", &link.name, request.try_collect())?;
        Ok(found.into_iter().filter_map(Assigned::of).collect())
    }

    /// Gives `link` an address.
    pub(super) fn add_address(
        &self,
        link: &Link,
        address: Ipv4Addr,
        prefix_len: u8,
    ) -> Result<(), Error> {
        let request = self.handle.address();
        let request = request
            .add(link.index, address.into(), prefix_len)
            .execute();
        self.wait("give an address to", &link.name, request)
    }

    /// Takes an address from `link`. It may be gone by now: the kernel removes secondary ones with theirs.
    pub(super) fn remove_address(&self, link: &Link, address: Assigned) -> Result<(), Error> {
        let request = self.handle.address().del(address.message).execute();
        let removed = self.wait("take an address from", &link.name, request);
        without(libc::EADDRNOTAVAIL, removed)
    }

    /// The gateways of IPv4 default routes of the main table, and their messages.
    pub(super) fn default_routes(&self) -> Result<Vec<(Option<Ipv4Addr>, RouteMessage)>, Error> {
        let request = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let request = self.handle.route().get(request).execute();
        let found: Vec<RouteMessage> =
            self.wait("list", "routes", async { request.try_collect().await })?;
        let is_default = |route: &RouteMessage| {
            route.header.destination_prefix_length == 0
                && route.header.table == RouteHeader::RT_TABLE_MAIN
                && route.header.address_family == AddressFamily::Inet
        };
        let found = found.into_iter().filter(is_default);
        Ok(found.map(|route| (gateway(&route), route)).collect())
    }

    /// Makes the IPv4 default route lead to `gateway`.
    pub(super) fn set_default_route(&self, link: &Link, gateway: Ipv4Addr) -> Result<(), Error> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .gateway(gateway)
            .output_interface(link.index);
        let request = self.handle.route().add(route.build()).replace().execute();
        self.wait("route by way of", &link.name, request)
    }

    /// Removes a route.
    pub(super) fn remove_route(&self, route: RouteMessage) -> Result<(), Error> {
        let request = self.handle.route().del(route).execute();
        self.wait("remove", "a default route", request)
    }
}

/// An address of an interface.
#[derive(Clone, Debug)]
pub(super) struct Assigned {
    pub(super) address: IpAddr,
    pub(super) prefix_len: u8,
    message: AddressMessage,
}

impl Assigned {
    fn of(message: AddressMessage) -> Option<Self> {
        let local = message.attributes.iter().find_map(|one| match one {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let any = message.attributes.iter().find_map(|one| match one {
            AddressAttribute::Address(address) => Some(*address),
            _ => None,
        });
        let address = local.or(any)?;
        let is_of_link = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        (!is_of_link).then_some(Self {
            address,
            prefix_len: message.header.prefix_len,
            message,
        })
    }
}

fn gateway(route: &RouteMessage) -> Option<Ipv4Addr> {
    route.attributes.iter().find_map(|one| match one {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    })
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            is_up: flags.contains(LinkFlags::Up),
            is_loopback: flags.contains(LinkFlags::Loopback),
            ..Self::default()
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::IfAlias(alias) => link.alias = alias,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(mac) => link.mac = mac,
                LinkAttribute::Controller(index) => link.is_controlled = index != 0,
                LinkAttribute::LinkInfo(info) => link.kind = kind(&info),
                _ => {}
            }
        }
        link
    }
}

fn kind(info: &[LinkInfo]) -> String {
    let kind = info.iter().find_map(|one| match one {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    });
    kind.unwrap_or_default()
}

/// Takes the error `number` for success.
fn without(number: i32, result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::Netlink { cause, .. }) if cause.raw_os_error() == Some(number) => Ok(()),
        result => result,
    }
}

/// The kernel's own error, where it is one.
fn cause(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}
