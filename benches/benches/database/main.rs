//! Writing facts beside its peers, everybody in one interleaved run over the same facts: SQLite on one
//! table of facts with covering indexes in the orders EAV, AEV and AVE; LMDB (by `heed`) and `redb`
//! with a table for each of the orders that `daodb` keeps of these attributes, EAV and AEV; and Corium
//! in process, which keeps no file, and retracts an entity by copying the whole database: it has no part
//! in retractions, bytes and what waits for the disk.
//!
//! `cargo xtask bench database [part]` prints a table of the medians and of `ours / best peer`; parts
//! are people (bulk load, transactions, retractions, look-ups; nobody waits for the disk), disk
//! (everybody waits), debian (bulk load and bytes a fact), open, and, ours alone and only when asked for,
//! large (ten million facts), latency (the longest commit while there is upkeep) and writers (what each of
//! four processes gets).

mod latency;
mod ours;
mod peers;
mod table;

use std::time::Instant;

use benches::datalog::{Set, debian, people};

use crate::ours::Ours;
use crate::peers::{Corium, Lmdb, Redb, Sqlite};
use crate::table::Table;

/// Rounds in which everybody has a turn.
const ROUNDS: usize = 3;
/// Commits that wait for the disk, one after the other.
const DURABLE: usize = 200;
/// Threads that commit at once, and commits of each.
const THREADS: usize = 8;
const DURABLE_EACH: usize = 100;
/// Facts that are looked up.
const LOOKUPS: usize = 2_000;

/// A store of facts. Each method does the whole work, from data as a program has them.
pub(crate) trait Engine {
    /// Its name in the table.
    const NAME: &'static str;
    /// A new store under the set's schema, that waits for the disk or not.
    fn new(set: &Set, durable: bool) -> Self;
    /// All facts in one transaction.
    fn load(&mut self, set: &Set);
    /// One transaction for each entity.
    fn entities(&mut self, set: &Set);
    /// One transaction for each fact.
    fn singles(&mut self, set: &Set, facts: &[usize]);
    /// Looks the values of an attribute of each of these up; how many there are.
    fn look_up(&self, entities: &[u32], attribute: usize) -> usize;
}

/// A store that keeps its facts in files.
pub(crate) trait Kept: Engine {
    /// Retracts everything about each entity, in one transaction each.
    fn retract(&mut self, entities: u32);
    /// As many commits of one fact each, by so many threads at once.
    fn commit(&self, set: &Set, threads: usize, each: usize);
    /// Bytes that the facts take once all is settled.
    fn bytes(&mut self) -> u64;
}

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if latency::write_if_asked(&parts) {
        return;
    }
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut table = Table::default();
    if wanted("people") {
        let set = people::people(20_000);
        for _ in 0..ROUNDS {
            turn::<Ours>(&set, &mut table);
            turn::<Sqlite>(&set, &mut table);
            turn::<Lmdb>(&set, &mut table);
            turn::<Redb>(&set, &mut table);
            written::<Corium>(&set, &mut table);
        }
    }
    if wanted("disk") {
        let set = people::people(1_000);
        for _ in 0..ROUNDS {
            disk::<Ours>(&set, &mut table);
            disk::<Sqlite>(&set, &mut table);
            disk::<Lmdb>(&set, &mut table);
            disk::<Redb>(&set, &mut table);
        }
    }
    if wanted("debian") {
        match debian::debian() {
            Ok(set) => {
                for _ in 0..ROUNDS {
                    sized::<Ours>("debian", &set, &mut table);
                    sized::<Sqlite>("debian", &set, &mut table);
                    sized::<Lmdb>("debian", &set, &mut table);
                    sized::<Redb>("debian", &set, &mut table);
                    loaded::<Corium>("debian", &set, &mut table);
                }
            }
            Err(why) => println!("debian is left out: {why}"),
        }
    }
    if wanted("open") {
        ours::open(&people::people(105_000), &mut table);
    }
    if parts.iter().any(|part| part == "latency") {
        latency::latency(&mut table);
    }
    if parts.iter().any(|part| part == "writers") {
        latency::writers(&mut table);
    }
    if parts.iter().any(|part| part == "large") {
        ours::large(&mut table);
    }
    table.print();
}

/// Milliseconds of a piece of work.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let done = work();
    (started.elapsed().as_secs_f64() * 1e3, done)
}

fn loaded<E: Engine>(what: &str, set: &Set, table: &mut Table) -> E {
    let mut engine = E::new(set, false);
    let (ms, ()) = timed(|| engine.load(set));
    table.add(&format!("{what}: load {} facts, ms", set.facts.len()), E::NAME, ms);
    engine
}

fn sized<E: Kept>(what: &str, set: &Set, table: &mut Table) {
    let mut engine = loaded::<E>(what, set, table);
    let each = engine.bytes() as f64 / set.facts.len() as f64;
    table.add(&format!("{what}: bytes a fact"), E::NAME, each);
}

/// Entities of a set of people that are looked up, and how many people there are.
fn asked(set: &Set) -> (Vec<u32>, u32) {
    let people = set.facts.iter().map(|fact| fact.0).max().unwrap_or(0);
    ((0..LOOKUPS as u32).map(|n| 1 + n * 7_919 % people).collect(), people)
}

fn turn<E: Kept>(set: &Set, table: &mut Table) {
    sized::<E>("people", set, table);
    let (entities, people) = asked(set);
    let mut engine = E::new(set, false);
    engine.load(set);
    let (ms, ()) = timed(|| engine.retract(people));
    assert_eq!(engine.look_up(&entities, 0), 0, "{}", E::NAME);
    table.add(&format!("people: {people} retractions of an entity, ms"), E::NAME, ms);
    drop(engine);
    written::<E>(set, table);
}

/// What everybody can do.
fn written<E: Engine>(set: &Set, table: &mut Table) {
    let (entities, people) = asked(set);
    let engine = loaded::<E>("people", set, table);
    let (ms, found) = timed(|| engine.look_up(&entities, 0));
    assert_eq!(found, LOOKUPS, "{}", E::NAME);
    table.add(&format!("people: {LOOKUPS} look-ups, ms"), E::NAME, ms);

    let mut engine = E::new(set, false);
    let (ms, ()) = timed(|| engine.entities(set));
    table.add(&format!("people: {people} entities, a transaction each, ms"), E::NAME, ms);

    let singles: Vec<usize> = (0..set.facts.len()).filter(|at| set.facts[*at].1 < 5).collect();
    let mut engine = E::new(set, false);
    let (ms, ()) = timed(|| engine.singles(set, &singles));
    assert_eq!(engine.look_up(&entities, 0), LOOKUPS, "{}", E::NAME);
    table.add(&format!("people: {} facts, a transaction each, ms", singles.len()), E::NAME, ms);
}

fn disk<E: Kept>(set: &Set, table: &mut Table) {
    let mut engine = E::new(set, true);
    engine.load(set);
    let (ms, ()) = timed(|| engine.commit(set, 1, DURABLE));
    table.add("disk: a commit of one fact, µs", E::NAME, ms * 1e3 / DURABLE as f64);
    let (ms, ()) = timed(|| engine.commit(set, THREADS, DURABLE_EACH));
    let each = ms * 1e3 / (THREADS * DURABLE_EACH) as f64;
    table.add(&format!("disk: a commit of one of {THREADS} threads, µs"), E::NAME, each);
}
