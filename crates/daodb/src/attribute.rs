//! What an attribute is: the part of the schema that one attribute entity states.

use std::fmt;
use std::sync::Arc;

use datom::{Keyword, Symbol, Value};

use crate::builtin;

/// The type of an attribute's values: `:db/valueType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ValueType {
    /// Any value at all, nil and collections included. Ours; Datomic has no such type.
    Any,
    /// An integer of 64 bits.
    Long,
    /// An integer of any size.
    BigInt,
    /// A float.
    Double,
    /// true or false.
    Boolean,
    /// Text.
    String,
    /// A keyword.
    Keyword,
    /// A symbol.
    Symbol,
    /// Microseconds since 1970 UTC.
    Instant,
    /// A UUID.
    Uuid,
    /// Another entity.
    Ref,
    /// Bytes.
    Bytes,
    /// A vector of values.
    Tuple,
    /// Text that names a resource.
    Uri,
    /// The BLAKE3-256 hash of content kept elsewhere.
    Hash,
}

impl ValueType {
    /// Every type, in the order of their entity ids.
    pub const ALL: [ValueType; 15] = [
        ValueType::Any,
        ValueType::Long,
        ValueType::BigInt,
        ValueType::Double,
        ValueType::Boolean,
        ValueType::String,
        ValueType::Keyword,
        ValueType::Symbol,
        ValueType::Instant,
        ValueType::Uuid,
        ValueType::Ref,
        ValueType::Bytes,
        ValueType::Tuple,
        ValueType::Uri,
        ValueType::Hash,
    ];

    /// The name of the type's entity, without the colon: `db.type/long`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ValueType::Any => "db.type/any",
            ValueType::Long => "db.type/long",
            ValueType::BigInt => "db.type/bigint",
            ValueType::Double => "db.type/double",
            ValueType::Boolean => "db.type/boolean",
            ValueType::String => "db.type/string",
            ValueType::Keyword => "db.type/keyword",
            ValueType::Symbol => "db.type/symbol",
            ValueType::Instant => "db.type/instant",
            ValueType::Uuid => "db.type/uuid",
            ValueType::Ref => "db.type/ref",
            ValueType::Bytes => "db.type/bytes",
            ValueType::Tuple => "db.type/tuple",
            ValueType::Uri => "db.type/uri",
            ValueType::Hash => "db.type/hash",
        }
    }

    /// The entity that stands for the type.
    #[must_use]
    pub const fn entity(self) -> u64 {
        builtin::TYPE_MIN + self as u64
    }

    /// The type of a name such as `db.type/long`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value_type| value_type.name() == name)
    }

    /// The type that an entity stands for.
    #[must_use]
    pub fn from_entity(entity: u64) -> Option<Self> {
        let place = usize::try_from(entity.checked_sub(builtin::TYPE_MIN)?).ok()?;
        Self::ALL.get(place).copied()
    }

    /// Whether a value, as a transaction gives it once entities are resolved, is of this type.
    #[must_use]
    pub const fn admits(self, value: &Value) -> bool {
        match self {
            ValueType::Any => true,
            ValueType::Long => matches!(value, Value::Int(_)),
            ValueType::BigInt => matches!(value, Value::Int(_) | Value::BigInt(_)),
            ValueType::Double => matches!(value, Value::Float(_)),
            ValueType::Boolean => matches!(value, Value::Bool(_)),
            ValueType::String | ValueType::Uri => matches!(value, Value::Text(_)),
            ValueType::Keyword => matches!(value, Value::Keyword(_)),
            ValueType::Symbol => matches!(value, Value::Symbol(_)),
            ValueType::Instant => matches!(value, Value::Instant(_)),
            ValueType::Uuid => matches!(value, Value::Uuid(_)),
            ValueType::Ref => matches!(value, Value::Ref(_)),
            ValueType::Bytes => matches!(value, Value::Bytes(_)),
            ValueType::Tuple => matches!(value, Value::Vector(_)),
            ValueType::Hash => matches!(value, Value::Hash(_)),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}", self.name())
    }
}

/// How many values of an attribute an entity has at one time: `:db/cardinality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Cardinality {
    /// At most one; a new one replaces it.
    #[default]
    One,
    /// A set.
    Many,
}

/// How an attribute's values name their entity: `:db/unique`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unique {
    /// One entity at most has a value; stating it for another is refused.
    Value,
    /// The same, and stating it for a tempid means the entity that has it.
    Identity,
}

/// The types of the elements of a tuple that is no composite. An element may always be nil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elements {
    /// `:db/tupleTypes`: as many elements as there are types, each of its own.
    Each(Arc<[ValueType]>),
    /// `:db/tupleType`: 2 to 8 elements of one type.
    All(ValueType),
}

impl Elements {
    /// The type of the element at a place.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<ValueType> {
        match self {
            Elements::Each(types) => types.get(place).copied(),
            Elements::All(of) => Some(*of),
        }
    }
}

impl fmt::Display for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Elements::Each(types) => {
                let names: Vec<String> = types.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", names.join(" "))
            }
            Elements::All(of) => write!(f, "2 to 8 of {of}"),
        }
    }
}

/// One attribute of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// Its entity.
    pub id: u64,
    /// Its name.
    pub ident: Keyword,
    /// The type of its values.
    pub value_type: ValueType,
    /// How many values an entity has.
    pub cardinality: Cardinality,
    /// Whether values name entities.
    pub unique: Option<Unique>,
    /// Whether `:db/index` asks for the index AVET; see [`Attribute::in_avet`].
    pub index: bool,
    /// Whether values are parts that are retracted and pulled together with the whole.
    pub component: bool,
    /// The attributes that this composite tuple is made of.
    pub tuple: Option<Arc<[u64]>>,
    /// The types of a tuple's elements, where they are stated.
    pub elements: Option<Elements>,
    /// The predicates that every value must satisfy.
    pub preds: Arc<[Symbol]>,
    /// `:db/doc`.
    pub doc: Option<Arc<str>>,
}

impl Attribute {
    /// Whether values are entities.
    #[must_use]
    pub fn is_ref(&self) -> bool {
        self.value_type == ValueType::Ref
    }

    /// Whether an entity can have several values.
    #[must_use]
    pub fn is_many(&self) -> bool {
        self.cardinality == Cardinality::Many
    }

    /// Whether its facts are in the index AVET: indexed and unique attributes are.
    #[must_use]
    pub fn in_avet(&self) -> bool {
        self.index || self.unique.is_some()
    }
}
