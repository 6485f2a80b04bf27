use std::collections::BTreeSet;

use datom::Value;

use super::{schema, transaction};
use crate::token::tests::{chain, key};
use crate::{Token, Trust};

fn recorded() -> Vec<Value> {
    let trust = Trust::in_roots([*key(1).public()]).at_node(key(1).public());
    transaction(&chain(3).verify(&trust, 2_000).unwrap())
}

#[test]
fn every_attribute_that_is_recorded_is_in_the_schema() {
    let known: BTreeSet<Value> =
        schema().iter().filter_map(|a| a.get("db/ident").cloned()).collect();
    for entity in recorded() {
        for attribute in entity.as_map().unwrap().keys() {
            assert!(
                known.contains(attribute) || *attribute == Value::keyword("db/id"),
                "{attribute:?}"
            );
        }
    }
}

#[test]
fn each_block_is_an_entity_that_points_to_its_parent() {
    let entities = recorded();
    assert_eq!(entities.len(), 3);
    assert_eq!(entities[0].get("shibi/parent"), None);
    for pair in entities.windows(2) {
        assert_eq!(pair[1].get("shibi/parent"), pair[0].get("db/id"));
        assert_eq!(pair[1].get("shibi/issuer"), pair[0].get("shibi/holder"));
    }
    assert_eq!(entities[2].get("shibi/id"), Some(&chain(3).id().to_value()));
}

#[test]
fn the_clauses_are_recorded_as_they_are() {
    let leaf = recorded().remove(2);
    let one = |value: Value| Some(Value::Set(BTreeSet::from([value])));
    assert_eq!(leaf.get("shibi/operation").cloned(), one(Value::keyword("fs/read")));
    assert_eq!(leaf.get("shibi/folder").cloned(), one(Value::text("/srv/in")));
    assert_eq!(leaf.get("shibi/expires"), Some(&Value::Instant(1_900_000_000_000_000)));
    assert_eq!(leaf.get("shibi/not-before"), Some(&Value::Instant(1_000)));
    assert_eq!(leaf.get("shibi/kind"), Some(&Value::keyword("shibi.kind/delegation")));
}

#[test]
fn a_token_comes_back_from_the_blocks_that_were_recorded() {
    let entities = recorded();
    let blocks = entities.iter().filter_map(|entity| match entity.get("shibi/block") {
        Some(Value::Bytes(bytes)) => Some(&bytes[..]),
        _ => None,
    });
    assert_eq!(Token::from_blocks(blocks).unwrap().to_bytes(), chain(3).to_bytes());
    assert!(Token::from_blocks([]).is_err());
}
