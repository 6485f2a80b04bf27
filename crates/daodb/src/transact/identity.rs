//! Stage three: every tempid becomes an entity.
//!
//! 1. A tempid that states a unique identity which an entity has already *is* that entity.
//! 2. Tempids that state the same new unique identity are one entity.
//! 3. Both hold for composite tuples as well, stated as such or through all of their parts, and for
//!    identities whose value is a tempid itself: these are looked at again when more is known.
//! 4. What is left gets new ids, in the order in which the tempids first appear.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datom::{Value, Word, id};
use eve::Read;

use super::Ensure;
use super::claims::{Claims, Kind, Place, Proposed};
use super::forms::Origin;
use super::words::{Words, is_provisional};
use crate::attribute::{self, Attribute};
use crate::builtin;
use crate::error::{Category, Error, Rejection};
use crate::lookup::Basis;
use crate::mix::WordHashMap;

/// A claim about a known entity with known words.
pub(crate) struct Step<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) e: u64,
    pub(crate) action: Action,
}

impl Step<'_> {
    /// Whether working it out may need the instants of transactions up to `t`: of that which it is about, or
    /// of all, for a composite tuple that is installed.
    pub(crate) fn may_need_instants(&self, t: u64) -> bool {
        let is_made = (id::TX_BASE..=id::transaction(t)).contains(&self.e);
        is_made || matches!(self.action, Action::Add { a, .. } if builtin::is_schema(a))
    }
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
    pub(crate) ensures: Vec<Ensure>,
    /// What the named tempids became.
    pub(crate) tempids: BTreeMap<Value, u64>,
    /// The metadata entity of all facts.
    pub(crate) metadata: Option<u64>,
}

/// Gives every tempid its entity.
pub(crate) fn identify<'a, 'b, R: Read>(
    basis: Basis<'b, R>,
    words: &mut Words<'b, R>,
    claims: Claims<'a>,
) -> Result<Identified<'a>, Error> {
    let entities = match claims.tempids.is_empty() {
        true => Vec::new(),
        false => allocate(basis, &claims, classes(basis, words, &claims)?)?,
    };
    let place = |place: Place| match place {
        Place::Entity(entity) => Ok(entity),
        Place::Tempid(number) => entities[number].ok_or_else(|| unstated(&claims, number)),
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
    let mut ensures = Vec::with_capacity(claims.ensures.len());
    for &(origin, e, spec) in &claims.ensures {
        let refusal = origin.reject(Category::Predicate, "");
        ensures.push(Ensure { refusal, e: place(e)?, spec: place(spec)? });
    }
    let mut tempids = BTreeMap::new();
    for (tempid, entity) in claims.tempids.iter().zip(&entities) {
        if let (Some(name), &Some(entity)) = (&tempid.name, entity) {
            tempids.insert(name.clone(), entity);
        }
    }
    Ok(Identified { steps, ensures, tempids, metadata })
}

fn unstated(claims: &Claims<'_>, number: usize) -> Rejection {
    let Some(tempid) = claims.tempids.get(number) else {
        return Rejection::new(Category::Tempid, "a tempid has no entity");
    };
    let message = match &tempid.name {
        Some(name) => format!(
            "tempid {name} is used, but nothing is stated about it; state a fact of it, or use an entity id"
        ),
        None => "an entity is meant of which this map states nothing; state a fact of it, or leave it out".into(),
    };
    tempid.origin.reject(Category::Tempid, message)
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

    /// The root of a class. Halves the way for those who come after.
    fn root(&mut self, mut number: usize) -> usize {
        // Ends at a root: only roots get a parent, another root.
        while self.parents[number] != number {
            self.parents[number] = self.parents[self.parents[number]];
            number = self.parents[number];
        }
        number
    }

    /// The class is this entity. Returns the root if that is new; `Err` holds the entity it is
    /// already.
    fn resolve(&mut self, number: usize, entity: u64) -> Result<Option<usize>, u64> {
        let root = self.root(number);
        match self.entities[root] {
            Some(other) if other != entity => Err(other),
            Some(_) => Ok(None),
            None => {
                self.entities[root] = Some(entity);
                Ok(Some(root))
            }
        }
    }

    /// Makes two classes, given by their roots, one: `part` hangs below `whole`. Returns the root
    /// whose tempids something is learnt about: what their entity is, or else that they are of
    /// another class. `Err` holds the two entities they are.
    fn unite(&mut self, whole: usize, part: usize) -> Result<usize, (u64, u64)> {
        let learns = match (self.entities[whole], self.entities[part]) {
            (Some(x), Some(y)) if x != y => return Err((x, y)),
            (None, Some(entity)) => {
                self.entities[whole] = Some(entity);
                whole
            }
            _ => part,
        };
        self.parents[part] = whole;
        Ok(learns)
    }
}

/// Something unique that a tempid states.
struct Identity<'a> {
    origin: Origin<'a>,
    tempid: usize,
    attribute: u64,
    value: Unique,
}

/// The unique value: one, or all parts of a composite tuple.
enum Unique {
    Value(Proposed),
    Tuple(Vec<Proposed>),
}

impl Unique {
    fn parts(&self) -> &[Proposed] {
        match self {
            Unique::Value(value) => std::slice::from_ref(value),
            Unique::Tuple(parts) => parts,
        }
    }
}

/// What is stated of the parts of a composite tuple, so far.
type Parts<'a> = (Origin<'a>, Vec<Option<Proposed>>);

fn identities<'a, R: Read>(basis: Basis<'_, R>, claims: &Claims<'a>) -> Vec<Identity<'a>> {
    let schema = basis.schema;
    let identifies = |attribute: &Attribute| attribute.unique == Some(attribute::Unique::Identity);
    let mut identities = Vec::new();
    let mut tuples: BTreeMap<(usize, u64), Parts<'a>> = BTreeMap::new();
    for claim in &claims.claims {
        let (Place::Tempid(tempid), Kind::Add { a, v }) = (claim.e, &claim.kind) else { continue };
        let Some(attribute) = schema.attribute(*a) else { continue };
        if identifies(attribute) {
            let value = Unique::Value(*v);
            identities.push(Identity { origin: claim.origin, tempid, attribute: *a, value });
        }
        for &composite in schema.composites_of(*a) {
            let Some(attribute) = schema.attribute(composite) else { continue };
            let Some(parts) = &attribute.tuple else { continue };
            if !identifies(attribute) {
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
            identities.push(Identity { origin, tempid, attribute, value: Unique::Tuple(parts) });
        }
    }
    identities
}

/// Finds out which tempids are one entity, and which they are.
///
/// An identity is looked at again when something was learnt about a tempid that it is made of: once
/// which entity that is, and before each time that its class joins one of at least as many users,
/// which is at most log n times. So identities that name each other in long chains cost little more
/// than as many that stand alone.
struct Search<'s, 'a, 'b, 'w, R> {
    basis: Basis<'b, R>,
    words: &'w mut Words<'b, R>,
    claims: &'s Claims<'a>,
    classes: Classes,
    /// The tempid that states a value which no entity has yet.
    values: WordHashMap<(u64, Part), usize>,
    /// The tempid that states a tuple of which parts are tempids.
    tuples: HashMap<(u64, Vec<Part>), usize>,
    /// The identities that are made of the tempids of a class, by its root.
    users: WordHashMap<usize, Vec<usize>>,
    /// Identities to be looked at again.
    again: BTreeSet<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Word(Word),
    Tempid(usize),
}

impl<R: Read> Search<'_, '_, '_, '_, R> {
    fn run(&mut self, identities: &[Identity<'_>]) -> Result<(), Error> {
        for (number, identity) in identities.iter().enumerate() {
            for part in identity.value.parts() {
                if let Proposed::Place(Place::Tempid(tempid)) = *part {
                    self.users.entry(tempid).or_default().push(number);
                }
            }
        }
        for identity in identities {
            self.look(identity)?;
        }
        while !self.again.is_empty() {
            for number in std::mem::take(&mut self.again) {
                self.look(&identities[number])?;
            }
        }
        Ok(())
    }

    fn look(&mut self, identity: &Identity<'_>) -> Result<(), Error> {
        let two = |one, other| two(self.claims, identity, one, other);
        let first = match self.value(identity)? {
            Ok(word) => {
                let owner = match is_provisional(word) {
                    true => None,
                    false => self.basis.owner(identity.attribute, word)?,
                };
                if let Some(owner) = owner {
                    let resolved = self.classes.resolve(identity.tempid, owner);
                    if let Some(root) = resolved.map_err(|other| two(owner, other))? {
                        self.learnt(root);
                    }
                    return Ok(());
                }
                let key = (identity.attribute, Part::Word(word));
                *self.values.entry(key).or_insert(identity.tempid)
            }
            Err(parts) => match parts.as_slice() {
                [part] => {
                    let key = (identity.attribute, *part);
                    *self.values.entry(key).or_insert(identity.tempid)
                }
                _ => {
                    let key = (identity.attribute, parts);
                    *self.tuples.entry(key).or_insert(identity.tempid)
                }
            },
        };
        let (one, other) = (self.classes.root(first), self.classes.root(identity.tempid));
        if one != other {
            let fewer = self.users_of(one) < self.users_of(other);
            let (whole, part) = if fewer { (other, one) } else { (one, other) };
            let united = self.classes.unite(whole, part);
            let learns = united.map_err(|(one, other)| two(one, other))?;
            self.learnt(learns);
            let users = self.users.remove(&part).unwrap_or_default();
            if !users.is_empty() {
                self.users.entry(whole).or_default().extend(users);
            }
        }
        Ok(())
    }

    fn users_of(&self, root: usize) -> usize {
        self.users.get(&root).map_or(0, Vec::len)
    }

    fn learnt(&mut self, root: usize) {
        self.again.extend(self.users.get(&root).into_iter().flatten());
    }

    /// The word that the index would hold for an identity; `Err` holds its parts, as far as they
    /// are known, while some are tempids.
    fn value(&mut self, identity: &Identity<'_>) -> Result<Result<Word, Vec<Part>>, Error> {
        let parts = match &identity.value {
            Unique::Value(value) => match self.part(*value) {
                Part::Word(word) => return Ok(Ok(word)),
                tempid => return Ok(Err(vec![tempid])),
            },
            Unique::Tuple(parts) => parts,
        };
        let mut known = Vec::with_capacity(parts.len());
        let mut values = Vec::with_capacity(parts.len());
        for part in parts {
            let part = self.part(*part);
            if let Part::Word(word) = part {
                values.push(self.words.value(word)?);
            }
            known.push(part);
        }
        if values.len() < known.len() {
            return Ok(Err(known));
        }
        self.words.word(&Value::Vector(values)).map(Ok)
    }

    fn part(&mut self, part: Proposed) -> Part {
        match part {
            Proposed::Word(word) => Part::Word(word),
            Proposed::Place(Place::Entity(entity)) => Part::Word(Word::entity(entity)),
            Proposed::Place(Place::Tempid(number)) => {
                let root = self.classes.root(number);
                let entity = self.classes.entities[root];
                entity.map_or(Part::Tempid(root), |entity| Part::Word(Word::entity(entity)))
            }
        }
    }
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

/// The classes that the identities make of the tempids.
fn classes<'b, R: Read>(
    basis: Basis<'b, R>,
    words: &mut Words<'b, R>,
    claims: &Claims<'_>,
) -> Result<Classes, Error> {
    let mut search = Search {
        basis,
        words,
        claims,
        classes: Classes::new(claims.tempids.len()),
        values: WordHashMap::default(),
        tuples: HashMap::new(),
        users: WordHashMap::default(),
        again: BTreeSet::new(),
    };
    search.run(&identities(basis, claims))?;
    Ok(search.classes)
}

/// The entity of every tempid, by its number: new ids for the classes that something is stated
/// about and that are no entity yet.
fn allocate<R: Read>(
    basis: Basis<'_, R>,
    claims: &Claims<'_>,
    mut classes: Classes,
) -> Result<Vec<Option<u64>>, Error> {
    let roots: Vec<usize> = (0..claims.tempids.len()).map(|number| classes.root(number)).collect();
    let mut entities = classes.entities;
    let mut next = basis.record.next_entity;
    let mut stated = vec![false; claims.tempids.len()];
    for claim in &claims.claims {
        match claim.e {
            // Ids that the transaction itself names are not handed out again.
            Place::Entity(entity) if entity < id::TX_BASE => next = next.max(entity + 1),
            Place::Entity(_) => {}
            Place::Tempid(number) => {
                let states = matches!(claim.kind, Kind::Add { .. } | Kind::Cas { .. });
                stated[roots[number]] |= states;
            }
        }
    }
    for (number, &root) in roots.iter().enumerate() {
        if entities[root].is_some() || !stated[root] {
            continue;
        }
        if next >= id::TX_BASE {
            let origin = claims.tempids[number].origin;
            return Err(origin.reject(Category::Limit, "there are no more entity ids").into());
        }
        entities[root] = Some(next);
        next += 1;
    }
    Ok(roots.into_iter().map(|root| entities[root]).collect())
}
