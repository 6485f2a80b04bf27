//! Looking through a whole world.
//!
//! What must hold, and is checked:
//!
//! 1. Every block that the state reaches is whole, and nothing else takes room.
//! 2. Every index is well formed; AEVT holds what EAVT holds, AVET what the schema says of it, VAET
//!    its references: the current facts and the past ones.
//! 3. What history says of a fact alternates, statement and withdrawal, and a fact is current
//!    exactly when the last thing said of it is a statement.
//! 4. Every word of a fact has a value, and every value is found by its content.
//! 5. The sketches of an attribute are at or above what its current facts make.
//! 6. The transactions run from 1 without gaps, each naming the hash of the one before, and what
//!    they say is exactly what the indexes hold: but for what was withdrawn up to the moment from
//!    which history is held, which is missing with its withdrawal or not at all.

use std::collections::BTreeSet;

use datom::{Datom, Tag, Word};
use eve::structure::SortedSet;

use crate::builtin;
use crate::database::Database;
use crate::datoms::Datoms;
use crate::db::Db;
use crate::error::Error;
use crate::index::{Index, Key};
use crate::overlay::Memory;
use crate::statistics;
use crate::trace::trace;

/// What [`Database::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The last transaction that was looked at.
    pub t: u64,
    /// Transactions whose frames were read and checked.
    pub transactions: u64,
    /// Facts that hold.
    pub current: u64,
    /// Statements and withdrawals of the past.
    pub history: u64,
    /// Blocks of the region that the state reaches.
    pub blocks: u64,
    /// Blocks that a process left behind when it was killed. They do no harm, and go back when the
    /// world is next opened by a process that is alone. `None`: others are at work.
    pub leaked_blocks: Option<u64>,
    /// What is wrong: nothing, in a world that is well. At most 100 findings are kept.
    pub problems: Vec<String>,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, what: String) {
        const PROBLEMS_MAX: usize = 100;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(what);
        }
    }

    /// Notes an error as a problem and goes on.
    fn note<T>(&mut self, what: &str, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(format!("{what}: {error}"));
                None
            }
        }
    }
}

pub(crate) fn verify(database: &Database) -> Result<Verification, Error> {
    // Before the state: so what is durable is part of it.
    let durable_t = database.durable_t();
    let db = database.db()?;
    let mut found = Verification { t: db.basis(), ..Verification::default() };
    let blocks = database.slab().verify(trace).map_err(Error::from);
    if let Some(blocks) = found.note("the region", blocks) {
        found.blocks = blocks.reachable_blocks;
        found.leaked_blocks = blocks.leaked_blocks;
    }
    for index in Index::ALL {
        match sets(&db, index) {
            Ok(sets) => {
                for (memory, set, which) in sets {
                    let checked = set.verify(memory).map_err(Error::from);
                    found.note(&format!("{index:?}, {which}"), checked);
                }
            }
            Err(error) => found.problem(format!("{index:?}: {error}")),
        }
    }
    if found.is_clean() {
        let checked = check_facts(&db, &mut found);
        found.note("the facts", checked);
        let checked = check_indexes(&db, &mut found);
        found.note("the indexes", checked);
        let checked = check_sketches(&db, &mut found);
        found.note("the statistics", checked);
    }
    let checked = check_log(database, &db, durable_t, &mut found);
    found.note("the log", checked);
    Ok(found)
}

/// An index of current facts or of history, and the memory that holds it.
type Facts<'d> = (&'d Memory, SortedSet<5>, &'static str);

fn sets(db: &Db, index: Index) -> Result<[Facts<'_>; 2], Error> {
    let (current, history) = (db.state().current(index)?, db.state().history(index)?);
    Ok([(current.0, current.1, "current facts"), (history.0, history.1, "history")])
}

/// 3 and 4.
fn check_facts(db: &Db, found: &mut Verification) -> Result<(), Error> {
    let [current, history] = sets(db, Index::Eavt)?;
    (found.current, found.history) = (current.1.len(current.0)?, history.1.len(history.0)?);
    let mut last: Option<Datom> = None;
    let mut checked: Option<Word> = None;
    for datom in Datoms::all(&db.history(), Index::Eavt) {
        let datom = datom?;
        let same = |last: &Datom| (last.e, last.a, last.v) == (datom.e, datom.a, datom.v);
        let before = last.filter(same);
        if before.is_some_and(|before| before.added()) == datom.added() {
            found.problem(format!("{datom:?} follows {before:?}"));
        }
        if before.is_some_and(|before| before.t >= datom.t) {
            found.problem(format!("{datom:?} is not later than {before:?}"));
        }
        if let Some(ended) = last.filter(|last| !same(last)) {
            check_current(current, ended, found)?;
        }
        last = Some(datom);
        if checked != Some(datom.v) {
            checked = Some(datom.v);
            let value = db.value(datom.v);
            if let Some(value) = found.note(&format!("{datom:?}"), value)
                && db.word(&value)? != Some(datom.v)
            {
                found.problem(format!("{value} of {datom:?} is not found by its content"));
            }
        }
    }
    match last {
        Some(ended) => check_current(current, ended, found),
        None => Ok(()),
    }
}

/// The last thing said of a fact is current exactly when it is a statement.
fn check_current(
    (memory, current, _): Facts<'_>,
    datom: Datom,
    found: &mut Verification,
) -> Result<(), Error> {
    let is_current = current.contains(memory, &Index::Eavt.key(&datom))?;
    if is_current != datom.added() {
        found.problem(format!(
            "{datom:?} should {}be current",
            if is_current { "not " } else { "" }
        ));
    }
    Ok(())
}

/// 2.
fn check_indexes(db: &Db, found: &mut Verification) -> Result<(), Error> {
    let eavt = sets(db, Index::Eavt)?;
    for index in [Index::Aevt, Index::Avet, Index::Vaet] {
        for ((all, whole, which), (memory, part, _)) in eavt.iter().zip(sets(db, index)?) {
            let mut expected = 0;
            for key in whole.iter(*all) {
                let datom = Index::Eavt.datom(&key?);
                if !belongs(db, index, &datom) {
                    continue;
                }
                expected += 1;
                if !part.contains(memory, &index.key(&datom))? {
                    found.problem(format!("{index:?}, {which}, lacks {datom:?}"));
                }
            }
            let length = part.len(memory)?;
            if length != expected {
                found.problem(format!("{index:?}, {which}, holds {length} facts for {expected}"));
            }
        }
    }
    Ok(())
}

/// 5.
fn check_sketches(db: &Db, found: &mut Verification) -> Result<(), Error> {
    let (snapshot, record) = (&db.state().memory, &db.state().record);
    for attribute in db.attributes() {
        let (memory, aevt) = db.state().current_of(Index::Aevt, &[attribute.id])?;
        let mut keys = aevt.prefix(memory, &[attribute.id]);
        loop {
            let run = keys.next_run()?;
            if run.is_empty() {
                break;
            }
            if !statistics::check(snapshot, record, attribute, run)? {
                found.problem(format!("the statistics of {} are short", attribute.ident));
                break;
            }
        }
    }
    Ok(())
}

fn belongs(db: &Db, index: Index, datom: &Datom) -> bool {
    match index {
        Index::Eavt | Index::Aevt => true,
        Index::Avet => db.attribute(datom.a).is_some_and(|attribute| attribute.in_avet()),
        Index::Vaet => datom.v.tag() == Tag::Ref,
    }
}

/// What the transactions say and the indexes do not hold any more.
#[derive(Default)]
struct GivenUp {
    datoms: u64,
    /// Facts of which a statement is missing and its withdrawal was not, so far.
    open: BTreeSet<(u64, u64, Word)>,
}

impl GivenUp {
    fn take(&mut self, datom: &Datom) {
        self.datoms += 1;
        let fact = (datom.e, datom.a, datom.v);
        let pairs = if datom.added() { self.open.insert(fact) } else { self.open.remove(&fact) };
        if !pairs {
            self.open.insert(fact);
        }
    }
}

/// 6.
fn check_log(
    database: &Database,
    db: &Db,
    durable_t: u64,
    found: &mut Verification,
) -> Result<(), Error> {
    let record = &db.state().record;
    let [(present, current, _), (past, history, _)] = sets(db, Index::Eavt)?;
    let mut said = builtin::facts().len() as u64;
    let (mut t, mut hash) = (0, [0; 32]);
    let mut given_up = GivenUp::default();
    for transaction in database.transactions(db.clone(), 1, u64::MAX, durable_t)? {
        let transaction = transaction?;
        if (transaction.t, transaction.previous) != (t + 1, hash) {
            found.problem(format!("transaction {} does not follow {t}", transaction.t));
        }
        (t, hash) = (transaction.t, transaction.hash);
        found.transactions += 1;
        said += transaction.datoms.len() as u64;
        for datom in &transaction.datoms {
            let key: Key = Index::Eavt.key(datom);
            if !current.contains(present, &key)? && !history.contains(past, &key)? {
                match datom.t <= record.history_from {
                    true => given_up.take(datom),
                    false => found.problem(format!("the indexes lack {datom:?}")),
                }
            }
        }
    }
    if t != db.basis() || hash != record.hash {
        found.problem(format!("the transactions end at {t}, the state is at {}", db.basis()));
    }
    for (e, a, v) in given_up.open {
        found.problem(format!("the indexes lack what was said of {e}, {a}, {v:?}"));
    }
    let held = current.len(present)? + history.len(past)? + given_up.datoms;
    if held != said {
        found.problem(format!("the transactions say {said} things, the indexes hold {held}"));
    }
    Ok(())
}
