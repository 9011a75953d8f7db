//! Nodes become real: from the attachments of a host to the interfaces that they name.
//!
//! - **netns**: a network namespace `PROJECT.NETWORK.NODE` (`INSTANCE.PROJECT.NETWORK.NODE` for another
//!   instance than `default`) under /run/netns, for `ip netns exec`, with a veth, DNS files, and no IPv6.
//! - **tap**: a persistent tap for a virtual machine that the operator starts.
//! - **device**: an interface that is there.
//!
//! What is made is marked: interfaces by the alias `inlay:INSTANCE:UID`, files by their first line, namespaces
//! by their number in the instance's run directory. What is not marked is never touched: a name that is taken
//! is an error that says so. A node whose uid is another one is made anew; every other change is made in place.
//!
//! When a node goes, its interface goes at once, on both ends, and its namespace loses its name. Processes in
//! it are not ended: they are the tenant's, and go on without a network until whoever started them ends them;
//! the namespace ends with the last.

mod device;
pub mod dhcp;
mod dns_files;
mod error;
mod named_namespace;
mod netlink;
mod netns;
mod records;
mod site;
mod tap;
mod wanted;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    thread,
};

use inlay_api::{
    limits::LOCAL_PORTS_MAX,
    wire::agent::{self, Attachment},
};
use tokio::runtime::Handle;
use tracing::{info, warn};

use self::{
    dhcp::{Counted, Responders},
    error::Error,
    named_namespace::Named,
    netlink::Link,
    records::{Record, Records},
    site::Site,
    wanted::{Backend, Wanted, label},
};

/// What an agent makes for nodes.
#[derive(Debug)]
pub struct Backends {
    instance: String,
    uplinks: Vec<String>,
    records: Records,
    /// What is known to be as it should be, with the number of its interface.
    applied: BTreeMap<String, (Wanted, u32)>,
    /// Whether marks were looked for that nothing is noted of.
    is_swept: bool,
    responders: Responders,
}

/// What became of each attachment, by its key: an error says what to do.
pub type Outcome = BTreeMap<String, Result<(), String>>;

impl Backends {
    /// Those of an instance that lives in the network namespace of this thread. `directory` is its run
    /// directory; `uplinks` are no node's.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    pub fn open(instance: &str, directory: &Path, uplinks: &[String]) -> anyhow::Result<Self> {
        Ok(Self {
            instance: instance.to_owned(),
            uplinks: uplinks.to_owned(),
            records: Records::open(directory)?,
            applied: BTreeMap::new(),
            is_swept: false,
            responders: Responders::new(),
        })
    }

    /// What the DHCP servers of the nodes did.
    #[must_use]
    pub fn dhcp_counted(&self) -> Counted {
        self.responders.counted()
    }

    /// Has the next call look at everything, also at what was right the last time.
    pub fn distrust(&mut self) {
        self.applied.clear();
        self.is_swept = false;
    }

    /// Makes what `desired` asks for, by the keys of the resources, for packets of `virtual_mtu` bytes, and
    /// removes what it does not ask for. One node that cannot be made leaves the others alone. Doing it again
    /// changes nothing.
    ///
    /// Within a tokio runtime, taps and devices are served DHCP from then on, by tasks that end with this value.
    ///
    /// Blocks: well below a millisecond for a node that is as it was left, some tens for one that is made or
    /// removed. A runtime's thread is held up for so long.
    pub fn reconcile(
        &mut self,
        desired: &BTreeMap<String, Attachment>,
        virtual_mtu: u32,
    ) -> Outcome {
        // A thread of its own: this one may be serving a runtime, and none can be started in it.
        let work = || self.reconcile_here(desired, virtual_mtu);
        let mut outcome = thread::scope(|scope| scope.spawn(work).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        self.serve_dhcp(desired, virtual_mtu, &mut outcome);
        outcome
    }

    /// Serves the nodes that were made, where there is a runtime to do it.
    fn serve_dhcp(
        &mut self,
        desired: &BTreeMap<String, Attachment>,
        virtual_mtu: u32,
        outcome: &mut Outcome,
    ) {
        if Handle::try_current().is_err() {
            return;
        }
        let is_served = |(key, one): &(&String, &Attachment)| {
            let is_made = outcome.get(*key).is_some_and(Result::is_ok);
            is_made && one.backend() != agent::Backend::Netns
        };
        let served = desired.iter().filter(is_served);
        let served = served
            .map(|(key, one)| (key.clone(), one.clone()))
            .collect();
        for (key, error) in self.responders.set(&served, virtual_mtu) {
            outcome.insert(key, Err(error));
        }
    }

    fn reconcile_here(
        &mut self,
        desired: &BTreeMap<String, Attachment>,
        virtual_mtu: u32,
    ) -> Outcome {
        let mut outcome = Outcome::new();
        let wanted = wanted(desired, virtual_mtu, &mut outcome);
        let all = |error: &Error| {
            let refused = |key: &String| (key.clone(), Err(error.to_string()));
            desired.keys().map(refused).collect()
        };
        let opened = Site::open(&self.instance, &self.uplinks, &mut self.records);
        let listed = opened.and_then(|site| Ok((site.netlink.links()?, site)));
        let (links, mut site) = match listed {
            Ok(listed) => listed,
            Err(error) => return all(&error),
        };
        let links: BTreeMap<&str, &Link> = links
            .iter()
            .map(|link| (link.name.as_str(), link))
            .collect();
        remove_left(&mut site, desired, &wanted, &mut self.applied);
        if !self.is_swept {
            sweep(&site, desired);
            self.is_swept = true;
        }
        for (key, wanted) in wanted {
            let done = match self.applied.get(&key) {
                Some(known) if is_as_left(&site, &key, &wanted, known, &links) => Ok(()),
                _ => apply(&mut site, &key, wanted, &mut self.applied),
            };
            outcome.insert(key, done.map_err(|error| error.to_string()));
        }
        outcome
    }
}

/// The attachments that can be understood; the others' outcome is told. An interface is the first's that asks
/// for it.
fn wanted(
    desired: &BTreeMap<String, Attachment>,
    virtual_mtu: u32,
    outcome: &mut Outcome,
) -> BTreeMap<String, Wanted> {
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    let mut interfaces = BTreeSet::new();
    for (key, attachment) in desired {
        let result = match Wanted::of(attachment, virtual_mtu) {
            Ok(_) if wanted.len() >= LOCAL_PORTS_MAX => {
                Err(format!("a host has at most {LOCAL_PORTS_MAX} nodes"))
            }
            Ok(one) if !interfaces.insert(one.interface.clone()) => Err(format!(
                "interface {} is another node's of this host: give one of them another",
                one.interface
            )),
            Ok(one) => {
                wanted.insert(key.clone(), one);
                continue;
            }
            Err(error) => Err(error.to_string()),
        };
        outcome.insert(key.clone(), result);
    }
    wanted
}

fn apply(
    site: &mut Site<'_>,
    key: &str,
    wanted: Wanted,
    applied: &mut BTreeMap<String, (Wanted, u32)>,
) -> Result<(), Error> {
    applied.remove(key);
    match wanted.backend {
        Backend::Netns => netns::apply(site, key, &wanted),
        Backend::Tap => tap::apply(site, key, &wanted),
        Backend::Device => device::apply(site, key, &wanted),
    }?;
    let Wanted { label, backend, .. } = &wanted;
    info!(
        node = label,
        ?backend,
        interface = wanted.interface,
        "node is there"
    );
    if let Some(link) = site.netlink.link(&wanted.interface)? {
        applied.insert(key.to_owned(), (wanted, link.index));
    }
    Ok(())
}

/// Whether a node is as this agent left it, as far as the host's side tells.
fn is_as_left(
    site: &Site<'_>,
    key: &str,
    wanted: &Wanted,
    known: &(Wanted, u32),
    links: &BTreeMap<&str, &Link>,
) -> bool {
    let (before, index) = known;
    let is_link_left = links.get(wanted.interface.as_str()).is_some_and(|link| {
        let is_ours = wanted.backend == Backend::Device || link.alias == site.alias(&wanted.uid);
        link.index == *index && is_ours && link.is_up && link.mtu >= wanted.mtu
    });
    let namespace = site
        .records
        .get(key)
        .and_then(|record| record.namespace.as_ref());
    let is_namespace_left = namespace.is_none_or(|(name, inode)| {
        named_namespace::look_up(name).is_ok_and(|found| found == Named::Namespace(*inode))
    });
    before == wanted && is_link_left && is_namespace_left
}

/// Removes what was made for nodes that are not wanted, or wanted otherwise. What cannot be removed is tried
/// again the next time. A node of which nothing can be understood any more stays as it is.
fn remove_left(
    site: &mut Site<'_>,
    desired: &BTreeMap<String, Attachment>,
    wanted: &BTreeMap<String, Wanted>,
    applied: &mut BTreeMap<String, (Wanted, u32)>,
) {
    let is_left = |(key, record): &(&String, &Record)| match wanted.get(*key) {
        Some(wanted) => !record.suits(wanted),
        None => !desired.contains_key(*key),
    };
    let left: Vec<(String, Record)> = site
        .records
        .iter()
        .filter(is_left)
        .map(|(key, record)| (key.clone(), record.clone()))
        .collect();
    for (key, record) in left {
        applied.remove(&key);
        let removed = match record.backend {
            Backend::Netns => netns::remove(site, &record),
            Backend::Tap => tap::remove(site, &record),
            Backend::Device => device::remove(site, &record),
        };
        match removed.and_then(|()| site.records.remove(&key)) {
            Ok(()) => info!(node = key, interface = record.interface, "node removed"),
            Err(error) => warn!(node = key, "not removed, and tried again: {error}"),
        }
    }
}

/// Removes what bears this instance's marks, and nobody wants: where the notes of it were lost.
fn sweep(site: &Site<'_>, desired: &BTreeMap<String, Attachment>) {
    let swept = sweep_links(site, desired).and_then(|()| sweep_namespaces(site, desired));
    if let Err(error) = swept {
        warn!("what an earlier agent left is not all removed: {error}");
    }
}

fn sweep_links(site: &Site<'_>, desired: &BTreeMap<String, Attachment>) -> Result<(), Error> {
    let aliases: BTreeSet<String> = desired.values().map(|one| site.alias(&one.uid)).collect();
    let prefix = site.alias_prefix();
    for link in site.netlink.links()? {
        if link.alias.starts_with(&prefix) && !aliases.contains(&link.alias) {
            site.netlink.delete(&link)?;
            info!(
                interface = link.name,
                "a node's interface that was left is removed"
            );
        }
    }
    Ok(())
}

fn sweep_namespaces(site: &Site<'_>, desired: &BTreeMap<String, Attachment>) -> Result<(), Error> {
    let mark = |one: &Attachment| site.mark(&label(one), &one.uid);
    let marks: BTreeSet<String> = desired.values().map(mark).collect();
    let noted: BTreeSet<&str> = site
        .records
        .iter()
        .filter_map(|(_, record)| Some(record.namespace.as_ref()?.0.as_str()))
        .collect();
    for (name, mark) in dns_files::marks() {
        let is_left = mark.starts_with(&site.mark_prefix())
            && !marks.contains(&mark)
            && !noted.contains(name.as_str());
        if !is_left {
            continue;
        }
        // Its interface, if it had one, went with the host's end.
        if matches!(named_namespace::look_up(&name)?, Named::Namespace(_)) && is_empty(&name)? {
            named_namespace::remove_name(&name)?;
        }
        dns_files::remove(&name)?;
        info!(name, "a node's namespace that was left is removed");
    }
    Ok(())
}

/// Whether a namespace has nothing but its loopback interface.
fn is_empty(name: &str) -> Result<bool, Error> {
    let namespace = named_namespace::open(name)?;
    let links = namespace.run(|| netlink::Netlink::open()?.links())?;
    Ok(links.iter().all(|link| link.is_loopback))
}
