//! What is asked of facts, and how they are changed.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use datom::{Value, edn};

use super::Format;

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
  datom q world --stream '[:find ?p ?d :where [?p :package/depends ?d]]' | head
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
    /// Steps that each call of a function of the world may take.
    #[arg(long, value_name = "STEPS", default_value_t = crate::function::FUEL)]
    pub fuel: u64,
    /// Mebibytes that the query may hold; one that needs more is given up.
    #[arg(long, value_name = "MIB", default_value_t = crate::facts::QUERY_MEBIBYTES)]
    pub memory: u64,
    /// Show the plan instead of the answer.
    #[arg(long)]
    pub explain: bool,
    /// The same, with the time spent in each step.
    #[arg(long)]
    pub profile: bool,
    /// Print each row when it is found, a vector a line, in no order. Who reads no more ends the search.
    #[arg(long, conflicts_with_all = ["explain", "profile"])]
    pub stream: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom transact`
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds one vector of transaction data, or its elements one after another:
  {:package/name \"mine\" :package/version \"0.1.0\"}
  [:db/retract [:package/name+version [\"old\" \"1.0.0\"]] :package/checksum]

Examples:
  datom transact world examples/facts.edn
  echo '[{:db/ident :note/text :db/valueType :db.type/string :db/cardinality :db.cardinality/one}]' | datom transact world -")]
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
#[command(after_help = "\
Examples:
  datom log world
  datom log world --from 100 --to 200 --format json")]
pub struct Log {
    /// Folder of the world.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Begin with transaction T.
    #[arg(long, value_name = "T", default_value_t = 1)]
    pub from: u64,
    /// End in front of transaction T.
    #[arg(long, value_name = "T")]
    pub to: Option<u64>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `datom diff`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  datom diff world 3 4
  datom diff world --fork draft")]
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
