//! Programs: from text to datoms, and back from datoms to what runs.

use daodb::{Database, Db, Input};
use datom::{Keyword, Value};
use yin::Program;

use crate::fault::Fault;
use crate::reporter::Reporter;
use crate::schema;

/// A program as the database has it.
#[derive(Debug)]
pub struct Stored {
    /// What runs: read back from the datoms, not from the text.
    pub program: Program,
    /// Its entity.
    pub entity: u64,
    /// Whether nobody had stored it before.
    pub is_new: bool,
}

/// Stores a program, unless the same code is there, and loads it from its datoms.
///
/// # Errors
/// The text is no program, or the database refuses.
pub fn store(
    database: &Database,
    reporter: Reporter,
    name: &str,
    text: &str,
) -> Result<Stored, Box<Fault>> {
    let program = read(database, name, text)?;
    let known = database.db()?.entity_id(&program.entity())?;
    if known.is_none() {
        let mut data = program.transaction();
        data.push(schema::reason("datom run", &format!("store {name}")));
        let report = database.transact(&data)?;
        let facts = report.datoms.len();
        let details = format!("{name}: {} nodes, {facts} new facts", program.tree().len());
        reporter.committed("program", details, report.t);
    } else {
        reporter.tell("program", format_args!("{name}: {} nodes, all known", program.tree().len()));
    }
    let db = database.db()?;
    let entity = db
        .entity_id(&program.entity())?
        .ok_or_else(|| Fault::new(format!("{name}: the program was not stored")))?;
    let is_new = known.is_none();
    Ok(Stored { program: Program::load(&db, &Value::Ref(entity))?, entity, is_new })
}

/// The newest program of a name among those that a database has.
///
/// # Errors
/// There is none, or the database fails.
pub(crate) fn newest(db: &Db, name: &str) -> Result<Stored, Box<Fault>> {
    const QUERY: &str = "[:find ?t ?p :in $ ?name :where [?p :yin.program/name ?name ?t]]";
    let query =
        daodb::Query::parse(QUERY).map_err(|error| Fault::in_query(&error.into(), QUERY))?;
    let rows = db.query(&query, &[Input::Value(Value::text(name))])?.to_value();
    let newest = match &rows {
        Value::Set(rows) => rows.last().and_then(Value::as_slice),
        _ => None,
    };
    let Some([_, Value::Ref(entity)]) = newest else {
        return Err(Fault::new(format!("no program {name} was stored by then"))
            .help("a program is named by the path that it was run with")
            .into());
    };
    stored(db, &Value::Ref(*entity))
}

/// A program that a database has, by its entity.
///
/// # Errors
/// There is none, or the database fails.
pub(crate) fn stored(db: &Db, entity: &Value) -> Result<Stored, Box<Fault>> {
    let program = Program::load(db, entity)?;
    let entity = db.entity_id(entity)?.unwrap_or_default();
    Ok(Stored { program, entity, is_new: false })
}

/// Reads a text: Python if its name says so, else Yin, whose macros may come from the database.
fn read(database: &Database, name: &str, text: &str) -> Result<Program, Box<Fault>> {
    if std::path::Path::new(name).extension().is_some_and(|extension| extension == "py") {
        return Ok(Program::read_python(name, text)?);
    }
    Ok(Program::read_with(name, text, &database.db()?)?)
}

/// The operations that a program names in its `perform` forms.
pub(crate) fn operations(program: &Program) -> Vec<Keyword> {
    let tree = program.tree();
    let mut operations: Vec<Keyword> = tree
        .ids()
        .filter_map(|id| match tree.node(id) {
            yin::Node::Perform { op, .. } => Some(op.clone()),
            _ => None,
        })
        .collect();
    operations.sort();
    operations.dedup();
    operations
}
