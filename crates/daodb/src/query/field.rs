//! A value of an answer where it lies.

use datom::{Value, Word};

/// A value of a row, read without a copy of it: what it is, if it is of a kind. Costs no more than the word that
/// it is kept as. See [`Row::field`](super::Row::field).
///
/// ```
/// # use {daodb::{Answer, Database, Query}, datom::edn};
/// # let database = Database::memory()?;
/// # database.transact(&edn::read_all("{:db/ident :age :db/valueType :db.type/long}
/// #     {:db/ident :name :db/valueType :db.type/string}").unwrap())?;
/// database.transact(&edn::read_all(r#"{:name "Ada" :age 36} {:name "Grace Hopper" :age 61}"#).unwrap())?;
/// let query = Query::parse("[:find ?n ?a :where [?e :name ?n] [?e :age ?a]]")?;
/// let Answer::Relation { rows, .. } = database.db()?.query(&query, &[])? else { panic!() };
/// let years: i64 = rows.iter().filter_map(|row| row.field(1).as_int()).sum();
/// let letters: usize = rows.iter().filter_map(|row| row.field(0).text(str::len)).sum();
/// assert_eq!((years, letters), (97, 15));
/// # Ok::<(), daodb::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Field<'r>(Held<'r>);

#[derive(Clone, Copy, Debug)]
enum Held<'r> {
    Word(Word),
    Value(&'r Value),
}

impl<'r> Field<'r> {
    #[inline]
    pub(super) fn of_word(word: u64) -> Self {
        Self(Held::Word(Word::from_raw(word)))
    }

    #[inline]
    pub(super) fn of_value(value: &'r Value) -> Self {
        Self(Held::Value(value))
    }

    /// The entity this is.
    #[inline]
    #[must_use]
    pub fn as_entity(self) -> Option<u64> {
        match self.0 {
            Held::Word(word) => word.as_entity(),
            Held::Value(Value::Ref(entity)) => Some(*entity),
            Held::Value(_) => None,
        }
    }

    /// The integer of 64 bits this is.
    #[inline]
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        match self.0 {
            Held::Word(word) => word.as_int(),
            Held::Value(Value::Int(number)) => Some(*number),
            Held::Value(_) => None,
        }
    }

    /// The float this is.
    #[inline]
    #[must_use]
    pub fn as_float(self) -> Option<f64> {
        match self.0 {
            Held::Word(word) => word.as_float(),
            Held::Value(Value::Float(number)) => Some(*number),
            Held::Value(_) => None,
        }
    }

    /// The boolean this is.
    #[inline]
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.0 {
            Held::Word(word) => word.as_bool(),
            Held::Value(Value::Bool(value)) => Some(*value),
            Held::Value(_) => None,
        }
    }

    /// The instant this is, in microseconds since 1970 UTC.
    #[inline]
    #[must_use]
    pub fn as_instant(self) -> Option<i64> {
        match self.0 {
            Held::Word(word) => word.as_instant(),
            Held::Value(Value::Instant(instant)) => Some(*instant),
            Held::Value(_) => None,
        }
    }

    /// What `read` makes of the text this is.
    pub fn text<R>(self, read: impl FnOnce(&str) -> R) -> Option<R> {
        match self.0 {
            Held::Word(word) => word.as_short_text().map(|text| read(text.as_str())),
            Held::Value(Value::Text(text)) => Some(read(text)),
            Held::Value(_) => None,
        }
    }

    /// The value.
    #[must_use]
    pub fn to_value(self) -> Value {
        match self.0 {
            Held::Word(word) => Value::from_inline(word).unwrap_or(Value::Nil),
            Held::Value(value) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use datom::edn;

    use super::*;

    /// Whichever way a value is held it reads as the same.
    #[test]
    fn a_field_is_of_one_kind_and_is_its_value() {
        let values = "[7 -7 9223372036854775807 2.5 1e300 true false nil \"\" \"short\" \"a text longer than a word\"
            :key #inst \"2024-05-17T10:20:30Z\" [1 2]]";
        let mut values = edn::read(values).unwrap().as_slice().unwrap().to_vec();
        values.push(Value::Ref(42));
        for value in &values {
            let mut fields = vec![Field::of_value(value)];
            fields.extend(value.to_inline().map(|word| Field::of_word(word.raw())));
            for field in fields {
                let read = [
                    field.as_entity().map(Value::Ref),
                    field.as_int().map(Value::Int),
                    field.as_float().map(Value::Float),
                    field.as_bool().map(Value::Bool),
                    field.as_instant().map(Value::Instant),
                    field.text(Value::text),
                ];
                let read: Vec<Value> = read.into_iter().flatten().collect();
                assert!(read.is_empty() || read == [value.clone()], "{value}: {read:?}");
                assert_eq!(field.to_value(), *value);
                let has_kind = !matches!(value, Value::Nil | Value::Keyword(_) | Value::Vector(_));
                assert_eq!(read.len(), usize::from(has_kind), "{value}");
            }
        }
    }
}
