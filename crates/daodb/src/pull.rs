//! Pull: a nested map of what is known about an entity, by a pattern.
//!
//! 1. Values of an attribute of cardinality many come in the order of values, entities by id.
//! 2. A recursion that comes back to an entity it is inside of shows that entity's id alone, so
//!    cycles end. The entity it began with may be shown once more.
//! 3. Parts (`:db/isComponent`) are shown whole where no pattern says what of them to show.
//! 4. An entity of which the pattern finds nothing is nil.

mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use datom::{Keyword, Value, Word};

#[cfg(test)]
pub(crate) use self::pattern::OPTIONS;
pub(crate) use self::pattern::Pattern;
use self::pattern::{Inside, Spec};
use crate::attribute::Attribute;
use crate::index::Index;
use crate::query::{QueryError, Reader, Source, Watch};

/// Deepest nesting of what is pulled.
const DEPTH_MAX: usize = 128;

/// Values shown of an attribute of cardinality many where no `:limit` says otherwise.
const LIMIT: usize = 1000;

impl Pattern {
    /// What the pattern shows of an entity.
    pub(crate) fn pull(
        &self,
        source: &dyn Source,
        entity: u64,
        watch: &Watch,
    ) -> Result<Value, QueryError> {
        let mut puller = Puller {
            source,
            watch,
            eavt: source.reader(Index::Eavt, None),
            vaet: source.reader(Index::Vaet, None),
            inside: Vec::new(),
            depth: 0,
        };
        puller.entity(self, entity, &BTreeMap::new())
    }
}

/// Recursions left, by the place of the recursive spec in its pattern.
type Left = BTreeMap<usize, usize>;

struct Puller<'p> {
    source: &'p dyn Source,
    watch: &'p Watch,
    eavt: Reader<'p>,
    vaet: Reader<'p>,
    /// The entities that recursions are inside of.
    inside: Vec<u64>,
    depth: usize,
}

impl Puller<'_> {
    fn entity(&mut self, pattern: &Pattern, entity: u64, left: &Left) -> Result<Value, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message =
                format!("deeper than {DEPTH_MAX} levels; bound the recursion by a number");
            return Err(QueryError::pull(message));
        }
        let mut shown = BTreeMap::new();
        if pattern.wildcard {
            self.everything(pattern, entity, &mut shown)?;
        }
        if let Some(key) = pattern.id.clone().filter(|_| !shown.is_empty() || !pattern.wildcard) {
            shown.insert(key, Value::Ref(entity));
        }
        for (place, spec) in pattern.specs.iter().enumerate() {
            self.watch.tick()?;
            let value = match (self.spec(pattern, place, spec, entity, left)?, &spec.xform) {
                // What becomes nil is not shown.
                (Some(shown), Some(xform)) => {
                    Some(xform.call(&[shown])?).filter(|made| *made != Value::Nil)
                }
                (shown, _) => shown,
            };
            if let Some(value) = value.or_else(|| spec.default.clone()) {
                shown.insert(spec.key.clone(), value);
            }
        }
        self.depth -= 1;
        Ok(if shown.is_empty() { Value::Nil } else { Value::Map(shown) })
    }

    /// Every attribute the entity has, but those that the pattern shows in its own way.
    fn everything(
        &mut self,
        pattern: &Pattern,
        entity: u64,
        shown: &mut BTreeMap<Value, Value>,
    ) -> Result<(), QueryError> {
        let mut attributes: Vec<u64> = Vec::new();
        let watch = self.watch;
        self.eavt.scan(&[entity], |key| {
            watch.scan()?;
            let a = Index::Eavt.datom(key).a;
            if attributes.last() != Some(&a) {
                attributes.push(a);
            }
            Ok(true)
        })?;
        for id in attributes {
            let Some(attribute) = self.source.attribute(id).cloned() else { continue };
            let own = |spec: &Spec| spec.attribute == id && !spec.reverse;
            if pattern.specs.iter().any(own) {
                continue;
            }
            if let Some(value) = self.plain(&attribute, entity)? {
                shown.insert(Value::Keyword(attribute.ident.clone()), value);
            }
        }
        if !shown.is_empty() || !pattern.specs.is_empty() {
            let exists = !shown.is_empty() || self.exists(entity)?;
            if exists {
                shown.insert(Value::keyword("db/id"), Value::Ref(entity));
            }
        }
        Ok(())
    }

    fn exists(&mut self, entity: u64) -> Result<bool, QueryError> {
        let mut found = false;
        self.eavt.scan(&[entity], |_| {
            found = true;
            Ok(false)
        })?;
        Ok(found)
    }

    /// An attribute as it is shown where no pattern says how.
    fn plain(&mut self, attribute: &Attribute, entity: u64) -> Result<Option<Value>, QueryError> {
        let values = self.values(attribute.id, entity, false)?;
        let mut shown = Vec::new();
        for value in values.into_iter().take(LIMIT) {
            self.watch.tick()?;
            shown.push(match value {
                Value::Ref(id) if attribute.component => self.part(id)?,
                Value::Ref(id) if attribute.is_ref() => only_id(id),
                value => value,
            });
        }
        Ok(collected(shown, attribute.is_many()))
    }

    /// A part of the whole: everything about it, unless we are inside of it.
    fn part(&mut self, entity: u64) -> Result<Value, QueryError> {
        if self.inside.contains(&entity) {
            return Ok(only_id(entity));
        }
        self.inside.push(entity);
        let shown = self.entity(&Pattern::everything(), entity, &Left::new());
        self.inside.pop();
        Ok(match shown? {
            Value::Nil => only_id(entity),
            shown => shown,
        })
    }

    fn spec(
        &mut self,
        pattern: &Pattern,
        place: usize,
        spec: &Spec,
        entity: u64,
        left: &Left,
    ) -> Result<Option<Value>, QueryError> {
        let many = if spec.reverse { !spec.component } else { spec.many };
        let allowed = match &spec.inside {
            Inside::Recur(Some(depth)) => {
                let allowed = left.get(&place).copied().unwrap_or(*depth);
                if allowed == 0 {
                    return Ok(None);
                }
                Some(allowed - 1)
            }
            _ => None,
        };
        let mut values = self.values(spec.attribute, entity, spec.reverse)?;
        if let Some(limit) = spec.limit {
            values.truncate(limit);
        }
        let mut shown = Vec::new();
        for value in values {
            self.watch.tick()?;
            let Value::Ref(id) = value else {
                shown.push(value);
                continue;
            };
            let value = match &spec.inside {
                Inside::Nothing if spec.component && !spec.reverse => self.part(id)?,
                Inside::Nothing if spec.is_ref || spec.reverse => only_id(id),
                Inside::Nothing => Value::Ref(id),
                Inside::Pattern(inner) => self.entity(inner, id, &Left::new())?,
                Inside::Recur(_) => self.again(pattern, place, allowed, id, left)?,
            };
            if value != Value::Nil {
                shown.push(value);
            }
        }
        Ok(collected(shown, many))
    }

    fn again(
        &mut self,
        pattern: &Pattern,
        place: usize,
        allowed: Option<usize>,
        entity: u64,
        left: &Left,
    ) -> Result<Value, QueryError> {
        if self.inside.contains(&entity) {
            return Ok(only_id(entity));
        }
        let mut left = left.clone();
        if let Some(allowed) = allowed {
            left.insert(place, allowed);
        }
        self.inside.push(entity);
        let shown = self.entity(pattern, entity, &left);
        self.inside.pop();
        shown
    }

    /// The values of an attribute, or the entities that refer to this one by it.
    fn values(
        &mut self,
        attribute: u64,
        entity: u64,
        reverse: bool,
    ) -> Result<Vec<Value>, QueryError> {
        let (index, reader, prefix) = if reverse {
            (Index::Vaet, &mut self.vaet, [Word::entity(entity).raw(), attribute])
        } else {
            (Index::Eavt, &mut self.eavt, [entity, attribute])
        };
        let (watch, mut words) = (self.watch, Vec::new());
        reader.scan(&prefix, |key| {
            watch.scan()?;
            let fact = index.datom(key);
            words.push(if reverse { Word::entity(fact.e) } else { fact.v });
            Ok(true)
        })?;
        let mut values = Vec::with_capacity(words.len());
        for word in words {
            watch.tick()?;
            values.push(Value::from_inline(word).map_or_else(|| self.source.value(word), Ok)?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

/// Everything about one entity, and nothing about those it refers to.
pub(crate) fn touch(source: &dyn Source, entity: u64, watch: &Watch) -> Result<Value, QueryError> {
    let mut shown: BTreeMap<Value, Value> = BTreeMap::new();
    let mut facts = Vec::new();
    source.reader(Index::Eavt, None).scan(&[entity], |key| {
        watch.scan()?;
        facts.push(Index::Eavt.datom(key));
        Ok(true)
    })?;
    for fact in facts {
        watch.tick()?;
        let Some(attribute) = source.attribute(fact.a) else { continue };
        let value = match Value::from_inline(fact.v) {
            Some(Value::Ref(id)) if attribute.is_ref() => only_id(id),
            Some(value) => value,
            None => source.value(fact.v)?,
        };
        let key = Value::Keyword(attribute.ident.clone());
        if !attribute.is_many() {
            shown.insert(key, value);
        } else if let Value::Set(set) =
            shown.entry(key).or_insert_with(|| Value::Set(BTreeSet::new()))
        {
            set.insert(value);
        }
    }
    if shown.is_empty() {
        return Ok(Value::Nil);
    }
    shown.insert(Value::keyword("db/id"), Value::Ref(entity));
    Ok(Value::Map(shown))
}

fn only_id(entity: u64) -> Value {
    Value::map([(Keyword::from("db/id"), Value::Ref(entity))])
}

fn collected(mut shown: Vec<Value>, many: bool) -> Option<Value> {
    if shown.is_empty() {
        return None;
    }
    Some(if many { Value::Vector(shown) } else { shown.swap_remove(0) })
}

#[cfg(test)]
mod tests;
