//! Nodes that are virtual machines.

use inlay_api::wire::agent::{Attachment, Backend};

use crate::bed::{Bed, MTU, attachment, desired, error, has_interface, in_host, index, ip, make};

fn node(name: &str) -> Attachment {
    attachment(name, Backend::Tap)
}

#[test]
fn a_tap_waits_for_its_machine_and_goes_with_its_node() {
    let test = "a_tap_waits_for_its_machine_and_goes_with_its_node";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("a")]);
        let shown = ip("-d link show dev red-a");
        for expected in [
            "tun type tap",
            "persist on",
            "UP",
            "addrgenmode none",
            "mtu 1500",
        ] {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
        assert!(shown.contains(&bed.alias("uid-a")), "{shown}");
        let before = index("red-a");
        make(&mut backends, [node("a")]);
        let outcome = bed.open().reconcile(&desired([node("a")]), 1400);
        assert!(outcome.values().all(Result::is_ok), "{outcome:?}");
        assert_eq!(index("red-a"), before);
        assert!(ip("link show dev red-a").contains("mtu 1400"));
        make(&mut bed.open(), []);
        assert!(!has_interface("red-a"));
    });
}

#[test]
fn a_tap_of_others_is_refused_and_left_alone() {
    let Some(bed) = Bed::new("a_tap_of_others_is_refused_and_left_alone") else {
        return;
    };
    in_host(|| {
        ip("tuntap add dev red-a mode tap");
        let mut backends = bed.open();
        let refused = error(&backends.reconcile(&desired([node("a")]), MTU));
        assert!(refused.contains("interface red-a"), "{refused}");
        make(&mut backends, []);
        assert!(has_interface("red-a"));
    });
}

#[test]
fn a_tap_that_was_not_marked_yet_is_marked_where_it_is_noted() {
    let test = "a_tap_that_was_not_marked_yet_is_marked_where_it_is_noted";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        make(&mut bed.open(), [node("a")]);
        let set = std::process::Command::new("ip")
            .args(["link", "set", "red-a", "alias", ""])
            .status();
        assert!(set.unwrap().success());
        let before = index("red-a");
        make(&mut bed.open(), [node("a")]);
        assert_eq!(index("red-a"), before);
        assert!(ip("link show dev red-a").contains(&bed.alias("uid-a")));
    });
}

#[test]
fn another_kind_of_node_is_made_anew() {
    let Some(bed) = Bed::new("another_kind_of_node_is_made_anew") else {
        return;
    };
    in_host(|| {
        let mut backends = bed.open();
        make(&mut backends, [node("a")]);
        make(&mut backends, [attachment("a", Backend::Netns)]);
        assert!(ip("-d link show dev red-a").contains("veth"));
        make(&mut backends, [node("a")]);
        assert!(ip("-d link show dev red-a").contains("tap"));
    });
}
