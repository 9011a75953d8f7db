//! The file system that pinned links and maps live in.

use anyhow::{Context, Result};

use super::{Missing, OrType};
use crate::process;
use crate::progress::Progress;

/// Where it is by everybody's convention.
const BPFFS: &str = "/sys/fs/bpf";

pub(super) fn ensure(progress: &Progress) -> Result<String, Missing> {
    let remedy = format!("sudo mount -t bpf bpf {BPFFS}");
    if is_mounted().or_type(&remedy)? {
        return Ok(format!("mounted on {BPFFS}"));
    }
    let mount = &mut process::privileged("mount");
    process::quietly(mount.args(["-t", "bpf", "bpf", BPFFS]), progress).or_type(&remedy)?;
    Ok(format!("mounted on {BPFFS} (until the next boot)"))
}

fn is_mounted() -> Result<bool> {
    let mounts = std::fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    Ok(has_bpffs(&mounts))
}

fn has_bpffs(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut words = line.split(' ').skip(1);
        words.next() == Some(BPFFS) && words.next() == Some("bpf")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bpf_mount_on_the_very_path_counts() {
        assert!(has_bpffs(
            "proc /proc proc rw 0 0\nbpf /sys/fs/bpf bpf rw,relatime 0 0\n"
        ));
        assert!(!has_bpffs("bpf /sys/fs/bpf/other bpf rw 0 0\n"));
        assert!(!has_bpffs("none /sys/fs/bpf tmpfs rw 0 0\n"));
    }
}
