//! What each command does.

mod agent;
mod backup;
mod blame;
mod complete;
mod completions;
mod diff;
mod export;
mod fmt;
pub(crate) mod fork;
mod import;
mod init;
mod log;
mod lyquid;
mod nock;
mod pull;
mod query;
mod repl;
mod ring;
mod run;
mod slab;
mod stats;
mod step;
pub(crate) mod token;
mod transact;
mod verify;
mod watch;

use crate::cli::Command;
use crate::fault::Fault;

/// How a command ends.
pub type Outcome = Result<(), Box<Fault>>;

/// Does what the command line asks.
///
/// # Errors
/// What a person is to be told.
pub fn run(command: Command) -> Outcome {
    match command {
        Command::Init(arguments) => init::init(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Agents(arguments) => agent::agents(&arguments),
        Command::Agent(arguments) => agent::agent(&arguments),
        Command::Q(arguments) => query::query(&arguments),
        Command::Transact(arguments) => transact::transact(&arguments),
        Command::Pull(arguments) => pull::pull(&arguments),
        Command::Log(arguments) => log::log(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Watch(arguments) => watch::watch(&arguments),
        Command::Fork(arguments) => fork::fork(&arguments),
        Command::Merge(arguments) => fork::merge(&arguments),
        Command::Blame(arguments) => blame::blame(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Repl(arguments) => repl::repl(&arguments),
        Command::Fmt(arguments) => fmt::fmt(&arguments),
        Command::Ring(command) => ring::ring(&command),
        Command::Slab(command) => slab::slab(&command),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Stats(arguments) => stats::stats(&arguments),
        Command::Gc(arguments) => stats::gc(&arguments),
        Command::Rebuild(arguments) => stats::rebuild(&arguments),
        Command::Backup(arguments) => backup::backup(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Token(arguments) => token::token(&arguments),
        Command::Lyquid(arguments) => lyquid::lyquid(&arguments),
        Command::Nock(arguments) => nock::nock(&arguments),
        Command::Completions { shell } => completions::completions(shell),
    }
}
