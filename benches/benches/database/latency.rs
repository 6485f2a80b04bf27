//! How long a commit takes at most while the log is sealed, moved and pruned, and how writers of several
//! processes share the commits.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use benches::datalog::people;
use daodb::{Create, Database, Durability, Options};
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

/// Writes as long as it is let, and prints how many commits it made.
pub(crate) fn write_if_asked(args: &[String]) -> bool {
    let [what, folder, writer, ..] = args else { return false };
    if what != WRITE {
        return false;
    }
    let db = Database::open(folder, Options::new().create(Create::Never)).expect("the world");
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

/// Four processes that commit one fact after the other, all waiting for the disk.
pub(crate) fn writers(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new().durability(Durability::Disk);
    let db = Database::open(folder.path(), options).expect("a world");
    let schema = "{:db/ident :bench/count :db/valueType :db.type/long} \
                  {:db/ident :bench/by :db/valueType :db.type/string}";
    db.transact(&datom::edn::read_all(schema).expect("a schema")).expect("a transaction");
    let start = |writer: usize| {
        Command::new(std::env::current_exe().expect("this program"))
            .arg(WRITE)
            .arg(folder.path())
            .arg(writer.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process")
    };
    let children: Vec<_> = (0..WRITERS).map(start).collect();
    let mut shares = Vec::new();
    for child in children {
        let said = child.wait_with_output().expect("it ends").stdout;
        let said = String::from_utf8(said).expect("text");
        let mut words = said.split_whitespace().map(|word| word.parse::<u64>().expect("a number"));
        shares.push((words.next().expect("commits"), words.next().expect("the longest")));
    }
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
}
