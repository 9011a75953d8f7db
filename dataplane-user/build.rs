//! Builds the BPF object with the toolchain that builds this crate, into `OUT_DIR`.
//!
//! It needs `bpf-linker` and the sources of `core`; `cargo xtask setup` installs both.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The programs, and those that measure them.
const OBJECTS: [&str; 2] = ["inlay-xdp", "inlay-bench-xdp"];

fn main() {
    let out = PathBuf::from(variable("OUT_DIR"));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("..");
    for input in ["dataplane-ebpf", "dataplane-core/src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    println!("cargo::rerun-if-env-changed=PATH");
    let linker = find_linker();
    println!("cargo::rerun-if-changed={}", linker.display());
    require_sources_of_core();

    // <target>/<profile>/build/<package>/out: one directory for all profiles, or each of them
    // builds `core` again.
    let Some(target_dir) = out.ancestors().nth(4).map(|target| target.join("bpf")) else {
        fail("OUT_DIR is not inside a target directory");
    };
    build(&root, &target_dir, &linker);
    for object in OBJECTS {
        let built = target_dir
            .join("bpfel-unknown-none")
            .join("bpf")
            .join(object);
        if let Err(error) = fs::copy(&built, out.join(object)) {
            fail(&format!("the build left no {}: {error}", built.display()));
        }
    }
}

fn build(root: &Path, target_dir: &Path, linker: &Path) {
    let flags = [
        format!(
            "--cfg=bpf_target_arch=\"{}\"",
            variable("CARGO_CFG_TARGET_ARCH").display()
        ),
        // Atomic additions that return a value, and 32-bit jumps: Linux 5.12.
        "-Ctarget-cpu=v3".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("-Clinker={}", linker.display()),
    ];
    let status = Command::new(variable("CARGO"))
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--package",
            "inlay-ebpf",
            "--bins",
            "--profile",
            "bpf",
        ])
        .args([
            "--target",
            "bpfel-unknown-none",
            "-Zbuild-std=core",
            "--target-dir",
        ])
        .arg(target_dir)
        // `-Z` and one intrinsic on a stable toolchain, for this build alone.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        // Set under `cargo clippy`, and not for this build.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!(
            "the BPF build failed with {status}; see the lines above"
        )),
        Err(error) => fail(&format!("cargo cannot be run: {error}")),
    }
}

fn find_linker() -> PathBuf {
    let mut places: Vec<PathBuf> = env::split_paths(&variable("PATH")).collect();
    places.extend(env::home_dir().map(|home| home.join(".cargo/bin")));
    let found = places
        .into_iter()
        .map(|place| place.join("bpf-linker"))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| fail("bpf-linker is not installed: run `cargo xtask setup`"))
}

fn require_sources_of_core() {
    let printed = Command::new(variable("RUSTC"))
        .args(["--print", "sysroot"])
        .output();
    let Ok(printed) = printed else {
        fail("rustc does not say where it lives")
    };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
    if !sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
        fail("the sources of core are not installed: run `cargo xtask setup`");
    }
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| fail(&format!("cargo has not set {name}")))
}

fn fail(why: &str) -> ! {
    println!("cargo::error={why}");
    std::process::exit(1);
}
