//! Every query of the Datalog comparison, on smaller sets: our rows are SQLite's rows, value for value,
//! in both layouts, recursive ones by its recursive common table expressions.

use std::collections::HashMap;

use benches::datalog::{Case, Set, debian, genealogy, graphs, ours, people, sqlite};
use daodb::{Answer, Db};
use datom::Value;

/// Rows as text, sorted.
type Table = Vec<Vec<String>>;

/// What our rows say, entities by the numbers that the set gave them.
fn our_rows(db: &Db, case: &Case) -> Table {
    let numbers =
        db.query(&daodb::Query::parse("[:find ?e ?n :where [?e :number ?n]]").unwrap(), &[]);
    let Answer::Relation { rows, .. } = numbers.unwrap() else { panic!("rows are asked for") };
    let numbers: HashMap<Value, String> =
        rows.iter().map(|row| (row.get(0), row.get(1).to_string())).collect();
    let shown = |value: Value| match value {
        Value::Ref(_) => numbers[&value].clone(),
        Value::Text(text) => text.to_string(),
        Value::Float(float) => format!("{float:.6}"),
        other => other.to_string(),
    };
    let (query, inputs) = ours::prepare(case).unwrap();
    let mut table: Table = match db.query(&query, &inputs).unwrap() {
        Answer::Relation { rows, .. } => {
            rows.iter().map(|row| row.iter().map(shown).collect()).collect()
        }
        Answer::Collection(values) => values.into_iter().map(|value| vec![shown(value)]).collect(),
        other => panic!("{other:?}"),
    };
    table.sort();
    table
}

fn agree(set: &Set, cases: &[Case]) {
    let db = ours::load(set).unwrap().db().unwrap();
    let (eav, tables) = (sqlite::eav(set).unwrap(), sqlite::tables(set).unwrap());
    for case in cases {
        let given = our_rows(&db, case);
        assert!(!given.is_empty(), "{} of {} finds something", case.name, set.name);
        for (held, sql) in [(&eav, Some(case.eav)), (&tables, case.tables)] {
            let Some(sql) = sql else { continue };
            let mut expected = sqlite::rows(held, &sqlite::numbered(set, sql)).unwrap();
            expected.sort();
            assert_eq!(given.len(), expected.len(), "rows of {}", case.name);
            assert_eq!(given, expected, "{}", case.name);
        }
        // The second time from whatever the first one made.
        assert_eq!(our_rows(&db, case), given, "{} again", case.name);
    }
}

#[test]
fn people_agree() {
    agree(&people::people(2_000), &people::CASES);
}

#[test]
fn closures_agree() {
    for edges in [
        graphs::wide(4, 3),
        graphs::long(10, 3),
        graphs::chain(60),
        graphs::random(60, 90),
        graphs::random(40, 200),
        graphs::acyclic(100, 200),
    ] {
        agree(&graphs::set("graph", &edges), &[graphs::CLOSURE]);
    }
}

#[test]
fn genealogies_agree() {
    // The queries are about person 199,549: everybody of whom in a smaller set has less ancestors.
    let mut set = genealogy::genealogy(3_000);
    let person = (2_900, 0, benches::datalog::Val::Text("p199549".to_owned()));
    set.facts.retain(|fact| (fact.0, fact.1) != (2_900, 0));
    set.facts.push(person);
    agree(&set, &genealogy::CASES);
}

#[test]
fn the_graph_of_debian_agrees_where_it_is_at_hand() {
    let Ok(mut set) = debian::debian() else { return };
    // Every third package, and what the queries ask for by name.
    let asked = ["libc6", "libssl3", "firefox-esr"];
    let named = |set: &Set, name: &str| {
        let text = benches::datalog::Val::Text(name.to_owned());
        set.facts.iter().find(|fact| fact.1 == 0 && fact.2 == text).map(|fact| fact.0)
    };
    let kept: Vec<u32> = asked.iter().filter_map(|name| named(&set, name)).collect();
    set.facts.retain(|fact| fact.0 % 8 == 0 || fact.0 > 1_000_000 || kept.contains(&fact.0));
    let cases: Vec<Case> =
        debian::CASES.iter().copied().filter(|case| !matches!(case.name, "2-cycles")).collect();
    agree(&set, &cases);
}
