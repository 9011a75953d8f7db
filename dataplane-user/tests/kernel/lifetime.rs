//! Pins: what outlives a process, what replaces what, what is refused.

use std::fs;

use inlay_core::tables::records::Config;
use inlay_dataplane::{
    Error, Mode,
    image::{Changes, Image},
    netlink,
};

use crate::{
    bed::{Bed, in_namespace, ip, veth},
    state::image,
};

#[test]
fn maps_are_adopted_with_what_they_hold() {
    let Some(bed) = Bed::new("maps_are_adopted_with_what_they_hold") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let (uplink, _) = veth("uplink", "fabric");
        let desired = image(port, uplink);
        let mut dataplane = bed.open();
        dataplane
            .apply(&Changes::between(&Image::default(), &desired))
            .unwrap();
        drop(dataplane);
        let dataplane = bed.open();
        assert!(dataplane.was_adopted());
        assert_eq!(dataplane.read_image().unwrap(), desired);
    });
}

#[test]
fn maps_of_another_shape_are_left_alone() {
    let Some(bed) = Bed::new("maps_of_another_shape_are_left_alone") else {
        return;
    };
    let config = Config {
        virtual_mtu: 1500,
        ..Config::default()
    };
    let desired = Image {
        config,
        ..Image::default()
    };
    let mut first = bed.open();
    first
        .apply(&Changes::between(&Image::default(), &desired))
        .unwrap();
    let before = first.map_directory().to_owned();
    drop(first);
    // Somebody else's idea of the ports.
    let odd = aya::maps::HashMap::<_, u64, u64>::create(10, 0).unwrap();
    fs::remove_file(before.join("PORTS")).unwrap();
    odd.pin(before.join("PORTS")).unwrap();

    let mut second = bed.open();
    assert!(!second.was_adopted());
    assert!(
        second.rejected().iter().any(|why| why.contains("PORTS")),
        "{:?}",
        second.rejected()
    );
    assert_eq!(second.read_image().unwrap(), Image::default());
    let after = second.map_directory().to_owned();
    assert_ne!(before, after);
    let current = || fs::canonicalize(bed.directory().join("current")).unwrap();
    assert_eq!(current(), before, "inspection looks at what is attached");
    second
        .apply(&Changes::between(&Image::default(), &desired))
        .unwrap();
    second.retire_old().unwrap();
    assert_eq!(current(), after);
    assert!(!before.exists());
    drop(second);
    let third = bed.open();
    assert!(third.was_adopted());
    assert_eq!(third.read_image().unwrap(), desired);
}

#[test]
fn a_missing_map_is_another_shape() {
    let Some(bed) = Bed::new("a_missing_map_is_another_shape") else {
        return;
    };
    let directory = bed.open().map_directory().to_owned();
    fs::remove_file(directory.join("FLOWS")).unwrap();
    assert!(!bed.open().was_adopted());
}

#[test]
fn links_outlive_the_process_and_take_another_program() {
    let Some(bed) = Bed::new("links_outlive_the_process_and_take_another_program") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let (uplink, _) = veth("uplink", "fabric");
        let mode = |index| netlink::interface(index).unwrap().mode();
        let mut dataplane = bed.open();
        assert_eq!(mode(port), None);
        dataplane.attach_port(port, Mode::Native).unwrap();
        dataplane.attach_uplink(uplink, Mode::Native).unwrap();
        let program = netlink::interface(port).unwrap().program();
        drop(dataplane);
        assert_eq!(mode(port), Some(Mode::Native));

        let mut dataplane = bed.open();
        assert_eq!(dataplane.attached(), [port.min(uplink), port.max(uplink)]);
        dataplane.attach_port(port, Mode::Native).unwrap();
        let replaced = netlink::interface(port).unwrap().program();
        assert!(
            replaced.is_some() && replaced != program,
            "{program:?} {replaced:?}"
        );

        // Another mode takes another link.
        dataplane.attach_port(port, Mode::Generic).unwrap();
        assert_eq!(mode(port), Some(Mode::Generic));
        dataplane.detach(port).unwrap();
        assert_eq!(mode(port), None);
        assert_eq!(dataplane.attached(), [uplink]);
    });
}

#[test]
fn a_link_whose_interface_is_gone_is_none() {
    let Some(bed) = Bed::new("a_link_whose_interface_is_gone_is_none") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        let mut dataplane = bed.open();
        dataplane.attach_port(port, Mode::Native).unwrap();
        ip("link del port");
        assert_eq!(dataplane.attached(), [0; 0]);
        let result = dataplane.attach_port(port, Mode::Native);
        assert!(matches!(result, Err(Error::Attach { .. })), "{result:?}");
        ip(&format!(
            "link add port index {port} type veth peer name node"
        ));
        dataplane.attach_port(port, Mode::Native).unwrap();
        assert_eq!(dataplane.attached(), [port]);
    });
}

#[test]
fn a_program_that_is_not_ours_is_not_replaced() {
    let Some(bed) = Bed::new("a_program_that_is_not_ours_is_not_replaced") else {
        return;
    };
    let Some(other) = Bed::new("a_program_that_is_not_ours_is_not_replaced") else {
        return;
    };
    in_namespace(|| {
        let (port, _) = veth("port", "node");
        other.open().attach_port(port, Mode::Native).unwrap();
        let result = bed.open().attach_port(port, Mode::Native);
        let Err(error) = result else {
            panic!("attached over somebody else's program")
        };
        assert!(error.to_string().contains("another XDP program"), "{error}");
    });
}

#[test]
fn misnamed_instances_are_refused() {
    let mut options = inlay_dataplane::Options::default();
    for name in ["", "a.b", "../x", "a b"] {
        name.clone_into(&mut options.instance);
        let result = inlay_dataplane::Dataplane::open(&options);
        assert!(matches!(result, Err(Error::InstanceName { .. })), "{name}");
    }
}

#[test]
fn no_symbol_of_the_objects_panics() {
    use object::{Object as _, ObjectSymbol as _};
    for object in [inlay_dataplane::OBJECT, inlay_dataplane::BENCH_OBJECT] {
        let file = object::File::parse(object).unwrap();
        let names: Vec<&str> = file
            .symbols()
            .filter_map(|symbol| symbol.name().ok())
            .collect();
        let is_program = |name: &&str| name.starts_with("inlay_") || name.starts_with("bench_");
        assert!(names.iter().any(is_program), "{names:?}");
        let panics = |name: &&&str| name.contains("panic") || name.contains("rust_begin_unwind");
        assert_eq!(
            names.iter().filter(panics).collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
    }
}
