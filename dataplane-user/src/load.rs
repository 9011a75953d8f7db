//! Maps that are adopted or made, programs that are verified and pinned over them.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::{
    Ebpf, EbpfLoader,
    programs::{ProgramError, Xdp},
};

use crate::{
    Error, INBOUND, LogLevel, OBJECT, OUTBOUND, PASS,
    pins::{self, MapSet, Pins},
    schema::Schema,
    sys,
};

/// The first set that can be adopted, or a fresh one, and why the current one cannot.
pub(crate) fn choose(pins: &Pins, schema: &Schema) -> Result<(MapSet, bool, Vec<String>), Error> {
    let sets = pins.sets()?;
    let mut rejected = Vec::new();
    for set in sets {
        let differences = if set.schema == schema.hash() {
            schema.differences(&set.directory)
        } else {
            vec!["it has another schema".to_owned()]
        };
        if differences.is_empty() {
            return Ok((set, true, rejected));
        }
        let name = set.directory.display().to_string();
        rejected.extend(
            differences
                .into_iter()
                .map(|what| format!("{name}: {what}")),
        );
    }
    Ok((pins.next_set(schema.hash())?, false, rejected))
}

pub(crate) fn object(
    schema: &Schema,
    set: &MapSet,
    log_level: Option<LogLevel>,
) -> Result<Ebpf, Error> {
    let level = log_level.map_or(0, |level| level as u8);
    let mut loader = EbpfLoader::new();
    loader.override_global("AYA_LOG_LEVEL", &level, false);
    for name in schema.names() {
        loader.map_pin_path(name, set.directory.join(name));
    }
    loader.load(OBJECT).map_err(Error::load)
}

/// Loads each program and pins it in the place of the one before.
pub(crate) fn pin_programs(
    object: &mut Ebpf,
    set: &MapSet,
) -> Result<HashMap<&'static str, OwnedFd>, Error> {
    let mut programs = HashMap::new();
    for name in [OUTBOUND, INBOUND, PASS] {
        let missing = || Error::Object {
            what: format!("program {name}"),
        };
        let program: &mut Xdp = object
            .program_mut(name)
            .ok_or_else(missing)?
            .try_into()
            .map_err(Error::load)?;
        verify(program)?;
        let fd = program.fd().map_err(Error::load)?.as_fd();
        let (path, next) = (
            set.programs().join(name),
            set.programs().join(format!("{name}-next")),
        );
        pins::remove_file(&next)?;
        sys::pin(fd, &next).map_err(Error::file("pin the program at", &next))?;
        std::fs::rename(&next, &path).map_err(Error::file("replace", &path))?;
        programs.insert(
            name,
            fd.try_clone_to_owned().map_err(Error::file("open", path))?,
        );
    }
    Ok(programs)
}

/// Has the verifier look at a program. A signal makes it give up with EAGAIN, whatever it is of.
fn verify(program: &mut Xdp) -> Result<(), Error> {
    const TRIES_MAX: usize = 20;
    let is_interrupted = |error: &ProgramError| match error {
        ProgramError::LoadError { io_error, .. } => io_error.kind() == io::ErrorKind::WouldBlock,
        _ => false,
    };
    for _ in 1..TRIES_MAX {
        match program.load() {
            Err(error) if is_interrupted(&error) => {}
            result => return result.map_err(Error::load),
        }
    }
    program.load().map_err(Error::load)
}
