//! The file of a state: which of its changes are told.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, time::Duration};

use common::temporary::Directory;
use inlay_agent::{
    FileSource, revision,
    source::{Desired, Source as _},
};
use inlay_api::Refusal;

const EXAMPLE: &str = include_str!("../../api/examples/host.yaml");

async fn next(source: &mut FileSource) -> Result<Desired, Refusal> {
    tokio::time::timeout(Duration::from_secs(10), source.next())
        .await
        .expect("a state in time")
}

/// The states that are told up to the one that is written as the last change.
async fn told_until(source: &mut FileSource, last: &str) -> Vec<String> {
    let mut told = Vec::new();
    while told.last().map(String::as_str) != Some(last) {
        told.push(next(source).await.unwrap().revision);
    }
    told
}

fn variant(number: u32) -> String {
    format!("# {number}\n{EXAMPLE}")
}

#[tokio::test]
async fn each_content_is_told_once_however_it_is_written() {
    let directory = Directory::make();
    let (file, other) = (
        directory.path().join("host.yaml"),
        directory.path().join("other"),
    );
    fs::write(&file, EXAMPLE).unwrap();
    let mut source = FileSource::open(&file).unwrap();
    let first = next(&mut source).await.unwrap();
    assert_eq!(first.revision, revision(EXAMPLE.as_bytes()));
    assert_eq!(first.state.host().name.as_str(), "host1");
    // In place; then the same again, and another file: neither is a change.
    fs::write(&file, variant(1)).unwrap();
    assert_eq!(
        next(&mut source).await.unwrap().revision,
        revision(variant(1).as_bytes())
    );
    fs::write(&file, variant(1)).unwrap();
    fs::write(&other, variant(2)).unwrap();
    // As an editor does.
    fs::rename(&other, &file).unwrap();
    let last = revision(variant(2).as_bytes());
    assert_eq!(
        told_until(&mut source, &last).await,
        *std::slice::from_ref(&last)
    );
    // Its directory is watched, so that a file that was replaced is watched on.
    fs::write(&file, variant(3)).unwrap();
    let last = revision(variant(3).as_bytes());
    assert_eq!(
        told_until(&mut source, &last).await,
        *std::slice::from_ref(&last)
    );
}

#[tokio::test]
async fn a_link_is_followed_when_it_leads_elsewhere() {
    let directory = Directory::make();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("one"), variant(1)).unwrap();
    fs::write(path("two"), variant(2)).unwrap();
    std::os::unix::fs::symlink("one", path("host.yaml")).unwrap();
    let mut source = FileSource::open(&path("host.yaml")).unwrap();
    assert_eq!(
        next(&mut source).await.unwrap().revision,
        revision(variant(1).as_bytes())
    );
    std::os::unix::fs::symlink("two", path("next")).unwrap();
    fs::rename(path("next"), path("host.yaml")).unwrap();
    assert_eq!(
        next(&mut source).await.unwrap().revision,
        revision(variant(2).as_bytes())
    );
}

#[tokio::test]
async fn a_bad_file_is_refused_once_and_a_good_one_taken_after_it() {
    let directory = Directory::make();
    let file = directory.path().join("host.yaml");
    let mut source = FileSource::open(&file).unwrap();
    let refusal = next(&mut source).await.unwrap_err().to_string();
    assert!(refusal.contains("cannot be read"), "{refusal}");
    fs::write(&file, format!("{EXAMPLE}\nbogus: 1\n")).unwrap();
    let refusal = next(&mut source).await.unwrap_err().to_string();
    assert!(refusal.contains("bogus"), "{refusal}");
    fs::write(&file, format!("{EXAMPLE}\nbogus: 1\n")).unwrap();
    fs::write(&file, EXAMPLE).unwrap();
    assert_eq!(
        next(&mut source).await.unwrap().revision,
        revision(EXAMPLE.as_bytes())
    );
    source.ask_again();
    assert_eq!(
        next(&mut source).await.unwrap().revision,
        revision(EXAMPLE.as_bytes())
    );
}

#[test]
fn the_revision_is_what_sha256sum_prints() {
    assert_eq!(revision(b""), "e3b0c44298fc1c14");
}
