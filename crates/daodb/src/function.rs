//! Code that transactions and queries call: functions, predicates and aggregates, by name.
//!
//! 1. A function of a transaction sees the state before it (a predicate of `:db/ensure` the one
//!    after it), and nothing else; it may run again when another commit came first. A function of a
//!    query sees the state that is asked.
//! 2. Functions belong to the process. A transaction or query that needs one which is not there is
//!    refused.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Arc, PoisonError, RwLock};

use datom::Value;

use crate::db::Db;

/// Why a function failed, in words for whoever sent the transaction or query.
pub type FunctionError = Box<dyn StdError + Send + Sync>;

/// Code that transactions and queries can call.
///
/// * A **transaction function** is called by a form, `[my/transfer 1 2 50]` or
///   `[:db.fn/call my/transfer 1 2 50]`, and answers more forms, as a vector.
/// * A **predicate of an attribute** (`:db.attr/preds`) gets a value and answers whether it may be.
/// * A **predicate of an entity** (`:db.entity/preds`, asked for by `:db/ensure`) gets the entity,
///   and the state after the transaction.
/// * A **function of a query**, `[(my/score ?x) ?y]`, gets its arguments and answers a value; as a
///   **predicate**, `[(my/fine? ?x)]`, whatever is neither nil nor false keeps the row.
/// * An **aggregate** of a query, `(my/worst 3 ?x)`, gets what stands before the variable and then
///   the values of a group as a vector.
/// * An **`:xform`** of a pull gets what would be shown.
///
/// Functions of queries are named with a namespace, and answer equal arguments equally.
///
/// Closures are functions. Whoever brings another language implements the trait, and [`Library`]
/// where functions are stored and found.
pub trait Function: Send + Sync {
    /// Calls it.
    ///
    /// # Errors
    /// Refuse the transaction or query; the text is what its sender reads.
    fn call(&self, db: &Db, args: &[Value]) -> Result<Value, FunctionError>;
}

impl<F> Function for F
where
    F: Fn(&Db, &[Value]) -> Result<Value, FunctionError> + Send + Sync,
{
    fn call(&self, db: &Db, args: &[Value]) -> Result<Value, FunctionError> {
        self(db, args)
    }
}

/// Finds functions that are kept somewhere: in the database itself, for instance.
pub trait Library: Send + Sync {
    /// The function of a name, without a colon: `my/transfer`.
    ///
    /// # Errors
    /// When there is one and it cannot be had.
    fn find(&self, db: &Db, name: &str) -> Result<Option<Arc<dyn Function>>, FunctionError>;

    /// The function that an entity is, for queries that name it so.
    ///
    /// # Errors
    /// As [`Library::find`].
    fn find_entity(
        &self,
        _db: &Db,
        _entity: u64,
    ) -> Result<Option<Arc<dyn Function>>, FunctionError> {
        Ok(None)
    }

    /// Names that [`Library::find`] knows, to suggest one when a query names none of them.
    fn names(&self, _db: &Db) -> Vec<String> {
        Vec::new()
    }
}

/// The functions that a database's transactions can call.
#[derive(Default)]
pub(crate) struct Functions {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    named: HashMap<String, Arc<dyn Function>>,
    libraries: Vec<Arc<dyn Library>>,
}

impl Functions {
    pub(crate) fn register(&self, name: &str, function: Arc<dyn Function>) {
        let name = name.strip_prefix(':').unwrap_or(name).to_owned();
        self.known.write().unwrap_or_else(PoisonError::into_inner).named.insert(name, function);
    }

    pub(crate) fn add(&self, library: Arc<dyn Library>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).libraries.push(library);
    }

    /// Calls the function of a name.
    pub(crate) fn call(&self, db: &Db, name: &str, args: &[Value]) -> Result<Value, FunctionError> {
        let function = self.find(db, name)?.ok_or_else(|| {
            format!(
                "there is no function {name} in this process; register it with the database, or \
                 send the transaction from a process that has it"
            )
        })?;
        function.call(db, args).map_err(|error| format!("{name}: {error}").into())
    }

    /// The function of a name, registered or in a library.
    pub(crate) fn find(
        &self,
        db: &Db,
        name: &str,
    ) -> Result<Option<Arc<dyn Function>>, FunctionError> {
        // Not held during the calls: a function may make transactions elsewhere.
        let (named, libraries) = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            (known.named.get(name).cloned(), known.libraries.clone())
        };
        if named.is_some() {
            return Ok(named);
        }
        for library in libraries {
            if let Some(found) = library.find(db, name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The function that an entity is: in a library, or registered under the entity's ident.
    pub(crate) fn find_entity(
        &self,
        db: &Db,
        entity: u64,
    ) -> Result<Option<Arc<dyn Function>>, FunctionError> {
        let libraries = self.known.read().unwrap_or_else(PoisonError::into_inner).libraries.clone();
        for library in libraries {
            if let Some(found) = library.find_entity(db, entity)? {
                return Ok(Some(found));
            }
        }
        match db.ident_of(entity)? {
            Some(ident) => self.find(db, ident.as_str()),
            None => Ok(None),
        }
    }

    /// The names that there are.
    pub(crate) fn names(&self, db: &Db) -> Vec<String> {
        let (mut names, libraries): (Vec<String>, _) = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            (known.named.keys().cloned().collect(), known.libraries.clone())
        };
        names.extend(libraries.iter().flat_map(|library| library.names(db)));
        names
    }
}
