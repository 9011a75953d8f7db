//! The peers' namespaces, up as long as this lives. `netns-scripts/peers.sh` does the work.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

/// What a peer's node leaves to its device.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offloads {
    /// Checksums and segmentation, as the kernel sets it for a veth.
    Kernel,
    /// Nothing, as in Inlay's topology: packets are as a wire would carry them.
    Bare,
}

/// The peers, up.
#[derive(Debug)]
pub(super) struct Peers;

impl Peers {
    /// Brings all of them up, also from a state that a crash left behind.
    pub(super) fn up() -> Result<Self> {
        script("up")?;
        Ok(Self)
    }

    /// Sets the offloads of all their nodes.
    #[expect(clippy::unused_self, reason = "there must be peers")]
    pub(super) fn set(&self, offloads: Offloads) -> Result<()> {
        script(match offloads {
            Offloads::Kernel => "offloaded",
            Offloads::Bare => "bare",
        })
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
