//! Patterns: what they cost, and the steps they become.

use std::collections::BTreeSet;

use datom::{Value, Word, id};

use super::super::ast::{Term, Var};
use super::super::column::By;
use super::super::env::Data;
use super::super::error::{Brief, Error, ErrorKind, nearest};
use super::super::plans::Guard;
use super::super::source::{Source, Standing};
use super::super::step::{
    Action, All, At, Cell, Find, Follow, Keep, Meet, Part, Scan, Side, Take, Then, parts,
};
use super::access::Bound;
use super::{Planner, repeats};
use crate::attribute::{Attribute, Cardinality};
use crate::index::Index;

/// Facts of an entity side by side, on average, from which on two patterns are joined entity by entity.
const SIDE_BY_SIDE_MIN: f64 = if cfg!(test) { 1.0 } else { 2.0 };

/// A pattern's position, resolved against its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Free(Var),
    Blank,
    Fixed(Cell),
    /// A constant that the source does not have: nothing matches.
    Absent,
}

/// A pattern over a database, resolved.
pub(super) struct Facts<'s> {
    at: usize,
    source: &'s dyn Source,
    foreign: bool,
    slots: [Slot; 6],
    attribute: Option<&'s Attribute>,
    /// Whether the value is an entity wherever the pattern matches.
    reference: bool,
    /// Whether the entity is the same for every row.
    constant_entity: bool,
}

impl Facts<'_> {
    pub(super) fn slot(&self, part: Part) -> Slot {
        self.slots.get(part as usize).copied().unwrap_or(Slot::Blank)
    }

    fn cell(&self, part: Part) -> Option<Cell> {
        match self.slot(part) {
            Slot::Fixed(cell) => Some(cell),
            _ => None,
        }
    }

    fn bound(&self) -> Bound<'_> {
        Bound {
            entity: self.cell(Part::Entity).is_some(),
            attribute: self.cell(Part::Attribute).is_some(),
            value: self.cell(Part::Value).is_some(),
            constant_entity: self.constant_entity,
            known: self.attribute,
        }
    }

    fn is_absent(&self) -> bool {
        self.slots.contains(&Slot::Absent)
    }

    /// The cells of an index's first `length` parts.
    fn cells(&self, index: Index, from: usize, length: usize) -> Vec<(Part, Cell)> {
        let order = parts(index);
        let parts = order.iter().skip(from).take(length);
        parts.filter_map(|part| Some((*part, self.cell(*part)?))).collect()
    }

    /// Whether the only free variable is `var`, in one position, and that position.
    fn only(&self, var: Var) -> Option<Part> {
        let mut found = None;
        for part in Part::ALL {
            match self.slot(part) {
                Slot::Free(other) if other == var && found.is_none() => found = Some(part),
                Slot::Free(_) => return None,
                _ => {}
            }
        }
        found
    }
}

impl<'s> Planner<'_, '_, 's> {
    pub(super) fn pattern_cost(&self, at: usize, terms: &[Term]) -> Result<f64, Error> {
        let env = self.scope.env;
        match env.data(at)? {
            Data::Rows(table) if table.len() > 0 && terms.len() > table.width() => {
                let (width, given) = (table.width(), terms.len());
                Err(Error::syntax(format!(
                    "the relation has {width} columns, but the pattern {given} positions"
                )))
            }
            Data::Rows(table) => Ok(self.rows_cost(table.len() as f64, terms)),
            Data::Facts { .. } => {
                let facts = self.facts(at, terms)?;
                if facts.is_absent() {
                    return Ok(0.0);
                }
                Ok(self.fan_out(&facts)? * self.kept(&facts))
            }
        }
    }

    fn facts(&self, at: usize, terms: &[Term]) -> Result<Facts<'s>, Error> {
        let env = self.scope.env;
        let Data::Facts { source, foreign } = env.data(at)? else {
            return Err(Error::syntax("needs a database"));
        };
        let (source, foreign) = (*source, *foreign);
        if terms.len() > Part::ALL.len() {
            return Err(Error::syntax(
                "a pattern over a database has one to five positions, [entity attribute value tx \
                 added], or six: [entity attribute value tx reason added]",
            ));
        }
        let mut facts = Facts {
            at,
            source,
            foreign,
            slots: [Slot::Blank; 6],
            attribute: None,
            reference: false,
            constant_entity: false,
        };
        if let Some(Term::Const(name)) = terms.get(1) {
            facts.attribute = Some(known(source, name)?);
        } else if let Some(Term::Var(var)) = terms.get(1)
            && let Some(word) = self.scope.constants.get(var)
        {
            self.scope.lasting.set(false);
            facts.attribute = Word::from_raw(*word).as_entity().and_then(|a| source.attribute(a));
        }
        facts.reference = facts.attribute.is_some_and(Attribute::is_ref);
        for (part, term) in Part::positions(terms.len()).into_iter().zip(terms) {
            let slot = match term {
                Term::Blank => Slot::Blank,
                Term::Var(var) if self.bound.contains(var) => Slot::Fixed(self.var_cell(*var)),
                Term::Var(var) => Slot::Free(*var),
                Term::Const(value) => self.constant(&facts, part, value)?,
            };
            if let Some(place) = facts.slots.get_mut(part as usize) {
                *place = slot;
            }
        }
        facts.constant_entity =
            facts.cell(Part::Entity).is_some_and(|cell| self.scope.known(cell).is_some());
        Ok(facts)
    }

    fn constant(&self, facts: &Facts<'s>, part: Part, value: &Value) -> Result<Slot, Error> {
        let fixed = |word: Word| Slot::Fixed(Cell::Const(word.raw()));
        Ok(match part {
            Part::Attribute => facts.attribute.map_or(Slot::Absent, |a| fixed(Word::entity(a.id))),
            Part::Entity | Part::Reason => self.entity(facts.source, value)?,
            Part::Value if facts.reference => self.entity(facts.source, value)?,
            Part::Value => Slot::Fixed(self.scope.constant(value)?),
            Part::Tx => {
                let number = match value {
                    Value::Int(n) => u64::try_from(*n).ok(),
                    Value::Ref(n) => Some(*n),
                    _ => None,
                };
                number.map_or(Slot::Absent, |n| {
                    fixed(Word::entity(if id::t_of(n).is_some() { n } else { id::transaction(n) }))
                })
            }
            Part::Added => match value {
                Value::Bool(added) => fixed(Word::bool(*added)),
                _ => Slot::Absent,
            },
        })
    }

    /// An entity that a constant names, which was left in its place.
    fn entity(&self, source: &dyn Source, value: &Value) -> Result<Slot, Error> {
        if !matches!(value, Value::Int(_) | Value::Ref(_)) {
            self.scope.lasting.set(false);
        }
        entity(source, value)
    }

    /// How many facts match for each row.
    fn fan_out(&self, facts: &Facts<'s>) -> Result<f64, Error> {
        let bound = facts.bound();
        let count = |index, prefix: &[u64]| self.counted(facts, index, prefix);
        let constant =
            |part: Part| part.key_word(facts.cell(part).and_then(|c| self.scope.known(c))?);
        let (e, v) = (constant(Part::Entity), constant(Part::Value));
        let Some(a) = facts.attribute.map(|attribute| attribute.id) else {
            // Without a known attribute: an entity has few facts, the database has many.
            return match (e, bound.entity, bound.value) {
                (Some(e), ..) => count(Index::Eavt, &[e]),
                (_, true, value) => Ok(if value { 0.9 } else { 12.0 }),
                (_, _, true) => Ok((count(Index::Eavt, &[])? / 4.0).max(2.0)),
                _ => Ok(count(Index::Eavt, &[])?.max(2.0)),
            };
        };
        let one = facts.attribute.is_some_and(|a| a.cardinality == Cardinality::One);
        let unique = facts.attribute.is_some_and(|a| a.unique.is_some());
        Ok(match (e, v) {
            (Some(e), None) if !bound.value => count(Index::Eavt, &[e, a])?,
            _ if bound.entity && bound.value => 0.4,
            _ if bound.entity && one => 0.95,
            _ if bound.entity => self.scope.env.average(facts.at, a, Index::Aevt)?,
            (None, Some(v))
                if !facts.foreign && facts.attribute.is_some_and(Attribute::in_avet) =>
            {
                count(Index::Avet, &[a, v])?
            }
            (None, Some(v)) if facts.reference => count(Index::Vaet, &[v, a])?,
            _ if bound.value && unique => 0.95,
            _ if bound.value
                && (facts.reference || facts.attribute.is_some_and(Attribute::in_avet)) =>
            {
                self.scope.env.average(facts.at, a, Index::Avet)?
            }
            // An attribute with no value index: one in ten facts, by want of knowledge.
            _ if bound.value => (count(Index::Aevt, &[a])? / 10.0).max(1.5),
            _ => count(Index::Aevt, &[a])?,
        })
    }

    /// How many facts a prefix has, and a guard that it stays so.
    fn counted(&self, facts: &Facts<'s>, index: Index, prefix: &[u64]) -> Result<f64, Error> {
        let known = parts(index).into_iter().take(prefix.len());
        let cells = known.filter_map(|part| Some((part, facts.cell(part)?))).collect();
        let count = facts.source.count(index, prefix)?;
        let guard = Guard { at: facts.at, index, prefix: cells, count };
        let mut guards = self.scope.guards.borrow_mut();
        if !guards.contains(&guard) {
            guards.push(guard);
        }
        Ok(count as f64)
    }

    pub(super) fn take_pattern(
        &mut self,
        at: usize,
        source: usize,
        terms: &[Term],
        cost: f64,
    ) -> Result<(), Error> {
        let Some(&(_, clause)) = self.left.get(at) else { return Ok(()) };
        let places = vec![clause.place.clone()];
        if let Data::Rows(_) = self.scope.env.data(source)? {
            let (columns, key, takes, once) = self.columns(at, terms)?;
            let find = Find { table: At::Source(source), columns, key, takes, once };
            self.left.remove(at);
            self.bound.extend(clause.produces());
            self.push(Action::Find(find), cost, places);
            return Ok(());
        }
        let facts = self.facts(source, terms)?;
        if facts.is_absent() {
            self.left.remove(at);
            self.bound.extend(clause.produces());
            self.push(Action::Nothing, 0.0, places);
            return Ok(());
        }
        if self.meet(at, &facts, terms, cost)? {
            return Ok(());
        }
        if self.by_entity(at, &facts, cost)? {
            return Ok(());
        }
        let mut at = at;
        let mut places = places;
        let keep = self.absorb(&facts, &mut at, &mut places)?;
        let action = match self.paired(at, &facts, keep) {
            Some(action) => action,
            None => self.scan(at, &facts, terms),
        };
        self.left.remove(at);
        self.bound.extend(clause.produces());
        self.push(action, cost, places);
        Ok(())
    }

    fn scan(&self, at: usize, facts: &Facts<'s>, terms: &[Term]) -> Action {
        let bound = facts.bound();
        let mut index = bound.choose();
        let mut by_value = None;
        // A value is looked for and no index has it first: sort the column once.
        let first = self.steps.is_empty();
        if bound.value && !bound.entity && index == Index::Aevt && !first {
            by_value = facts.attribute.map(|attribute| attribute.id);
            index = Index::Avet;
        }
        let length = bound.prefix(index);
        let prefix = facts.cells(index, 0, length);
        let mut takes = Vec::new();
        let mut filled = BTreeSet::new();
        for part in Part::ALL {
            if prefix.iter().any(|(known, _)| *known == part) {
                continue;
            }
            let take = match facts.slot(part) {
                Slot::Fixed(cell) => Take::Check { cell, entity: None },
                Slot::Free(var) if !filled.insert(var) => {
                    Take::Check { cell: Cell::Slot(var), entity: None }
                }
                Slot::Free(var) if self.is_read(var, at) || repeats(terms, var) => {
                    Take::Fill { slot: var, entity: None }
                }
                _ => continue,
            };
            takes.push((part, take));
        }
        // Slots are filled before they are compared.
        takes.sort_by_key(|(_, take)| matches!(take, Take::Check { .. }));
        let once = !takes.iter().any(|(_, take)| matches!(take, Take::Fill { .. }));
        let Facts { at, foreign, .. } = *facts;
        let reasoned = takes.iter().any(|(part, _)| *part == Part::Reason);
        Action::Scan(Scan { at, foreign, index, prefix, takes, once, reasoned, by_value })
    }

    /// The pattern as a step on the pairs of its attribute, where it is no more than that.
    fn paired(&self, at: usize, facts: &Facts<'s>, keep: Vec<Keep>) -> Option<Action> {
        let attribute = facts.attribute?;
        let kept = facts.source.standing() == Standing::Present;
        let one = kept && attribute.cardinality == Cardinality::One;
        let read = |var: Var| self.is_read(var, at).then_some(var);
        let (by, key, other) = match (facts.slot(Part::Entity), facts.slot(Part::Value)) {
            (Slot::Fixed(entity), other) => (By::Entity, entity, other),
            (other, Slot::Fixed(value)) => (By::Value, value, other),
            (Slot::Free(e), Slot::Free(v)) if e == v => return None,
            (Slot::Free(entity), value) => {
                let side = self.side(facts, By::Entity)?;
                let value = match value {
                    Slot::Free(var) => read(var),
                    _ => None,
                };
                let entity = read(entity);
                // In the order of values an entity comes once for each.
                let ranged = !keep.is_empty() && attribute.in_avet() && (one || value.is_some());
                return Some(Action::All(All {
                    side,
                    entity,
                    value,
                    keep,
                    ranged,
                    functional: one,
                }));
            }
            _ => return None,
        };
        let functional = match by {
            By::Entity => one,
            By::Value => kept && attribute.unique.is_some(),
        };
        let then = match other {
            Slot::Fixed(cell) => Then::Check(cell),
            Slot::Free(var) => read(var).map_or(Then::Exists, Then::Fill),
            _ => Then::Exists,
        };
        let side = self.side(facts, by)?;
        Some(Action::Follow(Follow { side, key, then, keep, functional }))
    }

    /// A side of the pattern's attribute, where it asks for nothing else of a source that lends.
    pub(super) fn side(&self, facts: &Facts<'s>, by: By) -> Option<Side> {
        let mut rest = [Part::Tx, Part::Added, Part::Reason].into_iter();
        let plain = rest.all(|part| facts.slot(part) == Slot::Blank);
        if facts.foreign || !plain || facts.source.standing() == Standing::Computed {
            return None;
        }
        Some(Side { at: facts.at, attribute: facts.attribute?.id, by })
    }

    /// Joins the pattern with all others that have the same variable free, if there are any.
    fn meet(
        &mut self,
        at: usize,
        facts: &Facts<'s>,
        terms: &[Term],
        cost: f64,
    ) -> Result<bool, Error> {
        let mut free = terms.iter().filter_map(Term::var).filter(|var| !self.bound.contains(var));
        let Some(var) = free.next() else { return Ok(false) };
        let Some(first) = self.member(facts, var) else { return Ok(false) };
        let mut members = vec![(at, first)];
        for other in (0..self.left.len()).filter(|other| *other != at) {
            let Some((_, clause)) = self.left.get(other) else { continue };
            let super::ClauseKind::Pattern { source, terms } = &clause.kind else { continue };
            let source = source.resolve(self.scope.default);
            if !terms.iter().any(|term| term.var() == Some(var))
                || self.scope.env.facts(source).is_none()
            {
                continue;
            }
            let facts = self.facts(source, terms).map_err(|error| error.at(&clause.place))?;
            if !facts.is_absent()
                && let Some(member) = self.member(&facts, var)
            {
                members.push((other, member));
            }
        }
        if members.len() < 2 {
            return Ok(false);
        }
        let place = |member: &usize| self.left.get(*member).map(|(_, clause)| clause.place.clone());
        let places = members.iter().filter_map(|(member, _)| place(member)).collect();
        let (mut taken, members): (Vec<usize>, Vec<_>) = members.into_iter().unzip();
        taken.sort_unstable();
        for (done, member) in taken.into_iter().enumerate() {
            let (number, _) = self.left.remove(member - done);
            if done > 0 {
                self.trace.push((number, self.bound.clone()));
            }
        }
        self.bound.insert(var);
        self.push(Action::Meet(Meet { members, slot: var }), cost, places);
        Ok(true)
    }

    /// Binds the entity of a pattern alone, if another one has the same two variables free: what both say
    /// of an entity is then a join of two lists, where every fact of the one would be looked up in the other.
    fn by_entity(&mut self, at: usize, facts: &Facts<'s>, cost: f64) -> Result<bool, Error> {
        let Some((entity, value)) = self.open_pair(facts) else { return Ok(false) };
        let Some(side) = self.side(facts, By::Entity) else { return Ok(false) };
        let average = self.scope.env.average(facts.at, side.attribute, Index::Aevt)?;
        if average < SIDE_BY_SIDE_MIN {
            return Ok(false);
        }
        let mut paired = false;
        for (other, (_, clause)) in self.left.iter().enumerate() {
            let super::ClauseKind::Pattern { source, terms } = &clause.kind else { continue };
            let source = source.resolve(self.scope.default);
            if other == at || self.scope.env.facts(source).is_none() {
                continue;
            }
            let facts = self.facts(source, terms).map_err(|error| error.at(&clause.place))?;
            let same = self.open_pair(&facts);
            paired |= (same == Some((entity, value)) || same == Some((value, entity)))
                && self.side(&facts, By::Entity).is_some();
        }
        let Some((_, clause)) = self.left.get(at).filter(|_| paired) else { return Ok(false) };
        let places = vec![clause.place.clone()];
        let all = All {
            side,
            entity: Some(entity),
            value: None,
            keep: Vec::new(),
            ranged: false,
            functional: false,
        };
        self.bound.insert(entity);
        self.push(Action::All(all), cost / average, places);
        Ok(true)
    }

    /// The variables of a pattern of which both entity and value are free, and not the same.
    fn open_pair(&self, facts: &Facts<'s>) -> Option<(Var, Var)> {
        match (facts.slot(Part::Entity), facts.slot(Part::Value)) {
            (Slot::Free(entity), Slot::Free(value)) if entity != value => Some((entity, value)),
            _ => None,
        }
    }

    /// A pattern whose only free variable is `var`: its side, and what stands on the other side.
    fn member(&self, facts: &Facts<'s>, var: Var) -> Option<(Side, Cell)> {
        let (by, cell) = match facts.only(var)? {
            Part::Entity => (By::Value, facts.cell(Part::Value)?),
            Part::Value => (By::Entity, facts.cell(Part::Entity)?),
            _ => return None,
        };
        Some((self.side(facts, by)?, cell))
    }
}

/// An entity that a constant names; nothing matches where it names none.
fn entity(source: &dyn Source, value: &Value) -> Result<Slot, Error> {
    match value {
        Value::Int(n) if *n < 0 => Ok(Slot::Absent),
        Value::Int(_) | Value::Ref(_) | Value::Keyword(_) => Ok(source
            .entity_id(value)?
            .map_or(Slot::Absent, |id| Slot::Fixed(Cell::Const(Word::entity(id).raw())))),
        Value::Vector(_) | Value::List(_) => match source.entity_id(value)? {
            Some(id) => Ok(Slot::Fixed(Cell::Const(Word::entity(id).raw()))),
            None => Err(Error::new(ErrorKind::NoEntity(Brief(value).to_string()))),
        },
        _ => Ok(Slot::Absent),
    }
}

/// The attribute a constant names, or an error with the nearest name.
pub(super) fn known<'s>(source: &'s dyn Source, name: &Value) -> Result<&'s Attribute, Error> {
    let found = match name {
        Value::Keyword(name) => source.attribute_named(name),
        Value::Ref(id) => source.attribute(*id),
        Value::Int(id) => u64::try_from(*id).ok().and_then(|id| source.attribute(id)),
        _ => None,
    };
    found.ok_or_else(|| unknown_attribute(name, source))
}

/// The error for an attribute that does not exist, with the nearest name.
pub(crate) fn unknown_attribute(name: &Value, source: &dyn Source) -> Error {
    let written = name.to_string();
    let bare = written.trim_start_matches(':');
    let nearest = nearest(bare, source.attribute_names()).map(|name| format!(":{name}"));
    Error::new(ErrorKind::UnknownAttribute { name: written, nearest })
}
