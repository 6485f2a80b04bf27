//! Random programs that write in place, wait and take continuations: whenever the heap is collected, their values
//! are those of a heap that never is.

use std::fmt::Write as _;

use datom::Value;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::{Limits, Machine, NoFacts, Outcome, Program};

/// What is written: `n` is the turn, `m` the map, `v` the vector, `old` what the map was some turns ago.
const CONTENTS: [&str; 9] = [
    "n",
    "[n n]",
    "(str \"a text of turn \" n)",
    "{:turn [n]}",
    "(fn [x] [x n])",
    "[(count m) (nth v 1)]",
    "(* n 1234567890123456789)",
    "(if (vector? old) [(nth old 1)] n)",
    "(first v)",
];

/// The map and the vector at the next turn; `#` is a key, `@` a content.
const MAPS: [&str; 4] =
    ["(assoc m # @)", "(dissoc m #)", "(if (< n 9) (assoc m n @) (assoc m # @))", "m"];
const VECTORS: [&str; 4] = ["(assoc v (rem n 40) @)", "(conj v @)", "(assoc v # @)", "v"];
/// What happens beside it at a turn.
const ASIDES: [&str; 5] = [
    "nil",
    "(wait (rem n 7) [n])",
    "(prompt :p (wait-for n))",
    "(try (throw [n \"thrown\"]) (catch e [e]))",
    "((prompt :p [(control :p k k) n]) [n])",
];

#[derive(Clone, Debug)]
struct Turns {
    count: usize,
    keys: i64,
    map: (usize, usize),
    vector: (usize, usize),
    aside: usize,
    /// Turns after which the map is handed on.
    shared: i64,
}

fn turns() -> impl Strategy<Value = Turns> {
    let write = |n: usize| (0..n, 0..CONTENTS.len());
    (1..60usize, 1..50i64, write(MAPS.len()), write(VECTORS.len()), 0..ASIDES.len(), 1..20i64)
        .prop_map(|(count, keys, map, vector, aside, shared)| Turns {
            count,
            keys,
            map,
            vector,
            aside,
            shared,
        })
}

fn source(loops: &[Turns]) -> String {
    let mut out = String::from(
        "(defn wait [n held] (if (= n 0) [held] (let [inner (wait (dec n) [held n])] (conj inner n))))
         (defn wait-for [n] (wait 3 [(control :p k (k [n n])) n]))
         (defn told [x] (cond (fn? x) (x :called) (map? x) (map (fn [e] (map told e)) x) (vector? x) (map told x) :else x))
         (def all [])\n",
    );
    for it in loops {
        let key = format!("(rem (* n 7) {})", it.keys);
        let fill = |pattern: &str, content: usize| {
            pattern.replace('#', &key).replace('@', CONTENTS[content])
        };
        let (map, vector) =
            (fill(MAPS[it.map.0], it.map.1), fill(VECTORS[it.vector.0], it.vector.1));
        writeln!(
            out,
            "(def all (conj all (loop [n 0 m {{}} v (vec (range 50)) old nil]
               (if (= n {}) (told [m v old])
                 (let [aside {}]
                   (if (= (rem n {}) 0)
                     (recur (+ n 1) {map} {vector} [m aside])
                     (recur (+ n 1) {map} {vector} old)))))))",
            it.count, ASIDES[it.aside], it.shared
        )
        .unwrap();
    }
    out.push_str("all\n");
    out
}

fn run(source: &str, pace: Pace, fuel: u64) -> Outcome {
    let mut machine = Machine::new(NoFacts, Limits::default().heap_words(1 << 21));
    machine.heap.pace = pace;
    machine.heap.soft = pace.young;
    machine.start(&Program::read("t", source).unwrap()).unwrap();
    machine.run(fuel)
}

const fn pace(young: usize) -> Pace {
    Pace { young, is_careless: false }
}

const FUEL: u64 = 1 << 24;
/// What a broken heap makes of a program may run for long.
const FUEL_OF_TWINS: u64 = 1 << 14;
const NEVER: Pace = pace(usize::MAX >> 1);

fn check(loops: &[Turns]) -> Result<(), TestCaseError> {
    let source = source(loops);
    let expected = run(&source, NEVER, FUEL);
    prop_assert!(matches!(expected, Outcome::Done(_)), "{expected:?}\n{source}");
    for young in [0, 1, 5, 17, 60, 300, 2_000] {
        let found = run(&source, pace(young), FUEL);
        prop_assert_eq!(&found, &expected, "young {}\n{}", young, source);
    }
    Ok(())
}

/// Whether a twin that takes no note of what the old get is found out by some pace.
fn is_found_out(loops: &[Turns]) -> bool {
    let source = source(loops);
    let expected = run(&source, NEVER, FUEL);
    [0, 5, 60].iter().any(|&young| {
        let twin = Pace { young, is_careless: true };
        std::panic::catch_unwind(|| run(&source, twin, FUEL_OF_TWINS))
            .map_or(true, |found| found != expected)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whenever_it_is_collected_a_program_has_the_same_value(loops in prop::collection::vec(turns(), 1..4)) {
        check(&loops)?;
    }
}

#[test]
fn a_twin_that_takes_no_notes_is_found_out() {
    let mut runner = TestRunner::deterministic();
    let strategy = prop::collection::vec(turns(), 1..4);
    let programs = (0..24).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    assert!(programs.filter(|loops| is_found_out(loops)).nth(2).is_some());
}

#[test]
fn a_young_collection_looks_at_no_old_object_but_the_noted() {
    let source = "(def kept (loop [n 0 v []] (if (= n 3000) v (recur (inc n) (conj v [n n])))))
                  (loop [n 0 last nil] (if (= n 3000) (count kept) (recur (inc n) [n n n])))";
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.heap.pace = pace(1_000);
    machine.start(&Program::read("t", source).unwrap()).unwrap();
    assert_eq!(machine.run(1 << 20), Outcome::Done(Value::Int(3_000)));
    // Twelve thousand words pass; what is kept grows by less than a collection of the young each time.
    let (old, all) = (machine.heap.old, machine.heap.collections);
    assert!((9_000..14_000).contains(&old), "{old}");
    assert!((20..60).contains(&all), "{all}");
    assert!(machine.heap.noted.is_empty());
}

#[test]
fn a_deep_call_is_looked_at_once() {
    let source = "(defn deep [n] (if (= n 0) (loop [i 0 x nil] (if (= i 500) [x] (recur (inc i) [i]))) (conj (deep (dec n)) [n])))
                  (count (deep 5000))";
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.heap.pace = pace(100);
    machine.start(&Program::read("t", source).unwrap()).unwrap();
    let mut settled = 0;
    loop {
        match machine.run(100) {
            Outcome::OutOfFuel => settled = settled.max(machine.settled_registers()),
            outcome => break assert_eq!(outcome, Outcome::Done(Value::Int(5_001))),
        }
    }
    assert!(settled > 10_000, "{settled}");
}
