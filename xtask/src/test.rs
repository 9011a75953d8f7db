//! `cargo xtask test`: every check and every test, in one command.
//!
//! A step that fails does not stop the next, so that one run shows all there is to mend; only set-up and
//! build are conditions of the rest. What a test could not do on this machine it says in a line
//! `skipped: NAME: REASON`; those lines are listed again at the end, because a skip is not a pass.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{build, process, setup, tidy};

/// What begins a line by which a test says that it did not run.
const SKIPPED: &str = "skipped: ";

/// Tests that load programs and make namespaces: as root, one after another.
const SERIAL_PACKAGE: &str = "inlay-tests";

/// Runs everything. `arguments` go to every test binary.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let mut report = Report::default();
    report.condition("set-up", |_| setup::setup())?;
    report.condition("build", |_| build::release())?;
    report.step("format", |_| {
        process::openly(process::cargo().args(["fmt", "--all", "--check"]))
    });
    report.step("clippy", |_| process::openly(&mut clippy()));
    report.step("tidy", |_| tidy::tidy());
    report.step("tests", |skipped| {
        watched(&mut parallel_tests(arguments), skipped)
    });
    report.step("tests as root", |tally| {
        watched(&mut serial_tests(arguments)?, tally)
    });
    report.close()
}

fn clippy() -> Command {
    let mut cargo = process::cargo();
    cargo.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    cargo
}

fn parallel_tests(arguments: &[String]) -> Command {
    let mut cargo = process::cargo();
    cargo.args([
        "test",
        "--workspace",
        "--exclude",
        SERIAL_PACKAGE,
        "--no-fail-fast",
        "--",
    ]);
    cargo.args(arguments);
    cargo
}

/// With the output of tests that pass too: a skip is said there.
fn serial_tests(arguments: &[String]) -> Result<Command> {
    let mut cargo = process::cargo();
    cargo.args(["test", "--package", SERIAL_PACKAGE, "--no-fail-fast", "--"]);
    cargo
        .args(["--test-threads=1", "--show-output"])
        .args(arguments);
    if !process::is_root() {
        cargo.env(runner_variable()?, "sudo -E");
    }
    Ok(cargo)
}

/// The variable that names the program by which cargo runs test binaries of this machine's target.
fn runner_variable() -> Result<String> {
    let target = process::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let target = target.trim().replace('-', "_").to_uppercase();
    Ok(format!("CARGO_TARGET_{target}_RUNNER"))
}

/// Runs `command` in the open, and counts what its tests say.
fn watched(command: &mut Command, tally: &mut Tally) -> Result<()> {
    eprintln!("$ {}", process::shown(command));
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let status = process::follow(command, |line| {
        println!("{line}");
        tally.hear(line);
    })?;
    if !status.success() {
        bail!("{} failed ({status})", process::shown(command));
    }
    Ok(())
}

/// What the tests said, over all of their binaries.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// What did not run on this machine, each once.
    skipped: BTreeSet<String>,
}

impl Tally {
    fn hear(&mut self, line: &str) {
        self.skipped.extend(skip(line).map(str::to_owned));
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += count(result, "passed");
            self.failed += count(result, "failed");
            self.ignored += count(result, "ignored");
        }
    }

    /// A test that skips itself counts as passed in libtest's lines, and as skipped here.
    fn closing_line(&self) -> String {
        let passed = self.passed.saturating_sub(self.skipped.len());
        let skipped = self.ignored + self.skipped.len();
        format!("{passed} passed, {} failed, {skipped} skipped", self.failed)
    }
}

/// The number before `word` in libtest's line of results.
fn count(result: &str, word: &str) -> usize {
    let words: Vec<_> = result.split([' ', ';']).collect();
    let pair = words.windows(2).find(|pair| pair[1] == word);
    pair.and_then(|pair| pair[0].parse().ok())
        .unwrap_or_default()
}

/// What a line says was skipped. With one thread, libtest leaves the test's name before it.
fn skip(line: &str) -> Option<&str> {
    let said = match line.split_once(" ... ") {
        Some((test, said)) if test.starts_with("test ") => said,
        _ => line,
    };
    said.strip_prefix(SKIPPED)
}

/// What came of the steps.
#[derive(Default)]
struct Report {
    steps: Vec<(&'static str, Duration, Result<()>)>,
    tally: Tally,
}

impl Report {
    fn step(&mut self, name: &'static str, run: impl FnOnce(&mut Tally) -> Result<()>) {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let result = run(&mut self.tally);
        if let Err(error) = &result {
            eprintln!("{name}: {error:#}");
        }
        self.steps.push((name, started.elapsed(), result));
    }

    /// A step without which no other makes sense.
    fn condition(
        &mut self,
        name: &'static str,
        run: impl FnOnce(&mut Tally) -> Result<()>,
    ) -> Result<()> {
        self.step(name, run);
        let failed = self
            .steps
            .last()
            .is_some_and(|(_, _, result)| result.is_err());
        if failed { self.close() } else { Ok(()) }
    }

    /// Prints what came of it all. Fails if any step failed.
    fn close(&self) -> Result<()> {
        self.print_skipped();
        eprintln!("\n== summary");
        for (name, took, result) in &self.steps {
            let mark = if result.is_ok() { "ok" } else { "FAILED" };
            eprintln!("{mark:>7} {name:<14} {:>7.1} s", took.as_secs_f32());
        }
        println!("{}", self.tally.closing_line());
        let failed: Vec<_> = self.failed().collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }

    fn failed(&self) -> impl Iterator<Item = &'static str> {
        self.steps
            .iter()
            .filter(|(_, _, result)| result.is_err())
            .map(|(name, _, _)| *name)
    }

    fn print_skipped(&self) {
        let skipped = &self.tally.skipped;
        if skipped.is_empty() {
            return;
        }
        eprintln!("\n== NOT RUN on this machine: {}", skipped.len());
        for line in skipped {
            eprintln!("  {SKIPPED}{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_skip_is_found_where_libtest_puts_it() {
        assert_eq!(
            skip("skipped: esp: no ESP in this kernel"),
            Some("esp: no ESP in this kernel")
        );
        assert_eq!(skip("test esp ... skipped: esp: none"), Some("esp: none"));
        assert_eq!(skip("test nothing_is_skipped ... ok"), None);
        assert_eq!(skip("the packet was skipped: see above"), None);
    }

    #[test]
    fn results_add_up_over_binaries() {
        let mut tally = Tally::default();
        tally.hear("test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        tally.hear("skipped: esp: no ESP in this kernel");
        tally
            .hear("test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(tally.closing_line(), "4 passed, 4 failed, 2 skipped");
    }

    #[test]
    fn a_failed_step_fails_the_report_and_stops_no_other() {
        let mut report = Report::default();
        report.step("first", |_| Err(anyhow!("broken")));
        report.step("second", |_| Ok(()));
        assert_eq!(report.close().unwrap_err().to_string(), "failed: first");
        assert_eq!(report.steps.len(), 2);
    }

    #[test]
    fn a_failed_condition_ends_the_run() {
        let mut report = Report::default();
        assert!(
            report
                .condition("build", |_| Err(anyhow!("broken")))
                .is_err()
        );
        assert!(Report::default().condition("build", |_| Ok(())).is_ok());
    }
}
