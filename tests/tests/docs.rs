//! docs/maps.md and docs/drop-reasons.md say what the code says. Written anew with `INLAY_BLESS=1`.

#![allow(clippy::unwrap_used)]

use std::{fmt::Write as _, fs, path::PathBuf};

use inlay_core::drop_reason::DropReason;
use inlay_dataplane::{
    maps::{NAMES, TEXTS},
    schema::Schema,
};

fn check(name: &str, text: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var_os("INLAY_BLESS").is_some() {
        fs::write(&file, text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "docs/{name} differs from the code; write it anew: INLAY_BLESS=1 cargo test -p inlay-tests --test docs"
    );
}

#[test]
fn drop_reasons() {
    let mut text = "# Drop reasons\n\nGenerated from `dataplane-core/src/drop_reason.rs`. Every drop has one, \
                    and a counter by direction and\nnetwork: `inlay drops`.\n\n\
                    | reason | what it means |\n|---|---|\n"
        .to_owned();
    for reason in DropReason::ALL {
        let _ = writeln!(text, "| `{reason}` | {} |", reason.explanation().trim());
    }
    check("drop-reasons.md", &text);
}

#[test]
fn maps() {
    let mut text = "# Maps\n\nGenerated from the BPF object and `dataplane-user/src/maps.rs`. Records and their \
                    fields are in\n`dataplane-core/src/tables/records.rs` and `flow.rs`, sizes and their cost in \
                    `tables/limits.rs`. All are pinned\nunder `/sys/fs/bpf/inlay/INSTANCE`; look with `inlay \
                    maps list|dump|get`.\n\n| map | type | key | value | entries | what it holds |\n\
                    |---|---|---:|---:|---:|---|\n"
        .to_owned();
    let schema = Schema::of_object().unwrap();
    for name in schema.names() {
        let shape = schema.shape(name).unwrap();
        let meaning = NAMES
            .iter()
            .position(|known| *known == name)
            .map(|at| TEXTS[at].trim());
        let meaning = meaning.unwrap_or_else(|| match name {
            "EVENTS" => "Drop events, sampled: a ring buffer, its entries in bytes.",
            "WORK" => "The full pipeline's scratch, one a CPU.",
            _ => panic!("{name} has no text: give it a handle in dataplane-user/src/maps.rs"),
        });
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {} | {} | {meaning} |",
            shape.type_name(),
            shape.key_bytes,
            shape.value_bytes,
            shape.entries_max
        );
    }
    check("maps.md", &text);
}
