//! The DHCP server of taps and devices (RFC 2131): each port has one client, its node, and one lease, the
//! node's address. It knows nothing that the attachment does not say, and keeps nothing.
//!
//! The dataplane passes a node's requests to the kernel, and nothing else of it; here a packet socket takes
//! them. An answer is sent into the port's interface, as the dataplane delivers packets. DHCP for IPv6, relays, and
//! leases of more than one client are absent on purpose.

mod answer;
mod frame;
mod lease;
mod limit;
mod socket;

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use dhcproto::v4::MessageType;
use inlay_api::wire::agent::Attachment;
use inlay_dataplane::netlink::interface_index;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use self::{
    answer::{Silence, answer},
    lease::Lease,
    limit::Limit,
    socket::{FRAME_BYTES_MAX, Socket},
};
use super::wanted::{Backend, Wanted};

/// The servers of a host's ports.
#[derive(Debug, Default)]
pub struct Responders {
    ports: BTreeMap<String, Responder>,
    counters: Arc<Counters>,
}

/// The server of one port, which ends with this value.
#[derive(Debug)]
struct Responder {
    interface_index: u32,
    lease: Lease,
    task: AbortHandle,
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Messages of all ports since the agent began.
#[derive(Debug, Default)]
struct Counters {
    offers: AtomicU64,
    acknowledgements: AtomicU64,
    refusals: AtomicU64,
    ignored: AtomicU64,
    malformed: AtomicU64,
    unsent: AtomicU64,
}

/// What the servers did since the agent began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counted {
    /// Addresses that were offered.
    pub offers: u64,
    /// Requests and informs that were acknowledged.
    pub acknowledgements: u64,
    /// Requests for another address than the port's.
    pub refusals: u64,
    /// Messages that want no answer, or not from here.
    pub ignored: u64,
    /// Frames that are no message of a client.
    pub malformed: u64,
    /// Answers that the interface did not take.
    pub unsent: u64,
}

impl Responders {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves the taps and devices among `desired`, and nobody else, for packets of `virtual_mtu` bytes.
    /// To be called after the interfaces were made, and again after they changed. A port whose lease is as it
    /// was is not disturbed. Returns why ports are not served, by the keys of their resources.
    ///
    /// Within a tokio runtime, whose threads are in the ports' network namespace.
    pub fn set(
        &mut self,
        desired: &BTreeMap<String, Attachment>,
        virtual_mtu: u32,
    ) -> BTreeMap<String, String> {
        let mut errors = BTreeMap::new();
        let mut before = std::mem::take(&mut self.ports);
        for (key, attachment) in desired {
            // What cannot be understood, the backends tell of.
            let wanted = Wanted::of(attachment, virtual_mtu);
            let Some(wanted) = wanted.ok().filter(|one| one.backend != Backend::Netns) else {
                continue;
            };
            match self.serve(&wanted, before.remove(&wanted.interface)) {
                Ok(Some(responder)) => {
                    self.ports.insert(wanted.interface, responder);
                }
                Ok(None) => {}
                Err(error) => {
                    let told = format!("interface {}: no DHCP: {error}", wanted.interface);
                    errors.insert(key.clone(), told);
                }
            }
        }
        errors
    }

    fn serve(&self, wanted: &Wanted, before: Option<Responder>) -> io::Result<Option<Responder>> {
        let Some(lease) = Lease::of(wanted) else {
            return Ok(None);
        };
        let interface_index = interface_index(&wanted.interface).map_err(io::Error::other)?;
        if let Some(before) = before
            && (
                before.interface_index,
                &before.lease,
                before.task.is_finished(),
            ) == (interface_index, &lease, false)
        {
            return Ok(Some(before));
        }
        let port = Port {
            interface: wanted.interface.clone(),
            lease: lease.clone(),
            socket: Socket::open(interface_index)?,
            counters: Arc::clone(&self.counters),
        };
        Ok(Some(Responder {
            interface_index,
            lease,
            task: tokio::spawn(port.run()).abort_handle(),
        }))
    }

    /// What was done.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            offers: of(&self.counters.offers),
            acknowledgements: of(&self.counters.acknowledgements),
            refusals: of(&self.counters.refusals),
            ignored: of(&self.counters.ignored),
            malformed: of(&self.counters.malformed),
            unsent: of(&self.counters.unsent),
        }
    }
}

/// A port that is served.
#[derive(Debug)]
struct Port {
    interface: String,
    lease: Lease,
    socket: Socket,
    counters: Arc<Counters>,
}

impl Port {
    async fn run(self) {
        let mut buffer = [0; FRAME_BYTES_MAX];
        let mut limit = Limit::new(Instant::now());
        loop {
            while let Err(time) = limit.take(Instant::now()) {
                tokio::time::sleep(time).await;
            }
            match self.socket.receive(&mut buffer).await {
                Ok(len) => self.take(buffer.get(..len).unwrap_or_default()),
                // The interface went down: it may come up again.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                Err(error) => {
                    warn!(interface = self.interface, %error, "DHCP ends until the next change");
                    return;
                }
            }
        }
    }

    fn take(&self, bytes: &[u8]) {
        let Some(request) = frame::read(bytes) else {
            return count(&self.counters.malformed);
        };
        match answer(&self.lease, &request) {
            Ok(answer) => self.send(&answer),
            Err(Silence::Malformed) => count(&self.counters.malformed),
            Err(silence) => {
                if silence == Silence::Declined {
                    warn!(
                        interface = self.interface,
                        "the node says that somebody else has its address"
                    );
                }
                count(&self.counters.ignored);
            }
        }
    }

    fn send(&self, answer: &answer::Answer) {
        let sent = match frame::write(&self.lease, answer) {
            Some(frame) => self.socket.send(&frame),
            None => Err(io::ErrorKind::InvalidData.into()),
        };
        if let Err(error) = sent {
            debug!(interface = self.interface, %error, "a DHCP answer is lost");
            return count(&self.counters.unsent);
        }
        let counters = &self.counters;
        match answer.kind {
            MessageType::Offer => count(&counters.offers),
            MessageType::Nak => count(&counters.refusals),
            _ => {
                count(&counters.acknowledgements);
                info!(
                    interface = self.interface,
                    "the node has its address by DHCP"
                );
            }
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
