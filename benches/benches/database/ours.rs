//! `daodb`, and what is measured of it alone.

use std::sync::atomic::{AtomicI64, Ordering};

use benches::datalog::{Kind, Set, Val, people};
use daodb::{Database, Durability, Index, Options, Statement, TransactOptions};
use datom::{Value, Word, edn};
use tempfile::TempDir;

use crate::table::Table;
use crate::{Engine, Kept, timed};

/// Set numbers count from 1; these are their entities.
const FIRST: i64 = 100_000;
/// Facts in one transaction of a large load.
const CHUNK: usize = 100_000;

/// A world, and where it is.
pub(crate) struct Ours {
    db: Database,
    folder: TempDir,
    attributes: Vec<u64>,
    /// How many commits there were: each states a number that no fact has.
    count: AtomicI64,
}

fn definition(name: &str, kind: Kind, many: bool) -> Value {
    let kind = match kind {
        Kind::Long => "long",
        Kind::Text => "string",
        Kind::Keyword => "keyword",
        Kind::Ref => "ref",
    };
    let many = if many { "many" } else { "one" };
    let text = format!(
        "{{:db/ident :{name} :db/valueType :db.type/{kind} :db/cardinality :db.cardinality/{many}}}"
    );
    edn::read(&text).expect("a definition")
}

impl Ours {
    pub(crate) fn database(&self) -> &Database {
        &self.db
    }

    /// A transaction for each entity, of which nobody waits for the disk, and then one that does.
    pub(crate) fn load_quickly(&mut self, set: &Set) {
        let quick = TransactOptions::new().durability(Durability::Process);
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            let data: Vec<Value> = facts.iter().map(|fact| add(set, fact)).collect();
            self.db.transact_with(&data, &quick).expect("a transaction");
        }
        self.db.sync().expect("a sync");
    }

    /// States a number that no fact has.
    pub(crate) fn commit_one(&self, of: u32) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let data = Value::Vector(vec![
            Value::keyword("db/add"),
            entity(of),
            Value::keyword("bench/count"),
            Value::Int(number),
        ]);
        self.db.transact(&[data]).expect("a transaction");
    }
}

fn entity(number: u32) -> Value {
    Value::Int(FIRST + i64::from(number))
}

fn value(of: &Val) -> Value {
    match of {
        Val::Int(number) => Value::Int(*number),
        Val::Text(text) => Value::text(text),
        Val::Keyword(name) => Value::keyword(name),
        Val::Ref(to) => entity(*to),
    }
}

fn add(set: &Set, (e, a, v): &(u32, usize, Val)) -> Value {
    let attribute = Value::keyword(set.schema[*a].name);
    Value::Vector(vec![Value::keyword("db/add"), entity(*e), attribute, value(v)])
}

fn options(durable: bool) -> Options {
    let durability = if durable { Durability::Disk } else { Durability::Process };
    // Segments that a load fills, so that its log can be sealed; that is done when bytes are counted.
    Options::new().durability(durability).segment_bytes_max(4 << 20).seals(false)
}

fn install(db: &Database, set: &Set) -> Vec<u64> {
    let definition = |a: &benches::datalog::Attribute| definition(a.name, a.kind, a.many);
    let mut schema: Vec<Value> = set.schema.iter().map(definition).collect();
    schema.push(self::definition("bench/count", Kind::Long, false));
    db.transact(&schema).expect("a schema");
    let db = db.db().expect("a state");
    let id = |name: &str| db.attribute_named(&name.into()).expect("an attribute").id;
    set.schema.iter().map(|attribute| id(attribute.name)).collect()
}

impl Engine for Ours {
    const NAME: &'static str = "ours";

    fn new(set: &Set, durable: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Database::open(folder.path().join("world"), options(durable)).expect("a world");
        let attributes = install(&db, set);
        Ours { db, folder, attributes, count: AtomicI64::new(0) }
    }

    fn load(&mut self, set: &Set) {
        let statement = |(e, a, v): &(u32, usize, Val)| {
            Statement::new(FIRST as u64 + u64::from(*e), self.attributes[*a], value(v))
        };
        let facts: Vec<Statement> = set.facts.iter().map(statement).collect();
        self.db.load(&facts, &TransactOptions::default()).expect("a transaction");
    }

    fn entities(&mut self, set: &Set) {
        for facts in set.facts.chunk_by(|one, other| one.0 == other.0) {
            let data: Vec<Value> = facts.iter().map(|fact| add(set, fact)).collect();
            self.db.transact(&data).expect("a transaction");
        }
    }

    fn singles(&mut self, set: &Set, facts: &[usize]) {
        for at in facts {
            self.db.transact(&[add(set, &set.facts[*at])]).expect("a transaction");
        }
    }

    fn look_up(&self, entities: &[u32], attribute: usize) -> usize {
        let db = self.db.db().expect("a state");
        let attribute = Word::entity(self.attributes[attribute]);
        let mut found = 0;
        for number in entities {
            let components = [Word::entity(FIRST as u64 + u64::from(*number)), attribute];
            for datom in db.datoms(Index::Eavt, &components).expect("facts") {
                found += usize::from(datom.expect("a fact").added());
            }
        }
        found
    }
}

impl Kept for Ours {
    fn retract(&mut self, entities: u32) {
        for number in 1..=entities {
            let data = Value::Vector(vec![Value::keyword("db/retractEntity"), entity(number)]);
            self.db.transact(&[data]).expect("a transaction");
        }
    }

    fn commit(&self, _: &Set, threads: usize, each: usize) {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || {
                    for _ in 0..each {
                        self.commit_one(thread as u32 + 1);
                    }
                });
            }
        });
    }

    fn bytes(&mut self) -> u64 {
        // Frames that are on the disk leave the region with the next commit; a segment is sealed when
        // another one follows.
        self.db.sync().expect("a sync");
        self.commit_one(1);
        self.db.sync().expect("a sync");
        self.db.seal().expect("a sealed log");
        let stats = self.db.stats().expect("statistics");
        let log = stats.plain.bytes + stats.sealed.bytes;
        println!(
            "  ours: {} bytes in blocks, {} of the region's file, {log} of the log, {} of them not sealed",
            stats.block_bytes, stats.region_disk_bytes, stats.plain.bytes
        );
        stats.block_bytes + log
    }
}

/// Opening a world of a million facts: left in order, and with its region lost.
pub(crate) fn open(set: &Set, table: &mut Table) {
    let mut ours = Ours::new(set, false);
    for facts in set.facts.chunks(CHUNK) {
        let data: Vec<Value> = facts.iter().map(|fact| add(set, fact)).collect();
        ours.db.transact(&data).expect("a transaction");
    }
    let folder = ours.folder.path().join("world");
    let facts = set.facts.len();
    println!("  ours: {} bytes", ours.bytes());
    let Ours { db, folder: held, .. } = ours;
    drop(db);
    for _ in 0..3 {
        let (ms, db) = timed(|| Database::open(&folder, options(false)).expect("a world"));
        assert_eq!(db.opening().rebuilt, None);
        table.add(&format!("open {facts} facts, in order, ms"), Ours::NAME, ms);
    }
    for _ in 0..3 {
        std::fs::remove_file(folder.join("region.eve")).expect("a region");
        let (ms, db) = timed(|| Database::open(&folder, options(false)).expect("a world"));
        assert!(db.opening().rebuilt.is_some());
        table.add(&format!("open {facts} facts, region lost, ms"), Ours::NAME, ms);
    }
    drop(held);
}

/// Ten million facts in transactions of a hundred thousand, beside one million.
pub(crate) fn large(table: &mut Table) {
    let set = people::people(1_047_000);
    let ours = Ours::new(&set, false);
    let mut spent = 0.0;
    for (chunk, facts) in set.facts.chunks(CHUNK).enumerate() {
        let (ms, ()) = timed(|| {
            let data: Vec<Value> = facts.iter().map(|fact| add(&set, fact)).collect();
            ours.db.transact(&data).expect("a transaction");
        });
        spent += ms;
        if chunk == 9 {
            table.add("large: µs a fact, the first million", Ours::NAME, spent / 1e3);
        }
        if chunk == 89 {
            spent = 0.0;
        }
        if chunk == 99 {
            table.add("large: µs a fact, the tenth million", Ours::NAME, spent / 1e3);
        }
    }
}
