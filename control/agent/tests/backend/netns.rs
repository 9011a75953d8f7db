//! Nodes that are network namespaces.

use std::{fs, net::Ipv4Addr, os::unix::fs::MetadataExt as _, process::Command};

use inlay_agent::backend::Backends;
use inlay_api::wire::agent::{Attachment, Backend};

use crate::bed::{
    Bed, MTU, attachment, desired, error, has_interface, has_namespace, in_host, index, ip, make,
};

fn node(name: &str) -> Attachment {
    attachment(name, Backend::Netns)
}

#[test]
fn a_node_has_what_its_subnet_says() {
    let Some(bed) = Bed::new("a_node_has_what_its_subnet_says") else {
        return;
    };
    in_host(|| {
        make(&mut bed.open(), [node("a")]);
        let inside = bed.inside("a", "addr show dev eth0");
        for expected in ["inet 10.0.1.10/24", "02:00:00:01:00:0a", "mtu 1500", "UP"] {
            assert!(inside.contains(expected), "{expected}: {inside}");
        }
        assert!(!inside.contains("inet6"), "{inside}");
        let routes = bed.inside("a", "route show default");
        assert!(
            routes.starts_with("default via 10.0.1.1 dev eth0"),
            "{routes}"
        );
        assert!(bed.inside("a", "link show dev lo").contains("LOOPBACK,UP"));
        let outside = ip("-d link show dev red-a");
        for expected in [
            "addrgenmode none",
            &bed.alias("uid-a"),
            "02:69:6e:6c:61:79",
            "UP",
        ] {
            assert!(outside.contains(expected), "{expected}: {outside}");
        }
        let addresses = ip("-6 addr show dev red-a");
        assert!(!addresses.contains("inet6"), "{addresses}");
        let forwarding = fs::read_to_string("/proc/sys/net/ipv4/conf/red-a/forwarding");
        assert_eq!(forwarding.unwrap().trim(), "0");
    });
}

#[test]
fn a_node_is_fit_to_face_a_program_and_finds_names() {
    let Some(bed) = Bed::new("a_node_is_fit_to_face_a_program_and_finds_names") else {
        return;
    };
    in_host(|| {
        make(&mut bed.open(), [node("a")]);
        let name = bed.namespace("a");
        let inside = |program: &[&str]| {
            let output = Command::new("ip")
                .args(["netns", "exec", &name])
                .args(program)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let features = inside(&["ethtool", "-k", "eth0"]);
        assert!(features.contains("tx-checksumming: off"), "{features}");
        assert!(
            features.contains("generic-receive-offload: on"),
            "{features}"
        );
        let resolv = inside(&["cat", "/etc/resolv.conf"]);
        assert!(
            resolv.ends_with("search web.internal\nnameserver 10.0.1.2\n"),
            "{resolv}"
        );
        let hosts = inside(&["cat", "/etc/hosts"]);
        assert!(hosts.contains("10.0.1.10 a.web.internal a\n"), "{hosts}");
    });
}

#[test]
fn doing_it_again_changes_nothing() {
    let Some(bed) = Bed::new("doing_it_again_changes_nothing") else {
        return;
    };
    in_host(|| {
        let mut backends = bed.open();
        let look = |backends: &mut Backends| {
            make(backends, [node("a")]);
            let path = format!("/run/netns/{}", bed.namespace("a"));
            let addresses = bed.inside("a", "addr show");
            (index("red-a"), fs::metadata(path).unwrap().ino(), addresses)
        };
        let first = look(&mut backends);
        assert_eq!(look(&mut backends), first);
        backends.distrust();
        assert_eq!(look(&mut backends), first);
        // Another agent, which finds what this one noted; and one that finds no notes.
        assert_eq!(look(&mut bed.open()), first);
        bed.lose_records();
        assert_eq!(look(&mut bed.open()), first);
    });
}

#[test]
fn addresses_route_mtu_and_names_change_in_place() {
    let Some(bed) = Bed::new("addresses_route_mtu_and_names_change_in_place") else {
        return;
    };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("a")]);
        let before = index("red-a");
        let ip_number = |last| u32::from(Ipv4Addr::new(10, 0, 1, last));
        let changed = Attachment {
            addresses: vec![ip_number(20), ip_number(10), ip_number(21)],
            gateway: ip_number(254),
            mac: vec![2, 0, 0, 1, 0, 0x0b],
            dns_servers: vec![ip_number(3)],
            ..node("a")
        };
        let outcome = backends.reconcile(&desired([changed.clone()]), 1400);
        assert!(outcome.values().all(Result::is_ok), "{outcome:?}");
        assert_eq!(index("red-a"), before);
        let inside = bed.inside("a", "-4 addr show dev eth0");
        let addresses: Vec<&str> = inside
            .lines()
            .filter_map(|line| line.trim().strip_prefix("inet ")?.split(' ').next())
            .collect();
        assert_eq!(addresses, ["10.0.1.20/24", "10.0.1.10/24", "10.0.1.21/24"]);
        assert!(inside.contains("mtu 1400"), "{inside}");
        assert!(ip("link show dev red-a").contains("mtu 1400"));
        assert!(
            bed.inside("a", "link show dev eth0")
                .contains("02:00:00:01:00:0b")
        );
        let routes = bed.inside("a", "route show default");
        assert_eq!(routes.lines().count(), 1, "{routes}");
        assert!(routes.contains("via 10.0.1.254"), "{routes}");
        let resolv = format!("/etc/netns/{}/resolv.conf", bed.namespace("a"));
        assert!(
            fs::read_to_string(resolv)
                .unwrap()
                .ends_with("nameserver 10.0.1.3\n")
        );
        // One address less: the others stay as they are.
        let fewer = Attachment {
            addresses: vec![ip_number(20), ip_number(21)],
            ..changed
        };
        make(&mut backends, [fewer]);
        let inside = bed.inside("a", "-4 addr show dev eth0");
        assert!(inside.contains("10.0.1.20/24") && inside.contains("10.0.1.21/24"));
        assert!(!inside.contains("10.0.1.10/24"), "{inside}");
        assert!(
            bed.inside("a", "route show default")
                .contains("via 10.0.1.254")
        );
    });
}

#[test]
fn a_node_that_goes_leaves_nothing_and_its_processes_go_on() {
    let test = "a_node_that_goes_leaves_nothing_and_its_processes_go_on";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("a"), node("b")]);
        let name = bed.namespace("a");
        let mut process = Command::new("ip")
            .args(["netns", "exec", &name, "cat"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        make(&mut backends, [node("b")]);
        assert!(!has_interface("red-a") && !has_namespace(&name));
        assert!(!std::path::Path::new("/etc/netns").join(&name).exists());
        assert!(has_interface("red-b") && has_namespace(&bed.namespace("b")));
        assert_eq!(process.try_wait().unwrap(), None);
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success());
        make(&mut backends, []);
        assert!(!has_interface("red-b"));
    });
}

#[test]
fn another_uid_is_another_node() {
    let Some(bed) = Bed::new("another_uid_is_another_node") else {
        return;
    };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("a")]);
        bed.inside("a", "tuntap add dev left mode tap");
        let again = Attachment {
            uid: "uid-again".into(),
            ..node("a")
        };
        make(&mut backends, [again.clone()]);
        let links = bed.inside("a", "link show");
        assert!(!links.contains("left"), "{links}");
        assert!(ip("link show dev red-a").contains(&bed.alias("uid-again")));
        // Also where nothing is noted any more.
        bed.lose_records();
        make(&mut bed.open(), [node("a")]);
        assert!(ip("link show dev red-a").contains(&bed.alias("uid-a")));
    });
}

#[test]
fn what_others_made_is_refused_and_left_alone() {
    let Some(bed) = Bed::new("what_others_made_is_refused_and_left_alone") else {
        return;
    };
    in_host(|| {
        ip("link add red-a type veth peer name other");
        let mut backends = bed.open();
        let refused = error(&backends.reconcile(&desired([node("a"), node("b")]), MTU));
        assert!(refused.contains("interface red-a"), "{refused}");
        assert!(has_interface("red-b"));
        make(&mut backends, [node("b")]);
        assert!(ip("-d link show dev red-a").contains("veth"));
        // A namespace of the name.
        let name = bed.namespace("c");
        ip(&format!("netns add {name}"));
        let refused = error(&backends.reconcile(&desired([node("b"), node("c")]), MTU));
        assert!(refused.contains(&format!("namespace {name}")), "{refused}");
        assert!(!has_interface("red-c"));
        make(&mut backends, [node("b")]);
        assert!(has_namespace(&name));
        // What was refused works once the name is free.
        ip(&format!("netns delete {name}"));
        make(&mut backends, [node("b"), node("c")]);
        assert!(has_interface("red-c"));
    });
}

#[test]
fn what_an_agent_left_is_removed_by_the_next() {
    let Some(bed) = Bed::new("what_an_agent_left_is_removed_by_the_next") else {
        return;
    };
    in_host(|| {
        for loses_records in [false, true] {
            make(&mut bed.open(), [node("a"), node("b")]);
            if loses_records {
                bed.lose_records();
            }
            make(&mut bed.open(), [node("b")]);
            assert!(!has_interface("red-a"), "{loses_records}");
            assert!(!has_namespace(&bed.namespace("a")), "{loses_records}");
            assert!(has_interface("red-b"), "{loses_records}");
        }
    });
}

#[test]
fn an_agent_that_was_killed_in_the_middle_is_gone_on_from() {
    let Some(bed) = Bed::new("an_agent_that_was_killed_in_the_middle_is_gone_on_from") else {
        return;
    };
    in_host(|| {
        let name = bed.namespace("a");
        make(&mut bed.open(), [node("a")]);
        // Before the host's end came to the host.
        ip(&format!("link set red-a netns {name}"));
        make(&mut bed.open(), [node("a")]);
        assert!(has_interface("red-a"));
        assert!(!bed.inside("a", "link show").contains("red-a"));
        // Before the namespace had its name.
        ip(&format!("netns delete {name}"));
        fs::write(format!("/run/netns/{name}"), "").unwrap();
        make(&mut bed.open(), [node("a")]);
        assert!(
            bed.inside("a", "addr show dev eth0")
                .contains("10.0.1.10/24")
        );
        // And where the node is not wanted any more.
        ip(&format!("link set red-a netns {name}"));
        make(&mut bed.open(), []);
        assert!(!has_namespace(&name));
    });
}

#[test]
fn what_somebody_took_away_comes_back() {
    let Some(bed) = Bed::new("what_somebody_took_away_comes_back") else {
        return;
    };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("a")]);
        ip("link delete red-a");
        make(&mut backends, [node("a")]);
        assert!(
            bed.inside("a", "addr show dev eth0")
                .contains("10.0.1.10/24")
        );
        ip(&format!("netns delete {}", bed.namespace("a")));
        make(&mut backends, [node("a")]);
        assert!(
            bed.inside("a", "addr show dev eth0")
                .contains("10.0.1.10/24")
        );
        ip("link set red-a down");
        make(&mut backends, [node("a")]);
        assert!(ip("link show dev red-a").contains("UP"));
    });
}

#[test]
fn two_nodes_cannot_have_one_interface() {
    let Some(bed) = Bed::new("two_nodes_cannot_have_one_interface") else {
        return;
    };
    in_host(|| {
        let second = Attachment {
            interface: "red-a".into(),
            ..node("b")
        };
        let refused = error(&bed.open().reconcile(&desired([node("a"), second]), MTU));
        assert!(refused.contains("another node's"), "{refused}");
        assert!(has_namespace(&bed.namespace("a")) && !has_namespace(&bed.namespace("b")));
    });
}

#[test]
fn a_node_stays_as_it_is_while_what_is_sent_of_it_makes_no_sense() {
    let Some(bed) = Bed::new("a_node_stays_as_it_is_while_what_is_sent_of_it_makes_no_sense")
    else {
        return;
    };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("b")]);
        let before = index("red-b");
        let is_there = || has_namespace(&bed.namespace("b")) && has_interface("red-b");
        let senseless = Attachment {
            dns_domain: "web internal".into(),
            ..node("b")
        };
        let outcome = backends.reconcile(&desired([senseless.clone()]), MTU);
        assert!(error(&outcome).contains("DNS domain"));
        assert!(is_there() && index("red-b") == before);
        // A node that asks for an interface that is another's does not get it.
        let greedy = Attachment {
            interface: "red-b".into(),
            ..node("a")
        };
        let outcome = backends.reconcile(&desired([greedy, node("b")]), MTU);
        assert!(outcome.values().any(Result::is_err), "{outcome:?}");
        assert!(is_there() && index("red-b") == before);
        // Also for an agent that starts, and one that knows nothing of what was made.
        bed.open().reconcile(&desired([senseless.clone()]), MTU);
        assert!(is_there() && index("red-b") == before);
        bed.lose_records();
        bed.open().reconcile(&desired([senseless]), MTU);
        assert!(is_there() && index("red-b") == before);
        make(&mut bed.open(), [node("b")]);
        assert_eq!(index("red-b"), before);
        bed.open().reconcile(&desired([]), MTU);
        assert!(!is_there());
    });
}
