//! Grants as datoms: the schema, and the transaction data that record a token.
//!
//! One entity a block, found by `:shibi/id`. Recording a token twice changes nothing; two tokens
//! that share blocks share their entities. `:shibi/block` keeps the signed bytes, so what a
//! ledger says can be verified again without believing the ledger.
//!
//! ```
//! use shibi::{Expiry, Grant, Keypair, Token, Trust, ledger};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Keypair::generate()?;
//! let token = Token::mint(&node, node.public(), &Grant::new("time/now", Expiry::Never))?;
//! let rights = token.verify(&Trust::in_roots([*node.public()]), 0)?;
//! for entity in ledger::transaction(&rights) {
//!     println!("{entity}"); // {:db/id "shibi-…" :shibi/id #hash "…" :shibi/operation #{:time/now} …}
//! }
//! # Ok(()) }
//! ```

use std::collections::BTreeMap;

use datom::Value;

use crate::block::{Block, Kind, TokenId};
use crate::grant::Expiry;
use crate::key::UncheckedKey;
use crate::rights::Rights;

/// Name, value type, cardinality, what it says.
const SCHEMA: [(&str, &str, &str, &str); 12] = [
    ("shibi/id", "hash", "one", "The hash that names a block of a token, and the chain up to it."),
    ("shibi/kind", "keyword", "one", "What the block does: grant, delegation or transfer."),
    ("shibi/parent", "ref", "one", "The block this one was cut from."),
    ("shibi/issuer", "bytes", "one", "The Ed25519 key that signed the block."),
    ("shibi/holder", "bytes", "one", "The Ed25519 key that the block grants to."),
    ("shibi/operation", "keyword", "many", "An operation that the block grants."),
    ("shibi/folder", "string", "many", "A folder that the block limits its operations to."),
    ("shibi/audience", "bytes", "one", "The key of the only node where the block counts."),
    ("shibi/not-before", "instant", "one", "The instant from which the block counts."),
    ("shibi/expires", "instant", "one", "The instant at which the block ends; absent if never."),
    ("shibi/links", "long", "one", "How many blocks may still follow."),
    ("shibi/block", "bytes", "one", "The block as it was signed."),
];

/// The attributes, as transaction data.
#[must_use]
pub fn schema() -> Vec<Value> {
    let attribute = |(name, kind, cardinality, doc): (&str, &str, &str, &str)| {
        let mut map = BTreeMap::new();
        let mut put = |key: &str, value| map.insert(Value::keyword(key), value);
        put("db/ident", Value::keyword(name));
        put("db/valueType", Value::keyword(&format!("db.type/{kind}")));
        put("db/cardinality", Value::keyword(&format!("db.cardinality/{cardinality}")));
        put("db/doc", Value::text(doc));
        if name == "shibi/id" {
            put("db/unique", Value::keyword("db.unique/identity"));
        }
        Value::Map(map)
    };
    SCHEMA.into_iter().map(attribute).collect()
}

/// The transaction data that record a verified token: one map a block, root first.
#[must_use]
pub fn transaction(rights: &Rights) -> Vec<Value> {
    let token = rights.token();
    let mut issuer = token.issuer();
    let mut parent = None;
    let mut entities = Vec::with_capacity(token.links());
    for (block, id) in token.blocks.iter().zip(&token.ids) {
        entities.push(entity(block, *id, parent, issuer));
        (parent, issuer) = (Some(*id), block.holder);
    }
    entities
}

fn entity(block: &Block, id: TokenId, parent: Option<TokenId>, issuer: UncheckedKey) -> Value {
    let grant = &block.grant;
    let mut map = BTreeMap::new();
    let mut put = |key: &str, value| map.insert(Value::keyword(key), value);
    put("db/id", tempid(id));
    put("shibi/id", id.to_value());
    put("shibi/kind", Value::keyword(kind_name(block.kind)));
    put("shibi/issuer", bytes(&issuer.0));
    put("shibi/holder", bytes(&block.holder.0));
    put("shibi/operation", set(grant.operations.iter().cloned().map(Value::Keyword)));
    put("shibi/links", Value::Int(grant.links.into()));
    if let Some(parent) = parent {
        put("shibi/parent", tempid(parent));
    }
    if let Some(folders) = &grant.folders {
        put("shibi/folder", set(folders.iter().map(|f| Value::text(f.as_str()))));
    }
    if let Some(node) = &grant.audience {
        put("shibi/audience", bytes(&node.0));
    }
    if grant.not_before != i64::MIN {
        put("shibi/not-before", Value::Instant(grant.not_before));
    }
    if let Expiry::At(micros) = grant.expires {
        put("shibi/expires", Value::Instant(micros));
    }
    let mut signed = Vec::new();
    block.encode(&mut signed);
    put("shibi/block", bytes(&signed));
    Value::Map(map)
}

/// Upsert by `:shibi/id` makes the tempid the entity that is already there, if one is.
fn tempid(id: TokenId) -> Value {
    Value::text(&format!("shibi-{id}"))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Grant => "shibi.kind/grant",
        Kind::Delegation => "shibi.kind/delegation",
        Kind::Transfer => "shibi.kind/transfer",
    }
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.into())
}

fn set(values: impl Iterator<Item = Value>) -> Value {
    Value::Set(values.collect())
}

#[cfg(test)]
mod tests;
