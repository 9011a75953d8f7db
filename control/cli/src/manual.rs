//! `inlay completions` and `inlay man`: made from the command line itself.

use std::{fs, io, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell that reads them
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Writes a page for every verb into this directory; without it the first page is printed
    directory: Option<PathBuf>,
}

impl Completions {
    pub(crate) fn run(&self, mut command: Command) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "inlay", &mut script);
        print(&script)
    }
}

impl Man {
    pub(crate) fn run(&self, command: Command) -> anyhow::Result<()> {
        let Some(directory) = &self.directory else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            return print(&page);
        };
        let cannot = || format!("{} cannot be written", directory.display());
        fs::create_dir_all(directory).with_context(cannot)?;
        clap_mangen::generate_to(command, directory).with_context(cannot)
    }
}

fn print(bytes: &[u8]) -> anyhow::Result<()> {
    Ok(io::Write::write_all(&mut io::stdout().lock(), bytes)?)
}
