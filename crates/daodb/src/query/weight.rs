//! What values take of memory.

use datom::Value;

/// A tree's nodes hold 11 pairs, and are half full at the least.
const PAIR_SHARE: usize = 2;

/// Bytes that a value takes, itself included, as nearly as it can be said from outside. Costs a pass over it.
pub(crate) fn weight(value: &Value) -> usize {
    let within = match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::BigInt(number) => usize::try_from(number.bits() / 8).unwrap_or(usize::MAX),
        Value::Vector(items) | Value::List(items) => items.iter().map(weight).sum(),
        Value::Set(items) => items.iter().map(|item| PAIR_SHARE * weight(item)).sum(),
        Value::Map(pairs) => {
            pairs.iter().map(|(key, value)| PAIR_SHARE * (weight(key) + weight(value))).sum()
        }
        Value::Tagged(_, inner) => weight(inner),
        _ => 0,
    };
    size_of::<Value>() + within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_value_counts() {
        let one = size_of::<Value>();
        assert_eq!(weight(&Value::Int(7)), one);
        assert_eq!(weight(&Value::text(&"x".repeat(1_000))), one + 1_000);
        assert_eq!(weight(&Value::Vector(vec![Value::Nil, Value::text("ab")])), 3 * one + 2);
        assert!(weight(&Value::map([("a", 1)])) >= 3 * one);
    }
}
