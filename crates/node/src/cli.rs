//! The command line: what can be asked, and how.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Ask a Datalog query.
    #[command(visible_alias = "query")]
    Q(Query),
    /// Add and withdraw facts from an EDN file.
    Transact(Transact),
    /// Show an entity by a pull pattern.
    Pull(Pull),
    /// List the transactions: number, time, counts, and who and why.
    Log(Log),
    /// Show the facts added and removed between two moments.
    Diff(Diff),
    /// Evaluate expressions and queries as you type them.
    Repl(World),
    /// Check everything: memory, indexes, log, hash chain.
    Verify(Verify),
    /// Make and inspect capability tokens.
    #[command(subcommand)]
    Token(Token),
    /// Run an exported function of a WebAssembly module (binary or text) under fuel.
    Lyquid(Lyquid),
    /// Print the jam of a noun, or the noun of a jam.
    #[command(subcommand)]
    Nock(Nock),
    /// Print a completion script for a shell.
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
pub struct Verify {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Go on behind what the log still holds, when transactions in it are damaged or missing. What
    /// cannot be read is put aside, never deleted.
    #[arg(long)]
    pub repair: bool,
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
    /// Stop the program after this many machine steps.
    #[arg(long, value_name = "STEPS", default_value_t = 10_000_000_000)]
    pub fuel: u64,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Which moments of the database a command sees.
#[derive(Debug, Args, Clone, Copy)]
pub struct View {
    /// As the database was after transaction T.
    #[arg(long, value_name = "T")]
    pub as_of: Option<u64>,
    /// Only what was stated after transaction T.
    #[arg(long, value_name = "T")]
    pub since: Option<u64>,
    /// Every assertion and retraction, not only what holds now.
    #[arg(long)]
    pub history: bool,
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
    pub from: u64,
    /// The later transaction.
    pub to: u64,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
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
