//! Values: what words stand for, owned and independent of any store.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use num_bigint::BigInt;

mod word;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The whole name, namespace included.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// What stands before the `/`, if there is one. The name `/` has no namespace.
            #[must_use]
            pub fn namespace(&self) -> Option<&str> {
                self.0.split_once('/').map(|(ns, _)| ns).filter(|ns| !ns.is_empty())
            }

            /// What stands after the `/`, or all of it.
            #[must_use]
            pub fn name(&self) -> &str {
                match self.0.split_once('/') {
                    Some((ns, name)) if !ns.is_empty() => name,
                    _ => &self.0,
                }
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.into())
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self(name.into())
            }
        }

        /// Shares the text.
        impl From<Arc<str>> for $name {
            fn from(name: Arc<str>) -> Self {
                Self(name)
            }
        }

        /// Maps keyed by names are asked with plain text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name! {
    /// A keyword's name, without the colon. Cloning shares it.
    ///
    /// ```
    /// let keyword = datom::Keyword::from("person/name");
    /// assert_eq!((keyword.namespace(), keyword.name()), (Some("person"), "name"));
    /// assert_eq!(keyword.to_string(), ":person/name");
    /// ```
    Keyword
}
name! {
    /// A symbol's name. Cloning shares it.
    ///
    /// ```
    /// let symbol = datom::Symbol::from("str/join");
    /// assert_eq!((symbol.namespace(), symbol.name()), (Some("str"), "join"));
    /// assert_eq!(symbol.to_string(), "str/join");
    /// ```
    Symbol
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}", self.0)
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Any value that a datom or an EDN text can hold.
///
/// Equality and order are total: floats compare by their total order with −0 equal to 0 and one
/// NaN, which equals itself and is greatest; values of different kinds order by kind, so `1` and
/// `1.0` differ. An integer that fits `i64` is always [`Value::Int`] (see [`Value::integer`]).
/// `Display` prints EDN.
///
/// ```
/// use datom::Value;
///
/// let ada = Value::map([("name", "Ada")]);
/// assert_eq!(ada.to_string(), "{\"name\" \"Ada\"}");
/// assert_ne!(Value::Int(1), Value::Float(1.0));
/// assert_eq!(Value::Float(f64::NAN), Value::Float(f64::NAN));
/// ```
#[derive(Clone, Debug)]
pub enum Value {
    /// nil.
    Nil,
    /// true or false.
    Bool(bool),
    /// A character.
    Char(char),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer beyond 64 bits.
    BigInt(BigInt),
    /// A float.
    Float(f64),
    /// An entity. Prints as a plain integer; EDN text never reads as one.
    Ref(u64),
    /// A keyword.
    Keyword(Keyword),
    /// A symbol.
    Symbol(Symbol),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// Text.
    Text(Arc<str>),
    /// Bytes. Prints as `#bytes "hex"`.
    Bytes(Arc<[u8]>),
    /// A UUID.
    Uuid([u8; 16]),
    /// The BLAKE3-256 hash of content kept elsewhere. Prints as `#hash "hex"`.
    Hash([u8; 32]),
    /// A vector.
    Vector(Vec<Value>),
    /// A list.
    List(Vec<Value>),
    /// A map.
    Map(BTreeMap<Value, Value>),
    /// A set.
    Set(BTreeSet<Value>),
    /// A tagged value of a tag we give no meaning to.
    Tagged(Symbol, Box<Value>),
}

impl Value {
    /// Deepest nesting of collections and tags that readers and decoders accept.
    ///
    /// Dropping, cloning, comparing, hashing and printing a value recurse as deep as it is nested.
    /// Whoever builds values step by step from untrusted input checks [`Value::is_too_deep`].
    pub const DEPTH_MAX: usize = 256;

    /// Whether collections and tags are nested deeper than [`Value::DEPTH_MAX`], so that no reader
    /// or decoder would accept the value. Costs a pass over the value, no deeper than the bound.
    ///
    /// ```
    /// use datom::Value;
    /// let mut value = Value::Nil;
    /// for _ in 0..Value::DEPTH_MAX {
    ///     value = Value::Vector(vec![value]);
    /// }
    /// assert!(!value.is_too_deep());
    /// assert!(Value::List(vec![value]).is_too_deep());
    /// ```
    #[must_use]
    pub fn is_too_deep(&self) -> bool {
        self.is_deeper_than(Self::DEPTH_MAX)
    }

    fn is_deeper_than(&self, depth: usize) -> bool {
        let Some(less) = depth.checked_sub(1) else { return self.has_parts() };
        match self {
            Value::Vector(items) | Value::List(items) => {
                items.iter().any(|item| item.is_deeper_than(less))
            }
            Value::Set(items) => items.iter().any(|item| item.is_deeper_than(less)),
            Value::Map(pairs) => pairs
                .iter()
                .any(|(key, value)| key.is_deeper_than(less) || value.is_deeper_than(less)),
            Value::Tagged(_, value) => value.is_deeper_than(less),
            _ => false,
        }
    }

    fn has_parts(&self) -> bool {
        matches!(
            self,
            Value::Vector(_) | Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Tagged(..)
        )
    }

    /// A keyword by its name without the colon.
    #[must_use]
    pub fn keyword(name: &str) -> Self {
        Value::Keyword(name.into())
    }

    /// A symbol by its name.
    #[must_use]
    pub fn symbol(name: &str) -> Self {
        Value::Symbol(name.into())
    }

    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Value::Text(text.into())
    }

    /// An integer of any size, in its canonical variant.
    #[must_use]
    pub fn integer(value: BigInt) -> Self {
        match i64::try_from(&value) {
            Ok(small) => Value::Int(small),
            Err(_) => Value::BigInt(value),
        }
    }

    /// A map from pairs; of equal keys the last one counts.
    pub fn map<K: Into<Value>, V: Into<Value>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The text this is.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The keyword this is.
    #[must_use]
    pub fn as_keyword(&self) -> Option<&Keyword> {
        match self {
            Value::Keyword(keyword) => Some(keyword),
            _ => None,
        }
    }

    /// The symbol this is.
    #[must_use]
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match self {
            Value::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// The elements of a vector or list.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Value]> {
        match self {
            Value::Vector(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The map this is.
    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<Value, Value>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// What the map holds under a keyword; `None` also where this is no map.
    #[must_use]
    pub fn get(&self, keyword: &str) -> Option<&Value> {
        self.as_map()?.get(&Value::keyword(keyword))
    }

    /// The name of the kind, for messages: "text", "integer", ….
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "boolean",
            Value::Char(_) => "character",
            Value::Int(_) | Value::BigInt(_) => "integer",
            Value::Float(_) => "float",
            Value::Ref(_) => "reference",
            Value::Keyword(_) => "keyword",
            Value::Symbol(_) => "symbol",
            Value::Instant(_) => "instant",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Uuid(_) => "uuid",
            Value::Hash(_) => "hash",
            Value::Vector(_) => "vector",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Set(_) => "set",
            Value::Tagged(..) => "tagged value",
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Nil => 0,
            Value::Bool(_) => 1,
            Value::Char(_) => 2,
            Value::Int(_) | Value::BigInt(_) => 3,
            Value::Float(_) => 4,
            Value::Ref(_) => 5,
            Value::Keyword(_) => 6,
            Value::Symbol(_) => 7,
            Value::Instant(_) => 8,
            Value::Text(_) => 9,
            Value::Bytes(_) => 10,
            Value::Uuid(_) => 11,
            Value::Hash(_) => 12,
            Value::Vector(_) => 13,
            Value::List(_) => 14,
            Value::Map(_) => 15,
            Value::Set(_) => 16,
            Value::Tagged(..) => 17,
        }
    }
}

/// −0 is 0 and there is one NaN, the greatest.
pub(crate) fn canonical(value: f64) -> f64 {
    if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::NAN
    } else {
        value
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Char(a), Value::Char(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) | (Value::Instant(a), Value::Instant(b)) => a.cmp(b),
            (Value::BigInt(a), Value::BigInt(b)) => a.cmp(b),
            (Value::Int(a), Value::BigInt(b)) => BigInt::from(*a).cmp(b),
            (Value::BigInt(a), Value::Int(b)) => a.cmp(&BigInt::from(*b)),
            (Value::Float(a), Value::Float(b)) => canonical(*a).total_cmp(&canonical(*b)),
            (Value::Ref(a), Value::Ref(b)) => a.cmp(b),
            (Value::Keyword(a), Value::Keyword(b)) => a.cmp(b),
            (Value::Symbol(a), Value::Symbol(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
            (Value::Hash(a), Value::Hash(b)) => a.cmp(b),
            (Value::Vector(a), Value::Vector(b)) | (Value::List(a), Value::List(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            (Value::Set(a), Value::Set(b)) => a.cmp(b),
            (Value::Tagged(a, x), Value::Tagged(b, y)) => a.cmp(b).then_with(|| x.cmp(y)),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Nil => {}
            Value::Bool(x) => x.hash(state),
            Value::Char(x) => x.hash(state),
            Value::Int(x) | Value::Instant(x) => x.hash(state),
            // One that fits, built by hand, equals that integer.
            Value::BigInt(x) => match i64::try_from(x) {
                Ok(small) => small.hash(state),
                Err(_) => x.hash(state),
            },
            Value::Float(x) => canonical(*x).to_bits().hash(state),
            Value::Ref(x) => x.hash(state),
            Value::Keyword(x) => x.hash(state),
            Value::Symbol(x) => x.hash(state),
            Value::Text(x) => x.hash(state),
            Value::Bytes(x) => x.hash(state),
            Value::Uuid(x) => x.hash(state),
            Value::Hash(x) => x.hash(state),
            Value::Vector(x) | Value::List(x) => x.hash(state),
            Value::Map(x) => x.hash(state),
            Value::Set(x) => x.hash(state),
            Value::Tagged(tag, x) => {
                tag.hash(state);
                x.hash(state);
            }
        }
    }
}

macro_rules! from {
    ($($source:ty => $convert:expr;)*) => {
        $(impl From<$source> for Value {
            fn from(value: $source) -> Self {
                let convert: fn($source) -> Value = $convert;
                convert(value)
            }
        })*
    };
}

from! {
    bool => Value::Bool;
    char => Value::Char;
    i64 => Value::Int;
    BigInt => Value::integer;
    f64 => Value::Float;
    &str => Value::text;
    String => |text| Value::Text(text.into());
    Keyword => Value::Keyword;
    Symbol => Value::Symbol;
    Vec<Value> => Value::Vector;
    BTreeMap<Value, Value> => Value::Map;
    BTreeSet<Value> => Value::Set;
}

#[cfg(test)]
mod tests;
