use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::vec::Vec;

use num_bigint::BigInt;
use proptest::prelude::*;

use super::*;
use crate::arbitrary;

fn hash_of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn names_fall_into_namespace_and_name() {
    let cases = [
        ("a", None, "a"),
        ("a/b", Some("a"), "b"),
        ("/", None, "/"),
        ("a//", Some("a"), "/"),
        ("", None, ""),
    ];
    for (whole, namespace, name) in cases {
        let keyword = Keyword::from(whole);
        assert_eq!((keyword.namespace(), keyword.name()), (namespace, name), "{whole}");
    }
}

#[test]
fn kinds_are_in_order_and_numbers_of_two_kinds_differ() {
    let big: BigInt = BigInt::from(i64::MAX) + 1;
    let ordered = [
        Value::Nil,
        Value::Bool(true),
        Value::Char('z'),
        Value::integer(-big.clone() - 1),
        Value::Int(i64::MIN),
        Value::Int(1),
        Value::integer(big),
        Value::Float(f64::NEG_INFINITY),
        Value::Float(0.0),
        Value::Float(1.0),
        Value::Float(f64::INFINITY),
        Value::Float(f64::NAN),
        Value::Ref(0),
        Value::keyword("a"),
        Value::symbol("a"),
        Value::Instant(0),
        Value::text(""),
        Value::Bytes(Arc::new([])),
        Value::Uuid([0; 16]),
        Value::Hash([0; 32]),
        Value::Vector(Vec::new()),
        Value::List(Vec::new()),
        Value::Map(BTreeMap::new()),
        Value::Set(BTreeSet::new()),
        Value::Tagged("t".into(), Value::Nil.into()),
    ];
    assert!(ordered.is_sorted_by(|a, b| a < b));
}

#[test]
fn equal_floats_and_integers_hash_alike() {
    assert_eq!(Value::Float(-0.0), Value::Float(0.0));
    assert_eq!(hash_of(&Value::Float(-0.0)), hash_of(&Value::Float(0.0)));
    assert_eq!(hash_of(&Value::Float(f64::NAN)), hash_of(&Value::Float(-f64::NAN)));
    assert_eq!(hash_of(&Value::BigInt(5.into())), hash_of(&Value::Int(5)));
}

proptest! {
    #[test]
    fn order_is_total_and_agrees_with_equality_and_hash(
        a in arbitrary::value(true), b in arbitrary::value(true), c in arbitrary::value(true),
    ) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        if a == b {
            prop_assert_eq!(hash_of(&a), hash_of(&b));
        }
        let mut sorted = [&a, &b, &c];
        sorted.sort();
        prop_assert!(sorted[0] <= sorted[1] && sorted[1] <= sorted[2] && sorted[0] <= sorted[2]);
        prop_assert_eq!(a.clone(), a);
    }
}
