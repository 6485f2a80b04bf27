//! `datom completions`: a script that completes our command line in a shell.

use clap::CommandFactory;

use super::Outcome;
use crate::cli::Cli;

pub(super) fn completions(shell: clap_complete::Shell) -> Outcome {
    clap_complete::generate(shell, &mut Cli::command(), "datom", &mut std::io::stdout());
    Ok(())
}
