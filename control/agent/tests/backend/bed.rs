//! What the tests stand on: an instance of their own, whose names nobody else has, and which leaves nothing
//! behind when a test fails.

use std::{
    collections::BTreeMap,
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use inlay_agent::backend::{Backends, Outcome};
use inlay_api::wire::agent::{Attachment, Backend};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) const MTU: u32 = 1500;

/// An instance.
pub(crate) struct Bed {
    pub(crate) instance: String,
    directory: tempfile::TempDir,
}

impl Bed {
    /// `None`, and a line that says so, where this machine cannot run the test.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: {test}: it needs root");
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            instance: format!("test-{}-{count}", std::process::id()),
            directory: tempfile::tempdir().unwrap(),
        })
    }

    /// An agent's backends, as at its start.
    pub(crate) fn open(&self) -> Backends {
        let uplinks = ["uplink".to_owned()];
        Backends::open(&self.instance, self.directory.path(), &uplinks).unwrap()
    }

    /// Has the next agent know nothing of what was made.
    pub(crate) fn lose_records(&self) {
        fs::remove_file(self.directory.path().join("backends.json")).unwrap();
    }

    /// The name of a node's namespace.
    pub(crate) fn namespace(&self, node: &str) -> String {
        format!("{}.red.web.{node}", self.instance)
    }

    /// The alias of a node's interfaces.
    pub(crate) fn alias(&self, uid: &str) -> String {
        format!("inlay:{}:{uid}", self.instance)
    }

    /// What `ip` says of a node's namespace.
    pub(crate) fn inside(&self, node: &str, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.namespace(node)))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for directory in ["/run/netns", "/etc/netns"] {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            for entry in entries {
                let name = entry.file_name().into_string().unwrap_or_default();
                if !name.starts_with(&format!("{}.", self.instance)) {
                    continue;
                }
                let _ = nix::mount::umount2(&entry.path(), nix::mount::MntFlags::MNT_DETACH);
                let _ = fs::remove_file(entry.path());
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// Runs `test` in a network namespace of its own, which goes with the thread.
pub(crate) fn in_host(test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A node of the network red/web, on the interface `red-NODE`.
pub(crate) fn attachment(node: &str, backend: Backend) -> Attachment {
    Attachment {
        project: "red".into(),
        network: "web".into(),
        node: node.into(),
        vni: 100,
        uid: format!("uid-{node}"),
        backend: backend.into(),
        interface: format!("red-{node}"),
        addresses: vec![Ipv4Addr::new(10, 0, 1, 10).into()],
        prefix_len: 24,
        gateway: Ipv4Addr::new(10, 0, 1, 1).into(),
        mac: vec![2, 0, 0, 1, 0, 0x0a],
        dns_servers: vec![Ipv4Addr::new(10, 0, 1, 2).into()],
        dns_domain: "web.internal".into(),
        ..Attachment::default()
    }
}

pub(crate) fn desired(nodes: impl IntoIterator<Item = Attachment>) -> BTreeMap<String, Attachment> {
    let key = |one: &Attachment| format!("{}/{}", one.network, one.node);
    nodes.into_iter().map(|one| (key(&one), one)).collect()
}

/// Reconciles, and expects that everything was made.
pub(crate) fn make(backends: &mut Backends, nodes: impl IntoIterator<Item = Attachment>) {
    let outcome = backends.reconcile(&desired(nodes), MTU);
    for (key, result) in outcome {
        assert_eq!(result, Ok(()), "{key}");
    }
}

/// The one error of an outcome.
pub(crate) fn error(outcome: &Outcome) -> String {
    let mut errors = outcome.values().filter_map(|result| result.as_ref().err());
    let error = errors.next().expect("an error").clone();
    assert_eq!(errors.next(), None);
    error
}

fn run(program: &str, arguments: &str) -> Output {
    Command::new(program)
        .args(arguments.split(' '))
        .output()
        .unwrap()
}

/// What `ip` says in the namespace of this thread.
pub(crate) fn ip(arguments: &str) -> String {
    let output = run("ip", arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether this host has an interface of the name.
pub(crate) fn has_interface(name: &str) -> bool {
    run("ip", &format!("link show dev {name}")).status.success()
}

pub(crate) fn has_namespace(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

/// The number of an interface, which one that is made anew has anew.
pub(crate) fn index(name: &str) -> u32 {
    inlay_dataplane::netlink::interface_index(name).unwrap()
}
