//! Nodes that are machines behind an interface.

use inlay_api::wire::agent::{Attachment, Backend};

use crate::bed::{Bed, MTU, attachment, desired, error, has_interface, in_host, ip, make};

fn node(interface: &str) -> Attachment {
    Attachment {
        interface: interface.into(),
        ..attachment("a", Backend::Device)
    }
}

#[test]
fn a_device_is_brought_up_and_taken_down_and_never_deleted() {
    let test = "a_device_is_brought_up_and_taken_down_and_never_deleted";
    let Some(bed) = Bed::new(test) else { return };
    in_host(|| {
        ip("link add machine type veth peer name inside");
        let mut backends = bed.open();
        make(&mut backends, [node("machine")]);
        let shown = ip("-d link show dev machine");
        assert!(
            shown.contains("UP") && shown.contains("addrgenmode none"),
            "{shown}"
        );
        make(&mut backends, [node("machine")]);
        make(&mut bed.open(), []);
        assert!(has_interface("machine"));
        assert!(!ip("link show dev machine").contains("UP"));
    });
}

#[test]
fn what_the_host_needs_itself_is_refused() {
    let Some(bed) = Bed::new("what_the_host_needs_itself_is_refused") else {
        return;
    };
    in_host(|| {
        ip("link add uplink type veth peer name member");
        ip("link add bridge type bridge");
        ip("link set member master bridge");
        ip("link add management type veth peer name peer");
        ip("addr add 192.0.2.1/24 dev management");
        let mut backends = bed.open();
        let cases = [
            ("uplink", "uplink of this host"),
            ("member", "bridge"),
            ("management", "addresses"),
            ("lo", "loopback"),
            ("missing", "not there"),
        ];
        for (interface, reason) in cases {
            let refused = error(&backends.reconcile(&desired([node(interface)]), MTU));
            assert!(refused.contains(reason), "{interface}: {refused}");
            assert!(refused.contains(interface), "{refused}");
        }
        assert!(!ip("link show dev uplink").contains("UP"));
    });
}
