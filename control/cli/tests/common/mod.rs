//! What the tests share: a manager that is none, and the command itself.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

mod connection;
mod fake_manager;
mod objects;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

pub(crate) use fake_manager::{FakeManager, Fault, TOKEN};

/// The command, in an environment of its own.
pub(crate) struct Inlay {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Inlay {
    /// That connects to nothing.
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    /// That connects to `manager`, in project `acme` and network `main`.
    pub(crate) fn of(manager: &FakeManager) -> Self {
        Self::new()
            .with("INLAY_SERVER", &manager.server())
            .with("INLAY_TOKEN", TOKEN)
            .with("INLAY_PROJECT", "acme")
            .with("INLAY_NETWORK", "main")
    }

    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// A directory that is gone with this.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home().join(".config/inlay/config.yaml")
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    fn spawn(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_inlay"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs what does not end by itself.
    pub(crate) fn follow(&self, arguments: &[&str]) -> Following {
        let mut child = self.spawn(arguments);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Following { child, receiver }
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.spawn(arguments);
        // Who does not read its input has closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::new(arguments, child.wait_with_output().unwrap())
    }

    /// Runs a line, whose words may be in single quotes.
    pub(crate) fn line(&self, line: &str) -> Ran {
        let mut words = Vec::new();
        for (index, part) in line.split('\'').enumerate() {
            if index % 2 == 1 {
                words.push(part);
            } else {
                words.extend(part.split_whitespace());
            }
        }
        self.run(&words)
    }

    /// Runs a line, and expects that it is done.
    #[track_caller]
    pub(crate) fn ok(&self, line: &str) -> Ran {
        self.line(line).expect(0)
    }
}

/// What a command printed.
#[derive(Debug)]
pub(crate) struct Ran {
    line: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            line: arguments.join(" "),
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// How many elements the list has that it printed.
    pub(crate) fn count(&self) -> usize {
        self.json().as_array().unwrap().len()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A command that goes on until this is gone.
pub(crate) struct Following {
    child: Child,
    receiver: mpsc::Receiver<String>,
}

impl Following {
    /// The next line that it prints.
    #[track_caller]
    pub(crate) fn next(&self) -> serde_json::Value {
        const PATIENCE: Duration = Duration::from_secs(30);
        let line = self.receiver.recv_timeout(PATIENCE).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
