//! Merging a fork into the database that it is a fork of.
//!
//! 1. Three states decide: that where the fork began (or was merged last), ours, and theirs. What
//!    only one side changed is not in conflict.
//! 2. A conflict is an attribute of one value that both sides changed, to different values. It is
//!    data; a policy resolves it, or the merge is refused, and nothing happened.
//! 3. An entity that was born in the fork keeps its number if we never used it, is ours if it states
//!    a unique identity that we have, and gets a new number otherwise. `:db.fork/born` remembers which.
//! 4. The merge is one transaction on the very state that it was worked out on, whose facts name the
//!    fork as their reason. Where the fork brings attributes, what it says with them is worked out on
//!    the state that has them, which nobody else sees; the frame is one all the same.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Datom, Keyword, Value, Word, id};

use crate::attribute::{Attribute, Unique};
use crate::builtin;
use crate::db::Db;
use crate::error::Error;
use crate::fork::{Fork, number};
use crate::history::Diff;
use crate::index::Index;
use crate::options::TransactOptions;
use crate::report::Report;
use crate::transact;
use crate::with;

/// An attribute of one value that both sides changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Conflict {
    /// The entity, by our number.
    pub entity: u64,
    /// The attribute.
    pub attribute: Keyword,
    /// What it was when the fork began, or was merged last.
    pub base: Option<Value>,
    /// What it is with us.
    pub ours: Option<Value>,
    /// What it is in the fork.
    pub theirs: Option<Value>,
}

impl Conflict {
    /// The conflict as a value: `{:entity … :attribute … :base … :ours … :theirs …}`, without what
    /// is not there.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = BTreeMap::from([
            (Value::keyword("entity"), Value::Ref(self.entity)),
            (Value::keyword("attribute"), Value::Keyword(self.attribute.clone())),
        ]);
        let sides = [("base", &self.base), ("ours", &self.ours), ("theirs", &self.theirs)];
        for (name, value) in sides {
            if let Some(value) = value {
                map.insert(Value::keyword(name), value.clone());
            }
        }
        Value::Map(map)
    }
}

/// What becomes of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// The merge is refused.
    Refuse,
    /// What we have stays.
    Ours,
    /// What the fork has is taken, also where it has nothing.
    Theirs,
    /// This value is taken.
    Value(Value),
}

/// The policy that refuses to merge where there are conflicts.
#[must_use]
pub fn refuse(_: &Conflict) -> Resolution {
    Resolution::Refuse
}

/// The policy by which we win.
#[must_use]
pub fn ours(_: &Conflict) -> Resolution {
    Resolution::Ours
}

/// The policy by which the fork wins.
#[must_use]
pub fn theirs(_: &Conflict) -> Resolution {
    Resolution::Theirs
}

impl Fork {
    /// Merges what the fork changed since its base, or since it was merged last, into the database.
    /// `None` when there is nothing to merge.
    ///
    /// Costs what was said since, on either side.
    ///
    /// # Errors
    /// [`Error::Conflicts`] has the conflicts that `policy` refused. [`Error::Rejected`] when the
    /// merged state would break a rule: a unique value that is taken, for instance.
    pub fn merge(&self, policy: &dyn Fn(&Conflict) -> Resolution) -> Result<Option<Report>, Error> {
        let reason = Value::Ref(self.entity());
        let prepare = |db: &Db, now: i64| {
            let merge = Merge::new(self, db)?;
            let prepared = |db: &Db, forms: &[Value]| {
                transact::prepare(db.shared(), forms, Some(&reason), now)
            };
            let attributes = merge.attributes()?;
            if attributes.is_empty() {
                return prepared(db, &merge.forms(policy)?);
            }
            let first = prepared(db, &attributes)?;
            let (_, between) = with::speculate(db.shared(), &first.proposal)?;
            let forms = Merge::new(self, &between)?.forms(policy)?;
            Ok(first.joined(prepared(&between, &forms)?))
        };
        if Merge::new(self, &self.database().db()?)?.is_done() {
            return Ok(None);
        }
        let options = TransactOptions::new();
        self.database().transact_prepared(&prepare, &options).map(Some)
    }
}

/// One merge, being worked out on one state of ours.
struct Merge<'m> {
    fork: &'m Fork,
    ours: &'m Db,
    theirs: Db,
    changes: Diff,
    /// Entities of the fork that have another number with us, or were born there.
    known: BTreeMap<u64, u64>,
    born: BTreeMap<u64, u64>,
    merged: u64,
}

impl<'m> Merge<'m> {
    fn new(fork: &'m Fork, ours: &'m Db) -> Result<Self, Error> {
        let theirs = fork.state(ours)?;
        let entity = Word::entity(fork.entity());
        let values = |a: u64| -> Result<Vec<Value>, Error> {
            let facts = ours.datoms(Index::Eavt, &[entity, Word::entity(a)])?;
            facts.map(|fact| ours.value(fact?.v)).collect()
        };
        let merged = match values(builtin::FORK_MERGED)?.first() {
            Some(Value::Int(t)) => u64::try_from(*t).unwrap_or(fork.base()),
            _ => fork.base(),
        };
        let mut known = BTreeMap::new();
        for pair in values(builtin::FORK_BORN)? {
            if let Some([Value::Int(there), Value::Int(here)]) = pair.as_slice() {
                known.insert(there.unsigned_abs(), here.unsigned_abs());
            }
        }
        let changes = fork.changes(ours, &theirs, merged)?;
        let mut merge = Self { fork, ours, theirs, changes, known, born: BTreeMap::new(), merged };
        merge.name_born()?;
        Ok(merge)
    }

    fn is_done(&self) -> bool {
        self.theirs.basis() <= self.merged
    }

    /// Gives every entity that was born in the fork its number with us: invariant 3.
    fn name_born(&mut self) -> Result<(), Error> {
        let mut next = self.ours.state().record.next_entity;
        let mut entities: BTreeMap<u64, Vec<Datom>> = BTreeMap::new();
        for datom in self.changes.added.iter().filter(|datom| datom.e < id::TX_BASE) {
            entities.entry(datom.e).or_default().push(*datom);
        }
        for (e, facts) in entities {
            if self.known.contains_key(&e) || was_used(&self.theirs, e, self.fork.base())? {
                continue;
            }
            let here = match self.owner(&facts)? {
                Some(owner) => owner,
                None if self.is_free(e)? => {
                    next = next.max(e + 1);
                    e
                }
                None => {
                    next += 1;
                    next - 1
                }
            };
            if here != e {
                self.known.insert(e, here);
                self.born.insert(e, here);
            }
        }
        Ok(())
    }

    /// Whether a number never meant anything here. Where history was given up, one that was given
    /// out counts as used.
    fn is_free(&self, e: u64) -> Result<bool, Error> {
        let given_out = e < self.ours.state().record.next_entity;
        if given_out && self.ours.history_from() > 0 {
            return Ok(false);
        }
        Ok(!was_used(self.ours, e, self.ours.basis())?)
    }

    /// The entity of ours that has a unique identity which these facts state.
    fn owner(&self, facts: &[Datom]) -> Result<Option<u64>, Error> {
        for fact in facts {
            let Some(attribute) = self.attribute(fact.a) else { continue };
            if attribute.unique != Some(Unique::Identity) {
                continue;
            }
            let value = self.theirs.value(fact.v)?;
            if let Some(word) = self.ours.word(&value)?
                && let Some(owner) = self.ours.state().basis().owner(attribute.id, word)?
            {
                return Ok(Some(owner));
            }
        }
        Ok(None)
    }

    fn entity(&self, e: u64) -> u64 {
        self.known.get(&e).copied().unwrap_or(e)
    }

    /// Our attribute for one of the fork's.
    fn attribute(&self, a: u64) -> Option<&'m Attribute> {
        self.ours.attribute(self.entity(a))
    }

    /// A value of the fork as it is with us.
    fn value(&self, word: Word) -> Result<Value, Error> {
        Ok(match self.theirs.value(word)? {
            Value::Ref(e) => Value::Ref(self.entity(e)),
            value => value,
        })
    }

    fn add(&self, e: u64, a: u64, v: Value) -> Value {
        Value::Vector(vec![Value::keyword("db/add"), Value::Ref(e), Value::Ref(a), v])
    }

    /// What the merge remembers of those entities whose number is another one.
    fn remembered(&self, which: impl Fn(u64) -> bool) -> impl Iterator<Item = Value> {
        self.born.iter().filter(move |(there, _)| which(**there)).map(|(&there, &here)| {
            let pair = Value::Vector(vec![number(there), number(here)]);
            self.add(self.fork.entity(), builtin::FORK_BORN, pair)
        })
    }

    /// The forms that install the attributes which the fork brings.
    fn attributes(&self) -> Result<Vec<Value>, Error> {
        let mut forms = Vec::new();
        let mut named = BTreeSet::new();
        for fact in &self.changes.added {
            let is_new = builtin::is_schema(fact.a)
                && self.theirs.attribute(fact.e).is_some()
                && self.attribute(fact.e).is_none();
            if is_new {
                forms.push(self.add(self.entity(fact.e), fact.a, self.value(fact.v)?));
                named.insert(fact.e);
            }
        }
        forms.extend(self.remembered(|there| named.contains(&there)));
        Ok(forms)
    }

    /// The forms of the merge.
    fn forms(&self, policy: &dyn Fn(&Conflict) -> Resolution) -> Result<Vec<Value>, Error> {
        let mut forms = Vec::new();
        let mut conflicts = Vec::new();
        // By entity and attribute: what the fork took away, and what it stated.
        let mut changed: BTreeMap<(u64, u64), [Vec<Value>; 2]> = BTreeMap::new();
        for (side, datoms) in [&self.changes.removed, &self.changes.added].into_iter().enumerate() {
            for datom in datoms.iter().filter(|datom| datom.e < id::TX_BASE) {
                let Some(attribute) = self.attribute(datom.a) else { continue };
                if attribute.tuple.is_none() {
                    let entry = changed.entry((self.entity(datom.e), attribute.id)).or_default();
                    entry[side].push(self.value(datom.v)?);
                }
            }
        }
        for ((e, a), [removed, added]) in changed {
            let Some(attribute) = self.ours.attribute(a) else { continue };
            let held = self.held(e, a)?;
            if attribute.is_many() {
                let gone = removed.into_iter().filter(|value| held.contains(value));
                forms.extend(gone.map(|value| retract(e, a, value)));
                let new = added.into_iter().filter(|value| !held.contains(value));
                forms.extend(new.map(|value| self.add(e, a, value)));
                continue;
            }
            let conflict = Conflict {
                entity: e,
                attribute: attribute.ident.clone(),
                base: removed.into_iter().next(),
                ours: held.into_iter().next(),
                theirs: added.into_iter().next(),
            };
            if conflict.ours == conflict.theirs {
                continue;
            }
            let resolution = match conflict.ours == conflict.base {
                true => Resolution::Theirs,
                false => policy(&conflict),
            };
            let value = match resolution {
                Resolution::Ours => continue,
                Resolution::Theirs => conflict.theirs,
                Resolution::Value(value) => Some(value),
                Resolution::Refuse => {
                    conflicts.push(conflict);
                    continue;
                }
            };
            forms.extend(match (value, conflict.ours) {
                (Some(value), _) => Some(self.add(e, a, value)),
                (None, Some(ours)) => Some(retract(e, a, ours)),
                (None, None) => None,
            });
        }
        if !conflicts.is_empty() {
            return Err(Error::Conflicts { fork: self.fork.name().to_owned(), conflicts });
        }
        forms.extend(self.remembered(|_| true));
        let head = number(self.theirs.basis());
        forms.push(self.add(self.fork.entity(), builtin::FORK_MERGED, head));
        Ok(forms)
    }

    fn held(&self, e: u64, a: u64) -> Result<Vec<Value>, Error> {
        let facts = self.ours.datoms(Index::Eavt, &[Word::entity(e), Word::entity(a)])?;
        facts.map(|fact| self.ours.value(fact?.v)).collect()
    }
}

/// Whether anything that the indexes hold was said about an entity up to `t`.
fn was_used(db: &Db, e: u64, t: u64) -> Result<bool, Error> {
    let state = db.state();
    let current = state.current_of(Index::Eavt, &[e])?;
    for (memory, set) in [current, state.history(Index::Eavt)?] {
        for key in set.prefix(memory, &[e]) {
            if Index::Eavt.datom(&key?).t <= t {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn retract(e: u64, a: u64, v: Value) -> Value {
    Value::Vector(vec![Value::keyword("db/retract"), Value::Ref(e), Value::Ref(a), v])
}
