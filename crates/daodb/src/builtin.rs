//! The built-in schema: entities 16 to 4095, the same in every world.
//!
//! 1. It is what a world holds at `t` 0; no transaction states it, and none may change it.
//! 2. Numbers are never reused: new built-ins take new numbers.

use datom::Value;

use crate::attribute::{Cardinality, Unique, ValueType};

/// The first id of the built-in schema.
pub const MIN: u64 = datom::id::BUILTIN_MIN;
/// `:db/ident`: a keyword that names an entity.
pub const IDENT: u64 = 16;
/// `:db/valueType`.
pub const VALUE_TYPE: u64 = 17;
/// `:db/cardinality`.
pub const CARDINALITY: u64 = 18;
/// `:db/unique`.
pub const UNIQUE: u64 = 19;
/// `:db/index`.
pub const INDEX: u64 = 20;
/// `:db/isComponent`.
pub const IS_COMPONENT: u64 = 21;
/// `:db/doc`.
pub const DOC: u64 = 22;
/// `:db/txInstant`.
pub const TX_INSTANT: u64 = 23;
/// `:db/tupleAttrs`.
pub const TUPLE_ATTRS: u64 = 24;
/// `:db/tupleTypes`.
pub const TUPLE_TYPES: u64 = 25;
/// `:db/tupleType`.
pub const TUPLE_TYPE: u64 = 26;
/// `:db.attr/preds`.
pub const ATTR_PREDS: u64 = 27;
/// `:db.entity/attrs`.
pub const ENTITY_ATTRS: u64 = 28;
/// `:db.entity/preds`.
pub const ENTITY_PREDS: u64 = 29;
/// `:db/ensure`: asked for in transactions, never stored.
pub const ENSURE: u64 = 30;

/// The first of the value types, in the order of [`ValueType::ALL`].
pub const TYPE_MIN: u64 = 32;
/// `:db.cardinality/one`.
pub const CARDINALITY_ONE: u64 = 64;
/// `:db.cardinality/many`.
pub const CARDINALITY_MANY: u64 = 65;
/// `:db.unique/value`.
pub const UNIQUE_VALUE: u64 = 66;
/// `:db.unique/identity`.
pub const UNIQUE_IDENTITY: u64 = 67;

/// `:db.fork/name`: of an entity that stands for a fork.
pub const FORK_NAME: u64 = 80;
/// `:db.fork/base`: the transaction behind which a fork goes its own way.
pub const FORK_BASE: u64 = 81;
/// `:db.fork/head`: a fork's last transaction.
pub const FORK_HEAD: u64 = 82;
/// `:db.fork/frames`: a fork's transactions.
pub const FORK_FRAMES: u64 = 83;
/// `:db.fork/merged`: the fork's transaction up to which it was merged.
pub const FORK_MERGED: u64 = 84;
/// `:db.fork/born`: entities that have another number where the fork was merged.
pub const FORK_BORN: u64 = 85;

struct Builtin {
    id: u64,
    name: &'static str,
    value_type: ValueType,
    unique: bool,
    many: bool,
    doc: &'static str,
}

const fn plain(id: u64, name: &'static str, value_type: ValueType, doc: &'static str) -> Builtin {
    Builtin { id, name, value_type, unique: false, many: false, doc }
}

const fn many(id: u64, name: &'static str, value_type: ValueType, doc: &'static str) -> Builtin {
    Builtin { many: true, ..plain(id, name, value_type, doc) }
}

const ATTRIBUTES: [Builtin; 21] = [
    Builtin {
        unique: true,
        ..plain(IDENT, "db/ident", ValueType::Keyword, "A keyword that names the entity.")
    },
    plain(VALUE_TYPE, "db/valueType", ValueType::Ref, "The type of an attribute's values."),
    plain(CARDINALITY, "db/cardinality", ValueType::Ref, "One value at a time, or many."),
    plain(UNIQUE, "db/unique", ValueType::Ref, "Whether values name their entity."),
    plain(
        INDEX,
        "db/index",
        ValueType::Boolean,
        "Whether values can be looked up and ranged over.",
    ),
    plain(
        IS_COMPONENT,
        "db/isComponent",
        ValueType::Boolean,
        "Whether values are parts of the whole.",
    ),
    plain(DOC, "db/doc", ValueType::String, "What the entity is for."),
    plain(TX_INSTANT, "db/txInstant", ValueType::Instant, "When the transaction was made."),
    plain(
        TUPLE_ATTRS,
        "db/tupleAttrs",
        ValueType::Tuple,
        "The attributes a composite tuple is made of.",
    ),
    plain(
        TUPLE_TYPES,
        "db/tupleTypes",
        ValueType::Tuple,
        "The types of a tuple's elements, one by one.",
    ),
    plain(TUPLE_TYPE, "db/tupleType", ValueType::Keyword, "The type of all elements of a tuple."),
    many(
        ATTR_PREDS,
        "db.attr/preds",
        ValueType::Symbol,
        "Predicates that every value must satisfy.",
    ),
    many(
        ENTITY_ATTRS,
        "db.entity/attrs",
        ValueType::Keyword,
        "Attributes that an entity of this spec must have.",
    ),
    many(
        ENTITY_PREDS,
        "db.entity/preds",
        ValueType::Symbol,
        "Predicates that an entity of this spec must satisfy.",
    ),
    many(
        ENSURE,
        "db/ensure",
        ValueType::Ref,
        "The spec that an entity must satisfy after the transaction.",
    ),
    Builtin {
        unique: true,
        ..plain(FORK_NAME, "db.fork/name", ValueType::String, "The name of a fork.")
    },
    plain(
        FORK_BASE,
        "db.fork/base",
        ValueType::Long,
        "The transaction behind which a fork goes its own way.",
    ),
    plain(FORK_HEAD, "db.fork/head", ValueType::Long, "A fork's last transaction."),
    many(FORK_FRAMES, "db.fork/frames", ValueType::Bytes, "A fork's transactions."),
    plain(
        FORK_MERGED,
        "db.fork/merged",
        ValueType::Long,
        "The fork's transaction up to which it was merged.",
    ),
    many(
        FORK_BORN,
        "db.fork/born",
        ValueType::Tuple,
        "Entities that have another number where the fork was merged.",
    ),
];

const ENUMERATIONS: [(u64, &str); 4] = [
    (CARDINALITY_ONE, "db.cardinality/one"),
    (CARDINALITY_MANY, "db.cardinality/many"),
    (UNIQUE_VALUE, "db.unique/value"),
    (UNIQUE_IDENTITY, "db.unique/identity"),
];

/// The cardinality that an entity stands for.
pub(crate) const fn cardinality(entity: u64) -> Option<Cardinality> {
    match entity {
        CARDINALITY_ONE => Some(Cardinality::One),
        CARDINALITY_MANY => Some(Cardinality::Many),
        _ => None,
    }
}

/// The uniqueness that an entity stands for.
pub(crate) const fn unique(entity: u64) -> Option<Unique> {
    match entity {
        UNIQUE_VALUE => Some(Unique::Value),
        UNIQUE_IDENTITY => Some(Unique::Identity),
        _ => None,
    }
}

/// Whether a change of this attribute changes what attributes there are.
pub(crate) const fn is_schema(attribute: u64) -> bool {
    matches!(
        attribute,
        IDENT
            | VALUE_TYPE
            | CARDINALITY
            | UNIQUE
            | INDEX
            | IS_COMPONENT
            | TUPLE_ATTRS
            | TUPLE_TYPES
            | TUPLE_TYPE
            | ATTR_PREDS
            | DOC
    )
}

/// The facts of `t` 0, each with its value.
pub(crate) fn facts() -> Vec<(u64, u64, Value)> {
    let mut facts = Vec::new();
    for attribute in &ATTRIBUTES {
        let id = attribute.id;
        facts.push((id, IDENT, Value::keyword(attribute.name)));
        facts.push((id, VALUE_TYPE, Value::Ref(attribute.value_type.entity())));
        let cardinality = if attribute.many { CARDINALITY_MANY } else { CARDINALITY_ONE };
        facts.push((id, CARDINALITY, Value::Ref(cardinality)));
        if attribute.unique {
            facts.push((id, UNIQUE, Value::Ref(UNIQUE_IDENTITY)));
        }
        facts.push((id, DOC, Value::text(attribute.doc)));
    }
    for value_type in ValueType::ALL {
        facts.push((value_type.entity(), IDENT, Value::keyword(value_type.name())));
    }
    for (id, name) in ENUMERATIONS {
        facts.push((id, IDENT, Value::keyword(name)));
    }
    facts
}
