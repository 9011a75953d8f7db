//! One step's progress: a spinner with the last line heard on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Redraw interval of a spinner.
const TICK: Duration = Duration::from_millis(100);

/// A step under way. It ends with a line that stays, good or bad.
pub(crate) struct Progress {
    name: &'static str,
    started: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// Begins a step. Nothing stays on the screen of a step that ends at once, but its last line.
    pub(crate) fn begin(name: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_prefix(name);
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {prefix:<12} {wide_msg} {elapsed}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self {
            name,
            started: Instant::now(),
            bar,
        }
    }

    /// Says what the step is about to do, which may take a while.
    pub(crate) fn doing(&self, what: &str) {
        if self.bar.is_hidden() {
            eprintln!("   .. {:<12} {what}", self.name);
        }
        self.bar.set_message(what.to_owned());
    }

    /// Passes on a line of a program's output; only a terminal shows it, and only until the next.
    pub(crate) fn line(&self, line: &str) {
        self.bar.set_message(line.trim_end().replace('\t', " "));
    }

    /// Ends the step well.
    pub(crate) fn done(self, result: &str) {
        self.end("ok", result);
    }

    /// Ends the step badly.
    pub(crate) fn failed(self, result: &str) {
        self.end("FAIL", result);
    }

    fn end(self, mark: &str, result: &str) {
        self.bar.finish_and_clear();
        eprintln!(
            "{mark:>5} {:<12} {result} ({:.1} s)",
            self.name,
            self.started.elapsed().as_secs_f32()
        );
    }
}
