//! Corium in process, without its server and log: the nearest neighbour in what it means, an immutable
//! database value of datoms with history, in memory alone.

use benches::corium::{attribute, empty, entity, transact};
use benches::datalog::{Set, Val};
use corium_core::IndexOrder;
use corium_db::Db;

use crate::Engine;

/// The newest value of the database.
pub(crate) struct Corium(Db);

impl Corium {
    fn transact<'f>(&mut self, facts: impl Iterator<Item = &'f (u32, usize, Val)>) {
        self.0 = transact(&self.0, facts);
    }
}

impl Engine for Corium {
    const NAME: &'static str = "corium";

    fn new(set: &Set, _: bool) -> Self {
        Corium(empty(set, false))
    }

    fn load(&mut self, set: &Set) {
        self.transact(set.facts.iter());
        // Indexes are made when they are first read.
        let first = self.0.datoms_at(IndexOrder::Eavt).next();
        assert!(first.is_some());
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            self.transact(facts.iter());
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            self.transact(std::iter::once(&set.facts[*at]));
        }
    }

    fn look_up(&self, entities: &[u32], at: usize) -> usize {
        let of = |e: &u32| self.0.values(entity(*e), attribute(at)).len();
        entities.iter().map(of).sum()
    }
}
