//! The command line: what can be asked, and how.

mod upkeep;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use datom::{Value, edn};
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
    Init(World),
    /// Store a program as datoms and run it from the database.
    Run(Run),
    /// List the agents: programs run with --durable.
    Agents(World),
    /// Show an agent, or tell it what to do.
    #[command(subcommand)]
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
    Repl(World),
    /// Lay out the source text of programs; comments stay.
    Fmt(Fmt),
    /// Check everything: memory, indexes, log, hash chain.
    Verify(Verify),
    /// Show what the world takes, where it lies, and who has it open.
    Stats(Stats),
    /// Compress the log's full segments, and move old ones to another folder.
    Gc(Gc),
    /// Copy everything that is committed; what an earlier backup has is not copied again.
    Backup(Backup),
    /// Make a world from a backup.
    Restore(Restore),
    /// Make and inspect capability tokens.
    #[command(subcommand)]
    Token(Token),
    /// Run an exported function of a WebAssembly module (binary or text) under fuel.
    Lyquid(Lyquid),
    /// Print the jam of a noun, or the noun of a jam.
    #[command(subcommand)]
    Nock(Nock),
    /// Look at a ring of shared memory from outside.
    #[command(subcommand)]
    Ring(Ring),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// `datom ring`
#[derive(Debug, Subcommand)]
pub enum Ring {
    /// Print what a ring holds, and which processes have its sides.
    Stat {
        /// File of the ring.
        #[arg(value_name = "FILE")]
        file: PathBuf,
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
pub struct Verify {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Go on behind what the log still holds, when transactions in it are damaged or missing. What
    /// cannot be read is put aside, never deleted.
    #[arg(long)]
    pub repair: bool,
}

/// `datom fmt`
#[derive(Debug, Args)]
pub struct Fmt {
    /// The files; `-` is standard input, laid out on standard output.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Write nothing; fail if a file is laid out differently.
    #[arg(long)]
    pub check: bool,
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
    /// the same command goes on where it was, whatever ended it.
    #[arg(long, value_name = "NAME")]
    pub durable: Option<String>,
    /// Stop the program after this many machine steps.
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
    Show(WhichAgent),
    /// Show where it stood after transaction T.
    At {
        /// Which agent.
        #[command(flatten)]
        agent: WhichAgent,
        /// The transaction.
        #[arg(value_name = "T")]
        t: u64,
    },
    /// Let it stop at its next effect; its process ends.
    Pause(WhichAgent),
    /// Let a paused agent go on when `datom run --durable` is called for it again.
    Resume(WhichAgent),
    /// End it for good at its next effect.
    Cancel(WhichAgent),
}

/// Which moments of the database a command sees.
#[derive(Debug, Args, Clone)]
pub struct View {
    /// As the database was after transaction T, or at a time such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "T")]
    pub as_of: Option<Moment>,
    /// Only what was stated after transaction T, or after a time.
    #[arg(long, value_name = "T")]
    pub since: Option<Moment>,
    /// Of a fork instead of the world.
    #[arg(long, value_name = "NAME")]
    pub fork: Option<String>,
    /// Every assertion and retraction, not only what holds now.
    #[arg(long)]
    pub history: bool,
}

/// A transaction, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The transaction of this number.
    Transaction(u64),
    /// Microseconds since 1970 UTC.
    Instant(i64),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(t) = text.parse() {
            return Ok(Moment::Transaction(t));
        }
        match edn::read(&format!("#inst {}", Value::text(text))) {
            Ok(Value::Instant(instant)) => Ok(Moment::Instant(instant)),
            _ => Err("a number of a transaction, or a time such as 2026-01-31T12:00:00Z".into()),
        }
    }
}

/// `datom q`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom q world '[:find ?n :where [_ :package/name ?n]]'
  datom q world --in '\"serde\"' '[:find ?v :in $ ?n :where [?p :package/name ?n] [?p :package/version ?v]]'
  datom q world --as-of 4 '[:find (count ?p) . :where [?p :package/name]]'
  datom q world --explain '[:find ?n :where [?p :package/depends ?d] [?d :package/name ?n]]'")]
pub struct Query {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The query, as EDN.
    #[arg(value_name = "QUERY")]
    pub query: String,
    /// An input, as EDN, in the order of `:in` after `$`. May be given several times.
    #[arg(long = "in", value_name = "EDN")]
    pub inputs: Vec<String>,
    /// Which moments to see.
    #[command(flatten)]
    pub view: View,
    /// Show the plan instead of the answer.
    #[arg(long)]
    pub explain: bool,
    /// The same, with the time spent in each step.
    #[arg(long)]
    pub profile: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom transact`
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds one vector of transaction data, or its elements one after another:
  {:package/name \"mine\" :package/version \"0.1.0\"}
  [:db/retract [:package/name+version [\"old\" \"1.0.0\"]] :package/checksum]")]
pub struct Transact {
    /// Folder of the world; made if absent.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// EDN file, or - for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// In a fork instead of the world.
    #[arg(long, value_name = "NAME")]
    pub fork: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom pull`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  datom pull world '[:package/name {:package/depends [:package/name]}]' '[:package/name+version [\"serde\" \"1.0.229\"]]'")]
pub struct Pull {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The pattern, as EDN.
    #[arg(value_name = "PATTERN")]
    pub pattern: String,
    /// The entity: a number, an ident, or a lookup ref.
    #[arg(value_name = "ENTITY", allow_hyphen_values = true)]
    pub entity: String,
    /// Which moments to see.
    #[command(flatten)]
    pub view: View,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom log`
#[derive(Debug, Args)]
pub struct Log {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The earlier transaction.
    #[arg(required_unless_present = "fork", requires = "to")]
    pub from: Option<u64>,
    /// The later transaction.
    pub to: Option<u64>,
    /// What this fork changed since its base.
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub fork: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom watch`
#[derive(Debug, Args)]
#[command(after_help = "\
The first line holds the rows as they are, each further line what one commit, by any process, adds \
and removes. Whoever stops at t goes on with --since t and misses nothing.

Example:
  datom watch world '[:find ?n ?v :where [?p :package/name ?n] [?p :package/version ?v]]'")]
pub struct Watch {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The query, as EDN.
    #[arg(value_name = "QUERY")]
    pub query: String,
    /// An input, as EDN, in the order of `:in` after `$`. May be given several times.
    #[arg(long = "in", value_name = "EDN")]
    pub inputs: Vec<String>,
    /// Only what changed after transaction T.
    #[arg(long, value_name = "T")]
    pub since: Option<u64>,
    /// End after so many changes.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
}

/// `datom fork`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom fork world draft
  datom transact world changes.edn --fork draft
  datom q world '[:find ?n :where [_ :package/name ?n]]' --fork draft
  datom diff world --fork draft
  datom merge world draft")]
pub struct Fork {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The new fork's name. Without one, forks are listed.
    pub name: Option<String>,
    /// Fork the world as it was after transaction T.
    #[arg(long, value_name = "T", requires = "name")]
    pub at: Option<u64>,
    /// Retract the fork of this name instead. Its commits stay in the world's history.
    #[arg(long, requires = "name", conflicts_with = "at")]
    pub retract: bool,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom merge`
#[derive(Debug, Args)]
pub struct Merge {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The fork.
    pub name: String,
    /// Who wins where both changed the same. Without this, conflicts are printed and nothing is
    /// merged.
    #[arg(long, value_enum)]
    pub resolve: Option<Resolve>,
    /// How to print conflicts.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Who wins where both changed the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resolve {
    /// The world.
    Ours,
    /// The fork.
    Theirs,
}

/// `datom blame`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  datom blame world '[:package/name+version [\"serde\" \"1.0.229\"]]' :package/checksum")]
pub struct Blame {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The entity: a number, an ident, or a lookup ref.
    #[arg(value_name = "ENTITY", allow_hyphen_values = true)]
    pub entity: String,
    /// Only this attribute.
    #[arg(value_name = "ATTRIBUTE")]
    pub attribute: Option<String>,
    /// Which moments to see.
    #[command(flatten)]
    pub view: View,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom export`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom export world facts.edn
  datom export world --as-of 12 facts.csv
  datom export world --format json | grep package/name")]
pub struct Export {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Where to; standard output, if not given or -.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which moments to see.
    #[command(flatten)]
    pub view: View,
    /// The form; if not given, what the file's name ends in, else EDN.
    #[arg(long, value_enum)]
    pub format: Option<Transfer>,
}

/// `datom import`
#[derive(Debug, Args)]
#[command(after_help = "\
A number under db/id names an entity within the file; the world gives it a number of its own, or takes \
the entity that has the unique identity it states. CSV is either facts (entity,attribute,value) or an \
entity a row, under columns that are attributes.

Examples:
  datom import world facts.edn
  datom import world people.csv
  datom import world git ~/src/project")]
pub struct Import {
    /// Folder of the world; made if absent.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The file, - for standard input, or the word git.
    #[arg(value_name = "FILE|git")]
    pub source: PathBuf,
    /// The folder of a git repository: each of its commits becomes a transaction with its real time.
    #[arg(value_name = "REPO")]
    pub repository: Option<PathBuf>,
    /// The form; if not given, what the file's name ends in, else EDN.
    #[arg(long, value_enum)]
    pub format: Option<Transfer>,
}

/// The form of exported facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Transfer {
    /// A map a line.
    #[default]
    Edn,
    /// JSON Lines: an object a line.
    #[value(alias = "jsonl")]
    Json,
    /// A row a fact.
    Csv,
}

impl Transfer {
    /// The form that a file's name says.
    #[must_use]
    pub fn of(file: &Path) -> Option<Self> {
        match file.extension()?.to_str()? {
            "edn" => Some(Transfer::Edn),
            "json" | "jsonl" | "ndjson" => Some(Transfer::Json),
            "csv" => Some(Transfer::Csv),
            _ => None,
        }
    }
}

/// `datom token`
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Mint a token from the world's key and record the grant.
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
    Show {
        /// Folder of the world.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// The token.
        token: String,
    },
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
    Jam {
        /// A noun such as '[1 2 3]'.
        noun: String,
    },
    /// The noun that a number is the jam of.
    Cue {
        /// The number.
        jam: String,
    },
    /// The product of a subject and a formula.
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
