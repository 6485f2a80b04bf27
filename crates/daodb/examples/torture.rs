//! Writers that are killed at random, and a checker of what they saw and were told:
//! `cargo xtask torture db [--seconds N] [--seed N]`.
//!
//! Each round several processes append numbers to lists, count with `:db/cas` and read lists back,
//! while the parent kills and replaces them, seals, freezes, backs the world up and gives up history. Then all are killed;
//! in some rounds the region is lost or the log's end gets a torn tail. What must hold afterwards:
//!
//! 1. The world verifies clean: no gap in `t`, an unbroken chain, indexes that agree with the log.
//! 2. Whatever was told of is there, at the `t` that was told: of what waited for the disk always, of
//!    the rest unless the region was lost.
//! 3. One order of commits explains every read: a list read at a basis had exactly the numbers that
//!    were appended up to it.
//! 4. The counter is the number of its commits.
//! 5. A backup that was taken meanwhile restores to the same content.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use daodb::{Database, Db, Durability, Index, Options, TransactOptions};
use datom::{Datom, Word, edn};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const WRITERS: u64 = 3;
const LISTS: u64 = 4;
/// Lists and the counter have ids of their own.
const LIST: u64 = 5_000;
const COUNTER: u64 = 6_000;
/// Small, so that segments are begun and sealed all the time.
const SEGMENT_BYTES: u64 = 40_000;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, folder, id, seed] = arguments.as_slice()
        && role == "writer"
    {
        return write(Path::new(folder), id.parse()?, seed.parse()?);
    }
    let value = |name: &str, otherwise: u64| -> Outcome<u64> {
        let at = arguments.iter().position(|argument| argument == name);
        Ok(at.and_then(|at| arguments.get(at + 1)).map_or(Ok(otherwise), |text| text.parse())?)
    };
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let seed = value("--seed", u64::from(clock.subsec_nanos()))?;
    let seconds = value("--seconds", 30)?;
    println!("seed {seed}, {seconds} s");
    torture(seed, Duration::from_secs(seconds))
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

fn options() -> Options {
    Options::new().segment_bytes_max(SEGMENT_BYTES)
}

/// The items of a list, and the counter, are facts of these attributes.
const SCHEMA: &str = "
    {:db/ident :list/item :db/valueType :db.type/long :db/cardinality :db.cardinality/many}
    {:db/ident :counter :db/valueType :db.type/long}";

fn attribute(db: &Db, name: &str) -> Outcome<u64> {
    Ok(db.attribute_named(&name.into()).ok_or("no attribute")?.id)
}

/// The numbers of a list and when each was appended.
fn list(db: &Db, list: u64) -> Outcome<Vec<(i64, u64)>> {
    let components = [Word::entity(LIST + list), Word::entity(attribute(db, "list/item")?)];
    let mut items = Vec::new();
    for datom in db.datoms(Index::Eavt, &components)? {
        let datom = datom?;
        items.push((datom.v.as_int().ok_or("no number")?, datom.t));
    }
    Ok(items)
}

fn counter(db: &Db) -> Outcome<Option<i64>> {
    let components = [Word::entity(COUNTER), Word::entity(attribute(db, "counter")?)];
    let found = db.datoms(Index::Eavt, &components)?.next().transpose()?;
    Ok(found.and_then(|datom| datom.v.as_int()))
}

/// One writer: says on standard output what it was told and what it read.
fn write(folder: &Path, id: u64, seed: u64) -> Outcome {
    let db = Database::open(folder, options())?;
    let mut random = Random::new(seed);
    let mut out = std::io::stdout().lock();
    for number in 0.. {
        let durable = random.below(4) == 0;
        let durability = if durable { Durability::Disk } else { Durability::Process };
        let with = TransactOptions::new().durability(durability);
        let to = random.below(LISTS);
        match random.below(8) {
            0..=4 => {
                let item = (id << 32 | number) as i64;
                let data = edn::read_all(&format!("[:db/add {} :list/item {item}]", LIST + to))?;
                let t = db.transact_with(&data, &with)?.t;
                writeln!(out, "item {to} {item} {t} {}", u8::from(durable))?;
            }
            5 => {
                let old = counter(&db.db()?)?;
                let new = old.unwrap_or(0) + 1;
                let old = old.map_or("nil".to_owned(), |old| old.to_string());
                let data = edn::read_all(&format!("[:db/cas {COUNTER} :counter {old} {new}]"))?;
                // Losing the comparison is no failure.
                match db.transact_with(&data, &with) {
                    Ok(report) => writeln!(out, "count {} {}", report.t, u8::from(durable))?,
                    Err(error) if error.rejection().is_some() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            _ => {
                let state = db.db()?;
                writeln!(out, "read {to} {} {}", state.basis(), list(&state, to)?.len())?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

/// What the writers said.
#[derive(Default)]
struct Said {
    /// Item to its list, the `t` that was told, and whether it waited for the disk.
    items: BTreeMap<i64, (u64, u64, bool)>,
    /// List, basis, length: of what was read since the last check.
    reads: Vec<(u64, u64, u64)>,
    /// Reads that were checked.
    explained: usize,
}

impl Said {
    fn hear(&mut self, line: &str) {
        // A line that a kill cut off says nothing.
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<u64> = words.iter().skip(1).flat_map(|word| word.parse()).collect();
        match (words.first(), numbers.as_slice()) {
            (Some(&"item"), &[list, item, t, durable]) => {
                self.items.insert(item as i64, (list, t, durable == 1));
            }
            (Some(&"read"), &[list, basis, length]) => self.reads.push((list, basis, length)),
            _ => {}
        }
    }
}

fn spawn(folder: &Path, id: u64, seed: u64, heard: mpsc::Sender<String>) -> Outcome<Child> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["writer".into(), folder.as_os_str().to_owned()])
        .args([id.to_string(), seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().ok_or("no output")?;
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if heard.send(line).is_err() {
                return;
            }
        }
    });
    Ok(child)
}

fn torture(seed: u64, time: Duration) -> Outcome {
    let place = tempfile::tempdir()?;
    let (folder, cold) = (place.path().join("world"), place.path().join("cold"));
    Database::open(&folder, options())?.transact(&edn::read_all(SCHEMA)?)?;
    let mut random = Random::new(seed);
    let (mut said, mut id, mut kills, mut round) = (Said::default(), 0, 0_u64, 0_u64);
    let began = Instant::now();
    while began.elapsed() < time {
        round += 1;
        let (sender, heard) = mpsc::channel();
        let mut children = Vec::new();
        for _ in 0..WRITERS {
            id += 1;
            children.push(spawn(&folder, id, random.below(u64::MAX >> 33), sender.clone())?);
        }
        for _ in 0..1 + random.below(6) {
            for _ in 0..1 + random.below(400) {
                said.hear(&heard.recv_timeout(Duration::from_secs(60))?);
            }
            let victim = random.below(WRITERS) as usize;
            children[victim].kill()?;
            children[victim].wait()?;
            kills += 1;
            id += 1;
            children[victim] = spawn(&folder, id, random.below(u64::MAX >> 33), sender.clone())?;
        }
        if random.below(3) == 0 {
            look_after(&folder, &cold, place.path(), round)?;
        }
        for child in &mut children {
            child.kill()?;
            child.wait()?;
            kills += 1;
        }
        drop(sender);
        heard.iter().for_each(|line| said.hear(&line));
        let lost = hurt(&folder, &mut random)?;
        check(&folder, &mut said, lost)?;
    }
    println!(
        "{round} rounds, {kills} kills, {} items, {} reads: all explained",
        said.items.len(),
        said.explained
    );
    Ok(())
}

/// What somebody does to a world that others write.
fn look_after(folder: &Path, cold: &Path, place: &Path, round: u64) -> Outcome {
    let db = Database::open(folder, options())?;
    db.freeze(cold, db.db()?.basis() / 2)?;
    db.prune(db.db()?.basis() / 2)?;
    let (copy, again) = (place.join(format!("copy-{round}")), place.join(format!("again-{round}")));
    let t = db.backup(&copy, None)?.t;
    let restored = Database::restore(&copy, &again, options())?;
    if restored.db()?.basis() != t || !restored.verify()?.is_clean() {
        return Err(format!("the backup of {t} is not what it was").into());
    }
    drop(restored);
    std::fs::remove_dir_all(copy)?;
    Ok(std::fs::remove_dir_all(again)?)
}

/// What a machine that stops may do. Whether the region is lost.
fn hurt(folder: &Path, random: &mut Random) -> Outcome<bool> {
    let kind = random.below(4);
    if kind == 1 || kind == 2 {
        std::fs::remove_file(folder.join("region.eve"))?;
    }
    if kind == 2 {
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(folder.join("log"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "frames") {
                segments.push(path);
            }
        }
        if let Some(last) = segments.iter().max() {
            let mut file = std::fs::OpenOptions::new().append(true).open(last)?;
            file.write_all(&vec![7; 1 + random.below(300) as usize])?;
        }
    }
    Ok(kind == 1 || kind == 2)
}

fn check(folder: &Path, said: &mut Said, lost: bool) -> Outcome {
    let db = Database::open(folder, options())?;
    let verification = db.verify()?;
    if !verification.is_clean() {
        return Err(format!("not clean: {:?}", verification.problems).into());
    }
    let now = db.db()?;
    let mut held = BTreeMap::new();
    let mut lists = Vec::new();
    for number in 0..LISTS {
        let items = list(&now, number)?;
        held.extend(items.iter().map(|(item, t)| (*item, (number, *t))));
        lists.push(items);
    }
    // What did not wait for the disk may be gone with the region, and what was read of it.
    said.items.retain(|item, (_, _, durable)| !lost || *durable || held.contains_key(item));
    for (item, (list, t, _)) in &said.items {
        if held.get(item) != Some(&(*list, *t)) {
            return Err(format!("{item} was told of at {t}, found {:?}", held.get(item)).into());
        }
    }
    if lost {
        // Numbers of transactions that are gone are given again.
        said.reads.clear();
    }
    for (list, basis, length) in &said.reads {
        let found = lists[*list as usize].iter().filter(|(_, t)| t <= basis).count() as u64;
        if found != *length {
            return Err(format!("list {list} at {basis} had {length} items, not {found}").into());
        }
    }
    said.explained += said.reads.len();
    said.reads.clear();
    // By the log: the indexes may have given up history.
    let mut commits = 0;
    for transaction in db.log()? {
        let counts = |datom: &&Datom| datom.e == COUNTER && datom.added();
        commits += transaction?.datoms.iter().filter(counts).count() as i64;
    }
    match counter(&now)?.unwrap_or(0) {
        count if count == commits => Ok(()),
        count => Err(format!("the counter is {count} after {commits} commits").into()),
    }
}
