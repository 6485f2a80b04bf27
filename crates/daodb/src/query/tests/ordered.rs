//! Rows in order: by values of every kind, each key its way, cut where it is said.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::super::function::compare;
use super::*;

/// Few values of many kinds, some of them equal by value and not the same.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2..3_i64).prop_map(Value::Int),
        (-2..3_i32).prop_map(|n| Value::Float(f64::from(n) / 2.0)),
        (0..3_u64).prop_map(Value::Ref),
        "[a-c]{0,2}".prop_map(|text| Value::text(&text)),
        "[a-c]{12}".prop_map(|text| Value::text(&text)),
        prop::bool::ANY.prop_map(Value::Bool),
        Just(Value::keyword("k")),
        Just(edn::read("[1 \"two\"]").unwrap()),
        Just(edn::read("123456789012345678901234567890").unwrap()),
    ]
}

/// Rows of one kind of value in a column, and of all kinds.
fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let number = || (-3..4_i64).prop_map(Value::Int);
    let any = prop::collection::vec(value(), 3);
    let plain = (number(), number(), value()).prop_map(|(a, b, c)| vec![a, b, c]);
    prop_oneof![prop::collection::vec(any, 0..40), prop::collection::vec(plain, 0..40)]
}

/// The rows that a query shows, in the order in which it does.
fn shown(rows: &[Vec<Value>], parts: &str) -> Vec<Vec<Value>> {
    let query = format!("[:find ?a ?b ?c :in [[?a ?b ?c] ...] {parts}]");
    let rows = Value::Vector(rows.iter().cloned().map(Value::Vector).collect());
    let query = Query::of_text(&query).unwrap();
    let given = execute(&query, &[Given::Value(&rows)], &Limits::default()).unwrap();
    let Answer::Relation { rows, .. } = given else { panic!() };
    rows.iter().map(|row| row.to_vec()).collect()
}

proptest! {
    #[test]
    fn they_are_ordered_by_their_keys_then_by_all_columns_and_cut(
        rows in rows(),
        keys in prop::collection::vec((0..3_usize, prop::bool::ANY), 0..3),
        (offset, limit) in (0..20_usize, 0..20_usize),
    ) {
        let way = |descending: &bool| if *descending { ":desc" } else { "" };
        let order: String = keys.iter().map(|(at, down)| format!("{at} {} ", way(down))).collect();
        let order = if order.is_empty() { order } else { format!(":order-by {order}") };
        let all = shown(&rows, &format!("{order} :offset 0 :limit 1000"));
        let by = |a: &[Value], b: &[Value]| {
            let keyed = keys.iter().map(|(at, down)| {
                let ordering = compare(&a[*at], &b[*at]);
                if *down { ordering.reverse() } else { ordering }
            });
            let plain = a.iter().zip(b).map(|(a, b)| compare(a, b));
            keyed.chain(plain).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
        };
        prop_assert!(all.is_sorted_by(|a, b| by(a, b).is_le()), "{order}: {all:?}");
        let set = |rows: &[Vec<Value>]| -> std::collections::BTreeSet<Vec<Value>> {
            rows.iter().cloned().collect()
        };
        prop_assert_eq!(set(&all), set(&rows));
        prop_assert_eq!(set(&all).len(), all.len());
        let cut = shown(&rows, &format!("{order} :offset {offset} :limit {limit}"));
        let expected: Vec<_> = all.into_iter().skip(offset).take(limit).collect();
        prop_assert_eq!(cut, expected);
    }

    #[test]
    fn groups_are_ordered_and_cut_as_rows_are(rows in rows(), descending: bool, limit in 0..9_usize) {
        let way = if descending { ":desc" } else { "" };
        let query = format!(
            "[:find ?a (count ?b) :in [[?a ?b ?c] ...] :order-by 1 {way} 0 :limit {limit}]"
        );
        let rows = Value::Vector(rows.into_iter().map(Value::Vector).collect());
        let ask = |text: &str| {
            let query = Query::of_text(text).unwrap();
            let answer = execute(&query, &[Given::Value(&rows)], &Limits::default()).unwrap();
            let Answer::Relation { rows, .. } = answer else { panic!() };
            rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>()
        };
        let mut expected = ask("[:find ?a (count ?b) :in [[?a ?b ?c] ...]]");
        expected.sort_by(|a, b| {
            let counts = compare(&a[1], &b[1]);
            let counts = if descending { counts.reverse() } else { counts };
            counts.then(compare(&a[0], &b[0])).then_with(|| a.cmp(b))
        });
        expected.truncate(limit);
        prop_assert_eq!(ask(&query), expected);
    }
}
