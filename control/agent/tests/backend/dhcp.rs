//! DHCP from end to end: a client behind a veth, the loaded programs at its port, and the agent's server.

use std::{
    collections::BTreeMap,
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use dhcproto::{
    Decodable as _, Encodable as _,
    v4::{Decoder, DhcpOption, Message, MessageType, OptionCode},
};
use etherparse::{PacketBuilder, SlicedPacket, TransportSlice};
use inlay_agent::{
    backend::dhcp::{Counted, Responders},
    compile::compile,
    interface::{Interface, Interfaces},
};
use inlay_api::{
    read_yaml,
    wire::agent::{Attachment, Backend},
};
use inlay_dataplane::{
    Dataplane, Mode, Options,
    image::{Changes, Image},
};

use crate::{
    bed::{Bed, MTU, attachment, desired, in_host, index, ip, make},
    wire::Wire,
};

const DEADLINE: Duration = Duration::from_secs(20);
const MAC: [u8; 6] = [2, 0, 0, 1, 0, 0x0a];
const OTHER_MAC: [u8; 6] = [2, 0, 0, 1, 0, 0x0b];

const STATE: &str = r#"
version: 1
host: { name: host1, prefix: "2001:db8:0:1::/64", uplinks: [uplink] }
networks:
  - name: web
    vni: 100
    cidrs: [10.0.0.0/16]
    subnets: [{ name: front, cidr: 10.0.1.0/24 }]
    security_groups:
      - name: default
        outbound: [{ protocol: all, peer: 0.0.0.0/0 }]
    nodes:
      - { name: a, host: host1, addresses: [10.0.1.10], mac: "02:00:00:01:00:0a", interface: machine, dhcp: true }
"#;

/// A host whose interface `machine` is a port, and a client's namespace behind it.
struct Port {
    options: Options,
    client: String,
    _dataplane: Dataplane,
}

impl Port {
    /// `None` where there is no bpffs.
    fn new(bed: &Bed, test: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        if !mounts.contains(" /sys/fs/bpf bpf ") {
            eprintln!("skipped: {test}: /sys/fs/bpf is not mounted");
            return None;
        }
        let client = format!("{}.client", bed.instance);
        ip(&format!("netns add {client}"));
        ip("link add uplink type veth peer name fabric");
        ip(&format!(
            "link add machine type veth peer name eth0 netns {client}"
        ));
        ip(&format!(
            "-n {client} link set eth0 address 02:00:00:01:00:0a up"
        ));
        make(&mut bed.open(), [device()]);
        let options = Options {
            pin_root: PathBuf::from("/sys/fs/bpf/inlay-tests"),
            ..Options::new(&bed.instance)
        };
        let dataplane = dataplane(&options);
        Some(Self {
            options,
            client,
            _dataplane: dataplane,
        })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let removed = Dataplane::remove(&self.options);
        let _ = fs::remove_dir(&self.options.pin_root);
        let _ = fs::remove_dir_all(inlay_dataplane::run_directory(&self.options.instance));
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

fn device() -> Attachment {
    Attachment {
        interface: "machine".into(),
        ..attachment("a", Backend::Device)
    }
}

/// The programs, attached to the port.
fn dataplane(options: &Options) -> Dataplane {
    let state = read_yaml("host.yaml", STATE.as_bytes()).unwrap();
    let interface = |name: &str| Interface {
        index: index(name),
        mtu: 1528,
        is_up: true,
    };
    let names = ["uplink", "machine"];
    let interfaces: Interfaces = names
        .into_iter()
        .map(|name| (name.to_owned(), interface(name)))
        .collect();
    let image = compile(&state, &interfaces, &[]).unwrap().image;
    let mut dataplane = Dataplane::open(options).unwrap();
    let changes = Changes::between(&Image::default(), &image);
    dataplane.apply(&changes).unwrap();
    dataplane
        .attach_port(index("machine"), Mode::Native)
        .unwrap();
    dataplane
}

/// Runs `test` where the host's ports are served.
fn serve<T>(test: impl AsyncFnOnce(&mut Responders) -> T) -> T {
    within_runtime(async {
        let mut responders = Responders::new();
        let errors = responders.set(&desired([device()]), MTU);
        assert_eq!(errors, BTreeMap::new());
        test(&mut responders).await
    })
}

fn within_runtime<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let test = async { tokio::time::timeout(DEADLINE, test).await };
    runtime.block_on(test).expect("it is answered in time")
}

fn message(kind: MessageType, mac: [u8; 6]) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(7, none, none, none, none, &mac);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message
}

fn frame(mac: [u8; 6], payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(mac, [0xff; 6])
        .ipv4([0; 4], [255; 4], 64)
        .udp(68, 67);
    let mut frame = Vec::new();
    builder.write(&mut frame, payload).unwrap();
    // The builder takes the source first.
    assert_eq!(frame[6..12], mac);
    frame
}

fn discover(mac: [u8; 6]) -> Vec<u8> {
    frame(mac, &message(MessageType::Discover, mac).to_vec().unwrap())
}

/// The server's message in a frame.
fn reply(frame: &[u8]) -> Option<Message> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(TransportSlice::Udp(udp)) = packet.transport else {
        return None;
    };
    let ports = (udp.source_port(), udp.destination_port());
    (ports == (67, 68)).then(|| Message::decode(&mut Decoder::new(udp.payload())).unwrap())
}

async fn next_reply(wire: &Wire) -> (Vec<u8>, Message) {
    loop {
        let frame = wire.receive().await;
        if let Some(message) = reply(&frame) {
            return (frame, message);
        }
    }
}

#[test]
fn a_real_client_gets_what_the_subnet_says() {
    let test = "a_real_client_gets_what_the_subnet_says";
    let Some(bed) = Bed::new(test) else { return };
    let listed = std::process::Command::new("busybox").arg("--list").output();
    let has_client =
        listed.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("udhcpc\n"));
    if !has_client {
        eprintln!("skipped: {test}: it needs busybox with udhcpc (apt-get install busybox)");
        return;
    }
    in_host(|| {
        let Some(port) = Port::new(&bed, test) else {
            return;
        };
        let directory = tempfile::tempdir().unwrap();
        let told = directory.path().join("told");
        let script = directory.path().join("script");
        fs::write(
            &script,
            format!("#!/bin/sh\nset -eu\nenv > {}\n", told.display()),
        )
        .unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let output: Output = serve(async |_| {
            tokio::process::Command::new("ip")
                .args(["netns", "exec", &port.client, "busybox", "udhcpc"])
                .args(["-f", "-q", "-n", "-i", "eth0", "-s"])
                .arg(&script)
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output()
                .await
                .unwrap()
        });
        assert!(output.status.success(), "{output:?}");
        let told = fs::read_to_string(&told).unwrap();
        for expected in [
            "ip=10.0.1.10",
            "subnet=255.255.255.0",
            "router=10.0.1.1",
            "serverid=10.0.1.1",
            "dns=10.0.1.2",
            "domain=web.internal",
            "mtu=1500",
            "lease=86400",
        ] {
            assert!(
                told.lines().any(|line| line == expected),
                "{expected}: {told}"
            );
        }
    });
}

#[test]
fn the_node_is_answered_and_nobody_else() {
    let test = "the_node_is_answered_and_nobody_else";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        let Some(port) = Port::new(&bed, test) else {
            return;
        };
        let counted = serve(async |responders: &mut Responders| {
            let wire = Wire::open(&port.client, "eth0");
            // The program drops the first. The second is the node's by its frame alone.
            wire.send(&discover(OTHER_MAC));
            let other = message(MessageType::Discover, OTHER_MAC);
            wire.send(&frame(MAC, &other.to_vec().unwrap()));
            wire.send(&frame(MAC, &[0; 300]));
            wire.send(&discover(MAC));
            let (frame, offer) = next_reply(&wire).await;
            assert_eq!(frame[..6], MAC);
            assert_eq!(frame[6..12], *b"\x02inlay");
            assert_eq!(offer.yiaddr(), Ipv4Addr::new(10, 0, 1, 10));
            assert_eq!(offer.opts().msg_type(), Some(MessageType::Offer));
            responders.counted()
        });
        let expected = Counted {
            offers: 1,
            ignored: 1,
            malformed: 1,
            ..Counted::default()
        };
        assert_eq!(counted, expected);
    });
}

#[test]
fn a_node_is_served_from_when_it_is_made() {
    let test = "a_node_is_served_from_when_it_is_made";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        let Some(port) = Port::new(&bed, test) else {
            return;
        };
        within_runtime(async {
            let mut backends = bed.open();
            make(&mut backends, [device()]);
            let wire = Wire::open(&port.client, "eth0");
            wire.send(&discover(MAC));
            let (_, offer) = next_reply(&wire).await;
            assert_eq!(offer.yiaddr(), Ipv4Addr::new(10, 0, 1, 10));
            assert_eq!(backends.dhcp_counted().offers, 1);
            // What was not made is not served.
            let uplink = Attachment {
                interface: "uplink".into(),
                ..device()
            };
            let outcome = backends.reconcile(&desired([uplink]), MTU);
            assert!(outcome["web/a"].as_ref().unwrap_err().contains("uplink"));
            wire.send(&discover(MAC));
            let silence = tokio::time::timeout(Duration::from_millis(300), next_reply(&wire));
            assert!(silence.await.is_err());
        });
    });
}

#[test]
fn a_changed_lease_is_told_and_a_port_that_is_left_is_silent() {
    let test = "a_changed_lease_is_told_and_a_port_that_is_left_is_silent";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        let Some(port) = Port::new(&bed, test) else {
            return;
        };
        serve(async |responders: &mut Responders| {
            let wire = Wire::open(&port.client, "eth0");
            let changed = Attachment {
                dns_servers: vec![Ipv4Addr::new(10, 0, 1, 3).into()],
                ..device()
            };
            assert!(responders.set(&desired([changed]), 1400).is_empty());
            wire.send(&discover(MAC));
            let (_, offer) = next_reply(&wire).await;
            let option = |code| offer.opts().get(code).unwrap().clone();
            let dns = DhcpOption::DomainNameServer(vec![Ipv4Addr::new(10, 0, 1, 3)]);
            assert_eq!(option(OptionCode::DomainNameServer), dns);
            assert_eq!(
                option(OptionCode::InterfaceMtu),
                DhcpOption::InterfaceMtu(1400)
            );
            assert!(responders.set(&desired([]), 1400).is_empty());
            wire.send(&discover(MAC));
            let silence = tokio::time::timeout(Duration::from_millis(300), next_reply(&wire));
            assert!(silence.await.is_err());
            let missing = Attachment {
                interface: "missing".into(),
                ..device()
            };
            let errors = responders.set(&desired([missing]), 1400);
            assert!(errors["web/a"].contains("interface missing"), "{errors:?}");
        });
    });
}
