//! Facts in a store of keys in order: a key for each order of each fact, and nothing beside it.

use benches::datalog::{Set, Val};

use crate::{Engine, Kept};

/// A store of keys, in two orders that do not mix.
pub(crate) trait Ordered: Sync + Sized {
    const NAME: &'static str;
    type Txn<'s>: Keys
    where
        Self: 's;
    fn new(durable: bool) -> Self;
    /// Does something in a transaction and commits it.
    fn write(&self, work: impl FnOnce(&mut Self::Txn<'_>));
    /// How many keys of the first order begin with each of these.
    fn count(&self, prefixes: impl Iterator<Item = Vec<u8>>) -> usize;
    /// Bytes of its file.
    fn bytes(&mut self) -> u64;
}

/// The keys, in a transaction that writes.
pub(crate) trait Keys {
    fn put(&mut self, order: usize, key: &[u8]);
    fn remove(&mut self, order: usize, key: &[u8]);
    /// The keys of the first order that begin with this.
    fn of(&self, prefix: &[u8]) -> Vec<Vec<u8>>;
}

/// The first key behind all that begin with a prefix, which is not of ones alone.
pub(super) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            break;
        }
        end.pop();
    }
    end
}

/// Facts in the orders that `daodb` keeps of these attributes.
pub(crate) struct Facts<S>(S);

const ATTRIBUTE_OF_COMMITS: usize = 99;

/// A fact as a key: entity, attribute and value, or attribute, entity and value.
fn keys((e, a, v): &(u32, usize, Val)) -> [Vec<u8>; 2] {
    let (e, a) = (e.to_be_bytes(), [*a as u8]);
    let value: Vec<u8> = match v {
        Val::Int(number) => number.to_be_bytes().to_vec(),
        Val::Text(text) => text.as_bytes().to_vec(),
        Val::Keyword(name) => name.as_bytes().to_vec(),
        Val::Ref(to) => to.to_be_bytes().to_vec(),
    };
    [[&e[..], &a, &value].concat(), [&a[..], &e, &value].concat()]
}

/// The key of the second order of a fact, from that of the first.
fn turned(key: &[u8]) -> Vec<u8> {
    let (e, rest) = key.split_at(4.min(key.len()));
    let (a, value) = rest.split_at(1.min(rest.len()));
    [a, e, value].concat()
}

impl<S: Ordered> Facts<S> {
    fn insert<'f>(&self, facts: impl Iterator<Item = &'f (u32, usize, Val)>) {
        self.0.write(|txn| {
            for fact in facts {
                for (order, key) in keys(fact).iter().enumerate() {
                    txn.put(order, key);
                }
            }
        });
    }
}

impl<S: Ordered> Engine for Facts<S> {
    const NAME: &'static str = S::NAME;

    fn new(_: &Set, durable: bool) -> Self {
        Facts(S::new(durable))
    }

    fn load(&mut self, set: &Set) {
        self.insert(set.facts.iter());
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            self.insert(facts.iter());
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            self.insert(std::iter::once(&set.facts[*at]));
        }
    }

    fn look_up(&self, entities: &[u32], attribute: usize) -> usize {
        let prefix = |e: &u32| [&e.to_be_bytes()[..], &[attribute as u8]].concat();
        self.0.count(entities.iter().map(prefix))
    }
}

impl<S: Ordered> Kept for Facts<S> {
    fn retract(&mut self, entities: u32) {
        for e in 1..=entities {
            self.0.write(|txn| {
                for key in txn.of(&e.to_be_bytes()) {
                    txn.remove(0, &key);
                    txn.remove(1, &turned(&key));
                }
            });
        }
    }

    fn commit(&self, _: &Set, threads: usize, each: usize) {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for number in 0..each {
                        let fact = (thread as u32, ATTRIBUTE_OF_COMMITS, Val::Int(number as i64));
                        self.insert(std::iter::once(&fact));
                    }
                });
            }
        });
    }

    fn bytes(&mut self) -> u64 {
        self.0.bytes()
    }
}
