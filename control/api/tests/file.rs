//! The file itself: its length, its encoding, and whether it is there.

#![allow(clippy::unwrap_used)]

use inlay_api::limits::FILE_BYTES_MAX;
use inlay_api::{read_file, read_yaml};

const HOST: &str = "version: 1\nhost: {name: h, prefix: '2001:db8::/64', uplinks: [eth0]}\n";

#[test]
fn bytes_of_a_file() {
    let mut yaml = HOST.to_owned() + "networks: []\n#";
    yaml.extend(std::iter::repeat_n('x', FILE_BYTES_MAX - yaml.len()));
    read_yaml("host.yaml", yaml.as_bytes()).unwrap();
    yaml.push('x');
    let expected =
        "host.yaml: longer than 16777216 bytes; leave out what this host's nodes do not need";
    assert_eq!(
        read_yaml("host.yaml", yaml.as_bytes())
            .unwrap_err()
            .to_string(),
        expected
    );
}

#[test]
fn text_that_is_not_utf8() {
    let refusal = read_yaml("host.yaml", b"version: 1\nhost: {name: \xff}\n").unwrap_err();
    let expected = "host.yaml:2: not UTF-8 text; save the file as UTF-8";
    assert_eq!(refusal.to_string(), expected);
}

#[test]
fn file_that_is_a_device() {
    let refusal = read_file("/dev/null".as_ref()).unwrap_err().to_string();
    let expected = "/dev/null: cannot be read (it is not a regular file); \
                    see that it is there and readable";
    assert_eq!(refusal, expected);
}

#[test]
fn file_that_is_not_there() {
    let refusal = read_file("no/such/host.yaml".as_ref())
        .unwrap_err()
        .to_string();
    assert!(
        refusal.starts_with("no/such/host.yaml: cannot be read (No such file"),
        "{refusal}"
    );
    assert!(
        refusal.ends_with("see that it is there and readable"),
        "{refusal}"
    );
}
