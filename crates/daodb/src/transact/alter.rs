//! Stage four and a half: the schema after the transaction.
//!
//! 1. An attribute, once installed, keeps its type and its parts and is never removed.
//! 2. An alteration that stored facts contradict is refused.
//! 3. Facts of an attribute cannot be stated in the transaction that alters what they must obey.

use std::collections::{BTreeMap, HashMap, HashSet};

use datom::{Keyword, Value, Word};
use eve::Read;

use super::changes::{Change, Changes};
use super::forms::Origin;
use crate::attribute::{Attribute, Cardinality, ValueType};
use crate::builtin;
use crate::error::{Category, Error, Rejection};
use crate::index::Index;
use crate::schema::{Draft, Schema};

/// Idents of these namespaces are the system's.
pub(crate) fn is_reserved(ident: &Keyword) -> bool {
    ident.namespace().is_some_and(|namespace| namespace == "db" || namespace.starts_with("db."))
}

/// What only an attribute has. Others may have a name and a doc.
const OF_ATTRIBUTES: [u64; 5] = [
    builtin::CARDINALITY,
    builtin::UNIQUE,
    builtin::INDEX,
    builtin::IS_COMPONENT,
    builtin::ATTR_PREDS,
];
const UNTYPED: &str = "an attribute needs :db/ident and :db/valueType; state what its values are, such as :db.type/string";

/// The schema that the changes make; `None` when they leave it as it is.
pub(crate) fn alter<R: Read>(
    changes: &mut Changes<'_, '_, '_, R>,
) -> Result<Option<Schema>, Error> {
    let altered = std::mem::take(&mut changes.altered);
    let mut stated: HashMap<u64, Vec<(u64, Word)>> = HashMap::new();
    for &Change { fact: (e, a, v), added } in &changes.order {
        if added && builtin::is_schema(a) {
            stated.entry(e).or_default().push((a, v));
        }
    }
    let mut drafts = BTreeMap::new();
    let mut is_altered = false;
    for (&e, &origin) in &altered {
        let stated = stated.entry(e).or_default();
        complete_tuple(changes, origin, e, stated)?;
        let draft = draft(changes, origin, e, stated)?;
        check_idents(changes, origin, e, &draft)?;
        let known = changes.basis.schema.attribute(e).is_some();
        if draft.value_type.is_some() || known {
            is_altered = true;
            drafts.insert(e, draft);
        } else if stated.iter().any(|(a, _)| OF_ATTRIBUTES.contains(a)) {
            return Err(origin.reject(Category::Schema, UNTYPED).into());
        }
    }
    if !is_altered {
        return Ok(None);
    }
    let before = changes.basis.schema;
    let after = before.with(drafts.clone());
    for (e, draft) in drafts {
        let Some(&origin) = altered.get(&e) else { continue };
        check_draft(origin, before.attribute(e), &draft)?;
        let attribute =
            after.attribute(e).ok_or_else(|| origin.reject(Category::Schema, UNTYPED))?;
        check_parts(origin, &after, attribute, &draft)?;
        if let Some(known) = before.attribute(e) {
            check_alteration(changes, origin, known, attribute)?;
        }
    }
    Ok(Some(after))
}

/// `:db/tupleAttrs` and its like say the type already.
fn complete_tuple<'a, R: Read>(
    changes: &mut Changes<'a, '_, '_, R>,
    origin: Origin<'a>,
    e: u64,
    stated: &mut Vec<(u64, Word)>,
) -> Result<(), Error> {
    let has = |a| stated.iter().any(|fact| fact.0 == a);
    let known = changes.basis.schema.attribute(e).is_some();
    let is_tuple =
        [builtin::TUPLE_ATTRS, builtin::TUPLE_TYPES, builtin::TUPLE_TYPE].into_iter().any(has);
    if known || !is_tuple || has(builtin::VALUE_TYPE) {
        return Ok(());
    }
    let Some(attribute) = changes.basis.schema.attribute(builtin::VALUE_TYPE) else {
        return Ok(());
    };
    let tuple = Word::entity(ValueType::Tuple.entity());
    stated.push((builtin::VALUE_TYPE, tuple));
    changes.add(origin, attribute, (e, builtin::VALUE_TYPE, tuple))
}

/// What is stated about an entity after the transaction.
fn draft<R: Read>(
    changes: &Changes<'_, '_, '_, R>,
    origin: Origin<'_>,
    e: u64,
    stated: &[(u64, Word)],
) -> Result<Draft, Error> {
    let mut draft = Draft::default();
    let mut take = |a: u64, v: Word| match draft.take(a, &changes.words.value(v)?) {
        true => Ok(()),
        false => Err(Error::from(origin.reject(Category::Schema, meaningless(a)))),
    };
    for key in changes.basis.record.current(Index::Eavt).prefix(changes.basis.memory, &[e]) {
        let datom = Index::Eavt.datom(&key?);
        if builtin::is_schema(datom.a) && !changes.retracted.contains(&(e, datom.a, datom.v)) {
            take(datom.a, datom.v)?;
        }
    }
    for &(a, v) in stated {
        take(a, v)?;
    }
    Ok(draft)
}

/// What a built-in attribute can be, whose value is none of it.
fn meaningless(attribute: u64) -> String {
    let why = match attribute {
        builtin::CARDINALITY => ":db/cardinality is :db.cardinality/one or :db.cardinality/many",
        builtin::UNIQUE => ":db/unique is :db.unique/value or :db.unique/identity",
        builtin::TUPLE_TYPES | builtin::TUPLE_TYPE => {
            "elements of a tuple are of types such as :db.type/long, neither any nor tuple"
        }
        builtin::VALUE_TYPE => {
            let types: Vec<_> = ValueType::ALL.iter().map(ToString::to_string).collect();
            return format!(":db/valueType is one of {}", types.join(", "));
        }
        _ => "this value has no meaning for the schema",
    };
    why.into()
}

/// What is wrong with the name of a built-in value, such as a type, that there is not.
pub(crate) fn no_such(attribute: u64, name: &Value) -> Option<String> {
    let is_named =
        [builtin::VALUE_TYPE, builtin::CARDINALITY, builtin::UNIQUE].contains(&attribute);
    is_named.then(|| format!("{}, not {name}", meaningless(attribute)))
}

fn check_idents<R: Read>(
    changes: &Changes<'_, '_, '_, R>,
    origin: Origin<'_>,
    e: u64,
    draft: &Draft,
) -> Result<(), Rejection> {
    let Some(ident) = &draft.ident else { return Ok(()) };
    if is_reserved(ident) {
        return Err(origin.reject(
            Category::Schema,
            format!("{ident}: the namespaces db and db.* belong to the system; choose another"),
        ));
    }
    let reads_backwards = draft.value_type.is_some() && ident.name().starts_with('_');
    if reads_backwards {
        return Err(origin.reject(
            Category::Schema,
            format!("{ident}: a name that begins with _ reads an attribute backwards"),
        ));
    }
    let schema = changes.basis.schema;
    let renamed = schema.attribute(e).is_some_and(|known| known.ident != *ident);
    if renamed && !schema.composites_of(e).is_empty() {
        return Err(origin.reject(
            Category::Schema,
            format!("{ident}: the attribute is part of a composite tuple and keeps its name"),
        ));
    }
    Ok(())
}

fn check_draft(
    origin: Origin<'_>,
    known: Option<&Attribute>,
    draft: &Draft,
) -> Result<(), Rejection> {
    let refuse = |message: String| Err(origin.reject(Category::Schema, message));
    let (Some(ident), Some(value_type)) = (&draft.ident, draft.value_type) else {
        return refuse(match known {
            Some(known) => {
                format!("{} is installed for good: it cannot lose its name or type", known.ident)
            }
            None => UNTYPED.into(),
        });
    };
    if draft.component && value_type != ValueType::Ref {
        return refuse(format!("{ident}: only a reference can be a component"));
    }
    let kinds = [draft.tuple.is_some(), draft.types.is_some(), draft.of.is_some()];
    let kinds = kinds.into_iter().filter(|stated| *stated).count();
    if kinds > 0 && value_type != ValueType::Tuple {
        return refuse(format!(
            "{ident}: :db/tupleAttrs, :db/tupleTypes and :db/tupleType go with :db.type/tuple"
        ));
    }
    if kinds > 1 {
        return refuse(format!(
            "{ident}: a tuple is made of attributes, or of types, or of one type; state one of them"
        ));
    }
    if !draft.preds.is_empty() && (value_type == ValueType::Ref || draft.tuple.is_some()) {
        return refuse(format!(
            "{ident}: predicates are asked about values that are stated; for references use \
             :db/ensure, for a composite tuple the predicates of its parts"
        ));
    }
    if draft.tuple.is_some() && draft.cardinality == Cardinality::Many {
        return refuse(format!("{ident}: a composite tuple has one value"));
    }
    Ok(())
}

fn check_parts(
    origin: Origin<'_>,
    after: &Schema,
    attribute: &Attribute,
    draft: &Draft,
) -> Result<(), Rejection> {
    let Some(names) = &draft.tuple else { return Ok(()) };
    for name in names {
        let why = match after.attribute_named(name) {
            None => "is no attribute; install it first",
            Some(part) if part.is_many() => "holds many values; a part holds one",
            Some(part) if part.tuple.is_some() => "is a composite tuple itself",
            Some(_) => continue,
        };
        let message = format!("{}: its part {name} {why}", attribute.ident);
        return Err(origin.reject(Category::Schema, message));
    }
    if names.iter().collect::<HashSet<_>>().len() != names.len() {
        let message = format!("{}: a part stands in it twice", attribute.ident);
        return Err(origin.reject(Category::Schema, message));
    }
    Ok(())
}

fn check_alteration<R: Read>(
    changes: &Changes<'_, '_, '_, R>,
    origin: Origin<'_>,
    known: &Attribute,
    attribute: &Attribute,
) -> Result<(), Error> {
    let ident = &attribute.ident;
    let refuse = |message: String| Err(origin.reject(Category::Schema, message).into());
    if known.value_type != attribute.value_type {
        return refuse(format!(
            "{ident} is {} for good; install another attribute for {}",
            known.value_type, attribute.value_type
        ));
    }
    if known.tuple != attribute.tuple {
        return refuse(format!("{ident} keeps its parts; install another composite tuple"));
    }
    if known.elements != attribute.elements {
        return refuse(format!("{ident} keeps the types of its elements; install another tuple"));
    }
    if attribute.is_many() && !changes.basis.schema.composites_of(known.id).is_empty() {
        return refuse(format!("{ident} is part of a composite tuple and holds one value"));
    }
    let narrows = known.is_many() && !attribute.is_many();
    let names = known.unique.is_none() && attribute.unique.is_some();
    if !narrows && !names {
        return Ok(());
    }
    if changes.order.iter().any(|change| change.fact.1 == known.id) {
        return refuse(format!("{ident} is altered; state its facts in another transaction"));
    }
    let aevt = changes.basis.record.current(Index::Aevt);
    let (mut last, mut values) = (None, HashSet::new());
    for key in aevt.prefix(changes.basis.memory, &[known.id]) {
        let datom = Index::Aevt.datom(&key?);
        if narrows && last.replace(datom.e) == Some(datom.e) {
            return refuse(format!(
                "{ident} cannot hold one value: entity {} has several",
                datom.e
            ));
        }
        if names && !values.insert(datom.v) {
            let value = changes.words.value(datom.v)?;
            return refuse(format!("{ident} cannot be unique: several entities have {value}"));
        }
    }
    Ok(())
}
