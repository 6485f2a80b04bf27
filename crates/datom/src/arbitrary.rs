//! Values for property tests: every kind, edges more often than chance would have them.

use std::boxed::Box;
use std::string::String;
use std::vec;
use std::vec::Vec;

use num_bigint::BigInt;
use proptest::collection::{btree_map, btree_set, vec as many};
use proptest::prelude::*;

use crate::{Datom, Frame, Value, Word};

/// Any value, nested a few levels. With `refs` also entities, which EDN reads back as integers.
pub(crate) fn value(refs: bool) -> BoxedStrategy<Value> {
    let leaf = if refs {
        prop_oneof![9 => atom(), 1 => any::<u64>().prop_map(Value::Ref)].boxed()
    } else {
        atom()
    };
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            many(inner.clone(), 0..6).prop_map(Value::Vector),
            many(inner.clone(), 0..6).prop_map(Value::List),
            btree_set(inner.clone(), 0..6).prop_map(Value::Set),
            btree_map(inner.clone(), inner.clone(), 0..6).prop_map(Value::Map),
            (name(), inner).prop_map(|(tag, x)| Value::Tagged(tag.as_str().into(), Box::new(x))),
        ]
    })
    .boxed()
}

fn atom() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        character().prop_map(Value::Char),
        integer(),
        float().prop_map(Value::Float),
        name().prop_map(|name| Value::keyword(&name)),
        name().prop_map(|name| Value::symbol(&name)),
        any::<i64>().prop_map(Value::Instant),
        (-4_000_000_000_000_000i64..4_000_000_000_000_000).prop_map(Value::Instant),
        text().prop_map(|text| Value::text(&text)),
        many(any::<u8>(), 0..12).prop_map(|bytes| Value::Bytes(bytes.into())),
        any::<[u8; 16]>().prop_map(Value::Uuid),
        any::<[u8; 32]>().prop_map(Value::Hash),
    ]
    .boxed()
}

fn character() -> BoxedStrategy<char> {
    prop_oneof![any::<char>(), (0u8..128).prop_map(char::from)].boxed()
}

fn integer() -> BoxedStrategy<Value> {
    let edges = [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN, Word::INT_MAX, Word::INT_MIN];
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        prop::sample::select(edges.to_vec()).prop_map(Value::Int),
        many(any::<u8>(), 1..24).prop_map(|b| Value::integer(BigInt::from_signed_bytes_be(&b))),
        any::<i64>().prop_map(|x| Value::integer(BigInt::from(x) + i64::MAX)),
    ]
    .boxed()
}

fn float() -> BoxedStrategy<f64> {
    let edges =
        [0.0, -0.0, 1.0, 1e16, 1e-7, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        -1e6..1e6,
        prop::sample::select(edges.to_vec())
    ]
    .boxed()
}

/// Names that EDN can write, and names that it cannot.
fn name() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-z][a-z0-9.*+!?$%&=<>:#-]{0,6}(/[a-z][a-z0-9-]{0,4})?",
        1 => prop::sample::select([
            "", "/", "nil", "true", "a/", "/a", "a/b/c", "1", "+1", "-", ".5", ":", "inst", "tagged",
            "two words", "a\"b", "é", "'x", "#", "a;b",
        ].map(String::from).to_vec()),
        1 => text(),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        "[ -~]{0,12}",
        many(character(), 0..12).prop_map(|chars| chars.into_iter().collect::<String>()),
    ]
    .boxed()
}

/// Any frame that `Frame::check` finds sound.
pub(crate) fn frame() -> BoxedStrategy<Frame> {
    let parts = (any::<u64>(), any::<i64>(), any::<[u8; 32]>());
    let facts = many((any::<u64>(), any::<u64>(), value(true), any::<u64>()), 0..8);
    (parts, facts)
        .prop_map(|((t, instant, previous), facts)| {
            let mut values = Vec::new();
            let mut datoms = Vec::new();
            for (e, a, value, m) in facts {
                let Some(tag) = value.word_tag() else { continue };
                let v = value.to_inline().unwrap_or_else(|| {
                    values.push(value);
                    Word::new(tag, values.len() as u64 - 1)
                });
                datoms.push(Datom { e, a, v, t, m });
            }
            Frame { t, instant, previous, datoms, values }
        })
        .boxed()
}
