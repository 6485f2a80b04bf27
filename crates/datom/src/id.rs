//! Entity ids that mean the same in every store.
//!
//! | range | meaning |
//! | --- | --- |
//! | 0–15 | reserved; 0 is never an entity |
//! | 16–4095 | the built-in schema |
//! | 4096 … 2^58 | entities of users, handed out in order |
//! | 2^58 + `t` | the transaction entity of `t` |

/// First entity id of the built-in schema.
pub const BUILTIN_MIN: u64 = 16;
/// First entity id that a user's transaction can be given.
pub const USER_MIN: u64 = 4096;
/// Transaction entities are `TX_BASE + t`.
pub const TX_BASE: u64 = 1 << 58;

/// The entity that stands for transaction `t` itself.
///
/// ```
/// assert_eq!(datom::id::t_of(datom::id::transaction(7)), Some(7));
/// ```
#[must_use]
pub const fn transaction(t: u64) -> u64 {
    TX_BASE + t
}

/// The `t` of a transaction entity; `None` for any other entity.
#[must_use]
pub const fn t_of(entity: u64) -> Option<u64> {
    if entity > TX_BASE { Some(entity - TX_BASE) } else { None }
}
