//! Programs: run, kept, laid out.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Format, Moment};

/// `datom fmt`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom fmt examples/deps.yin
  datom fmt --check *.yin
  echo '(def x   1)' | datom fmt -")]
pub struct Fmt {
    /// The files; `-` is standard input, laid out on standard output.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write nothing; fail if a file is laid out differently.
    #[arg(long)]
    pub check: bool,
}

/// What agents of one process are not run with.
const ALONE: [&str; 2] = ["durable", "as_of"];

fn agents() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=crate::runner::AGENTS_MAX as u64)
}

/// `datom run`
#[derive(Debug, Args)]
#[command(after_help = "\
The program may only do what a token allows. Without --grant the node mints one token for each \
operation that the program names, writing files apart; files are confined to the current folder \
and the folders of the files named in ARGS.

Examples:
  datom run world examples/deps.yin Cargo.lock
  datom run world examples/deps.yin Cargo.lock --deny :fs/read
  datom run world report.yin --allow :fs/write
  datom run world examples/ring.yin 1000 --agents 100
  datom run world examples/ring.yin 10 --agents 5 --durable ring
  datom run world examples/boss.yin 200 --with examples/worker.yin --threads 2
  datom run world examples/deps.yin Cargo.lock --grant \"$(datom token mint world :fs/read --folder .)\"")]
pub struct Run {
    /// Folder of the world; made if absent.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The program.
    #[arg(value_name = "FILE.yin")]
    pub file: PathBuf,
    /// What the program finds in `args`, as text.
    #[arg(value_name = "ARGS")]
    pub args: Vec<String>,
    /// Answer this operation with an error, for example :fs/read.
    #[arg(long, value_name = "OPERATION")]
    pub deny: Vec<String>,
    /// Mint a token for this operation too. Writing files is not allowed without it.
    #[arg(long, value_name = "OPERATION")]
    pub allow: Vec<String>,
    /// Allow only what these tokens allow, instead of minting tokens for everything.
    #[arg(long, value_name = "TOKEN")]
    pub grant: Vec<String>,
    /// Run as the agent of this name: its state and the answers it gets are kept in the world, and
    /// the same command goes on where it was, whatever ended it. A process that runs it already is
    /// asked to leave.
    #[arg(long, value_name = "NAME")]
    pub durable: Option<String>,
    /// Run the program by so many agents at a time, in this process: each has its number as `agent`, how
    /// many there are as `agents`, and its inbox as `inbox`; `(perform :agent/inbox n)` is the
    /// stream to write to agent n, `(perform :agent/start NAME args)` one agent more. A program that
    /// names streams or agents is run so anyway, by one agent. The values are printed in the order of
    /// the numbers, and a summary on standard error; Ctrl-C ends all. With --durable NAME they are the agents
    /// NAME/0, NAME/1 and so on, which outlive this process.
    #[arg(long, value_name = "N", value_parser = agents(), conflicts_with = "as_of")]
    pub agents: Option<u64>,
    /// Threads that run the agents; all processors, if not given. With 0, one runs them in the same order
    /// each time.
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(0..=1024), conflicts_with_all = ALONE)]
    pub threads: Option<u16>,
    /// Store this program too, so that agents can be started by its name.
    #[arg(long, value_name = "FILE.yin", conflicts_with_all = ALONE)]
    pub with: Vec<PathBuf>,
    /// Follow the functions of the world: whoever changes what :function/program a :function/name
    /// refers to changes this program while it runs, in all its agents. A durable agent keeps with
    /// each change from where on it ran the new code.
    #[arg(long)]
    pub live: bool,
    /// Sample which functions run, each time after so many machine steps, and state it as facts, of each
    /// agent apart.
    #[arg(long, value_name = "STEPS")]
    pub trace: Option<u64>,
    /// Run the code of then on the facts of then: after transaction T, or at a time. FILE.yin is the
    /// name that the program was run with; nothing can be transacted.
    #[arg(long, value_name = "T", conflicts_with_all = ["durable", "live", "trace"])]
    pub as_of: Option<Moment>,
    /// Stop the program, or each of its agents, after this many machine steps, effects included; a durable
    /// agent's next process has as many again.
    #[arg(long, value_name = "STEPS", default_value_t = 10_000_000_000)]
    pub fuel: u64,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Which agent.
#[derive(Debug, Args)]
pub struct WhichAgent {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// `datom agent`
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Show where it stands: its calls with their names and values, what it asked for last.
    #[command(after_help = "\
Example:
  datom agent show world ada")]
    Show(WhichAgent),
    /// Show where it stood after transaction T, or at a step of its program.
    #[command(after_help = "\
Examples:
  datom agent at world ada 31
  datom agent at world ada 2026-01-31T12:00:00Z
  datom agent at world ada --step 4000")]
    At {
        /// Which agent.
        #[command(flatten)]
        agent: WhichAgent,
        /// The transaction, or a time.
        #[arg(value_name = "T", required_unless_present = "step")]
        t: Option<Moment>,
        /// The step, counted from the beginning: one to each call, turn of a loop and request. The
        /// program is run again up to there on what was kept of it.
        #[arg(long, value_name = "N", conflicts_with = "t")]
        step: Option<u64>,
    },
    /// Go through its program step by step, forwards and back: on a terminal in the REPL, in a pipe by
    /// commands such as :step, :back, :next, :where, :frames, a line each; :help lists them.
    #[command(after_help = "\
Examples:
  datom agent step world ada
  printf ':to 9\\n:back\\n:frames\\n' | datom agent step world ada")]
    Step(WhichAgent),
    /// State where agents stand as facts, for queries: of those named, or of all.
    #[command(after_help = "\
Examples:
  datom agent facts world
  datom q world '[:find ?name ?at :where [?a :agent/name ?name] [?a :agent/stands ?s] [?s :state/frames ?f] [?f :frame/at ?at]]'")]
    Facts {
        /// Folder of the world.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Their names.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Let it stop at its next effect, where it is kept; its process ends.
    #[command(after_help = "\
Example:
  datom agent pause world ada")]
    Pause(WhichAgent),
    /// Let a paused agent go on when `datom run --durable` is called for it again.
    #[command(after_help = "\
Example:
  datom agent resume world ada")]
    Resume(WhichAgent),
    /// End it for good at its next effect.
    #[command(after_help = "\
Example:
  datom agent cancel world ada")]
    Cancel(WhichAgent),
    /// Go on with it in this process, with the rights it has: if another process runs it, that leaves
    /// at its next effect; if it is paused, it goes on.
    #[command(after_help = "\
Example:
  datom agent migrate world ada")]
    Migrate {
        /// Which agent.
        #[command(flatten)]
        agent: WhichAgent,
        /// Leave it after this many machine steps.
        #[arg(long, value_name = "STEPS", default_value_t = 10_000_000_000)]
        fuel: u64,
        /// How to print the result.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Run it again from its beginning on what was kept of it, and compare each of its states.
    #[command(after_help = "\
Example:
  datom agent replay world ada")]
    Replay(WhichAgent),
}

/// `datom lyquid`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  datom lyquid adder.wat add 2 40")]
pub struct Lyquid {
    /// The module, .wasm or .wat.
    #[arg(value_name = "MODULE")]
    pub module: PathBuf,
    /// The exported function.
    pub function: String,
    /// Its arguments.
    #[arg(allow_hyphen_values = true)]
    pub arguments: Vec<String>,
    /// Stop the guest after this much fuel.
    #[arg(long, default_value_t = 1_000_000_000)]
    pub fuel: u64,
}

/// `datom nock`
#[derive(Debug, Subcommand)]
pub enum Nock {
    /// The jam of a noun, as a number.
    #[command(after_help = "\
Example:
  datom nock jam '[1 2 3]'")]
    Jam {
        /// A noun such as '[1 2 3]'.
        noun: String,
    },
    /// The noun that a number is the jam of.
    #[command(after_help = "\
Example:
  datom nock cue 3425")]
    Cue {
        /// The number.
        jam: String,
    },
    /// The product of a subject and a formula.
    #[command(after_help = "\
Example:
  datom nock eval '[1 2]' '[0 3]'")]
    Eval {
        /// The subject, a noun.
        subject: String,
        /// The formula, a noun.
        formula: String,
        /// Stop after this many steps.
        #[arg(long, default_value_t = 1_000_000_000)]
        fuel: u64,
    },
}
