//! Any EDN as query, rules and inputs: an answer or an error, within the bounds of time, rows and bytes. What is
//! held is measured at the allocator.
//!
//! Text up to a NUL is the query, the rest its inputs. The first byte says of which view it is asked.

#![no_main]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use daodb::{Database, Db, Input, Limits, Query};
use datom::edn;
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const WORLD: [&str; 3] = [
    "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
     {:db/ident :n :db/valueType :db.type/long :db/index true}
     {:db/ident :edge :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}
     {:db/ident :any :db/valueType :db.type/any :db/cardinality :db.cardinality/many}",
    "{:db/id 5000 :name \"a\" :n 1 :edge [5001 5002] :any [1 \"two\" 2.5 :three]}
     {:db/id 5001 :name \"b\" :n 2 :edge 5002}
     {:db/id 5002 :name \"c\" :n 3 :edge 5000 :any [\"x\" [1 nil]]}",
    "[:db/retract 5001 :edge 5002] [:db/add 5001 :n 7]",
];
const ROWS_MAX: u64 = 2_000;
const BYTES_MAX: u64 = 4 << 20;
/// What a query may take that was parsed from text of a few kilobytes.
const PARSED_BYTES_MAX: usize = 8 << 20;
/// What is not counted by the limit: the plan, batches of rows between steps, and one value of a function at a
/// time with its arguments, each of at most 16 MiB of text or a million parts of 56 bytes.
const UNCOUNTED_BYTES_MAX: usize = 192 << 20;
const TIME_MAX: Duration = Duration::from_millis(200);
/// What the last step before a look at the clock may take.
const GRACE: Duration = Duration::from_secs(5);

fn views() -> &'static [Db; 4] {
    static VIEWS: OnceLock<[Db; 4]> = OnceLock::new();
    VIEWS.get_or_init(|| {
        let database = Database::memory().expect("memory");
        for text in WORLD {
            database.transact(&edn::read_all(text).expect("EDN")).expect("a transaction");
        }
        let now = database.db().expect("a state");
        let before = now.basis() - 1;
        [now.clone(), now.as_of(before), now.since(before), now.history()]
    })
}

/// The most bytes that were held at once while something was done, beyond those that were before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let made = work();
    (made, MEMORY.peak_usage().saturating_sub(before))
}

fuzz_target!(|data: &[u8]| {
    let Some((view, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let view = &views()[usize::from(*view) % 4];
    let (query, inputs) = text.split_once('\0').unwrap_or((text, ""));
    let (parsed, held) = peak(|| Query::parse(query));
    assert!(held < PARSED_BYTES_MAX, "{held} bytes to parse {} bytes", query.len());
    let Ok(query) = parsed else { return };
    let inputs: Vec<Input> =
        edn::read_all(inputs).unwrap_or_default().into_iter().map(Input::Value).collect();
    let limits = Limits {
        timeout: Some(TIME_MAX),
        max_rows: Some(ROWS_MAX),
        max_bytes: Some(BYTES_MAX),
        ..Limits::default()
    };
    let started = Instant::now();
    let (answer, held) = peak(|| view.query_with(&query, &inputs, &limits));
    let most = BYTES_MAX as usize + UNCOUNTED_BYTES_MAX;
    assert!(held < most, "{held} bytes were held, where {BYTES_MAX} are allowed");
    assert!(started.elapsed() < TIME_MAX + GRACE, "a query that minds no clock");
    if let Ok(answer) = answer {
        assert!(answer.len() as u64 <= ROWS_MAX, "more rows than it may give");
    }
});
