//! Reading the sorted sets that facts are kept in.

use crate::overlay::Memory;

/// A cursor over the facts of one index: see [`Db::cursor`](crate::Db::cursor).
pub type Cursor<'a> = eve::structure::Cursor<'a, 5, Memory>;
