//! Transactions: from data to the frame that is committed.
//!
//! Each stage is its own type, and what one proves the next relies on:
//!
//! | stage | from | to | proves |
//! | --- | --- | --- | --- |
//! | [`expand`] | `&[Value]` | `&[Value]` | no form calls a function any more |
//! | [`forms`] | `&[Value]` | forms | each has a known operation and the right parts |
//! | [`claims`] | forms | claims | attributes exist, names are entities or tempids, types fit |
//! | [`identity`] | claims | steps | tempids are entities; upserts found theirs |
//! | [`changes`] | steps | changes | nothing redundant, contradictory or doubly owned |
//! | [`alter`] | changes | schema | the schema after stays one |
//! | [`tuples`] | changes | changes | composite tuples follow their parts |
//! | [`prepare`] | changes | [`Proposal`] | a frame that can be applied to exactly this basis |
//! | [`ensure`] | the state after | nothing | what was to be ensured holds |
//!
//! [`plain`] goes the whole way at once for many facts of which nothing special is said.
//! [`joined`] makes one proposal of two that follow each other.
//!
//! 1. Nothing here writes. A transaction that is refused has done nothing; one that loses the race
//!    is worked out again on the new state.
//! 2. The frame is all there is: applying it to the basis, now or in a rebuild, gives the same
//!    state.

mod alter;
mod changes;
mod claims;
mod ensure;
mod expand;
mod forms;
mod identity;
mod joined;
mod plain;
mod tuples;
mod words;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use datom::{Datom, Frame, Value, Word, id};
use eve::Read;

use crate::builtin;
use crate::db::{Db, State};
use crate::error::{Category, Error, Rejection};
use crate::function::{Function, FunctionError, Functions};
use crate::lookup::Basis;
use crate::mix::{Mix, WordHashMap};
use crate::schema::Schema;
use changes::Changes;
pub(crate) use ensure::check as ensure;
pub(crate) use expand::calls;
use forms::Form;
pub use plain::Statement;
use words::{Words, is_provisional};

/// A transaction that can be applied to the basis it was worked out on.
pub(crate) struct Proposal {
    pub(crate) frame: Frame,
    /// The words of the frame's values, as far as the basis has them.
    pub(crate) known: Vec<Option<Word>>,
    /// What the named tempids became.
    pub(crate) tempids: BTreeMap<Value, u64>,
    /// It was worked out here, on the state it goes on behind.
    pub(crate) fits: bool,
    /// The schema after the transaction, if it changes.
    pub(crate) schema: Option<Arc<Schema>>,
}

impl Proposal {
    /// A frame that was worked out elsewhere.
    pub(crate) fn foreign(frame: Frame) -> Self {
        Self { frame, known: Vec::new(), tempids: BTreeMap::new(), fits: false, schema: None }
    }
}

/// What code a transaction can call, and the state that the code sees.
#[derive(Clone, Copy)]
pub(crate) struct Code<'a> {
    functions: &'a Functions,
    /// None where the state is not one that code could be shown.
    db: Option<&'a Db>,
    /// Some was to be called where there is none, or an instant was to be read that the basis may not have.
    is_missed: &'a Cell<bool>,
}

impl Code<'_> {
    fn db(&self) -> Result<&Db, FunctionError> {
        self.db.ok_or_else(|| {
            self.is_missed.set(true);
            "code is called on committed states".into()
        })
    }

    fn find(&self, name: &str) -> Result<Option<Arc<dyn Function>>, FunctionError> {
        self.functions.find(self.db()?, name)
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, FunctionError> {
        self.functions.call(self.db()?, name, args)
    }
}

/// An entity of which a spec must hold after the transaction.
pub(crate) struct Ensure {
    /// The rejection if it does not, but for its message.
    pub(crate) refusal: Rejection,
    pub(crate) e: u64,
    pub(crate) spec: u64,
}

/// A transaction that was worked out.
pub(crate) struct Prepared {
    pub(crate) proposal: Proposal,
    pub(crate) ensures: Vec<Ensure>,
}

/// Works out a transaction.
pub(crate) fn prepare(
    before: &Arc<State>,
    data: &[Value],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Prepared, Error> {
    let db = Db::new(before.clone());
    let is_missed = Cell::new(false);
    let code = Code { functions: &before.functions, db: Some(&db), is_missed: &is_missed };
    let prepared = work_out(code, before.basis(), data, metadata, now);
    match is_missed.get() {
        true => work_out(code, before.whole_basis()?, data, metadata, now),
        false => prepared,
    }
}

/// Works out a transaction that states facts.
pub(crate) fn prepare_facts(
    before: &Arc<State>,
    facts: &[Statement],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Prepared, Error> {
    if let Some(proposal) = plain::of_facts(before.basis(), facts, metadata, now)? {
        return Ok(Prepared { proposal, ensures: Vec::new() });
    }
    let forms: Vec<Value> = facts.iter().map(Statement::form).collect();
    prepare(before, &forms, metadata, now)
}

/// Works out a transaction on a state in the making, of which there is no value yet. `None` when the
/// transaction calls code, which has to see a state, or may need what is in no index yet.
pub(crate) fn prepare_plain<R: Read>(
    basis: Basis<'_, R>,
    functions: &Functions,
    data: &[Value],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Option<Proposal>, Error> {
    let is_missed = Cell::new(false);
    let code = Code { functions, db: None, is_missed: &is_missed };
    let prepared = work_out(code, basis, data, metadata, now);
    if is_missed.get() {
        return Ok(None);
    }
    let Prepared { proposal, ensures } = prepared?;
    Ok(ensures.is_empty().then_some(proposal))
}

fn work_out<R: Read>(
    code: Code<'_>,
    basis: Basis<'_, R>,
    data: &[Value],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Prepared, Error> {
    if let Some(proposal) = plain::of_forms(basis, data, metadata, now)? {
        return Ok(Prepared { proposal, ensures: Vec::new() });
    }
    match expand::expand(code, data)? {
        Some(expanded) => {
            work_out_forms(code, basis, &forms::parse_placed(&expanded)?, metadata, now)
        }
        None => work_out_forms(code, basis, &forms::parse(data)?, metadata, now),
    }
}

fn work_out_forms<R: Read>(
    code: Code<'_>,
    basis: Basis<'_, R>,
    forms: &[Form<'_>],
    metadata: Option<&Value>,
    now: i64,
) -> Result<Prepared, Error> {
    let mut words = Words::new(basis);
    let claims = claims::expand(code, basis, &mut words, forms, metadata)?;
    let identified = identity::identify(basis, &mut words, claims)?;
    let t = basis.record.t;
    if !basis.record.recent.is_none()
        && identified.steps.iter().any(|step| step.may_need_instants(t))
    {
        code.is_missed.set(true);
        return Err(Error::corrupt("what the transaction needs is in no index yet"));
    }
    let mut changes = Changes::work_out(basis, &mut words, &identified.steps)?;
    let after = alter::alter(&mut changes)?.map(Arc::new);
    tuples::derive(&mut changes, after.as_deref())?;
    let instant = instant(&changes, now)?;
    let (frame, known) = frame(&changes, instant, identified.metadata)?;
    let tempids = identified.tempids;
    let proposal = Proposal { frame, known, tempids, fits: true, schema: after };
    Ok(Prepared { proposal, ensures: identified.ensures })
}

/// When the transaction happens: now, but always after the one before, unless it says itself.
fn instant<R: Read>(changes: &Changes<'_, '_, '_, R>, now: i64) -> Result<i64, Error> {
    let before = changes.basis.record.instant;
    let Some((origin, word)) = changes.instant else { return Ok(now.max(before + 1)) };
    let Some(instant) = word.as_instant() else {
        return Err(origin.reject(Category::Type, ":db/txInstant holds an instant").into());
    };
    let wrong = match instant {
        _ if instant < before => "before that of the previous transaction",
        _ if instant > now.max(before) => "in the future",
        _ => return Ok(instant),
    };
    let message = format!("the transaction's instant is {wrong}; time only goes on");
    Err(origin.reject(Category::Instant, message).into())
}

/// The frame of the changes, and the words of its values that the basis has.
fn frame<R: Read>(
    changes: &Changes<'_, '_, '_, R>,
    instant: i64,
    metadata: Option<u64>,
) -> Result<(Frame, Vec<Option<Word>>), Error> {
    let record = changes.basis.record;
    let t = record.t + 1;
    let reason = metadata.unwrap_or(0) << 1;
    let mut frame = Frame {
        t,
        instant,
        previous: record.hash,
        datoms: Vec::with_capacity(changes.order.len() + 1),
        values: Vec::new(),
    };
    let mut known = Vec::new();
    let mut places: WordHashMap<Word, usize> =
        WordHashMap::with_capacity_and_hasher(changes.order.len(), Mix::default());
    let stamp =
        Word::instant(instant).ok_or_else(|| Error::corrupt("the clock is out of range"))?;
    let entity = id::transaction(t);
    frame
        .datoms
        .push(Datom { m: reason | 1, ..Datom::assert(entity, builtin::TX_INSTANT, stamp, t) });
    for change in &changes.order {
        let (e, a, word) = change.fact;
        let tag = word.tag();
        let v = if tag.is_heap() || tag.is_name() {
            let place = match places.get(&word) {
                Some(&place) => place,
                None => {
                    let place = frame.values.len();
                    frame.values.push(changes.words.value(word)?);
                    known.push((!is_provisional(word)).then_some(word));
                    places.insert(word, place);
                    place
                }
            };
            Word::new(tag, place as u64)
        } else {
            word
        };
        frame.datoms.push(Datom { e, a, v, t, m: reason | u64::from(change.added) });
    }
    Ok((frame, known))
}
