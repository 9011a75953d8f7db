//! What the tests stand on: an instance of their own, and network namespaces that nobody else is in.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use inlay_dataplane::{Dataplane, Options};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// An instance whose pins go with it.
pub(crate) struct Bed {
    pub(crate) options: Options,
}

impl Bed {
    /// `None`, and a line that says so, where this machine cannot run the test.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if let Some(reason) = missing() {
            eprintln!("skipped: {test}: {reason}");
            return None;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let instance = format!("test-{}-{count}", std::process::id());
        let pin_root = PathBuf::from("/sys/fs/bpf/inlay-tests");
        Some(Self {
            options: Options {
                instance,
                pin_root,
                log_level: None,
            },
        })
    }

    pub(crate) fn open(&self) -> Dataplane {
        Dataplane::open(&self.options).unwrap()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.options.pin_root.join(&self.options.instance)
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        Dataplane::remove(&self.options).unwrap();
        // The last test's removal succeeds.
        let _ = fs::remove_dir(&self.options.pin_root);
        let _ = fs::remove_dir_all(inlay_dataplane::run_directory(&self.options.instance));
    }
}

fn missing() -> Option<&'static str> {
    if !nix::unistd::Uid::effective().is_root() {
        return Some("it needs root");
    }
    let is_mounted = fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| {
        mounts
            .lines()
            .any(|line| line.contains(" /sys/fs/bpf bpf "))
    });
    (!is_mounted).then_some("/sys/fs/bpf is not mounted")
}

/// Runs `test` in a network namespace of its own, which goes with the thread.
pub(crate) fn in_namespace(test: impl FnOnce() + Send) {
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

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Makes a pair of veth interfaces, both up, and returns their numbers.
pub(crate) fn veth(name: &str, peer: &str) -> (u32, u32) {
    ip(&format!("link add {name} type veth peer name {peer}"));
    ip(&format!("link set {name} up"));
    ip(&format!("link set {peer} up"));
    let index = |name: &str| inlay_dataplane::netlink::interface_index(name).unwrap();
    (index(name), index(peer))
}

/// Has interfaces that are made in the namespace of this thread from now on say nothing on their own, unless
/// they get [`ipv6`].
pub(crate) fn quiet() {
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
}

/// Gives an interface IPv6 after all.
pub(crate) fn ipv6(name: &str) {
    fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "0").unwrap();
}

/// A network namespace that others can find by its name.
pub(crate) struct NamedNamespace {
    name: String,
}

impl NamedNamespace {
    pub(crate) fn new(bed: &Bed) -> Self {
        let name = format!("inlay-{}", bed.options.instance);
        ip(&format!("netns add {name}"));
        Self { name }
    }

    /// Runs `test` in it.
    pub(crate) fn enter(&self, test: impl FnOnce() + Send) {
        let file = fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
        in_namespace(|| {
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            test();
        });
    }
}

impl Drop for NamedNamespace {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.name));
    }
}
