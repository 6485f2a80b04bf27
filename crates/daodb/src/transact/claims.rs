//! Stage two: every form becomes claims about one entity, one attribute and one value.
//!
//! 1. After this stage every attribute is known, every name is an entity or a tempid, and every
//!    value is of its attribute's type.
//! 2. Names are looked up in the state before the transaction: a lookup ref never sees what the
//!    same transaction states.
//! 3. Nested maps are worked off from a queue, so their depth costs no stack.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::LazyLock;

use datom::{Keyword, Value, Word, id};
use eve::Read;

use super::forms::{Body, Form, Origin};
use super::words::Words;
use super::{Code, alter, ensure};
use crate::attribute::{Attribute, Elements, ValueType};
use crate::builtin;
use crate::error::{Category, Error, Rejection};
use crate::lookup::Basis;

/// An entity that a claim is about or refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Entity(u64),
    /// A tempid, by its number in [`Claims::tempids`].
    Tempid(usize),
}

/// A value that a claim states.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Proposed {
    Place(Place),
    Word(Word),
}

/// One claim.
pub(crate) struct Claim<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) e: Place,
    pub(crate) kind: Kind,
}

/// What is claimed about the entity. Attributes by id.
pub(crate) enum Kind {
    Add { a: u64, v: Proposed },
    Retract { a: u64, v: Option<Proposed> },
    RetractEntity,
    Cas { a: u64, old: Option<Proposed>, new: Proposed },
}

/// A tempid of the transaction.
pub(crate) struct Tempid<'a> {
    /// The name it was given; nested and anonymous maps have none.
    pub(crate) name: Option<Value>,
    pub(crate) origin: Origin<'a>,
}

/// What the transaction claims.
#[derive(Default)]
pub(crate) struct Claims<'a> {
    pub(crate) claims: Vec<Claim<'a>>,
    pub(crate) tempids: Vec<Tempid<'a>>,
    /// The metadata entity of all facts, if the caller gave one.
    pub(crate) metadata: Option<Place>,
    /// Entities of which a spec must hold afterwards.
    pub(crate) ensures: Vec<(Origin<'a>, Place, Place)>,
}

/// What a transaction calls its own entity.
const TRANSACTION_TEXT: &str = "datomic.tx";
const TRANSACTION_KEYWORD: &str = "db/current-tx";
/// What a map calls the entity it is about.
static ID: LazyLock<Value> = LazyLock::new(|| Value::keyword("db/id"));

/// Turns forms into claims.
pub(crate) fn expand<'a, 'b, R: Read>(
    code: Code<'b>,
    basis: Basis<'b, R>,
    words: &mut Words<'b, R>,
    forms: &[Form<'a>],
    metadata: Option<&'a Value>,
) -> Result<Claims<'a>, Error> {
    let mut expand = Expand {
        code,
        basis,
        words,
        t: basis.record.t + 1,
        names: HashMap::new(),
        maps: VecDeque::new(),
        out: Claims { claims: Vec::with_capacity(forms.len()), ..Claims::default() },
    };
    for form in forms {
        expand.form(form)?;
        while let Some((origin, place, map)) = expand.maps.pop_front() {
            expand.map(origin, place, map)?;
        }
    }
    if let Some(name) = metadata {
        let origin = Origin::whole(forms.len(), name);
        expand.out.metadata = Some(expand.place(origin, name)?);
    }
    Ok(expand.out)
}

struct Expand<'a, 'b, 'w, R> {
    code: Code<'b>,
    basis: Basis<'b, R>,
    words: &'w mut Words<'b, R>,
    t: u64,
    names: HashMap<Value, usize>,
    /// Maps still to be taken apart, with the entity each is about.
    maps: VecDeque<(Origin<'a>, Place, &'a BTreeMap<Value, Value>)>,
    out: Claims<'a>,
}

impl<'a, 'b, R: Read> Expand<'a, 'b, '_, R> {
    fn form(&mut self, form: &Form<'a>) -> Result<(), Error> {
        let origin = form.origin;
        match form.body {
            Body::Map(map) => {
                let place = self.place_of_map(origin, map)?;
                self.maps.push_back((origin, place, map));
            }
            Body::Add { e, a, v } => {
                let e = self.place(origin, e)?;
                let (attribute, reverse) = self.attribute(origin, a)?;
                self.state(origin, e, attribute, reverse, v)?;
            }
            Body::Retract { e, a, v } => {
                let e = self.place(origin, e)?;
                let attribute = self.forward(origin, a)?;
                let v = match v {
                    Some(v) => Some(self.proposed(origin, attribute, v)?),
                    None => None,
                };
                self.claim(origin, e, Kind::Retract { a: attribute.id, v });
            }
            Body::RetractEntity { e } => {
                let e = self.place(origin, e)?;
                self.claim(origin, e, Kind::RetractEntity);
            }
            Body::Cas { e, a, old, new } => {
                let e = self.place(origin, e)?;
                let attribute = self.forward(origin, a)?;
                let old = match old {
                    Value::Nil => None,
                    old => Some(self.proposed(origin, attribute, old)?),
                };
                let new = self.proposed(origin, attribute, new)?;
                self.claim(origin, e, Kind::Cas { a: attribute.id, old, new });
            }
        }
        Ok(())
    }

    fn claim(&mut self, origin: Origin<'a>, e: Place, kind: Kind) {
        self.out.claims.push(Claim { origin, e, kind });
    }

    /// The entity of a map: its `:db/id`, or a tempid of its own.
    fn place_of_map(
        &mut self,
        origin: Origin<'a>,
        map: &'a BTreeMap<Value, Value>,
    ) -> Result<Place, Error> {
        match map.get(&*ID) {
            Some(name) => self.place(origin, name),
            None => Ok(self.anonymous(origin)),
        }
    }

    fn anonymous(&mut self, origin: Origin<'a>) -> Place {
        self.out.tempids.push(Tempid { name: None, origin });
        Place::Tempid(self.out.tempids.len() - 1)
    }

    fn map(
        &mut self,
        origin: Origin<'a>,
        place: Place,
        map: &'a BTreeMap<Value, Value>,
    ) -> Result<(), Error> {
        for (key, value) in map {
            if *key == *ID {
                continue;
            }
            let (attribute, reverse) = self.attribute(origin, key)?;
            let many = if reverse { true } else { attribute.is_many() };
            match value {
                Value::Set(items) if many => {
                    for item in items {
                        self.state(origin, place, attribute, reverse, item)?;
                    }
                }
                Value::Vector(items) | Value::List(items)
                    if many && !self.is_lookup_ref(attribute, reverse, items) =>
                {
                    for item in items {
                        self.state(origin, place, attribute, reverse, item)?;
                    }
                }
                one => self.state(origin, place, attribute, reverse, one)?,
            }
        }
        Ok(())
    }

    /// Whether a vector under a reference attribute is one lookup ref and not several entities.
    fn is_lookup_ref(&self, attribute: &Attribute, reverse: bool, items: &[Value]) -> bool {
        let refers = reverse || attribute.is_ref();
        let [Value::Keyword(ident), _] = items else { return false };
        let unique = |found: &Attribute| found.unique.is_some();
        refers && self.basis.schema.attribute_named(ident).is_some_and(unique)
    }

    /// States one value of an attribute, in either direction.
    fn state(
        &mut self,
        origin: Origin<'a>,
        place: Place,
        attribute: &'b Attribute,
        reverse: bool,
        value: &'a Value,
    ) -> Result<(), Error> {
        let v = self.proposed(origin, attribute, value)?;
        if let (builtin::ENSURE, Proposed::Place(spec)) = (attribute.id, v) {
            self.out.ensures.push((origin.about(value), place, spec));
            return Ok(());
        }
        let (e, v) = match (reverse, v) {
            (true, Proposed::Place(other)) => (other, Proposed::Place(place)),
            (_, v) => (place, v),
        };
        self.claim(origin, e, Kind::Add { a: attribute.id, v });
        Ok(())
    }

    /// The attribute that a form names, and whether it is read backwards (`:a/_b`).
    fn attribute(&self, origin: Origin<'a>, name: &Value) -> Result<(&'b Attribute, bool), Error> {
        let unknown = |category, message: String| Err(origin.reject(category, message).into());
        let schema = self.basis.schema;
        let ident = match name {
            Value::Keyword(ident) => ident,
            Value::Int(_) | Value::Ref(_) => {
                let id = self.basis.entity(name).map_err(|error| lookup_error(origin, error))?;
                return match id.and_then(|id| schema.attribute(id)) {
                    Some(attribute) => Ok((attribute, false)),
                    None => unknown(Category::Attribute, format!("entity {name} is no attribute")),
                };
            }
            other => {
                return unknown(
                    Category::Syntax,
                    format!("an attribute is named by a keyword, not by {}", other.kind()),
                );
            }
        };
        if let Some(attribute) = schema.attribute_named(ident) {
            return Ok((attribute, false));
        }
        let Some(forward) = forward_name(ident) else {
            return unknown(Category::Attribute, no_attribute(ident));
        };
        match schema.attribute_named(&forward) {
            Some(attribute) if attribute.is_ref() => Ok((attribute, true)),
            Some(_) => unknown(
                Category::Attribute,
                format!("{ident} reads {forward} backwards, which is no reference"),
            ),
            None => unknown(Category::Attribute, no_attribute(&forward)),
        }
    }

    fn forward(&self, origin: Origin<'a>, name: &Value) -> Result<&'b Attribute, Error> {
        match self.attribute(origin, name)? {
            (attribute, false) => Ok(attribute),
            (attribute, true) => Err(origin
                .reject(
                    Category::Syntax,
                    format!("use {} and exchange entity and value", attribute.ident),
                )
                .into()),
        }
    }

    /// The entity or tempid that a name stands for.
    fn place(&mut self, origin: Origin<'a>, name: &'a Value) -> Result<Place, Error> {
        match name {
            Value::Text(text) if &**text == TRANSACTION_TEXT => Ok(self.transaction()),
            Value::Keyword(keyword) if keyword.as_str() == TRANSACTION_KEYWORD => {
                Ok(self.transaction())
            }
            Value::Text(_) => Ok(self.tempid(origin, name)),
            Value::Int(number) if *number < 0 => Ok(self.tempid(origin, name)),
            name => self.existing(origin, name),
        }
    }

    fn transaction(&self) -> Place {
        Place::Entity(id::transaction(self.t))
    }

    fn tempid(&mut self, origin: Origin<'a>, name: &Value) -> Place {
        let next = self.out.tempids.len();
        let number = *self.names.entry(name.clone()).or_insert(next);
        if number == next {
            self.out.tempids.push(Tempid { name: Some(name.clone()), origin });
        }
        Place::Tempid(number)
    }

    fn existing(&self, origin: Origin<'a>, name: &Value) -> Result<Place, Error> {
        let found = self.basis.entity(name).map_err(|error| lookup_error(origin, error))?;
        let entity = found.ok_or_else(|| {
            let (category, what) = match name {
                Value::Keyword(_) => (Category::Entity, "no entity is named"),
                _ => (Category::LookupRef, "no entity is found by"),
            };
            origin.reject(
                category,
                format!("{what} {name}; state it in an earlier transaction, or use a tempid"),
            )
        })?;
        if let Some(why) = self.basis.refuse_id(entity, self.t) {
            return Err(origin.reject(Category::Entity, why).into());
        }
        Ok(Place::Entity(entity))
    }

    /// The value of an attribute, checked against its type.
    fn proposed(
        &mut self,
        origin: Origin<'a>,
        attribute: &Attribute,
        value: &'a Value,
    ) -> Result<Proposed, Error> {
        let origin = origin.about(value);
        if attribute.is_ref() {
            let place = match value {
                Value::Map(map) => {
                    let place = self.place_of_map(origin, map)?;
                    self.maps.push_back((origin.nested(value), place, map));
                    place
                }
                Value::Nil => return Err(nil(origin, attribute).into()),
                name => self.place(origin, name).map_err(|error| {
                    match alter::no_such(attribute.id, name) {
                        Some(message) => origin.reject(Category::Schema, message).into(),
                        None => error,
                    }
                })?,
            };
            return Ok(Proposed::Place(place));
        }
        if *value == Value::Nil && attribute.value_type != ValueType::Any {
            return Err(nil(origin, attribute).into());
        }
        if attribute.value_type == ValueType::Uri
            && let Value::Tagged(_, text) = value
        {
            // `#uri "…"`, as other dialects write it, is the text.
            return self.checked(origin, attribute, text);
        }
        if attribute.tuple.is_none() && attribute.elements.is_none() {
            return self.checked(origin, attribute, value);
        }
        let coerced = self.basis.coerce(attribute, value);
        let tuple = coerced.map_err(|error| lookup_error(origin, error))?.ok_or_else(|| {
            let message = format!("no entity is found by a part of {value}");
            origin.reject(Category::LookupRef, message)
        })?;
        self.checked(origin, attribute, &tuple)
    }

    /// The word of a value that its attribute admits.
    fn checked(
        &mut self,
        origin: Origin<'a>,
        attribute: &Attribute,
        value: &Value,
    ) -> Result<Proposed, Error> {
        check_type(origin, attribute, value)?;
        if !attribute.preds.is_empty() {
            ensure::check_value(self.code, origin, attribute, value)?;
        }
        self.words.word(value).map(Proposed::Word)
    }
}

fn no_attribute(ident: &Keyword) -> String {
    if alter::is_reserved(ident) {
        return format!(
            "there is no attribute {ident}, and its namespace is the system's; leave it out"
        );
    }
    format!(
        "there is no attribute {ident}; install it in an earlier transaction: \
         {{:db/ident {ident} :db/valueType … :db/cardinality …}}"
    )
}

/// `:a/b` for `:a/_b`, `:b` for `:_b`.
fn forward_name(ident: &Keyword) -> Option<Keyword> {
    let name = ident.name().strip_prefix('_').filter(|name| !name.is_empty())?;
    Some(match ident.namespace() {
        Some(namespace) => Keyword::from(format!("{namespace}/{name}").as_str()),
        None => Keyword::from(name),
    })
}

fn lookup_error(origin: Origin<'_>, error: Error) -> Error {
    match error {
        Error::Lookup { form, why } => {
            let message = format!("cannot look up {form}: {why}");
            origin.reject(Category::LookupRef, message).into()
        }
        other => other,
    }
}

fn nil(origin: Origin<'_>, attribute: &Attribute) -> Rejection {
    origin.reject(
        Category::Syntax,
        format!("{} cannot be nil; to state nothing, leave it out or retract it", attribute.ident),
    )
}

fn check_type(origin: Origin<'_>, attribute: &Attribute, value: &Value) -> Result<(), Rejection> {
    let wrong = |why: String| Err(origin.reject(Category::Type, why));
    if !attribute.value_type.admits(value) {
        return wrong(format!(
            "{} holds {}, not {} ({})",
            attribute.ident,
            attribute.value_type,
            value.kind(),
            shorten(value)
        ));
    }
    if value.word_tag().is_none() {
        return wrong(format!("{}: {value} is beyond 60 bits", attribute.ident));
    }
    if value.is_too_deep() {
        let deepest = Value::DEPTH_MAX;
        return wrong(format!("{}: the value is nested deeper than {deepest}", attribute.ident));
    }
    if matches!(attribute.id, builtin::TUPLE_ATTRS | builtin::TUPLE_TYPES) {
        let parts = value.as_slice().unwrap_or_default();
        let is_name = |part: &Value| part.as_keyword().is_some();
        if !TUPLE_PARTS.contains(&parts.len()) || !parts.iter().all(is_name) {
            return wrong(format!(
                "{} is a vector of 2 to {} names",
                attribute.ident,
                TUPLE_PARTS.end()
            ));
        }
    }
    if let Some(elements) = &attribute.elements {
        check_elements(origin, attribute, elements, value.as_slice().unwrap_or_default())?;
    }
    if attribute.value_type == ValueType::Uri && !value.as_text().is_some_and(is_uri) {
        return wrong(format!("{} holds a URI: text without blanks", attribute.ident));
    }
    if let Some(parts) = &attribute.tuple
        && value.as_slice().map(<[Value]>::len) != Some(parts.len())
    {
        return wrong(format!("{} has {} parts", attribute.ident, parts.len()));
    }
    Ok(())
}

/// How many parts a tuple can have.
const TUPLE_PARTS: std::ops::RangeInclusive<usize> = 2..=8;

/// Tuples of stated types: as many elements as there are types, each nil or of its type.
fn check_elements(
    origin: Origin<'_>,
    attribute: &Attribute,
    elements: &Elements,
    values: &[Value],
) -> Result<(), Rejection> {
    let wrong = |why: String| Err(origin.reject(Category::Type, why));
    let fits = match elements {
        Elements::Each(types) => types.len() == values.len(),
        Elements::All(_) => TUPLE_PARTS.contains(&values.len()),
    };
    if !fits {
        return wrong(format!(
            "{} holds {elements}, not {} elements",
            attribute.ident,
            values.len()
        ));
    }
    for (place, value) in values.iter().enumerate() {
        let Some(element) = elements.at(place) else { continue };
        if *value != Value::Nil && !element.admits(value) {
            return wrong(format!(
                "element {place} of {} is {element}, not {} ({})",
                attribute.ident,
                value.kind(),
                shorten(value)
            ));
        }
    }
    Ok(())
}

fn is_uri(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn shorten(value: &Value) -> String {
    const CHARS_MAX: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
