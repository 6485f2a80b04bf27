//! When two answers are the same.

use datom::Value;

/// Whether two answers are equal: numbers by value, lists as vectors, vectors as bags where their
/// order does not count.
pub(crate) fn same(expected: &Value, given: &Value, unordered: bool) -> bool {
    match (expected, given) {
        (Value::Vector(a) | Value::List(a), Value::Vector(b) | Value::List(b)) => {
            if unordered {
                bag(a, b)
            } else {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b, false))
            }
        }
        (Value::Set(a), Value::Set(b)) => {
            bag(&a.iter().cloned().collect::<Vec<_>>(), &b.iter().cloned().collect::<Vec<_>>())
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().all(|(k, v)| b.get(k).is_some_and(|other| same(v, other, false)))
        }
        (Value::Float(a), Value::Int(b)) | (Value::Int(b), Value::Float(a)) => *a == *b as f64,
        (Value::Float(a), Value::Float(b)) => a == b || (a - b).abs() < 1e-9 * a.abs(),
        (a, b) => a == b,
    }
}

fn bag(a: &[Value], b: &[Value]) -> bool {
    let mut left: Vec<&Value> = b.iter().collect();
    a.len() == b.len()
        && a.iter().all(|a| match left.iter().position(|b| same(a, b, false)) {
            Some(at) => {
                left.swap_remove(at);
                true
            }
            None => false,
        })
}
