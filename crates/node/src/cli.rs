//! The command line: what can be asked, and how.

mod facts;
mod forks;
mod memory;
mod programs;
mod transfer;
mod upkeep;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use facts::{Blame, Diff, Log, Moment, Pull, Query, Transact, View, Watch};
pub use forks::{Fork, Merge, Resolve};
pub use memory::{Block, Dump, Ring, Slab};
pub use programs::{Agent, Fmt, Lyquid, Nock, Run, WhichAgent};
pub use transfer::{Export, Import, Transfer};
pub use upkeep::{Backup, Gc, Restore, Stats};

/// Facts, programs and effects in one folder.
#[derive(Debug, Parser)]
#[command(name = "datom", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Results go to standard output: a table on a terminal, EDN in a pipe. Everything else goes to \
standard error. Exit status: 0 done, 1 the work failed, 2 the call was wrong.

Examples:
  datom run world examples/deps.yin Cargo.lock
  datom q world '[:find ?n ?v :where [?p :package/name ?n] [?p :package/version ?v]]'
  datom log world")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a world: an empty database and a key.
    #[command(after_help = "\
Example:
  datom init world")]
    Init(World),
    /// Store a program as datoms and run it from the database.
    Run(Run),
    /// List the agents: programs run with --durable.
    ///
    /// Of each: what it does, its program, what it asked for last, when the world kept something of it
    /// last, and the process that runs it.
    #[command(after_help = "\
An agent that is to run and that no process runs is :agent.status/stopped; the command that began it, or \
`datom agent migrate`, goes on with it.

Example:
  datom agents world")]
    Agents(World),
    /// Show an agent, or tell it what to do.
    #[command(
        subcommand,
        after_help = "\
Examples:
  datom run world examples/chain.yin --durable ada --allow :fs/append    makes one, or goes on with it
  datom agent show world ada
  datom agent at world ada 31
  echo ':to 9' | datom agent step world ada
  datom agent migrate world ada
  datom agent replay world ada"
    )]
    Agent(Agent),
    /// Ask a Datalog query.
    #[command(visible_alias = "query")]
    Q(Query),
    /// Add and withdraw facts from an EDN file.
    Transact(Transact),
    /// Show an entity by a pull pattern.
    Pull(Pull),
    /// List the transactions: number, time, counts, and who and why.
    Log(Log),
    /// Show the facts added and removed between two moments, or by a fork.
    Diff(Diff),
    /// Print what each commit changes of a query's answer, as it happens.
    Watch(Watch),
    /// Make a named branch that shares everything before, or list the branches.
    Fork(Fork),
    /// Bring what a fork changed into the world.
    Merge(Merge),
    /// Show who said what about an entity, when, and why.
    Blame(Blame),
    /// Write the facts as EDN, JSON Lines or CSV.
    Export(Export),
    /// Take in facts from EDN, JSON Lines or CSV, or a git history.
    Import(Import),
    /// Evaluate expressions and queries as you type them.
    #[command(after_help = "\
A line that begins with a colon is a command; :help lists them. In a pipe, the first failure ends it.

Examples:
  datom repl world
  echo '(+ 1 2)' | datom repl world")]
    Repl(World),
    /// Lay out the source text of programs; comments stay.
    Fmt(Fmt),
    /// Check everything: memory, indexes, log, hash chain.
    Verify(Verify),
    /// Show what the world takes, where it lies, and who has it open.
    Stats(Stats),
    /// Compress the log's full segments, move old ones to another folder, give up old history.
    Gc(Gc),
    /// Make the shared memory again from the log, with all its history.
    #[command(after_help = "\
Example:
  datom rebuild world")]
    Rebuild(World),
    /// Copy everything that is committed; what an earlier backup has is not copied again.
    Backup(Backup),
    /// Make a world from a backup.
    Restore(Restore),
    /// Make and inspect capability tokens.
    #[command(
        subcommand,
        after_help = "\
Examples:
  datom token mint world :fs/read --folder .
  datom run world report.yin --grant \"$(datom token mint world :fs/read)\""
    )]
    Token(Token),
    /// Run an exported function of a WebAssembly module (binary or text) under fuel.
    Lyquid(Lyquid),
    /// Print the jam of a noun, or the noun of a jam.
    #[command(subcommand, after_help = "Example:\n  datom nock eval '[1 2]' '[0 3]'")]
    Nock(Nock),
    /// Look at a ring of shared memory from outside.
    #[command(subcommand, after_help = "Example:\n  datom ring stat requests.ring")]
    Ring(Ring),
    /// Look at a region of shared memory from outside: its state, its blocks, what is wrong.
    #[command(subcommand, after_help = "Example:\n  datom slab stat world/region.eve")]
    Slab(Slab),
    /// Print a completion script for a shell.
    #[command(after_help = "\
Example:
  datom completions bash > ~/.local/share/bash-completion/completions/datom")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// A world and nothing else.
#[derive(Debug, Args)]
pub struct World {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// `datom verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom verify world
  datom verify world --repair")]
pub struct Verify {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Go on behind what the log still holds, when transactions in it are damaged or missing. What
    /// cannot be read is put aside, never deleted.
    #[arg(long)]
    pub repair: bool,
}

/// `datom token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Mint a token from the world's key and record the grant.
    #[command(after_help = "\
Example:
  datom token mint world :fs/read --folder . --expires-in 3600")]
    Mint {
        /// Folder of the world.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// The operation it allows, for example :fs/read.
        operation: String,
        /// A folder that file operations are confined to. May be given several times.
        #[arg(long)]
        folder: Vec<PathBuf>,
        /// Seconds until it expires; never, if not given.
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u64>,
    },
    /// Check a token against the world's key and show what it allows.
    #[command(after_help = "\
Example:
  datom token show world \"$(datom token mint world :fs/read)\"")]
    Show {
        /// Folder of the world.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// The token.
        token: String,
    },
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table on a terminal, EDN in a pipe.
    #[default]
    Auto,
    /// A table.
    Table,
    /// EDN, one value a line for relations.
    Edn,
    /// JSON; what JSON lacks becomes text.
    Json,
}

#[cfg(test)]
mod tests;
