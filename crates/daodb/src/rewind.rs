//! States of the past that can be gone on from.
//!
//! The indexes of a past state are those of the present with everything undone that was said since. It
//! is made in a layer above the present, so all that did not change is shared.
//!
//! 1. A state made so is equal, fact by fact and in every index, to the one that was.
//! 2. It costs what was said since, not what there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use datom::{Datom, Word};
use eve::Read;

use crate::apply::Applier;
use crate::database::Database;
use crate::db::{Db, State};
use crate::error::Error;
use crate::index::Index;
use crate::order;
use crate::query::Columns;
use crate::recent::Whole;
use crate::schema::Schema;

/// What the indexes gain and lose when time goes back.
#[derive(Default)]
struct Undone {
    /// Statements that hold now and were made since.
    unstated: Vec<Datom>,
    /// Withdrawals made since, and statements made since that do not hold any more.
    forgotten: Vec<Datom>,
    /// Statements that held then and were withdrawn since.
    restored: Vec<Datom>,
}

impl Database {
    /// The state right after transaction `t`, as a state of its own: other than the view
    /// [`Db::as_of`] it has the schema of its moment, answers as fast as the present, and can be gone
    /// on from with [`Db::with`].
    ///
    /// Costs the transactions since, in memory of this process.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let database = Database::memory()?;
    /// database.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// let ada = database.transact(&edn::read_all("{:name \"Ada\"}")?)?;
    /// database.transact(&edn::read_all("{:name \"Mary\"}")?)?;
    /// let then = database.at(ada.t)?;
    /// let other = then.with(&edn::read_all("{:name \"Grace\"}")?)?.db_after()?;
    /// let names = "[:find [?n ...] :where [_ :name ?n]]";
    /// assert_eq!(other.q(names, &[])?.as_slice().map(<[_]>::len), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Lookup`] when `t` is not made yet, [`Error::Pruned`] when its state was given up, and
    /// when the log cannot be read.
    pub fn at(&self, t: u64) -> Result<Db, Error> {
        let db = self.db()?;
        if t >= db.basis() {
            return if t == db.basis() { Ok(db) } else { Err(db.not_made(t)) };
        }
        db.as_of(t).check_held()?;
        let mut since = Vec::new();
        let mut moment = Moment { t, ..Moment::default() };
        for transaction in self.tx_range(t.max(1), db.basis() + 1)? {
            let transaction = transaction?;
            if transaction.t == t {
                (moment.instant, moment.hash, moment.previous) =
                    (transaction.instant, transaction.hash, transaction.previous);
            } else {
                since.extend(transaction.datoms);
            }
        }
        to(db.shared(), moment, &since)
    }
}

/// A transaction that the state goes back to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) t: u64,
    pub(crate) instant: i64,
    pub(crate) hash: [u8; 32],
    pub(crate) previous: [u8; 32],
}

/// The state right after a transaction, given everything that was said since, in order.
pub(crate) fn to(now: &Arc<State>, then: Moment, since: &[Datom]) -> Result<Db, Error> {
    let undone = undo(now, then.t, since)?;
    rewound(now, undone, |applier| {
        let record = &mut applier.record;
        (record.t, record.instant) = (then.t, then.instant);
        (record.hash, record.previous) = (then.hash, then.previous);
        record.schema_t = record.schema_t.min(then.t);
    })
}

/// What goes back, given everything that was said after `t`, in order.
fn undo(now: &State, t: u64, since: &[Datom]) -> Result<Undone, Error> {
    let mut facts: BTreeMap<(u64, u64, Word), Vec<Datom>> = BTreeMap::new();
    for datom in since {
        facts.entry((datom.e, datom.a, datom.v)).or_default().push(*datom);
    }
    let mut undone = Undone::default();
    for ((e, a, v), said) in facts {
        if said.first().is_some_and(|first| !first.added()) {
            let (memory, history) = now.history(Index::Eavt)?;
            let mut held = None;
            for key in history.prefix(memory, &[e, a, v.raw()]) {
                let datom = Index::Eavt.datom(&key?);
                held = (datom.t <= t).then_some(datom).or(held);
            }
            undone.restored.extend(held.filter(|datom| datom.added()));
        }
        let (last, before) = match said.split_last() {
            Some((last, before)) if last.added() => (Some(*last), before),
            _ => (None, said.as_slice()),
        };
        undone.unstated.extend(last);
        undone.forgotten.extend_from_slice(before);
    }
    Ok(undone)
}

fn rewound(now: &Arc<State>, undone: Undone, set: impl FnOnce(&mut Applier)) -> Result<Db, Error> {
    let mut layer = now.memory.layer();
    let mut applier = Applier::new(now.record, now.schema.clone());
    applier.settle(&mut layer)?;
    for index in Index::ALL {
        let keys = |datoms: &[Datom]| order::keys(index, &now.schema, datoms);
        let record = &mut applier.record;
        let place = index as usize;
        let current = record.current[place].remove_many(&mut layer, &keys(&undone.unstated))?.0;
        record.current[place] = current.insert_many(&mut layer, &keys(&undone.restored))?.0;
        let gone = [keys(&undone.forgotten), keys(&undone.restored)].concat();
        record.history[place] = record.history[place].remove_many(&mut layer, &gone)?.0;
    }
    set(&mut applier);
    let then = Schema::load(&layer, &applier.record)?;
    if then != *now.schema {
        for attribute in now.schema.attributes() {
            let present = then.attribute(attribute.id).is_some_and(|known| known.in_avet());
            if present != attribute.in_avet() {
                applier.reindex(&mut layer, attribute.id, present)?;
            }
        }
    }
    let record = applier.record;
    let memory = layer.finish();
    debug_assert_eq!(memory.seed(), now.memory.seed());
    let functions = now.functions.clone();
    Ok(Db::new(Arc::new(State {
        memory,
        record,
        schema: Arc::new(then),
        functions,
        columns: Arc::new(Columns::new(record.t, now.columns.budget().clone())),
        whole: Whole::default(),
    })))
}
