//! Whatever a state has noted, it reads as one that has noted nothing.

use datom::{Value, Word, edn, id};

use super::{COMMITS_MAX, list};
use crate::builtin;
use crate::database::Database;
use crate::db::Db;
use crate::error::{Category, Error};
use crate::index::Index;
use crate::parts::Storage;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SCHEMA: &str = "{:db/ident :n :db/valueType :db.type/long :db/index true}
    {:db/ident :to :db/valueType :db.type/ref :db/isComponent true}
    {:db/ident :why :db/valueType :db.type/string}";

fn transact(db: &Database, text: &str) -> Result<u64, Error> {
    db.transact(&edn::read_all(text).expect("transaction data")).map(|report| report.t)
}

fn with_schema() -> Result<Database, Error> {
    let db = Database::memory()?;
    transact(&db, SCHEMA)?;
    Ok(db)
}

/// How many commits and how many words on the past a state has noted.
fn noted(db: &Db) -> Result<(usize, usize), Error> {
    let recent = list(&db.state().memory, &db.state().record)?;
    assert_eq!(recent.blocks.len(), recent.instants.len());
    Ok((recent.instants.len(), recent.past.len()))
}

/// The same facts with nothing noted: the frames, applied as a rebuild does.
fn settled(db: &Database) -> Result<Db, Error> {
    let other = Database::memory()?;
    let mut frames = db.frames(1, u64::MAX - 1)?;
    other.store().replay(&mut frames, usize::MAX)?;
    let other = other.db()?;
    assert_eq!(noted(&other)?, (0, 0));
    Ok(other)
}

/// Everything a view shows of some entities, and then in every order, both ways.
fn shown(db: &Db) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for e in (5_000..5_004).chain([id::transaction(db.basis())]) {
        for fact in db.datoms(Index::Eavt, &[Word::entity(e)])? {
            all.push(db.datom_to_value(&fact?)?.to_string());
        }
    }
    for index in Index::ALL {
        for facts in [db.datoms(index, &[])?, db.rseek_datoms(index, &[])?] {
            for fact in facts {
                all.push(db.datom_to_value(&fact?)?.to_string());
            }
        }
    }
    Ok(all)
}

#[test]
fn every_view_shows_what_it_would_if_nothing_were_noted() -> Outcome {
    let db = with_schema()?;
    let mut seen = [false; 2];
    for n in 0..20 {
        transact(&db, &format!("{{:db/id {} :n {n}}}", 5_000 + n % 3))?;
        let state = db.db()?;
        let (commits, past) = noted(&state)?;
        assert!(commits as u64 <= COMMITS_MAX);
        seen[0] |= commits == 0;
        seen[1] |= commits > 1 && past > 1;
        let other = settled(&db)?;
        let t = state.basis();
        let views: [fn(&Db, u64) -> Db; 5] = [
            |db, _| db.clone(),
            |db, t| db.as_of(t - 1),
            |db, t| db.as_of(t / 2),
            |db, t| db.since(t - 2),
            |db, _| db.history(),
        ];
        for view in views {
            assert_eq!(shown(&view(&state, t))?, shown(&view(&other, t))?);
        }
        assert_eq!(state.content_hash()?, other.content_hash()?);
        assert!(db.verify()?.is_clean());
    }
    assert_eq!(seen, [true; 2], "some states noted much, some nothing");
    Ok(())
}

#[test]
fn instants_are_found_in_every_way() -> Outcome {
    let db = with_schema()?;
    while noted(&db.db()?)?.0 < 2 {
        transact(&db, "{:db/id \"new\" :n 1}")?;
    }
    let state = db.db()?;
    let t = state.basis();
    let (tx, attribute) = (Word::entity(id::transaction(t)), Word::entity(builtin::TX_INSTANT));
    assert_eq!(state.datoms(Index::Eavt, &[tx])?.count(), 1);
    assert_eq!(state.datoms(Index::Aevt, &[attribute])?.count() as u64, t);
    assert_eq!(state.count(Index::Aevt, &[attribute])?, t);
    assert_eq!(state.count(Index::Eavt, &[tx, attribute])?, 1);
    assert_eq!(state.statistics(builtin::TX_INSTANT)?.datoms, t);
    let last = state.rseek_datoms(Index::Eavt, &[])?.next().transpose()?;
    assert_eq!(last.map(|fact| fact.e), Some(id::transaction(t)));
    let mut cursor = state.cursor(Index::Eavt)?.expect("the present");
    assert_eq!(cursor.seek(&[id::transaction(t)])?.map(|key| key[3]), Some(t));
    assert_eq!(state.t_at(state.instant_of(t)?)?, t);
    let counts = |query: &str| state.q(query, &[]);
    let all = Value::Int(t as i64);
    assert_eq!(counts("[:find (count ?tx) . :where [?tx :db/txInstant]]")?, all);
    assert_eq!(counts("[:find (count ?e) . :where [?e ?a] [?a :db/ident :db/txInstant]]")?, all);
    let pulled = state.pull(&edn::read("[:db/txInstant]")?, &Value::Ref(id::transaction(t)))?;
    assert_ne!(pulled, Value::Nil);
    Ok(())
}

#[test]
fn states_differ_in_facts_and_not_in_what_they_noted() -> Outcome {
    let db = with_schema()?;
    let mut states = vec![db.db()?];
    for n in 0..3 * COMMITS_MAX as i64 {
        transact(&db, &format!("{{:db/id 5000 :n {n}}}"))?;
        states.push(db.db()?);
    }
    for (from, before) in states.iter().enumerate() {
        for (to, after) in states.iter().enumerate().skip(from) {
            let diff = before.diff(after)?;
            let instants = diff.added.iter().filter(|fact| fact.a == builtin::TX_INSTANT).count();
            assert_eq!(instants, to - from);
            assert_eq!(diff.added.len(), (to - from) + usize::from(to > from));
            assert_eq!(diff.removed.len(), usize::from(from > 0 && to > from));
            let back = after.diff(before)?;
            assert_eq!((back.added, back.removed), (diff.removed, diff.added));
        }
    }
    Ok(())
}

#[test]
fn what_speaks_of_transactions_sees_their_instants() -> Outcome {
    let db = with_schema()?;
    let part = transact(&db, "{:db/id 5000 :n 1}")?;
    let whole = format!("{{:db/id 5001 :to {}}}", id::transaction(part));
    transact(&db, &whole)?;
    assert_eq!(noted(&db.db()?)?.0, 2);
    // A transaction never changes when it was, nor as the part of what is retracted.
    for refused in [id::transaction(part), 5_001] {
        let form = format!("[:db/retractEntity {refused}]");
        match transact(&db, &form) {
            Err(Error::Rejected(rejection)) => assert_eq!(rejection.category, Category::Instant),
            other => panic!("{other:?}"),
        }
    }
    transact(
        &db,
        "{:db/ident :when :db/tupleAttrs [:db/txInstant :n] :db/cardinality :db.cardinality/one}",
    )?;
    let db = db.db()?;
    let when = Word::entity(db.attribute_named(&"when".into()).expect("installed").id);
    let all = db.datoms(Index::Aevt, &[when])?.map(|fact| fact.map(|fact| fact.e));
    let all: Vec<u64> = all.collect::<Result<_, _>>()?;
    for t in 1..=part + 1 {
        assert!(all.contains(&id::transaction(t)), "{t} of {all:?}");
    }
    Ok(())
}
