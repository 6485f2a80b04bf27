//! Stage three: every tempid becomes an entity.
//!
//! 1. A tempid that states a unique identity which an entity has already *is* that entity.
//! 2. Tempids that state the same new unique identity are one entity.
//! 3. Both hold for composite tuples as well, stated as such or through all of their parts, and for
//!    identities whose value is a tempid itself: hence the passes until nothing changes.
//! 4. What is left gets new ids, in the order in which the tempids first appear.

use std::collections::{BTreeMap, HashMap};

use datom::{Value, Word, id};
use eve::Read;

use super::claims::{Claims, Kind, Place, Proposed};
use super::forms::Origin;
use super::words::{Words, is_provisional};
use crate::attribute::Unique;
use crate::error::{Category, Error, Rejection};
use crate::lookup::Basis;

/// A claim about a known entity with known words.
pub(crate) struct Step<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) e: u64,
    pub(crate) action: Action,
}

/// What is to happen to the entity.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    Add { a: u64, v: Word },
    Retract { a: u64, v: Option<Word> },
    RetractEntity,
    Cas { a: u64, old: Option<Word>, new: Word },
}

/// Claims without tempids.
pub(crate) struct Identified<'a> {
    pub(crate) steps: Vec<Step<'a>>,
    /// What the named tempids became.
    pub(crate) tempids: BTreeMap<Value, u64>,
    /// The metadata entity of all facts.
    pub(crate) metadata: Option<u64>,
}

/// Gives every tempid its entity.
pub(crate) fn identify<'a, R: Read>(
    basis: Basis<'_, R>,
    words: &mut Words<'_, R>,
    claims: Claims<'a>,
) -> Result<Identified<'a>, Error> {
    let mut classes = Classes::new(claims.tempids.len());
    if !claims.tempids.is_empty() {
        let identities = identities(basis, &claims);
        while pass(basis, words, &claims, &identities, &mut classes)? {}
        allocate(basis, &claims, &mut classes)?;
    }
    let place = |place: Place| match place {
        Place::Entity(entity) => Ok(entity),
        Place::Tempid(number) => classes.entity(number).ok_or_else(|| unstated(&claims, number)),
    };
    let mut steps = Vec::with_capacity(claims.claims.len());
    let operand = |proposed: &Proposed| match *proposed {
        Proposed::Word(word) => Ok(word),
        Proposed::Place(name) => place(name).map(Word::entity),
    };
    for claim in &claims.claims {
        let action = match &claim.kind {
            Kind::Add { a, v } => Action::Add { a: *a, v: operand(v)? },
            Kind::Retract { a, v } => {
                Action::Retract { a: *a, v: v.as_ref().map(operand).transpose()? }
            }
            Kind::RetractEntity => Action::RetractEntity,
            Kind::Cas { a, old, new } => Action::Cas {
                a: *a,
                old: old.as_ref().map(operand).transpose()?,
                new: operand(new)?,
            },
        };
        steps.push(Step { origin: claim.origin, e: place(claim.e)?, action });
    }
    let metadata = claims.metadata.map(place).transpose()?;
    let mut tempids = BTreeMap::new();
    for (number, tempid) in claims.tempids.iter().enumerate() {
        if let (Some(name), Some(entity)) = (&tempid.name, classes.entity(number)) {
            tempids.insert(name.clone(), entity);
        }
    }
    Ok(Identified { steps, tempids, metadata })
}

fn unstated(claims: &Claims<'_>, number: usize) -> Rejection {
    let Some(tempid) = claims.tempids.get(number) else {
        return Rejection {
            category: Category::Tempid,
            message: "a tempid has no entity".into(),
            form: Value::Nil,
            position: 0,
        };
    };
    let name = tempid.name.clone().unwrap_or(Value::Nil);
    tempid.origin.reject(
        Category::Tempid,
        format!("tempid {name} is used, but nothing is stated about it; state a fact of it, or use an entity id"),
    )
}

/// Tempids that are one entity, as a forest.
struct Classes {
    parents: Vec<usize>,
    entities: Vec<Option<u64>>,
}

impl Classes {
    fn new(count: usize) -> Self {
        Self { parents: (0..count).collect(), entities: vec![None; count] }
    }

    fn root(&self, mut number: usize) -> usize {
        // Bounded by the number of tempids: each step goes to a smaller number.
        while self.parents[number] != number {
            number = self.parents[number];
        }
        number
    }

    fn entity(&self, number: usize) -> Option<u64> {
        self.entities[self.root(number)]
    }

    /// The class is this entity. Returns whether that is new; `Err` holds the entity it is already.
    fn resolve(&mut self, number: usize, entity: u64) -> Result<bool, u64> {
        let root = self.root(number);
        match self.entities[root] {
            Some(other) if other != entity => Err(other),
            Some(_) => Ok(false),
            None => {
                self.entities[root] = Some(entity);
                Ok(true)
            }
        }
    }

    /// Both classes are one. Returns whether that is new; `Err` holds the two entities they are.
    fn unite(&mut self, one: usize, other: usize) -> Result<bool, (u64, u64)> {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return Ok(false);
        }
        let entity = match (self.entities[one], self.entities[other]) {
            (Some(x), Some(y)) if x != y => return Err((x, y)),
            (x, y) => x.or(y),
        };
        let (low, high) = (one.min(other), one.max(other));
        self.parents[high] = low;
        self.entities[low] = entity;
        Ok(true)
    }
}

/// Something unique that a tempid states: one value, or all parts of a composite tuple.
struct Identity<'a> {
    origin: Origin<'a>,
    tempid: usize,
    attribute: u64,
    parts: Vec<Proposed>,
    composite: bool,
}

/// What is stated of the parts of a composite tuple, so far.
type Parts<'a> = (Origin<'a>, Vec<Option<Proposed>>);

fn identities<'a, R: Read>(basis: Basis<'_, R>, claims: &Claims<'a>) -> Vec<Identity<'a>> {
    let schema = basis.schema;
    let mut identities = Vec::new();
    let mut tuples: BTreeMap<(usize, u64), Parts<'a>> = BTreeMap::new();
    for claim in &claims.claims {
        let (Place::Tempid(tempid), Kind::Add { a, v }) = (claim.e, &claim.kind) else { continue };
        let Some(attribute) = schema.attribute(*a) else { continue };
        if attribute.unique == Some(Unique::Identity) {
            identities.push(Identity {
                origin: claim.origin,
                tempid,
                attribute: *a,
                parts: vec![*v],
                composite: false,
            });
        }
        for &composite in schema.composites_of(*a) {
            let Some(attribute) = schema.attribute(composite) else { continue };
            let Some(parts) = &attribute.tuple else { continue };
            if attribute.unique != Some(Unique::Identity) {
                continue;
            }
            let entry = tuples.entry((tempid, composite));
            let (_, found) = entry.or_insert_with(|| (claim.origin, vec![None; parts.len()]));
            for (slot, part) in found.iter_mut().zip(parts.iter()) {
                if part == a {
                    *slot = Some(*v);
                }
            }
        }
    }
    for ((tempid, attribute), (origin, parts)) in tuples {
        if let Some(parts) = parts.into_iter().collect() {
            identities.push(Identity { origin, tempid, attribute, parts, composite: true });
        }
    }
    identities
}

/// One look at every identity. Returns whether anything was learnt.
fn pass<'a, R: Read>(
    basis: Basis<'_, R>,
    words: &mut Words<'_, R>,
    claims: &Claims<'a>,
    identities: &[Identity<'a>],
    classes: &mut Classes,
) -> Result<bool, Error> {
    let mut learnt = false;
    let mut new: HashMap<(u64, Vec<Part>), usize> = HashMap::new();
    for identity in identities {
        let mut parts = Vec::with_capacity(identity.parts.len());
        for part in &identity.parts {
            parts.push(match *part {
                Proposed::Word(word) => Part::Word(word),
                Proposed::Place(Place::Entity(entity)) => Part::Word(Word::entity(entity)),
                Proposed::Place(Place::Tempid(number)) => match classes.entity(number) {
                    Some(entity) => Part::Word(Word::entity(entity)),
                    None => Part::Tempid(classes.root(number)),
                },
            });
        }
        if let Some(word) = whole(words, identity, &parts)? {
            parts = vec![Part::Word(word)];
            let owner = match is_provisional(word) {
                true => None,
                false => basis.owner(identity.attribute, word)?,
            };
            if let Some(owner) = owner {
                let resolved = classes.resolve(identity.tempid, owner);
                learnt |= resolved.map_err(|other| two(claims, identity, owner, other))?;
                continue;
            }
        }
        let first = *new.entry((identity.attribute, parts)).or_insert(identity.tempid);
        let united = classes.unite(first, identity.tempid);
        learnt |= united.map_err(|(one, other)| two(claims, identity, one, other))?;
    }
    Ok(learnt)
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Word(Word),
    Tempid(usize),
}

/// The word that the index would hold for an identity, once all of its parts are known.
fn whole<R: Read>(
    words: &mut Words<'_, R>,
    identity: &Identity<'_>,
    parts: &[Part],
) -> Result<Option<Word>, Error> {
    let mut known = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Word(word) => known.push(*word),
            Part::Tempid(_) => return Ok(None),
        }
    }
    if !identity.composite {
        return Ok(known.first().copied());
    }
    let values = known.into_iter().map(|word| words.value(word)).collect::<Result<_, _>>()?;
    words.word(&Value::Vector(values)).map(Some)
}

fn two(claims: &Claims<'_>, identity: &Identity<'_>, one: u64, other: u64) -> Rejection {
    let tempid = claims.tempids.get(identity.tempid);
    let name = match tempid.and_then(|tempid| tempid.name.as_ref()) {
        Some(name) => format!("tempid {name}"),
        None => "this map".into(),
    };
    identity.origin.reject(
        Category::Tempid,
        format!(
            "{name} states unique identities of two entities, {one} and {other}; retract one of \
             them first, or state them of two tempids"
        ),
    )
}

/// New ids for the classes that something is stated about.
fn allocate<R: Read>(
    basis: Basis<'_, R>,
    claims: &Claims<'_>,
    classes: &mut Classes,
) -> Result<(), Error> {
    let mut next = basis.record.next_entity;
    let mut stated = vec![false; claims.tempids.len()];
    for claim in &claims.claims {
        match claim.e {
            // Ids that the transaction itself names are not handed out again.
            Place::Entity(entity) if entity < id::TX_BASE => next = next.max(entity + 1),
            Place::Entity(_) => {}
            Place::Tempid(number) => {
                let states = matches!(claim.kind, Kind::Add { .. } | Kind::Cas { .. });
                stated[classes.root(number)] |= states;
            }
        }
    }
    for number in 0..claims.tempids.len() {
        let root = classes.root(number);
        if classes.entities[root].is_some() || !stated[root] {
            continue;
        }
        if next >= id::TX_BASE {
            let origin = claims.tempids[number].origin;
            return Err(origin.reject(Category::Limit, "there are no more entity ids").into());
        }
        classes.entities[root] = Some(next);
        next += 1;
    }
    Ok(())
}
