//! The `datom` program.

use std::process::ExitCode;

use clap::Parser;
use node::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream each belongs to.
            let status = if error.use_stderr() { 2 } else { 0 };
            return match error.print() {
                Ok(()) => ExitCode::from(status),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    match node::command::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            let status = if fault.usage { 2 } else { 1 };
            eprintln!("{:?}", miette::Report::new(*fault));
            ExitCode::from(status)
        }
    }
}
