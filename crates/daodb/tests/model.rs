//! Random transactions beside a database that is nothing but a list of datoms.
//!
//! The model knows facts as a set of (entity, attribute, value). A transaction makes a new set, and
//! what differs is what must have been stated and withdrawn. Every view of every index at every `t`
//! is then compared with a filter over the list.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Fact, facts, transact, values};
use daodb::{Category, Create, Database, Db, Durability, Error, Index, Options, Report};
use datom::{Value, Word};
use proptest::prelude::*;

const SCHEMA: &str = "
    {:db/ident :one   :db/valueType :db.type/long}
    {:db/ident :many  :db/valueType :db.type/long :db/cardinality :db.cardinality/many}
    {:db/ident :text  :db/valueType :db.type/string}
    {:db/ident :refs  :db/valueType :db.type/ref  :db/cardinality :db.cardinality/many}
    {:db/ident :part  :db/valueType :db.type/ref  :db/isComponent true}
    {:db/ident :id    :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :code  :db/valueType :db.type/long :db/unique :db.unique/value}
    {:db/ident :pair  :db/tupleAttrs [:one :text] :db/unique :db.unique/value}";

/// Entities are named 0 to 5 and have these ids.
const FIRST: u64 = 10_000;

#[derive(Clone, Debug)]
enum Form {
    Add(u64, Stated),
    Retract(u64, Stated),
    RetractAll(u64, &'static str),
    RetractEntity(u64),
    Cas(u64, Option<i64>, i64),
    /// A map with a tempid, an identity and some facts.
    Upsert(u8, u8, Vec<Stated>),
    /// Puts an attribute into AVET or out of it.
    Index(&'static str, bool),
}

#[derive(Clone, Debug, PartialEq)]
enum Stated {
    One(i64),
    Many(i64),
    Text(u8),
    Refs(u64),
    Part(u64),
    Id(u8),
    Code(i64),
}

/// Some texts fit a word and some do not.
fn text(number: u8) -> Value {
    Value::text(
        ["a", "bc", "a text that lives on the heap", "another such text"][number as usize % 4],
    )
}

impl Stated {
    fn name(&self) -> &'static str {
        match self {
            Stated::One(_) => "one",
            Stated::Many(_) => "many",
            Stated::Text(_) => "text",
            Stated::Refs(_) => "refs",
            Stated::Part(_) => "part",
            Stated::Id(_) => "id",
            Stated::Code(_) => "code",
        }
    }

    fn value(&self) -> Value {
        match self {
            // Integers beyond 60 bits live on the heap.
            Stated::One(n) | Stated::Many(n) | Stated::Code(n) if *n == 3 => Value::Int(i64::MAX),
            Stated::One(n) | Stated::Many(n) | Stated::Code(n) => Value::Int(*n),
            Stated::Text(n) => text(*n),
            Stated::Id(n) => text(*n),
            Stated::Refs(e) | Stated::Part(e) => Value::Ref(FIRST + e),
        }
    }
}

fn stated() -> impl Strategy<Value = Stated> {
    prop_oneof![
        (0..4_i64).prop_map(Stated::One),
        (0..4_i64).prop_map(Stated::Many),
        (0..4_u8).prop_map(Stated::Text),
        (0..6_u64).prop_map(Stated::Refs),
        (0..6_u64).prop_map(Stated::Part),
        (0..4_u8).prop_map(Stated::Id),
        (0..4_i64).prop_map(Stated::Code),
    ]
}

fn form() -> impl Strategy<Value = Form> {
    let e = 0..6_u64;
    let name = prop::sample::select(vec!["one", "many", "text", "refs", "part", "id", "code"]);
    let indexed = prop::sample::select(vec!["one", "many", "text"]);
    prop_oneof![
        6 => (e.clone(), stated()).prop_map(|(e, s)| Form::Add(e, s)),
        3 => (e.clone(), stated()).prop_map(|(e, s)| Form::Retract(e, s)),
        1 => (e.clone(), name).prop_map(|(e, a)| Form::RetractAll(e, a)),
        1 => e.clone().prop_map(Form::RetractEntity),
        1 => (e, prop::option::of(0..3_i64), 0..3_i64).prop_map(|(e, old, new)| Form::Cas(e, old, new)),
        2 => (0..3_u8, 0..4_u8, prop::collection::vec(stated(), 0..3))
            .prop_map(|(tempid, id, stated)| Form::Upsert(tempid, id, stated)),
        1 => (indexed, any::<bool>()).prop_map(|(a, on)| Form::Index(a, on)),
    ]
}

fn keyword(name: &str) -> Value {
    Value::keyword(name)
}

impl Form {
    fn data(&self) -> Value {
        let entity = |e: &u64| Value::Int((FIRST + e) as i64);
        let list = |items: Vec<Value>| Value::Vector(items);
        match self {
            Form::Add(e, s) => {
                list(vec![keyword("db/add"), entity(e), keyword(s.name()), s.value()])
            }
            Form::Retract(e, s) => {
                list(vec![keyword("db/retract"), entity(e), keyword(s.name()), s.value()])
            }
            Form::RetractAll(e, a) => list(vec![keyword("db/retract"), entity(e), keyword(a)]),
            Form::RetractEntity(e) => list(vec![keyword("db/retractEntity"), entity(e)]),
            Form::Cas(e, old, new) => {
                let old = old.map_or(Value::Nil, Value::Int);
                list(vec![keyword("db/cas"), entity(e), keyword("one"), old, Value::Int(*new)])
            }
            Form::Upsert(tempid, id, stated) => {
                let mut map = BTreeMap::new();
                for s in stated {
                    map.insert(keyword(s.name()), s.value());
                }
                map.insert(keyword("id"), text(*id));
                map.insert(keyword("db/id"), Value::text(&format!("tempid-{tempid}")));
                Value::Map(map)
            }
            Form::Index(a, on) => {
                list(vec![keyword("db/add"), keyword(a), keyword("db/index"), Value::Bool(*on)])
            }
        }
    }
}

type Triple = (u64, String, Value);

/// Facts that hold, apart from tuples and the schema.
type Facts = BTreeSet<Triple>;

fn is_many(a: &str) -> bool {
    a == "many" || a == "refs"
}

/// The facts after a transaction; `None` when it must be refused. `entity` says which entity each
/// tempid became where the model cannot know: for new ones.
fn after(facts: &Facts, forms: &[Form], entity: &BTreeMap<u8, u64>) -> Option<Facts> {
    let mut adds: Facts = Facts::new();
    let mut removed: Facts = Facts::new();
    let mut denied: Facts = Facts::new();
    for form in forms {
        match form {
            Form::Add(e, s) => {
                adds.insert((FIRST + e, s.name().into(), s.value()));
            }
            Form::Retract(e, s) => {
                denied.insert((FIRST + e, s.name().into(), s.value()));
            }
            Form::RetractAll(e, a) => {
                removed.extend(facts.iter().filter(|f| f.0 == FIRST + e && f.1 == *a).cloned())
            }
            Form::RetractEntity(e) => remove_entity(facts, FIRST + e, &mut removed),
            Form::Cas(e, old, new) => {
                let now = facts.iter().find(|f| f.0 == FIRST + e && f.1 == "one").map(|f| &f.2);
                if now != old.map(Value::Int).as_ref() {
                    return None;
                }
                adds.insert((FIRST + e, "one".into(), Value::Int(*new)));
            }
            Form::Upsert(tempid, id, stated) => {
                let e = *entity.get(tempid)?;
                adds.insert((e, "id".into(), text(*id)));
                let last: BTreeMap<_, _> = stated.iter().map(|s| (s.name(), s.value())).collect();
                for (name, value) in last {
                    if name != "id" {
                        adds.insert((e, name.into(), value));
                    }
                }
            }
            Form::Index(..) => {}
        }
    }
    removed.extend(denied.iter().filter(|fact| facts.contains(fact)).cloned());
    if adds.iter().any(|fact| denied.contains(fact) || removed.contains(fact)) {
        return None;
    }
    let mut values: BTreeMap<(u64, &str), &Value> = BTreeMap::new();
    for (e, a, v) in adds.iter().filter(|fact| !is_many(&fact.1)) {
        if values.insert((*e, a), v).is_some() {
            return None;
        }
    }
    let replaced =
        |fact: &Triple| !is_many(&fact.1) && values.contains_key(&(fact.0, fact.1.as_str()));
    let mut next: Facts =
        facts.iter().filter(|fact| !removed.contains(fact) && !replaced(fact)).cloned().collect();
    next.extend(adds.iter().cloned());
    let mut owners = BTreeMap::new();
    for (e, a, v) in with_tuples(&next) {
        let is_whole = v.as_slice().is_none_or(|parts| !parts.contains(&Value::Nil));
        let unique = matches!(a.as_str(), "id" | "code" | "pair") && is_whole;
        if unique && owners.insert((a, v), e).is_some() {
            return None;
        }
    }
    Some(next)
}

fn remove_entity(facts: &Facts, e: u64, removed: &mut Facts) {
    let mut queue = vec![e];
    let mut seen = BTreeSet::new();
    while let Some(e) = queue.pop() {
        if !seen.insert(e) {
            continue;
        }
        for fact in facts {
            if fact.0 == e || fact.2 == Value::Ref(e) {
                removed.insert(fact.clone());
            }
            if let (true, "part", Value::Ref(part)) = (fact.0 == e, fact.1.as_str(), &fact.2) {
                queue.push(*part);
            }
        }
    }
}

/// The facts and the tuples that follow from them.
fn with_tuples(facts: &Facts) -> Facts {
    let mut all = facts.clone();
    let entities: BTreeSet<u64> = facts.iter().map(|fact| fact.0).collect();
    for e in entities {
        let part = |name: &str| {
            let found = facts.iter().find(|fact| fact.0 == e && fact.1 == name);
            found.map_or(Value::Nil, |fact| fact.2.clone())
        };
        let parts = [part("one"), part("text")];
        if parts != [Value::Nil, Value::Nil] {
            all.insert((e, "pair".into(), Value::Vector(parts.to_vec())));
        }
    }
    all
}

/// What each tempid stands for: the owner of its identity, or whatever new entity it became.
/// `None` when the identities contradict each other.
fn tempids(
    facts: &Facts,
    forms: &[Form],
    made: &BTreeMap<Value, u64>,
) -> Option<BTreeMap<u8, u64>> {
    let mut entities: BTreeMap<u8, u64> = BTreeMap::new();
    let mut identities: Vec<(u8, u8)> = Vec::new();
    for form in forms {
        if let Form::Upsert(tempid, id, _) = form {
            identities.push((*tempid, *id % 4));
        }
    }
    // As often as there are tempids: then whatever one says of another has arrived.
    for _ in 0..3 {
        for (tempid, id) in &identities {
            let owner =
                facts.iter().find(|fact| fact.1 == "id" && fact.2 == text(*id)).map(|f| f.0);
            let same = identities.iter().filter(|(_, other)| other == id);
            let known = same.filter_map(|(other, _)| entities.get(other)).next().copied();
            for found in [owner, known].into_iter().flatten() {
                if *entities.entry(*tempid).or_insert(found) != found {
                    return None;
                }
            }
        }
    }
    for (tempid, _) in &identities {
        if !entities.contains_key(tempid) {
            let name = Value::text(&format!("tempid-{tempid}"));
            entities.insert(*tempid, *made.get(&name).unwrap_or(&(1 << 40)));
        }
    }
    Some(entities)
}

/// The list of everything ever said, and the facts that hold.
#[derive(Clone, Default)]
struct Model {
    said: Vec<Fact>,
    facts: Facts,
}

impl Model {
    /// Makes the transaction in both, and compares what was stated and withdrawn.
    fn transact(&mut self, db: &Database, forms: &[Form]) {
        self.make(|data| db.transact(data), forms);
    }

    /// The same, however it is made. Answers the state after it, if it was not refused.
    fn make(
        &mut self,
        make: impl FnOnce(&[Value]) -> Result<Report, Error>,
        forms: &[Form],
    ) -> Option<Db> {
        let data: Vec<Value> = forms.iter().map(Form::data).collect();
        let made = make(&data);
        let names = made.as_ref().map(|report| report.tempids.clone()).unwrap_or_default();
        let entities = tempids(&self.facts, forms, &names);
        let mut contradictory = entities.is_none();
        let flips: BTreeMap<&str, BTreeSet<bool>> =
            forms.iter().fold(BTreeMap::new(), |mut flips, form| {
                if let Form::Index(a, on) = form {
                    flips.entry(*a).or_default().insert(*on);
                }
                flips
            });
        contradictory |= flips.values().any(|values| values.len() > 1);
        let next = entities.filter(|_| !contradictory);
        let next = next.and_then(|entities| after(&self.facts, forms, &entities));
        match (made, next) {
            (Err(Error::Rejected(_)), None) => None,
            (Ok(report), Some(next)) => {
                let (old, new) = (with_tuples(&self.facts), with_tuples(&next));
                let t = report.t;
                let mut expected: BTreeSet<Fact> = BTreeSet::new();
                for (e, a, v) in old.difference(&new) {
                    expected.insert((*e, a.clone(), v.clone(), t, false));
                }
                for (e, a, v) in new.difference(&old) {
                    expected.insert((*e, a.clone(), v.clone(), t, true));
                }
                let mut found = BTreeSet::new();
                for datom in &report.datoms {
                    let db = &report.db_after().unwrap();
                    let name = db.ident_of(datom.a).unwrap().unwrap().as_str().to_owned();
                    let fact = (datom.e, name, db.value(datom.v).unwrap(), t, datom.added());
                    let is_users = !fact.1.starts_with("db/");
                    self.said.push(fact.clone());
                    assert!(!is_users || found.insert(fact), "stated twice");
                }
                assert_eq!(found, expected, "{data:?}");
                self.facts = next;
                Some(report.db_after().unwrap())
            }
            (Ok(_), None) => panic!("must be refused: {data:?}"),
            (Err(error), _) => panic!("{error}: {data:?}"),
        }
    }

    /// What a view must show, by looking at everything that was ever said.
    fn view(&self, as_of: Option<u64>, since: Option<u64>, history: bool) -> BTreeSet<Fact> {
        let as_of = as_of.unwrap_or(u64::MAX);
        let within = self.said.iter().filter(|fact| fact.3 <= as_of);
        let after = |fact: &&Fact| since.is_none_or(|since| fact.3 > since);
        if history {
            return within.filter(after).cloned().collect();
        }
        let mut last: BTreeMap<(u64, &str, &Value), &Fact> = BTreeMap::new();
        for fact in within {
            last.insert((fact.0, &fact.1, &fact.2), fact);
        }
        last.into_values().filter(|fact| fact.4).filter(after).cloned().collect()
    }
}

/// Every view of every index at every `t`.
fn compare(db: &Db, model: &Model) {
    let last = db.basis();
    let moments = || (0..=last).map(Some).chain([None]);
    for as_of in moments() {
        for since in moments() {
            for history in [false, true] {
                let mut view = db.clone();
                view = as_of.map_or(view.clone(), |t| view.as_of(t));
                view = since.map_or(view.clone(), |t| view.since(t));
                view = if history { view.history() } else { view };
                let expected = model.view(as_of, since, history);
                compare_indexes(
                    &view,
                    &expected,
                    &format!("as of {as_of:?} since {since:?} history {history}"),
                );
            }
        }
    }
}

fn compare_indexes(view: &Db, expected: &BTreeSet<Fact>, what: &str) {
    for index in Index::ALL {
        let keys: Vec<_> =
            view.datoms(index, &[]).unwrap().map(|datom| index.key(&datom.unwrap())).collect();
        assert!(keys.is_sorted(), "{what}: {index:?} is not in order");
        compare_ways(view, index, &keys, what);
        let belongs = |fact: &&Fact| match index {
            Index::Eavt | Index::Aevt => true,
            Index::Avet => {
                view.attribute_named(&fact.1.as_str().into()).is_some_and(|a| a.in_avet())
            }
            Index::Vaet => matches!(fact.2, Value::Ref(_)),
        };
        let expected: BTreeSet<Fact> = expected.iter().filter(belongs).cloned().collect();
        let found = values(view, view.datoms(index, &[]).unwrap());
        let found: BTreeSet<Fact> = found.into_iter().filter(|fact| fact.3 > 0).collect();
        assert_eq!(found, expected, "{what}: {index:?}");
    }
}

/// Reading on from somewhere, either way, and through a filter.
fn compare_ways(view: &Db, index: Index, keys: &[daodb::Key], what: &str) {
    let key = |datom: Result<datom::Datom, Error>| index.key(&datom.unwrap());
    let mut back: Vec<_> = view.rseek_datoms(index, &[]).unwrap().map(key).collect();
    back.reverse();
    assert_eq!(back, keys, "{what}: {index:?} backwards");
    let even = view.filter(|_, datom| datom.e.is_multiple_of(2));
    let kept: Vec<_> = even.datoms(index, &[]).unwrap().map(key).collect();
    let expected: Vec<_> =
        keys.iter().filter(|key| index.datom(key).e.is_multiple_of(2)).copied().collect();
    assert_eq!(kept, expected, "{what}: {index:?} filtered");
    let Some(middle) = keys.get(keys.len() / 2).map(|key| index.datom(key)) else { return };
    let (e, a) = (Word::entity(middle.e), Word::entity(middle.a));
    let components = match index {
        Index::Eavt => [e, a],
        Index::Aevt => [a, e],
        Index::Avet => [a, middle.v],
        Index::Vaet => [middle.v, a],
    };
    let bare = index.key(&middle);
    let on: Vec<_> = view.seek_datoms(index, &components).unwrap().map(key).collect();
    let expected: Vec<_> = keys.iter().filter(|key| key[..2] >= bare[..2]).copied().collect();
    assert_eq!(on, expected, "{what}: {index:?} from the middle on");
    let back: Vec<_> = view.rseek_datoms(index, &components).unwrap().map(key).collect();
    let expected: Vec<_> = keys.iter().rev().filter(|key| key[..2] <= bare[..2]).copied().collect();
    assert_eq!(back, expected, "{what}: {index:?} from the middle back");
}

fn install(db: &Database) -> Model {
    let report = transact(db, SCHEMA);
    let mut model = Model::default();
    for datom in &report.datoms {
        let db = &report.db_after().unwrap();
        let name = db.ident_of(datom.a).unwrap().unwrap().as_str().to_owned();
        model.said.push((datom.e, name, db.value(datom.v).unwrap(), datom.t, datom.added()));
    }
    model
}

fn transactions() -> impl Strategy<Value = Vec<Vec<Form>>> {
    prop::collection::vec(prop::collection::vec(form(), 1..6), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_view_of_every_index_is_a_filter_over_what_was_said(transactions in transactions()) {
        let db = Database::memory().unwrap();
        let mut model = install(&db);
        for forms in &transactions {
            model.transact(&db, forms);
        }
        compare(&db.db().unwrap(), &model);
        // The same moments as states of their own, with the schema that they had.
        for t in 0..=db.db().unwrap().basis() {
            let then = db.at(t).unwrap();
            let expected = |history| model.view(Some(t), None, history);
            compare_indexes(&then, &expected(false), &format!("at {t}"));
            compare_indexes(&then.history(), &expected(true), &format!("history of at {t}"));
        }
        let found = db.verify().unwrap();
        prop_assert!(found.is_clean(), "{:?}", found.problems);
    }
}

/// Facts that are no references, with how many entities have each: what is left of facts when the
/// numbers of entities are forgotten.
fn anonymous(facts: impl IntoIterator<Item = (String, Value)>) -> BTreeMap<(String, Value), usize> {
    let mut counts = BTreeMap::new();
    for (a, v) in
        facts.into_iter().filter(|(a, v)| !a.starts_with("db") && !matches!(v, Value::Ref(_)))
    {
        *counts.entry((a, v)).or_default() += 1;
    }
    counts
}

fn named(facts: BTreeSet<Fact>) -> impl Iterator<Item = (String, Value)> {
    facts.into_iter().map(|(_, a, v, ..)| (a, v))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn forks_and_thoughts_go_their_own_way_and_merges_bring_it_home(
        before in transactions(),
        there in transactions(),
        here in prop::option::of(transactions()),
        by in prop::sample::select(vec![daodb::ours as fn(&_) -> _, daodb::theirs]),
    ) {
        let db = Database::memory().unwrap();
        let mut model = install(&db);
        // Numbers up to here are the forms' own: the fork's entity gets one behind them.
        model.transact(&db, &[Form::Add(99, Stated::One(0))]);
        for forms in before.iter().take(4) {
            model.transact(&db, forms);
        }
        let base = db.db().unwrap();
        let (mut thought, mut thoughts, mut forked) = (base.clone(), model.clone(), model.clone());
        let fork = db.fork("work", Some(base.basis())).unwrap();
        for forms in there.iter().take(5) {
            thought = thoughts.make(|data| thought.with(data), forms).unwrap_or(thought);
            forked.make(|data| fork.transact(data), forms);
        }
        for forms in here.iter().flatten().take(5) {
            model.transact(&db, forms);
        }
        for (state, model) in [(&thought, &thoughts), (&fork.db().unwrap(), &forked)] {
            for since in [None, Some(base.basis())] {
                for history in [false, true] {
                    let view = since.map_or(state.clone(), |t| state.since(t));
                    let view = if history { view.history() } else { view };
                    compare_indexes(&view, &model.view(None, since, history), "by itself");
                }
            }
            let then = model.view(Some(base.basis()), None, false);
            compare_indexes(&state.as_of(base.basis()), &then, "as of its base");
        }
        let now = || anonymous(named(facts(&db.db().unwrap())));
        let (ours, theirs) = (now(), anonymous(named(facts(&fork.db().unwrap()))));
        let held = db.db().unwrap().content_hash().unwrap();
        match fork.merge(&by) {
            Ok(_) if here.is_none() => prop_assert_eq!(now(), theirs),
            Ok(_) => {}
            // What both did may break a rule together.
            Err(Error::Rejected(_)) if here.is_some() => {
                prop_assert_eq!(now(), ours);
                prop_assert_eq!(db.db().unwrap().content_hash().unwrap(), held);
            }
            Err(error) => panic!("{error}"),
        }
        let found = db.verify().unwrap();
        prop_assert!(found.is_clean(), "{:?}", found.problems);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_world_without_its_region_is_made_again_from_the_log(transactions in transactions()) {
        let folder = tempfile::tempdir().unwrap();
        let options = || Options::new().durability(Durability::Process).segment_bytes_max(1500);
        let db = Database::open(folder.path(), options()).unwrap();
        let mut model = install(&db);
        for forms in &transactions {
            model.transact(&db, forms);
        }
        let history = facts(&db.db().unwrap().history());
        let hashes: Vec<_> = db.log().unwrap().map(|tx| tx.unwrap().hash).collect();
        drop(db);
        std::fs::remove_file(folder.path().join("region.eve")).unwrap();
        let db = Database::open(folder.path(), options().create(Create::Never)).unwrap();
        prop_assert_eq!(db.opening().replayed, hashes.len() as u64);
        prop_assert_eq!(facts(&db.db().unwrap().history()), history);
        let again: Vec<_> = db.log().unwrap().map(|tx| tx.unwrap().hash).collect();
        prop_assert_eq!(again, hashes);
        compare(&db.db().unwrap(), &model);
        let found = db.verify().unwrap();
        prop_assert!(found.is_clean(), "{:?}", found.problems);
    }
}

#[test]
fn two_transactions_between_two_moments_leave_their_difference() {
    let db = Database::memory().unwrap();
    let mut model = install(&db);
    model.transact(&db, &[Form::Add(0, Stated::One(1)), Form::Add(1, Stated::Many(1))]);
    model.transact(&db, &[Form::Add(0, Stated::One(2)), Form::Add(2, Stated::Many(2))]);
    model.transact(&db, &[Form::RetractAll(2, "many"), Form::Add(0, Stated::Text(0))]);
    let now = db.db().unwrap();
    for from in 0..=4 {
        for to in 0..=4 {
            let triples = |t: u64| -> BTreeSet<(u64, u64, Word)> {
                let view = now.as_of(t);
                let datoms = view.datoms(Index::Eavt, &[]).unwrap().map(Result::unwrap);
                datoms.map(|datom| (datom.e, datom.a, datom.v)).collect()
            };
            let diff = db.diff(from, to).unwrap();
            let plain = |datoms: &[datom::Datom]| -> BTreeSet<_> {
                datoms.iter().map(|datom| (datom.e, datom.a, datom.v)).collect()
            };
            let (before, after) = (triples(from), triples(to));
            assert_eq!(plain(&diff.added), &after - &before, "from {from} to {to}");
            assert_eq!(plain(&diff.removed), &before - &after, "from {from} to {to}");
        }
    }
}

#[test]
fn a_refusal_names_its_category() {
    let db = Database::memory().unwrap();
    install(&db);
    let (category, _) = common::refuse(&db, "[:db/cas 10000 :one 1 2]");
    assert_eq!(category, Category::Cas);
}
