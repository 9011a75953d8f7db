//! The places of values in a YAML file, and the parts of YAML that a state does not use.
//!
//! `serde_yaml` gives out the place of its own errors only. So this walks the events of a second
//! parser, which have marks: once before the file is read, to refuse what a state must not hold
//! (anchors and aliases, which can make a small file a huge state; repeated keys; several
//! documents), and once more when there are problems to be placed. It is not a reader of values.

use std::collections::HashMap;
use std::fmt::Write as _;

use saphyr_parser::{Event, Marker, Parser};

use crate::invalid_value::quoted;
use crate::limits::FILE_DEPTH_MAX;
use crate::problem::{Problem, Problems};

/// Refuses what a state must not hold, and what is not YAML. Repeated keys are all found; the
/// first of the other problems ends the walk.
pub(crate) fn check_syntax(text: &str, problems: &mut Problems) {
    let mut walk = Walk::default();
    let end = walk.run(text, |_, _| {});
    for problem in walk.repeated {
        problems.push(problem);
    }
    if let Err(problem) = end {
        problems.push(problem);
    }
}

/// Gives each problem that has none the place of the value at its path, or of the nearest value
/// around it. The place of a list in lines is that of its first element.
pub(crate) fn place(text: &str, problems: &mut [Problem]) {
    let mut wanted: HashMap<String, Option<Marker>> = problems
        .iter()
        .filter(|problem| problem.line.is_none())
        .flat_map(|problem| enclosing(&problem.path))
        .map(|path| (path.to_owned(), None))
        .collect();
    // The text passed `check_syntax`; if it did not, the places found before the end still hold.
    let _ended = Walk::default().run(text, |path, marker| {
        if let Some(found) = wanted.get_mut(path) {
            found.get_or_insert(marker);
        }
    });
    for problem in problems.iter_mut().filter(|problem| problem.line.is_none()) {
        let found = enclosing(&problem.path).find_map(|path| *wanted.get(path)?);
        if let Some(marker) = found {
            (problem.line, problem.column) = (Some(marker.line()), Some(marker.col() + 1));
        }
    }
}

/// `path`, then what encloses it, ever wider, up to the root.
fn enclosing(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        (!path.is_empty()).then(|| &path[..path.rfind(['.', '[']).unwrap_or(0)])
    })
}

/// What the walk is inside of.
enum Frame {
    /// A mapping: the lines of its keys; whether a value comes next.
    Mapping {
        key_lines: HashMap<String, usize>,
        value_next: bool,
        path_len: usize,
    },
    /// A list: how many elements were begun.
    List { begun: usize, path_len: usize },
}

#[derive(Default)]
struct Walk {
    frames: Vec<Frame>,
    /// Path of the value that comes next or was last.
    path: String,
    documents: usize,
    repeated: Vec<Problem>,
}

impl Walk {
    /// Calls `visit` with the path and the start of each value.
    fn run(&mut self, text: &str, mut visit: impl FnMut(&str, Marker)) -> Result<(), Problem> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let message = format!("not YAML: {}; correct the text here", error.info());
                at(*error.marker(), Problem::new("", message))
            })?;
            self.take(&event, span.start, &mut visit)?;
        }
        if self.documents == 0 {
            return Err(Problem::new(
                "",
                "the file is empty; begin it with version: 1 and a host",
            ));
        }
        Ok(())
    }

    fn take(
        &mut self,
        event: &Event<'_>,
        marker: Marker,
        visit: &mut impl FnMut(&str, Marker),
    ) -> Result<(), Problem> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.begin_document(marker),
            Event::Alias(_) => Err(self.refuse_anchor(marker)),
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _)
                if *anchor != 0 =>
            {
                Err(self.refuse_anchor(marker))
            }
            Event::Scalar(text, ..) => self.scalar(text, marker, visit),
            Event::SequenceStart(..) => {
                self.begin_value(marker, visit)?;
                self.push(
                    Frame::List {
                        begun: 0,
                        path_len: self.path.len(),
                    },
                    marker,
                )
            }
            Event::MappingStart(..) => {
                self.begin_value(marker, visit)?;
                let path_len = self.path.len();
                let frame = Frame::Mapping {
                    key_lines: HashMap::new(),
                    value_next: false,
                    path_len,
                };
                self.push(frame, marker)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.frames.pop();
                Ok(())
            }
        }
    }

    fn begin_document(&mut self, marker: Marker) -> Result<(), Problem> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let message = "a second document begins here; keep one document in a file";
        Err(at(marker, Problem::new("", message)))
    }

    fn scalar(
        &mut self,
        text: &str,
        marker: Marker,
        visit: &mut impl FnMut(&str, Marker),
    ) -> Result<(), Problem> {
        match self.frames.last_mut() {
            Some(Frame::Mapping {
                key_lines,
                value_next,
                path_len,
            }) if !*value_next => {
                *value_next = true;
                self.path.truncate(*path_len);
                let enclosing_path = self.path.clone();
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(if is_word(text) { text } else { "?" });
                if let Some(first_line) = key_lines.insert(text.to_owned(), marker.line()) {
                    let key = quoted(text);
                    let message =
                        format!("{key} is also on line {first_line}; keep one of the two");
                    self.repeated
                        .push(at(marker, Problem::new(enclosing_path, message)));
                }
                Ok(())
            }
            _ => self.begin_value(marker, visit),
        }
    }

    /// Moves the path to the value that begins at `marker`.
    fn begin_value(
        &mut self,
        marker: Marker,
        visit: &mut impl FnMut(&str, Marker),
    ) -> Result<(), Problem> {
        match self.frames.last_mut() {
            None => {}
            Some(Frame::Mapping { value_next, .. }) if *value_next => *value_next = false,
            Some(Frame::Mapping { path_len, .. }) => {
                let enclosing_path = &self.path[..*path_len];
                let message = "a list or a mapping stands for a key here; write the field's name";
                return Err(at(marker, Problem::new(enclosing_path, message)));
            }
            Some(Frame::List { begun, path_len }) => {
                self.path.truncate(*path_len);
                // Writing to a String does not fail.
                let _ = write!(self.path, "[{begun}]");
                *begun += 1;
            }
        }
        visit(&self.path, marker);
        Ok(())
    }

    fn push(&mut self, frame: Frame, marker: Marker) -> Result<(), Problem> {
        if self.frames.len() == FILE_DEPTH_MAX {
            let message =
                format!("nested deeper than {FILE_DEPTH_MAX} levels; no field lies so deep");
            return Err(at(marker, Problem::new(&self.path, message)));
        }
        self.frames.push(frame);
        Ok(())
    }

    fn refuse_anchor(&self, marker: Marker) -> Problem {
        let message = "anchors and aliases are not taken; write the value out where it is needed";
        at(marker, Problem::new(&self.path, message))
    }
}

/// Whether `text` can be a field's name. Paths hold nothing else: they are shown as they are.
fn is_word(text: &str) -> bool {
    const LEN_BYTES_MAX: usize = 64;
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= LEN_BYTES_MAX && text.bytes().all(is_letter)
}

fn at(marker: Marker, problem: Problem) -> Problem {
    problem.at(marker.line(), marker.col() + 1)
}
