//! Collections that a loop builds are updated in place, and nobody can tell.

mod common;

use common::gives;
use datom::Value;
use proptest::prelude::*;
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program};

#[test]
fn what_was_seen_never_changes() {
    // Kept in a vector, a closure, a global, another name, an argument and a result.
    gives(
        "(loop [i 0 m {} kept []] (if (= i 3) kept (recur (inc i) (assoc m i i) (conj kept m))))",
        "[{} {0 0} {0 0, 1 1}]",
    );
    gives(
        "(loop [i 0 v [9] fs []] (if (= i 3) (map (fn [f] (f)) fs) (recur (inc i) (assoc v 0 i) (conj fs (fn [] v)))))",
        "[[9] [0] [1]]",
    );
    gives(
        "(def seen []) (loop [i 0 v [9]] (if (= i 3) seen (do (def seen (conj seen v)) (recur (inc i) (assoc v 0 i)))))",
        "[[9] [0] [1]]",
    );
    gives(
        "(loop [i 0 s \"longer than seven\" kept nil] (if (= i 2) [s kept] (let [t s] (recur (inc i) (str s i) t))))",
        "[\"longer than seven01\" \"longer than seven0\"]",
    );
    gives(
        "(defn keep [x] x) (loop [i 0 v (vec (range 40)) old nil] (if (= i 3) [(first v) (first old)] (recur (inc i) (assoc v 0 [i]) (keep v))))",
        "[[2] [1]]",
    );
    gives(
        "(defn f [v n] (if (= n 0) v (recur (conj v n) (dec n)))) (let [a (f [] 40) b (f a 2) c (f a 2)] [(count a) (count b) (= b c)])",
        "[40 42 true]",
    );
}

#[test]
fn what_nobody_saw_is_not_copied() {
    let sources = [
        "(loop [n 0 v (vec (range 1000))] (if (= n 20000) (count v) (recur (+ n 1) (assoc v (rem n 1000) n))))",
        "(loop [n 0 v (vec (range 1000))] (if (= n 20000) (count v) (recur (+ n 1) (if (= n -1) v (assoc v 0 n)))))",
    ];
    for engine in [Engine::Register, Engine::Stepper] {
        let collections = sources.map(|source| {
            let mut machine = Machine::new(NoFacts, Limits::default()).with_engine(engine);
            machine.start(&Program::read("test.yin", source).unwrap()).unwrap();
            assert_eq!(machine.run(1_000_000), Outcome::Done(1000.into()));
            machine.collections()
        });
        // The second is no update of the name, so each turn copies a path of more than 64 words.
        assert!(collections[0] == 0 && collections[1] > 9, "{engine:?}: {collections:?}");
    }
}

#[test]
fn counts_in_a_map_that_grows_and_is_kept_now_and_then() {
    gives(
        "(loop [i 0 m {} kept []]
           (if (= i 60) [m kept]
             (let [k (rem (* i 7) 5)]
               (recur (inc i) (assoc m k (+ 1 (get m k 0))) (if (= 0 (rem i 20)) (conj kept m) kept)))))",
        "[{0 12, 1 12, 2 12, 3 12, 4 12} [{} {0 4, 1 4, 2 4, 3 4, 4 4} {0 8, 1 8, 2 8, 3 8, 4 8}]]",
    );
    // New keys between the updates of old ones, so that nodes move up and down.
    gives(
        "(loop [i 0 m {}] (if (= i 300) (reduce + 0 (vals m))
           (recur (inc i) (assoc m (if (odd? i) i (rem i 16)) (+ 1 (get m (if (odd? i) i (rem i 16)) 0))))))",
        "300",
    );
}

#[test]
fn a_collection_may_hold_what_it_was() {
    gives("(loop [i 0 m {}] (if (= i 2) m (recur (inc i) (assoc m i m))))", "{0 {}, 1 {0 {}}}");
    gives(
        "(loop [i 0 v [1]] (if (= i 2) v (recur (inc i) (conj v (let [w v] w)))))",
        "[1 [1] [1 [1]]]",
    );
    gives("(loop [i 0 v [1]] (if (= i 3) v (recur (inc i) (conj v (count v)))))", "[1 1 2 3]");
    gives(
        "(loop [i 0 m {:n 0}] (if (= i 3) m (recur (inc i) (assoc m :n (+ 1 (get m :n) (:n m 0))))))",
        "{:n 7}",
    );
}

#[test]
fn outer_collections_survive_inner_loops() {
    let source = "(loop [i 0 m {} kept []]
      (if (= i 3) [m kept]
        (let [inner (loop [j 0 n m] (if (= j 3) n (recur (inc j) (assoc n j i))))]
          (recur (inc i) (assoc m :i i) (conj kept inner)))))";
    gives(source, "[{:i 2} [{0 0, 1 0, 2 0} {0 1, 1 1, 2 1, :i 0} {0 2, 1 2, 2 2, :i 1}]]");
}

#[test]
fn a_continuation_that_comes_back_finds_the_collection_as_it_was() {
    let source = "(defn f [] (loop [i 0 v (vec (range 33))] (if (= i 3) [(nth v 0) (nth v 1)] (recur (inc i) (assoc v (mod i 2) (control :p k [(k :a) (k :b)]))))))
                  (prompt :p (f))";
    gives(source, "[[[[:a :a] [:b :a]] [[:a :b] [:b :b]]] [[[:a :a] [:b :a]] [[:a :b] [:b :b]]]]");
    let source = "(prompt :p (loop [i 0 v []] (if (= i 2) v (recur (inc i) (conj v (control :p k [(k 1) (k 2)]))))))";
    gives(source, "[[[1 1] [1 2]] [[2 1] [2 2]]]");
}

#[test]
fn long_texts_grow_in_place_and_keep_their_beginnings() {
    gives(
        "(let [s (loop [i 0 s \"\"] (if (= i 2000) s (recur (inc i) (str s \"é\" i)))) a (str s \"x\") b (str s \"y\")]
           [(count s) (ends-with? a \"1999x\") (ends-with? b \"1999y\") (starts-with? s \"é0é1é2\")])",
        "[8890 true true true]",
    );
}

/// One step of a loop that builds; `Keep` remembers what is there.
#[derive(Clone, Debug)]
enum Step {
    Put(i64, i64),
    Push(i64),
    Keep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..50i64, any::<i8>()).prop_map(|(k, v)| Step::Put(k, v.into())),
        3 => any::<i8>().prop_map(|v| Step::Push(v.into())),
        1 => Just(Step::Keep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn loops_build_what_a_model_builds(steps in prop::collection::vec(step(), 0..120)) {
        let (mut vector, mut map) = (vec![Value::Int(0)], std::collections::BTreeMap::new());
        let mut kept = Vec::new();
        let mut clauses = String::new();
        for (at, step) in steps.iter().enumerate() {
            let go = match step {
                Step::Put(k, v) => {
                    map.insert(Value::Int(*k), Value::Int(*v));
                    let place = *k as usize % vector.len();
                    vector[place] = Value::Int(*v);
                    format!("(recur (inc i) (assoc v {place} {v}) (assoc m {k} {v}) kept)")
                }
                Step::Push(x) => {
                    vector.push(Value::Int(*x));
                    format!("(recur (inc i) (conj v {x}) m kept)")
                }
                Step::Keep => {
                    kept.push(Value::Vector(vec![Value::Vector(vector.clone()), Value::Map(map.clone())]));
                    "(recur (inc i) v m (conj kept [v m]))".to_owned()
                }
            };
            clauses.push_str(&format!("{at} {go} "));
        }
        let source = format!("(loop [i 0 v [0] m {{}} kept []] (case i {clauses} (conj kept [v m])))");
        kept.push(Value::Vector(vec![Value::Vector(vector), Value::Map(map)]));
        prop_assert_eq!(common::run(&source).unwrap(), Value::Vector(kept));
    }
}

#[test]
fn elements_that_are_written_again_and_again_are_where_they_were() {
    // Leaves, tails and what was dropped in front, while the vector grows and is kept now and then.
    gives(
        "(loop [i 0 v (vec (range 70)) kept []]
           (cond (= i 200) [(reduce + 0 v) (map count kept) (map (fn [v] (nth v 3)) kept) (count v)]
                 (= 0 (rem i 50)) (recur (inc i) v (conj kept v))
                 (= 0 (rem i 7)) (recur (inc i) (conj v i) kept)
                 :else (recur (inc i) (assoc v (rem i 64) i) kept)))",
        "[13321 [70 77 84 91] [3 3 67 131] 98]",
    );
    // A vector of which the first was dropped, and one that became short and long again.
    gives(
        "(loop [i 0 v (vec (rest (range 100)))] (if (= i 99) (= v (vec (range 99))) (recur (inc i) (assoc v i i))))",
        "true",
    );
}

#[test]
fn a_leaf_that_was_kept_is_copied_before_it_is_written_again() {
    gives(
        "(defn f [v n] (if (= n 0) v (recur (assoc v (rem n 40) [n]) (dec n))))
         (let [a (f (vec (range 100)) 80) b (f a 3)] [(nth a 2) (nth b 2) (nth a 39) (= a b) (nth b 0)])",
        "[[2] [2] [39] true [40]]",
    );
    gives(
        "(defn f [v n] (if (= n 0) v (recur (assoc v (rem n 40) [n (count v)]) (dec n))))
         (let [a (f (vec (range 100)) 80) b (loop [i 0 v a] (if (= i 80) v (recur (inc i) (assoc v (rem i 40) :b))))]
           [(nth a 2) (nth b 2)])",
        "[[2 100] :b]",
    );
}

#[test]
fn remainders_by_a_number_in_the_text() {
    gives(
        "(map (fn [n] [(rem n 3) (rem n -3) (rem n 1) (rem n -1)]) [7 -7 0 4294967299 -4294967299 288230376151711744])",
        "[[1 1 0 0] [-1 -1 0 0] [0 0 0 0] [1 1 0 0] [-1 -1 0 0] [1 1 0 0]]",
    );
    gives("(rem 123456789012345678901234567890 7)", "0");
    gives("(rem 7.5 2)", "1.5");
    common::fails("(rem 1 0)", yin::Kind::Arithmetic, (1, 1), "");
    common::fails("(rem :a 2)", yin::Kind::Type, (1, 1), "");
}
