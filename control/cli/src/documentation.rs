//! Every line of `docs/cli.md` is one that the command takes.

use clap::Parser as _;

use crate::Cli;

const PAGE: &str = include_str!("../../../docs/cli.md");

/// Lines of the page's shell blocks.
fn lines() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    blocks
        .flat_map(|block| block.split("```").next().unwrap_or_default().lines())
        .filter(|line| !line.is_empty())
        .collect()
}

/// As a shell splits them, as far as the page needs it.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_line_is_taken() {
    let lines = lines();
    assert!(lines.len() > 50, "{} lines", lines.len());
    for line in lines {
        if let Err(error) = Cli::try_parse_from(words(line)) {
            panic!("{line}\n{error}");
        }
    }
}

#[test]
fn a_line_that_is_wrong_is_not_taken() {
    for line in [
        "inlay node create web",
        "inlay token create ci",
        "inlay sg rule add web",
        "inlay sg create web --inbound \"tcp 80\"",
        "inlay sg create web --no-outbound --outbound \"all 0.0.0.0/0\"",
        "inlay port create a",
        "inlay token update ci",
        "inlay node create web --subnet front --count 2 --address 10.0.1.5",
        "inlay node create web --subnet front --timeout 6m",
        "inlay host create host1",
        "inlay host create host1 --prefix 2001:db8::/64 --capacity vm=3",
        "inlay apply",
        "inlay apply -f a.yaml --prune",
        "inlay node exec web ping",
        "inlay network trace main --from a --to web",
    ] {
        assert!(Cli::try_parse_from(words(line)).is_err(), "{line}");
    }
}
