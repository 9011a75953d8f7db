//! The peers' namespaces, up as long as this lives. `netns-scripts/peers.sh` does the work.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

/// The peers, up.
#[derive(Debug)]
pub(super) struct Peers;

impl Peers {
    /// Brings all of them up, also from a state that a crash left behind.
    pub(super) fn up() -> Result<Self> {
        script("up")?;
        Ok(Self)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        if let Err(error) = script("down") {
            eprintln!("the peers' namespaces are still there: {error:#}");
        }
    }
}

fn script(verb: &str) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../netns-scripts/peers.sh");
    let shown = script.display();
    let output = Command::new(&script)
        .arg(verb)
        .output()
        .with_context(|| format!("start {shown}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{shown} {verb} failed:\n{complaint}"
    );
    Ok(())
}
