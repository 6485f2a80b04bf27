//! Comparisons that become ranges of an index: whatever the kinds of numbers, the same rows as a filter.

use std::cmp::Ordering;

use daodb::{Database, Limits, Query};
use datom::{Value, edn};

const COMPARISONS: [&str; 6] = ["<", "<=", ">", ">=", "=", "!="];

fn transact(database: &Database, data: &str) {
    database.transact(&edn::read_all(data).unwrap()).unwrap();
}

fn holds(name: &str, ordering: Ordering) -> bool {
    match name {
        "<" => ordering.is_lt(),
        "<=" => ordering.is_le(),
        ">" => ordering.is_gt(),
        ">=" => ordering.is_ge(),
        "=" => ordering.is_eq(),
        _ => ordering.is_ne(),
    }
}

/// Asks every comparison with every bound, from both sides, given in the query and as an input.
fn compare<T: Copy + std::fmt::Debug>(
    kind: &str,
    values: &[T],
    bounds: &[T],
    order: impl Fn(T, T) -> Ordering,
    show: impl Fn(T) -> String,
) {
    let database = Database::memory().unwrap();
    for (name, index) in [("a", "true"), ("b", "false")] {
        let schema = format!(
            "{{:db/ident :{name} :db/valueType :db.type/{kind} :db/index {index}
               :db/cardinality :db.cardinality/many}}"
        );
        transact(&database, &schema);
    }
    for value in values {
        transact(&database, &format!("{{:a [{0}] :b [{0}]}}", show(*value)));
    }
    let db = database.db().unwrap();
    for (comparison, bound) in COMPARISONS.iter().flat_map(|c| bounds.iter().map(move |b| (c, *b)))
    {
        let mut expected = [0, 0];
        for value in values {
            expected[0] += usize::from(holds(comparison, order(*value, bound)));
            expected[1] += usize::from(holds(comparison, order(bound, *value)));
        }
        let (given, input) = (show(bound), [edn::read(&show(bound)).unwrap()]);
        for attribute in ["a", "b"] {
            let left = format!("[:find ?v :where [_ :{attribute} ?v] [({comparison} ?v {given})]]");
            let right =
                format!("[:find ?e :where [?e :{attribute} ?v] [({comparison} {given} ?v)]]");
            let bound =
                format!("[:find ?e :in $ ?b :where [?e :{attribute} ?v] [({comparison} ?v ?b)]]");
            assert_eq!(db.q(&left, &[]).unwrap().as_set_len(), expected[0], "{left}");
            assert_eq!(db.q(&right, &[]).unwrap().as_set_len(), expected[1], "{right}");
            assert_eq!(db.q(&bound, &input).unwrap().as_set_len(), expected[0], "{bound} {given}");
        }
    }
}

trait Length {
    fn as_set_len(&self) -> usize;
}

impl Length for Value {
    fn as_set_len(&self) -> usize {
        match self {
            Value::Set(rows) => rows.len(),
            other => panic!("{other}"),
        }
    }
}

/// Whole numbers on both sides of what a word holds, of which some are bounds only.
const WHOLE: [i128; 9] = [
    i64::MIN as i128,
    -(1 << 59) - 1,
    -(1 << 59),
    -7,
    0,
    7,
    (1 << 59) - 1,
    1 << 59,
    i64::MAX as i128,
];

#[test]
fn whole_numbers_in_words_and_beyond() {
    compare("long", &WHOLE, &WHOLE, |a, b| a.cmp(&b), |n| n.to_string());
}

#[test]
fn whole_numbers_compared_with_others() {
    let values: [f64; 4] = [-3.0, 0.0, 2.0, 1e3];
    let bounds = [-2.5, 0.0, 2.0, 2.5, 1e300, -1e300];
    let show = |n: f64| {
        if n.abs() < 1e6 && n.fract() == 0.0 { format!("{n:.0}") } else { format!("{n:?}") }
    };
    compare("long", &values, &[-3.0, 0.0, 1e3], |a, b| a.total_cmp(&b), show);
    let database = Database::memory().unwrap();
    transact(&database, "{:db/ident :a :db/valueType :db.type/long :db/index true}");
    transact(&database, "{:a -3} {:a 0} {:a 2} {:a 1000}");
    let db = database.db().unwrap();
    for (comparison, bound) in COMPARISONS.iter().flat_map(|c| bounds.iter().map(move |b| (c, *b)))
    {
        let expected = values.iter().filter(|v| holds(comparison, v.total_cmp(&bound))).count();
        let text = format!("[:find ?v :where [_ :a ?v] [({comparison} ?v {bound:?})]]");
        assert_eq!(db.q(&text, &[]).unwrap().as_set_len(), expected, "{text}");
    }
}

#[test]
fn floats_and_texts() {
    let floats = [-1e300, -2.5, 0.5, 1.25, 1e-300, 7e200];
    compare("double", &floats, &floats, |a: f64, b| a.total_cmp(&b), |n| format!("{n:?}"));
    let texts =
        ["", "a", "aa", "b", "a text longer than a word", "b text longer than a word", "zz"];
    compare("string", &texts, &texts, |a, b| a.cmp(b), |text| format!("{text:?}"));
}

#[test]
fn a_narrow_range_reads_little() {
    let database = Database::memory().unwrap();
    transact(&database, "{:db/ident :a :db/valueType :db.type/long :db/index true}");
    transact(&database, &(0..5000).map(|n| format!("{{:a {n}}}")).collect::<String>());
    let db = database.db().unwrap();
    let text = "[:find ?e :where [?e :a ?v] [(<= 100 ?v)] [(< ?v 110)]]";
    let explained = db.explain(&Query::parse(text).unwrap(), &[], &Limits::default()).unwrap();
    assert_eq!(explained.rows, 10);
    assert!(explained.scanned <= 10, "{explained}");
    assert_eq!(explained.steps[0].clauses.len(), 3);
}
