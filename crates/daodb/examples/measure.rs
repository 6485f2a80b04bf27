//! Times the writing side: `cargo run --release -p daodb --example measure [single] [bulk] [entities]
//! [retract] [world]`, all of them by default.

use std::time::Instant;

use daodb::{Database, Durability, Error, Index, Options};
use datom::{Value, Word, edn};

const PEOPLE: i64 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let asks = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    if asks("single") {
        single(&Database::memory()?, "memory", 100_000)?;
    }
    if asks("bulk") {
        bulk(&Database::memory()?, "memory")?;
    }
    if asks("entities") {
        entities(&Database::memory()?)?;
    }
    if asks("retract") {
        let db = Database::memory()?;
        bulk(&db, "memory")?;
        retractions(&db)?;
    }
    if asks("world") {
        world_on_disk()?;
    }
    Ok(())
}

fn world_on_disk() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let world = || {
        let folder = folder.path().join("process");
        Database::open(folder, Options::new().durability(Durability::Process))
    };
    let db = world()?;
    single(&db, "world, not waiting for the disk", 100_000)?;
    let start = Instant::now();
    let t = db.sync()?;
    println!("drain the rest, up to {t}: {:?}", start.elapsed());
    bulk(&db, "world, not waiting for the disk")?;
    let start = Instant::now();
    drop(db);
    println!("close: {:?}", start.elapsed());
    let start = Instant::now();
    let db = world()?;
    println!("open, clean: {:?}", start.elapsed());
    drop(db);
    std::fs::remove_file(folder.path().join("process/region.eve"))?;
    let start = Instant::now();
    let db = world()?;
    println!("open, rebuilt from the log: {:?} ({:?})", start.elapsed(), db.opening().replayed);
    let start = Instant::now();
    let verification = db.verify()?;
    println!("verify: {:?}, clean: {}", start.elapsed(), verification.is_clean());

    let db = Database::open(folder.path().join("disk"), Options::new())?;
    single(&db, "world, waiting for the disk", 1_000)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let db = &db;
            scope.spawn(move || count(db, 250, thread));
        }
    });
    println!("8 threads waiting for the disk: {:?} a transaction", start.elapsed() / 2_000);
    Ok(())
}

fn install(db: &Database) -> Result<(), Error> {
    let attributes = [
        "{:db/ident :n/count :db/valueType :db.type/long}",
        "{:db/ident :name :db/valueType :db.type/string}",
        "{:db/ident :last-name :db/valueType :db.type/string}",
        "{:db/ident :alias :db/valueType :db.type/string :db/cardinality :db.cardinality/many}",
        "{:db/ident :sex :db/valueType :db.type/keyword}",
        "{:db/ident :age :db/valueType :db.type/long}",
        "{:db/ident :salary :db/valueType :db.type/long}",
    ];
    for attribute in attributes {
        db.transact(&edn::read_all(attribute).unwrap_or_default())?;
    }
    Ok(())
}

fn count(db: &Database, transactions: i64, seed: i64) {
    for number in 0..transactions {
        let e = Value::Int(4200 + seed);
        let form = vec![Value::keyword("db/add"), e, Value::keyword("n/count"), Value::Int(number)];
        if let Err(error) = db.transact(&[Value::Vector(form)]) {
            println!("{error}");
            return;
        }
    }
}

fn single(db: &Database, what: &str, transactions: i64) -> Result<(), Error> {
    install(db)?;
    let start = Instant::now();
    for number in 0..transactions {
        let e = Value::Int(5000 + number / 5);
        let attribute = ["name", "last-name", "sex", "age", "salary"][(number % 5) as usize];
        let value = match attribute {
            "name" => Value::text(["Ivan", "Petr", "Sergei"][(number % 3) as usize]),
            "last-name" => Value::text(["Ivanov", "Petrov", "Sidorov"][(number % 3) as usize]),
            "sex" => Value::keyword(["male", "female"][(number % 2) as usize]),
            _ => Value::Int(number % 1000),
        };
        let form = vec![Value::keyword("db/add"), e, Value::keyword(attribute), value];
        db.transact(&[Value::Vector(form)])?;
    }
    let elapsed = start.elapsed();
    let each = elapsed / transactions as u32;
    println!("{transactions} single-datom transactions, {what}: {elapsed:?}, {each:?} each");
    Ok(())
}

fn bulk(db: &Database, what: &str) -> Result<(), Error> {
    install(db)?;
    let people = people();
    let start = Instant::now();
    let report = db.transact(&people)?;
    println!("{} datoms in one transaction, {what}: {:?}", report.datoms.len(), start.elapsed());
    let start = Instant::now();
    let db = db.db()?;
    let attribute = db.attribute_named(&"name".into()).map_or(0, |attribute| attribute.id);
    let named = db.datoms(Index::Aevt, &[Word::entity(attribute)])?.count();
    println!("{named} names scanned: {:?}", start.elapsed());
    Ok(())
}

fn people() -> Vec<Value> {
    (0..PEOPLE)
        .map(|number| {
            let mut person = vec![
                (Value::keyword("name"), Value::text("Ivan")),
                (Value::keyword("last-name"), Value::text(&format!("Ivanov-{}", number % 500))),
                (Value::keyword("sex"), Value::keyword("male")),
                (Value::keyword("age"), Value::Int(number % 100)),
                (Value::keyword("salary"), Value::Int(number * 7 % 100_000)),
            ];
            let aliases = (0..5).map(|n| Value::text(&format!("alias {}", (number + n) % 1000)));
            person.push((Value::keyword("alias"), Value::Vector(aliases.collect())));
            Value::map(person)
        })
        .collect()
}

/// One transaction for each person.
fn entities(db: &Database) -> Result<(), Error> {
    install(db)?;
    let people = people();
    let start = Instant::now();
    for person in &people {
        db.transact(std::slice::from_ref(person))?;
    }
    println!("{PEOPLE} one-entity transactions, memory: {:?}", start.elapsed());
    Ok(())
}

/// Retracts everybody who is there, in one transaction each.
fn retractions(db: &Database) -> Result<(), Error> {
    let now = db.db()?;
    let name = now.attribute_named(&"name".into()).map_or(0, |attribute| attribute.id);
    let mut named = Vec::new();
    for datom in now.datoms(Index::Aevt, &[Word::entity(name)])? {
        named.push(Value::Ref(datom?.e));
    }
    let start = Instant::now();
    for entity in &named {
        let form = vec![Value::keyword("db/retractEntity"), entity.clone()];
        db.transact(&[Value::Vector(form)])?;
    }
    println!("{} entity retractions, memory: {:?}", named.len(), start.elapsed());
    Ok(())
}
