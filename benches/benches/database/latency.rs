//! How long a commit takes at most while the log is sealed, moved and pruned, and how writers of several
//! processes share the commits.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use benches::datalog::people;
use daodb::{Create, Database, Durability, Options, Statement, TransactOptions};
use datom::Value;

use crate::Engine;
use crate::ours::Ours;
use crate::table::Table;

/// Facts that were loaded before, a transaction for each entity.
const ENTITIES: u32 = 40_000;
/// How long commits are watched where nothing else ends it.
const WATCHED: Duration = Duration::from_secs(2);
/// Processes that write at once, and for how long.
const WRITERS: usize = 4;
const WRITING: Duration = Duration::from_secs(4);

/// Commits one fact after the other in one thread, while `work` is done in another.
fn watch(what: &str, ours: &Ours, table: &mut Table, work: impl FnOnce() + Send) {
    let is_done = AtomicBool::new(false);
    let mut took = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            work();
            is_done.store(true, Ordering::Release);
        });
        while !is_done.load(Ordering::Acquire) {
            let began = Instant::now();
            ours.commit_one(1);
            took.push(began.elapsed().as_secs_f64() * 1e6);
        }
    });
    took.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "  {what}: {} commits, p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs, longest {:.0} µs",
        took.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    table.add(&format!("latency: longest commit, {what}, ms"), Ours::NAME, at(1.0) / 1e3);
}

/// Commits while nothing else happens, and while each kind of upkeep is done.
pub(crate) fn latency(table: &mut Table) {
    let set = people::people(ENTITIES);
    for (durable, who) in [(true, "disk"), (false, "process")] {
        let mut ours = Ours::new(&set, durable);
        ours.load_quickly(&set);
        let db = ours.database().clone();
        let now = || db.db().expect("a state").basis();
        watch(&format!("{who}, alone"), &ours, table, || {
            // Nobody says anything.
            let (_quiet, said) = mpsc::channel::<()>();
            let _ = said.recv_timeout(WATCHED);
        });
        watch(&format!("{who}, sealing"), &ours, table, || {
            let sealed = db.seal().expect("a sealed log");
            println!("  {sealed} segments were sealed");
        });
        let cold = tempfile::tempdir().expect("a folder");
        watch(&format!("{who}, moving to the cold folder"), &ours, table, || {
            db.freeze(cold.path(), now()).expect("cold segments");
        });
        watch(&format!("{who}, giving history up"), &ours, table, || {
            let pruned = db.prune(now()).expect("pruned");
            println!("  {} datoms were given up", pruned.datoms);
        });
        let backup = tempfile::tempdir().expect("a folder");
        watch(&format!("{who}, backup"), &ours, table, || {
            db.backup(backup.path().join("copy"), None).expect("a backup");
        });
    }
}

/// What a process is started for.
const WRITE: &str = "write-for-the-bench";
/// It waits for the disk.
const WAITS: &str = "waits";

/// Facts of a transaction that takes long to work out, and how many such there are.
const LONG_FACTS: u64 = 50_000;
const LONG_ONES: u64 = 9;

/// Writes as long as it is let, and prints how many commits it made.
pub(crate) fn write_if_asked(args: &[String]) -> bool {
    let [what, folder, writer, waits, ..] = args else { return false };
    if what != WRITE {
        return false;
    }
    let durability = if waits == WAITS { Durability::Disk } else { Durability::Process };
    let options = Options::new().create(Create::Never).durability(durability);
    let db = Database::open(folder, options).expect("the world");
    let began = Instant::now();
    let (mut commits, mut longest) = (0_u64, Duration::ZERO);
    while began.elapsed() < WRITING {
        let data = Value::map([
            (Value::keyword("bench/by"), Value::text(writer)),
            (Value::keyword("bench/count"), Value::Int(commits as i64)),
        ]);
        let asked = Instant::now();
        db.transact(&[data]).expect("a transaction");
        longest = longest.max(asked.elapsed());
        commits += 1;
    }
    println!("{commits} {}", longest.as_micros());
    true
}

/// A world with a schema, and a way to start a process that writes to it.
fn world(folder: &Path) -> Database {
    let db = Database::open(folder, Options::new().durability(Durability::Disk)).expect("a world");
    let schema = "{:db/ident :bench/count :db/valueType :db.type/long} \
                  {:db/ident :bench/by :db/valueType :db.type/string}";
    db.transact(&datom::edn::read_all(schema).expect("a schema")).expect("a transaction");
    db
}

fn start(folder: &Path, writer: usize, waits: &str) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .arg(WRITE)
        .arg(folder)
        .args([&writer.to_string(), waits])
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process")
}

/// How many commits a process made, and the longest wait for one in microseconds.
fn said(child: Child) -> (u64, u64) {
    let said = String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("text");
    let mut words = said.split_whitespace().map(|word| word.parse().expect("a number"));
    (words.next().expect("commits"), words.next().expect("the longest"))
}

/// Four processes that commit one fact after the other, all waiting for the disk; then a long transaction
/// beside three that wait for nothing.
pub(crate) fn writers(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let _db = world(folder.path());
    let children: Vec<_> = (0..WRITERS).map(|n| start(folder.path(), n, WAITS)).collect();
    let shares: Vec<_> = children.into_iter().map(said).collect();
    let all: u64 = shares.iter().map(|share| share.0).sum();
    for (commits, longest) in &shares {
        println!(
            "  a writer of {WRITERS}: {commits} commits, {:.1} % of all, longest {longest} µs",
            *commits as f64 * 100.0 / all as f64
        );
    }
    let least = shares.iter().map(|share| share.0).min().unwrap_or(0);
    let fair = all as f64 / WRITERS as f64;
    table.add("writers: least share of four, of a fair one", Ours::NAME, least as f64 / fair);
    let each = WRITING.as_secs_f64() * 1e6 / all as f64;
    table.add("writers: a commit of one of 4 processes, µs", Ours::NAME, each);
    long_ones(table);
}

/// Transactions of many facts, alone and beside processes that never pause.
fn long_ones(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let db = world(folder.path());
    let now = db.db().expect("a state");
    let count = now.attribute_named(&"bench/count".into()).expect("an attribute").id;
    drop(now);
    let mut next = 1_000_000;
    let mut load = |what: &str| {
        let mut took: Vec<f64> = Vec::new();
        for _ in 0..LONG_ONES {
            let fact = |n: u64| Statement::new(next + n, count, n as i64);
            let facts: Vec<_> = (0..LONG_FACTS).map(fact).collect();
            next += LONG_FACTS;
            let options = TransactOptions::new().durability(Durability::Process);
            let (ms, report) = crate::timed(|| db.load(&facts, &options));
            report.expect("a transaction");
            took.push(ms);
        }
        took.sort_unstable_by(f64::total_cmp);
        let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
        println!("  {LONG_FACTS} facts {what}: median {median:.1} ms, longest {longest:.1} ms");
        table.add(&format!("writers: {LONG_FACTS} facts {what}, ms"), Ours::NAME, median);
    };
    load("alone");
    let begin = db.db().expect("a state").basis();
    let children: Vec<_> = (1..WRITERS).map(|n| start(folder.path(), n, "goes on")).collect();
    // All have begun, and are not yet at their end.
    while db.db().expect("a state").basis() < begin + 10_000 {
        let _ = db.wait(db.db().expect("a state").basis(), None);
    }
    load("beside three that never pause");
    let longest = children.into_iter().map(|child| said(child).1).max().unwrap_or(0);
    println!("  the longest that one of the three waited: {:.1} ms", longest as f64 / 1e3);
}
