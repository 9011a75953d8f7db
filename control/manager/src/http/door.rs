//! Who is let in: so many connections at a time, and so many of one address (IPv6: of one /64).

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::ConnectionLimits;

/// Lets connections in.
#[derive(Debug)]
pub(crate) struct Door {
    slots: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address_max: usize,
}

/// The room of one connection, while it is held.
#[derive(Debug)]
pub(crate) struct Slot {
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Door {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limits.connections_max)),
            addresses: Arc::default(),
            per_address_max: limits.per_address_max,
        }
    }

    /// The next connection, once there is room for it. Of an address that has too many, more are closed.
    ///
    /// # Errors
    /// Where the listener fails.
    pub(crate) async fn next(&self, listener: &TcpListener) -> io::Result<(TcpStream, Slot)> {
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        loop {
            let (stream, peer) = listener.accept().await?;
            let address = network(peer.ip());
            if self.count(address) {
                let slot = Slot {
                    addresses: Arc::clone(&self.addresses),
                    address,
                    _permit: permit,
                };
                return Ok((stream, slot));
            }
            tracing::debug!(%address, "an address has too many connections");
        }
    }

    fn count(&self, address: IpAddr) -> bool {
        let mut addresses = lock(&self.addresses);
        let count = addresses.entry(address).or_default();
        let is_allowed = *count < self.per_address_max;
        *count += usize::from(is_allowed);
        is_allowed
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut addresses = lock(&self.addresses);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Whom connections are counted for: who has an address of IPv6 has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

fn lock(counts: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:0:1::7"), of("2001:db8:0:1:ffff::9"));
        assert_ne!(of("2001:db8:0:1::7"), of("2001:db8:0:2::7"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
