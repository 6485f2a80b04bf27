//! A source that is four sorted vectors: the simplest thing that answers, for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datom::{Keyword, Value, Word, id};

use super::columns::{BYTES_MAX, Budget, Columns};
use super::error::{Error, ErrorKind};
use super::plans::Plans;
use super::source::{Reader, Source, Standing};
use crate::attribute::{Attribute, Cardinality, Unique, ValueType};
use crate::index::{Index, Key};

/// Facts in four orders, with a dictionary.
pub(crate) struct Memory {
    attributes: BTreeMap<u64, Attribute>,
    names: HashMap<Keyword, u64>,
    values: Vec<Value>,
    words: HashMap<Value, Word>,
    orders: [Vec<Key>; 4],
    columns: Arc<Columns>,
    plans: Plans,
    /// Answers as a computed view does: nothing is lent.
    pub(crate) computed: bool,
}

/// Attributes get ids from here.
const ATTRIBUTE_MIN: u64 = 1 << 40;

impl Memory {
    /// `schema`: name, type, and any of "many", "index", "identity", "unique", "component".
    pub(crate) fn new(schema: &[(&str, ValueType, &str)]) -> Self {
        let mut memory = Self {
            attributes: BTreeMap::new(),
            names: HashMap::new(),
            values: Vec::new(),
            words: HashMap::new(),
            orders: Default::default(),
            columns: Arc::new(Columns::new(0, Budget::new(BYTES_MAX))),
            plans: Plans::default(),
            computed: false,
        };
        for (name, value_type, flags) in schema {
            let ident = Keyword::from(*name);
            let id = ATTRIBUTE_MIN + memory.attributes.len() as u64;
            let has = |flag| flags.split(' ').any(|f| f == flag);
            let cardinality = if has("many") { Cardinality::Many } else { Cardinality::One };
            let unique = match (has("identity"), has("unique")) {
                (true, _) => Some(Unique::Identity),
                (_, true) => Some(Unique::Value),
                _ => None,
            };
            let attribute = Attribute {
                id,
                ident: ident.clone(),
                value_type: *value_type,
                cardinality,
                unique,
                index: has("index"),
                component: has("component"),
                tuple: None,
                elements: None,
                preds: std::sync::Arc::default(),
                doc: None,
            };
            memory.names.insert(ident, id);
            memory.attributes.insert(id, attribute);
        }
        memory
    }

    fn intern(&mut self, value: &Value) -> Word {
        if let Some(word) = value.to_inline().or_else(|| self.words.get(value).copied()) {
            return word;
        }
        let tag = match value {
            Value::Text(_) => datom::Tag::Text,
            Value::Keyword(_) => datom::Tag::Keyword,
            Value::Symbol(_) => datom::Tag::Symbol,
            Value::Int(_) | Value::BigInt(_) => datom::Tag::BigInt,
            Value::Float(_) => datom::Tag::BigFloat,
            _ => datom::Tag::Collection,
        };
        let word = Word::new(tag, self.values.len() as u64);
        self.values.push(value.clone());
        self.words.insert(value.clone(), word);
        word
    }

    /// States facts at `t`: entity, attribute, value. A reference's value is an integer.
    pub(crate) fn add(&mut self, t: u64, facts: &[(u64, &str, Value)]) {
        let mut stated = Vec::new();
        for (e, name, value) in facts {
            let attribute = self.attributes[&self.names[&Keyword::from(*name)]].clone();
            let v = match value {
                Value::Int(n) if attribute.is_ref() => Word::entity(n.unsigned_abs()),
                value => self.intern(value),
            };
            let fact = datom::Datom::assert(*e, attribute.id, v, t);
            stated.push(fact);
            for index in Index::ALL {
                let holds = match index {
                    Index::Avet => attribute.in_avet(),
                    Index::Vaet => attribute.is_ref(),
                    _ => true,
                };
                if holds {
                    self.orders[index as usize].push(index.key(&fact));
                }
            }
        }
        self.columns = Arc::new(self.columns.next(self.columns.t() + 1, &stated));
        for order in &mut self.orders {
            order.sort_unstable();
            order.dedup_by(|a, b| a[..3] == b[..3]);
        }
    }
}

impl Source for Memory {
    fn store(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    fn basis(&self) -> u64 {
        0
    }

    fn attribute(&self, id: u64) -> Option<&Attribute> {
        self.attributes.get(&id)
    }

    fn attribute_named(&self, name: &Keyword) -> Option<&Attribute> {
        self.attributes.get(self.names.get(name)?)
    }

    fn attribute_names(&self) -> Vec<&str> {
        self.names.keys().map(Keyword::as_str).collect()
    }

    fn word(&self, value: &Value) -> Result<Option<Word>, Error> {
        Ok(value.to_inline().or_else(|| self.words.get(value).copied()))
    }

    fn value(&self, word: Word) -> Result<Value, Error> {
        let missing = || Error::new(ErrorKind::Storage(format!("no value for {word:?}")));
        let at = usize::try_from(word.payload()).map_err(|_| missing())?;
        self.values.get(at).cloned().ok_or_else(missing)
    }

    fn entity_id(&self, name: &Value) -> Result<Option<u64>, Error> {
        match name {
            Value::Int(n) => Ok(u64::try_from(*n).ok()),
            Value::Ref(id) => Ok(Some(*id)),
            Value::Keyword(keyword) => Ok(self.names.get(keyword).copied()),
            Value::Vector(pair) => {
                let [Value::Keyword(name), value] = pair.as_slice() else {
                    return Err(Error::syntax(format!("{pair:?} is no lookup ref")));
                };
                let attribute = self.attribute_named(name).filter(|a| a.unique.is_some());
                let Some(attribute) = attribute else {
                    return Err(Error::syntax(format!("{name} is not unique")));
                };
                let Some(word) = self.word(value)? else { return Ok(None) };
                let rows = &self.orders[Index::Avet as usize];
                let prefix = [attribute.id, word.raw()];
                let at = rows.partition_point(|key| key[..2] < prefix[..]);
                Ok(rows.get(at).filter(|key| key[..2] == prefix).map(|key| key[2]))
            }
            other => Err(Error::syntax(format!("{other} names no entity"))),
        }
    }

    fn count(&self, index: Index, prefix: &[u64]) -> Result<u64, Error> {
        let rows = &self.orders[index as usize];
        let from = rows.partition_point(|key| key.as_slice() < prefix);
        let rest = &rows[from..];
        Ok(rest.partition_point(|key| key.starts_with(prefix)) as u64)
    }

    fn statistics(&self, attribute: u64, entities: bool) -> Result<(u64, u64), Error> {
        let rows = self.orders[Index::Aevt as usize].iter().filter(|key| key[0] == attribute);
        let side = |key: &Key| if entities { key[1] } else { key[2] };
        let distinct: std::collections::BTreeSet<u64> = rows.clone().map(side).collect();
        Ok((rows.count() as u64, distinct.len() as u64))
    }

    fn function(&self, name: &Value) -> Result<super::callee::Stored, Error> {
        Err(super::callee::unknown(name, []))
    }

    fn plans(&self) -> &Plans {
        &self.plans
    }

    fn standing(&self) -> Standing {
        if self.computed { Standing::Computed } else { Standing::Present }
    }

    fn columns(&self) -> Option<Arc<Columns>> {
        (!self.computed).then(|| self.columns.clone())
    }

    fn reader(&self, index: Index, _: Option<u64>) -> Reader<'_> {
        let rows = self.orders[index as usize].as_slice();
        if !self.computed {
            return Reader::Run { rows, at: 0 };
        }
        Reader::View(Box::new(move |prefix| {
            Ok(rows.iter().filter(|key| key.starts_with(prefix)).copied().collect())
        }))
    }
}

/// The transaction entity of `t`, as queries show it.
pub(crate) fn transaction(t: u64) -> Value {
    Value::Ref(id::transaction(t))
}
