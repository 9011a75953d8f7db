//! `inlay manager` as the operator types it: the first start, the daemon, and copies of its database.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// For whatever must come; reached only where a test fails.
const DEADLINE: Duration = Duration::from_mins(1);

/// A directory with a configuration, in which everything happens.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let any = "127.0.0.1:0";
        let config = format!(
            "data_dir: {}\napi_listen: {any}\nagents_listen: {any}\nmetrics_listen: {any}\nlog_format: json\n",
            directory.path().join("manager").display()
        );
        fs::write(directory.path().join("manager.yaml"), config).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inlay"));
        command
            .current_dir(self.0.path())
            .args(["manager"])
            .args(line.split(' '))
            .args(["--config", "manager.yaml"]);
        command
    }

    /// What is printed, of a command that must succeed.
    fn done(&self, line: &str) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(line).output().unwrap();
        assert!(
            status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&stderr)
        );
        String::from_utf8(stdout).unwrap()
    }

    /// What is said, of a command that must fail.
    fn refused(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn start(&self) -> Running {
        let log = fs::File::create(self.path("log")).unwrap();
        let child = self
            .command("run")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut running = Running(child);
        let deadline = Instant::now() + DEADLINE;
        while !self.path("manager/listening.json").exists() {
            let ended = running.0.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{}",
                self.log()
            );
            std::thread::yield_now();
        }
        running
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }
}

/// A manager that is killed when it is dropped.
struct Running(Child);

impl Running {
    fn terminate(mut self) -> ExitStatus {
        let id = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, where nothing failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_manager_is_initialised_once() {
    let scene = Scene::new();
    assert!(
        scene
            .refused("run")
            .contains("type inlay manager init first")
    );
    let made: Value = serde_json::from_str(&scene.done("init -o json")).unwrap();
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    assert!(text("admin_token").starts_with("inlay_"));
    assert_eq!(text("fingerprint").len(), 64);
    assert_eq!(
        text("ca_pem"),
        fs::read_to_string(scene.path("manager/ca.pem")).unwrap()
    );
    assert!(text("api_url").starts_with("https://"));
    let again = scene.refused("init");
    assert!(
        again.contains("is there already") && !again.contains("inlay_"),
        "{again}"
    );
}

#[test]
fn the_token_is_shown_once_and_never_logged() {
    let scene = Scene::new();
    let shown = scene.done("init");
    let token = shown
        .lines()
        .find_map(|line| line.strip_prefix("token"))
        .unwrap()
        .trim();
    let running = scene.start();
    assert!(running.terminate().success());
    let log = scene.log();
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{log}"
    );
    assert!(
        log.contains("listening") && log.contains("stopped"),
        "{log}"
    );
    assert!(!log.contains(token));
    assert!(!scene.path("manager/listening.json").exists());
}

#[test]
fn a_running_manager_is_saved_and_a_stopped_one_restored() {
    let scene = Scene::new();
    scene.done("init");
    let running = scene.start();
    let saved: Value = serde_json::from_str(&scene.done("backup copy -o json")).unwrap();
    assert!(saved["revision"].as_u64().unwrap() > 0);
    assert!(scene.refused("backup copy").contains("there already"));
    scene.done("backup copy --replace");
    assert!(scene.refused("run").contains("another manager has"));
    assert!(
        scene
            .refused("restore copy --replace")
            .contains("another manager has")
    );
    assert!(running.terminate().success());
    assert!(scene.refused("restore copy").contains("there already"));
    let told = scene.done("restore copy --replace");
    assert!(told.contains("restored to"), "{told}");
    assert!(scene.start().terminate().success());

    // On another machine.
    fs::remove_dir_all(scene.path("manager")).unwrap();
    scene.done("restore copy");
    assert!(scene.start().terminate().success());
}

#[test]
fn a_configuration_that_is_wrong_is_refused() {
    let scene = Scene::new();
    fs::write(scene.path("manager.yaml"), "data_dirs: /nowhere\n").unwrap();
    for line in ["init", "run", "backup copy", "restore copy"] {
        let told = scene.refused(line);
        assert!(
            told.contains("manager.yaml") && told.contains("data_dirs"),
            "{told}"
        );
    }
}
