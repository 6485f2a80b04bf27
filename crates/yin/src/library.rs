//! Where namespaces come from: a database, or the library that is part of the language.
//!
//! The library is written in Yin and stored in a database the first time a program there asks for
//! it; from then on it is code like any other, to be queried, read and replaced.

use datom::{Symbol, Value};

use crate::error::{Error, Kind};
use crate::facts::Facts;
use crate::program::{Code, Program};

/// The namespaces of the library with their sources.
pub(crate) const SOURCES: &[(&str, &str)] = &[
    ("math", include_str!("library/math.yin")),
    ("seq", include_str!("library/seq.yin")),
    ("set", include_str!("library/set.yin")),
    ("text", include_str!("library/text.yin")),
    ("xf", include_str!("library/xf.yin")),
];

/// The namespace of the library that defines a name.
pub(crate) fn home_of(name: &str) -> Option<&'static str> {
    let defines = |source: &str| {
        let definitions = source.split("\n(def").skip(1);
        definitions.filter_map(|rest| rest.split_ascii_whitespace().nth(1)).any(|x| x == name)
    };
    SOURCES.iter().find(|(_, source)| defines(source)).map(|(namespace, _)| *namespace)
}

/// Finds the program of a namespace while another one is read: its macros are needed then.
pub trait Library {
    /// The newest program of a namespace; `None` if there is none.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn namespace(&self, name: &Symbol) -> Result<Option<Program>, String>;
}

/// The library that is part of the language.
#[derive(Clone, Copy, Debug, Default)]
pub struct Embedded;

impl Library for Embedded {
    fn namespace(&self, name: &Symbol) -> Result<Option<Program>, String> {
        let found = SOURCES.iter().find(|(found, _)| *found == name.as_str());
        found
            .map(|(name, source)| Program::read(&format!("{name}.yin"), source))
            .transpose()
            .map_err(|error| error.to_string())
    }
}

/// A database as the place that code comes from.
struct Borrowed<'f>(std::cell::RefCell<&'f mut dyn Facts>);

impl Code for Borrowed<'_> {
    fn entity(&self, name: &Value) -> Result<Option<Value>, String> {
        match self.0.borrow_mut().entity(name) {
            Ok(Value::Nil) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(refusal) => Err(refusal.message),
        }
    }
}

/// The newest program of a namespace: of the database, else of the library, which is then stored.
pub(crate) fn find(facts: &mut dyn Facts, name: &Symbol) -> Result<Program, Error> {
    let query = datom::edn::read(QUERY).unwrap_or(Value::Nil);
    let answer = facts.q(&query, &[Value::Symbol(name.clone())]).unwrap_or(Value::Nil);
    if let Some(entity) = newest(&answer) {
        return Program::load(&Borrowed(facts.into()), &entity);
    }
    match Embedded.namespace(name) {
        Ok(Some(program)) => {
            // Where nothing may be written the program runs all the same.
            let _ = facts.transact(&program.transaction());
            Ok(program)
        }
        Ok(None) => Err(Error::new(Kind::Unbound, format!("there is no namespace `{name}`"))
            .help("store a program that begins with (ns name) first")),
        Err(message) => Err(Error::new(Kind::Code, message)),
    }
}

/// Every program of a namespace, with the transaction that stored it.
const QUERY: &str = "[:find ?p ?t :in $ ?n :where [?p :yin.program/namespace ?n ?t]]";

/// The entity of the program that last took a namespace.
fn newest(answer: &Value) -> Option<Value> {
    let rows: Vec<&Value> = match answer {
        Value::Set(rows) => rows.iter().collect(),
        Value::Vector(rows) | Value::List(rows) => rows.iter().collect(),
        _ => return None,
    };
    let parts = |row: &&Value| {
        let row = row.as_slice()?;
        Some((row.get(1)?.clone(), row.first()?.clone()))
    };
    rows.iter().filter_map(parts).max().map(|(_, entity)| entity)
}

/// A database at one moment, with the library behind it.
impl Library for daodb::Db {
    fn namespace(&self, name: &Symbol) -> Result<Option<Program>, String> {
        let answer = self.q(QUERY, &[Value::Symbol(name.clone())]).unwrap_or(Value::Nil);
        match newest(&answer) {
            Some(entity) => {
                Program::load(self, &entity).map(Some).map_err(|error| error.to_string())
            }
            None => Embedded.namespace(name),
        }
    }
}

#[cfg(test)]
mod tests;
