//! `explain`: the loaded program's own answer, and nothing changed by asking.

use std::net::Ipv4Addr;

use inlay_core::ids::MacAddress;
use inlay_dataplane::{
    Dataplane, Error, Mode,
    explain::{
        Explanation, FRAME_BYTES_MAX, PacketView, Protocol, Question, Verdict, explain,
        explain_inbound, explain_outbound,
    },
    image::{Changes, Image},
    inspect::Inspection,
};

use crate::{
    bed::{Bed, NamedNamespace, in_namespace, ip, ipv6, quiet, veth},
    state::image,
};

/// The host of `image`, with a neighbour on its uplink that has the route to the other host.
fn host(bed: &Bed) -> Dataplane {
    quiet();
    let (port, _) = veth("port", "node");
    let (uplink, _) = veth("uplink", "fabric");
    ipv6("uplink");
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
    ip("link set lo up");
    ip("-6 addr add 2001:db8:f::1/64 dev uplink nodad");
    ip("-6 neigh add 2001:db8:f::ff lladdr 02:00:00:00:00:ff dev uplink nud permanent");
    ip("-6 route add 2001:db8:0:2::/64 via 2001:db8:f::ff");
    let mut dataplane = bed.open();
    dataplane
        .apply(&Changes::between(&Image::default(), &image(port, uplink)))
        .unwrap();
    dataplane.attach_port(port, Mode::Native).unwrap();
    dataplane
}

fn question(to: [u8; 4], protocol: Protocol, destination_port: u16) -> Question {
    Question {
        port: 3,
        to: Ipv4Addr::from(to),
        protocol,
        source_port: None,
        destination_port,
    }
}

fn ask(bed: &Bed, to: [u8; 4], protocol: Protocol, destination_port: u16) -> Explanation {
    let question = question(to, protocol, destination_port);
    explain(&bed.options.pin_root, &bed.options.instance, &question).unwrap()
}

fn ask_inbound(bed: &Bed, frame: &[u8]) -> (Explanation, Vec<u8>) {
    let asked = explain_inbound(&bed.options.pin_root, &bed.options.instance, frame);
    let (explanation, frame) = asked.unwrap();
    (explanation, frame.to_vec())
}

/// What this host's node sends the other one, by way of the substrate, sent the other way.
fn from_other(bed: &Bed, protocol: Protocol, destination_port: u16) -> Vec<u8> {
    let question = question([10, 0, 1, 11], protocol, destination_port);
    let asked = explain_outbound(&bed.options.pin_root, &bed.options.instance, &question);
    let (explanation, frame) = asked.unwrap();
    assert_eq!(explanation.result.unwrap().len_bytes, frame.len());
    let mut frame = frame.to_vec();
    // Checksums stay right: they do not depend on the addresses' order.
    let (source, destination) = frame[22..54].split_at_mut(16);
    source.swap_with_slice(destination);
    frame
}

fn found<'a>(explanation: &'a Explanation, step: &str) -> Option<&'a str> {
    explanation
        .steps
        .iter()
        .find(|taken| taken.step == step)
        .map(|taken| taken.found.as_str())
}

#[test]
fn a_packet_to_another_host_is_sent_inlaid() {
    let Some(bed) = Bed::new("a_packet_to_another_host_is_sent_inlaid") else {
        return;
    };
    in_namespace(|| {
        let _dataplane = host(&bed);
        for (protocol, port) in [
            (Protocol::Tcp, 22),
            (Protocol::Udp, 53),
            (Protocol::Icmp, 0),
        ] {
            let explanation = ask(&bed, [10, 0, 1, 11], protocol, port);
            assert_eq!(explanation.verdict, Verdict::Sent, "{explanation:#?}");
            let result = explanation.result.as_ref().unwrap();
            let expected = "10.0.1.11 of network 100 at 2001:db8:0:2::/64";
            assert_eq!(result.virtual_destination.as_deref(), Some(expected));
            let expected = "10.0.1.10 of network 100 at 2001:db8:0:1::/64";
            assert_eq!(result.virtual_source.as_deref(), Some(expected));
            assert_eq!(result.destination_mac, "02:00:00:00:00:ff");
            assert_eq!(result.len_bytes, explanation.packet.len_bytes + 20);
            assert_eq!(
                found(&explanation, "outbound-rule"),
                Some("rule 0 of policy 5")
            );
            assert_eq!(explanation.rule.as_deref(), Some("rule 0 of policy 5"));
            assert_eq!(explanation.reason, None);
        }
    });
}

#[test]
fn a_drop_is_told_with_its_reason() {
    let Some(bed) = Bed::new("a_drop_is_told_with_its_reason") else {
        return;
    };
    in_namespace(|| {
        let _dataplane = host(&bed);
        let nobody = ask(&bed, [10, 0, 1, 99], Protocol::Udp, 53);
        assert_eq!(
            (nobody.verdict, nobody.reason),
            (Verdict::Dropped, Some("unknown-destination"))
        );
        assert_eq!(nobody.result, None);
        assert_eq!(found(&nobody, "dropped"), Some("unknown-destination"));
        let router = ask(&bed, [10, 0, 1, 1], Protocol::Icmp, 0);
        assert_eq!(router.verdict, Verdict::Answered);
        assert_eq!(
            router.result.unwrap().source_mac,
            MacAddress::ROUTER.to_string()
        );
    });
}

#[test]
fn a_packet_from_another_host_is_delivered_as_its_node_sent_it() {
    let test = "a_packet_from_another_host_is_delivered_as_its_node_sent_it";
    let Some(bed) = Bed::new(test) else { return };
    in_namespace(|| {
        let _dataplane = host(&bed);
        let frame = from_other(&bed, Protocol::Tcp, 8080);
        let (explanation, delivered) = ask_inbound(&bed, &frame);
        assert_eq!(explanation.verdict, Verdict::Delivered, "{explanation:#?}");
        assert_eq!(explanation.port, "3");
        assert_eq!(explanation.reason, None);
        assert_eq!(delivered.len(), frame.len() - 20);
        let result = explanation.result.as_ref().unwrap();
        assert_eq!(result.destination_mac, "02:00:00:00:00:10");
        assert_eq!(
            (result.source.as_str(), result.destination.as_str()),
            ("10.0.1.11", "10.0.1.10")
        );
        assert!(result.transport.ends_with("to 8080"), "{result:?}");
        let arrived: &PacketView = &explanation.packet;
        let expected = "10.0.1.11 of network 100 at 2001:db8:0:2::/64";
        assert_eq!(arrived.virtual_source.as_deref(), Some(expected));
        let flow = found(&explanation, "inbound-flow");
        assert_eq!(flow, Some("none: the packet starts one"));
        assert!(
            found(&explanation, "from-host")
                .unwrap()
                .contains("2001:db8:0:2::/64")
        );
        assert!(explanation.rule.unwrap().ends_with("of policy 5"));
    });
}

#[test]
fn a_packet_from_another_host_that_may_not_pass_is_told_why() {
    let test = "a_packet_from_another_host_that_may_not_pass_is_told_why";
    let Some(bed) = Bed::new(test) else { return };
    in_namespace(|| {
        let _dataplane = host(&bed);
        let reason = |frame: &[u8]| {
            let (explanation, result) = ask_inbound(&bed, frame);
            assert_eq!(explanation.verdict, Verdict::Dropped, "{explanation:#?}");
            assert!(result.is_empty() && explanation.result.is_none());
            explanation.reason.unwrap()
        };
        assert_eq!(
            reason(&from_other(&bed, Protocol::Tcp, 22)),
            "security-group"
        );
        assert_eq!(
            reason(&from_other(&bed, Protocol::Udp, 8080)),
            "security-group"
        );
        let right = from_other(&bed, Protocol::Tcp, 8080);
        let mut forged = right.clone();
        // Of a host that does not have the node.
        forged[29] = 3;
        assert_eq!(reason(&forged), "forged-source");
        let mut far = right;
        far[21] = 1;
        assert_eq!(reason(&far), "hop-limit");
    });
}

#[test]
fn a_frame_that_is_no_tenants_is_the_kernels() {
    let Some(bed) = Bed::new("a_frame_that_is_no_tenants_is_the_kernels") else {
        return;
    };
    in_namespace(|| {
        let _dataplane = host(&bed);
        let frame = [[0xff; 14], [0; 14]].concat();
        let (explanation, result) = ask_inbound(&bed, &frame);
        assert_eq!(explanation.verdict, Verdict::Passed);
        assert_eq!((explanation.port.as_str(), result), ("", frame));
        for len in [0, 13, FRAME_BYTES_MAX + 1] {
            let (root, instance) = (&bed.options.pin_root, &bed.options.instance);
            let refused = explain_inbound(root, instance, &vec![0; len]).unwrap_err();
            assert!(matches!(refused, Error::Input { .. }), "{refused}");
        }
        ask_inbound(&bed, &[0; FRAME_BYTES_MAX]);
    });
}

#[test]
fn asking_changes_nothing_that_an_operator_reads() {
    let Some(bed) = Bed::new("asking_changes_nothing_that_an_operator_reads") else {
        return;
    };
    in_namespace(|| {
        let dataplane = host(&bed);
        let look = || {
            let seen = Inspection::open(&bed.options.pin_root, &bed.options.instance).unwrap();
            let rings = dataplane
                .maps()
                .flow_rings
                .used(|key| !key.is_unused())
                .unwrap();
            (
                seen.flows().unwrap(),
                seen.drops().unwrap(),
                seen.counters().unwrap(),
                rings,
            )
        };
        let before = look();
        assert!(before.0.is_empty() && before.1.is_empty());
        ask(&bed, [10, 0, 1, 11], Protocol::Tcp, 22);
        ask(&bed, [10, 0, 1, 99], Protocol::Tcp, 22);
        ask(&bed, [10, 0, 1, 1], Protocol::Icmp, 0);
        for port in [8080, 22] {
            let frame = from_other(&bed, Protocol::Tcp, port);
            ask_inbound(&bed, &frame);
        }
        assert_eq!(look(), before);
        assert_eq!(dataplane.maps().explain.get(0).unwrap(), 0);
        let mut dataplane = dataplane;
        assert_eq!(dataplane.drop_events().unwrap().try_next(), None);
        assert_eq!(dataplane.read_image().unwrap().ports.len(), 1);
    });
}

#[test]
fn the_namespace_of_the_instance_is_asked_from_anywhere() {
    let name = "the_namespace_of_the_instance_is_asked_from_anywhere";
    let Some(bed) = Bed::new(name) else { return };
    let namespace = NamedNamespace::new(&bed);
    namespace.enter(|| drop(host(&bed)));
    // Here, there is no route to the other host.
    in_namespace(|| {
        let explanation = ask(&bed, [10, 0, 1, 11], Protocol::Tcp, 22);
        assert_eq!(explanation.verdict, Verdict::Sent, "{explanation:#?}");
    });
}
