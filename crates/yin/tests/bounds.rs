//! Programs that want too much. Each ends with an error of its own, and nothing else suffers.

mod common;

use std::sync::atomic::Ordering;

use common::{FUEL, fails, gives, run, run_in, step};
use datom::Value;
use yin::{Kind, Limits, Machine, NoFacts, Outcome, Program};

fn start(source: &str) -> Machine {
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&Program::read("t", source).unwrap()).unwrap();
    machine
}

#[test]
fn an_endless_loop_runs_out_of_fuel_and_can_go_on() {
    for source in [
        "(loop [] (recur))",
        "(defn f [] (f)) (f)",
        "(defn f [] (g)) (defn g [] (f)) (f)",
        "((fn [f] (f f)) (fn [f] (f f)))",
        "(loop [] (map inc [1 2 3]) (recur))",
    ] {
        let mut machine = start(source);
        assert_eq!(machine.run(1_000), Outcome::OutOfFuel, "{source}");
        assert_eq!(machine.run(1_000), Outcome::OutOfFuel, "{source}");
        machine.abandon();
        assert_eq!(step(&mut machine, "(+ 1 2)").unwrap(), Value::Int(3));
    }
}

#[test]
fn stopping_at_every_tick_changes_nothing() {
    let source = "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
                  [(map fib (range 10)) (sort > (range 20)) (loop [n 9 s []] (if (= n 0) s (recur (dec n) (conj s [n]))))]";
    let whole = run(source).unwrap();
    let mut machine = start(source);
    let mut stops = 0;
    let value = loop {
        match machine.run(1) {
            Outcome::OutOfFuel => stops += 1,
            Outcome::Done(value) => break value,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(value, whole);
    assert!(stops > 400, "{stops}");
}

#[test]
fn tail_calls_take_constant_space() {
    gives("(defn down [n] (if (= n 0) :done (down (- n 1)))) (down 1000000)", ":done");
    gives(
        "(defn e? [n] (if (= n 0) true (o? (- n 1)))) (defn o? [n] (if (= n 0) false (e? (- n 1)))) (e? 1000001)",
        "false",
    );
    gives(
        "(defn f [n] (cond (= n 0) :done :else (let [m (- n 1)] (do 1 (and true (f m)))))) (f 1000000)",
        ":done",
    );
    gives("(defn f [n] (if (= n 0) :done (apply f [(- n 1)]))) (f 300000)", ":done");
    gives("(defn f [n & more] (if (= n 0) :done (f (- n 1) 1 2))) (f 1000000)", ":done");
}

#[test]
fn deep_recursion_is_bounded_by_the_machine_not_by_the_host() {
    let deep = "(defn sum [n] (if (= n 0) 0 (+ n (sum (- n 1))))) ";
    gives(&format!("{deep} (sum 100000)"), "5000050000");
    fails(&format!("{deep} (sum 100000000)"), Kind::Depth, (1, 34), "calls wait for each other");
    // Through functions of the language as well.
    fails("(defn f [x] (map f [x])) (f 1)", Kind::Depth, (1, 13), "calls wait");
    fails("(defn f [x] (inc (apply f [x]))) (f 1)", Kind::Depth, (1, 18), "calls wait");
    let error = run_in(Limits::default().calls(50), "(defn f [x] (inc (f x))) (f 1)").unwrap_err();
    assert_eq!(error.kind, Kind::Depth);
    assert_eq!(error.calls.len(), yin::CALLS_MAX);
}

#[test]
fn what_is_held_is_bounded_and_what_is_dropped_is_not() {
    let limits = Limits::default().heap_words(1 << 16);
    // Eight million words pass through half a megabyte.
    let source = "(loop [n 200000 s 0] (if (= n 0) s (recur (- n 1) (+ s (count [n [n] (str n \"-long\")])))))";
    assert_eq!(run_in(limits, source).unwrap(), Value::Int(600_000));
    for source in [
        "(loop [v []] (recur (conj v [1 2 3])))",
        "(loop [m {} n 0] (recur (assoc m n n) (inc n)))",
        "(loop [s \"abcdefghij\"] (recur (str s s)))",
        "(loop [f nil] (recur (fn [] f)))",
        "(range 100000000000)",
        "(repeat 100000000000 1)",
        "(defn f [n] (conj (f (inc n)) n)) (f 0)",
        "(loop [v [1]] (recur (concat v v)))",
    ] {
        let error = run_in(limits, source).unwrap_err();
        assert!(matches!(error.kind, Kind::Memory | Kind::Depth), "{source}: {error}");
        assert!(error.position.is_some(), "{source}");
    }
}

#[test]
fn running_out_of_memory_leaves_the_machine_usable() {
    let mut machine = Machine::new(NoFacts, Limits::default().heap_words(1 << 16));
    let error =
        step(&mut machine, "(def kept [1 2]) (loop [v []] (recur (conj v v)))").unwrap_err();
    assert_eq!(error.kind, Kind::Memory);
    assert_eq!(step(&mut machine, "(conj kept 3)").unwrap().to_string(), "[1 2 3]");
}

#[test]
fn values_that_share_their_parts_do_not_hang_what_walks_them() {
    let nest = "(defn nest [n] (loop [n n v [1]] (if (= n 0) v (recur (dec n) [v v])))) ";
    for operation in
        ["(= (nest 60) (nest 60))", "(str (nest 60))", "(nest 60)", "(flatten (nest 60))"]
    {
        let error = run_in(Limits::default().heap_words(1 << 16), &format!("{nest} {operation}"))
            .unwrap_err();
        assert!(matches!(error.kind, Kind::Limit | Kind::Memory), "{operation}: {error}");
    }
    gives(&format!("{nest} (let [v (nest 60)] (= v v))"), "true");
}

#[test]
fn values_nested_too_deeply_are_held_but_neither_shown_nor_compared() {
    let deep = "(defn deep [n] (loop [n n v []] (if (= n 0) v (recur (dec n) [v])))) ";
    gives(&format!("{deep} (count (deep 1000000))"), "1");
    for operation in [
        "(deep 1000)",
        "(= (deep 1000) (deep 1000))",
        "(str (deep 1000))",
        "(perform :x (deep 1000))",
    ] {
        let error = run(&format!("{deep} {operation}")).unwrap_err();
        assert_eq!(error.kind, Kind::Limit, "{operation}: {error}");
    }
}

#[test]
fn integers_do_not_grow_for_ever() {
    let error = run("(loop [x 3] (recur (* x x)))").unwrap_err();
    assert_eq!(error.kind, Kind::Limit);
}

#[test]
fn names_do_not_grow_for_ever() {
    let error =
        run("(loop [n 0] (keyword (str \"a-rather-long-name-for-a-keyword\" n)) (recur (inc n)))")
            .unwrap_err();
    assert_eq!(error.kind, Kind::Limit);
}

#[test]
fn an_interrupt_ends_the_program_and_only_that() {
    let mut machine = start("(def before 1) (loop [] (recur))");
    assert_eq!(machine.run(1_000), Outcome::OutOfFuel);
    machine.interrupt().store(true, Ordering::Relaxed);
    let Outcome::Failed(error) = machine.run(u64::MAX) else { panic!() };
    assert_eq!(error.kind, Kind::Interrupted);
    assert_eq!(step(&mut machine, "before").unwrap(), Value::Int(1));
}

#[test]
fn an_interrupt_from_another_thread_stops_an_endless_program() {
    let mut machine = start("(loop [v []] (recur [v 1 2 (map inc (range 10))]))");
    let flag = machine.interrupt();
    let watcher = std::thread::spawn(move || flag.store(true, Ordering::Relaxed));
    let outcome = machine.run(u64::MAX);
    watcher.join().unwrap();
    assert!(
        matches!(outcome, Outcome::Failed(error) if matches!(error.kind, Kind::Interrupted | Kind::Memory))
    );
}

#[test]
fn code_nested_or_sized_beyond_all_bounds_is_refused() {
    let nested = format!("{}1{}", "(inc ".repeat(10_000), ")".repeat(10_000));
    assert_eq!(run(&nested).unwrap_err().kind, Kind::Syntax);
    let threaded = format!("(-> 1 {})", "inc ".repeat(10_000));
    assert_eq!(run(&threaded).unwrap_err().kind, Kind::Syntax);
    let wide = format!("(+ {})", "1 ".repeat(10_000));
    assert_eq!(run(&wide).unwrap_err().kind, Kind::Syntax);
    let names: String = (0..90).map(|n| format!("a{n} (+ {n} 1) ")).collect();
    let body = format!("(let [{names}] (let [{names}] (let [{names}] a1)))");
    let error = run(&body).unwrap_err();
    assert_eq!(error.kind, Kind::Limit);
    assert!(error.message.contains("too large to compile"), "{error}");
    // What is allowed to be deep really works.
    let deepest = format!("{}1{}", "(inc ".repeat(190), ")".repeat(190));
    gives(&deepest, "191");
}

#[test]
fn fuel_is_charged_for_large_operations() {
    let mut machine = start("(loop [n 0] (sort (range 10000)) (recur (inc n)))");
    let mut slices = 0;
    // Each turn costs thousands of units and not one.
    while machine.run(10_000) == Outcome::OutOfFuel && slices < 20 {
        slices += 1;
    }
    assert_eq!(slices, 20);
    let mut machine = start(
        "(def v (range 10000)) (loop [n 0] (if (= n 100) :done (do (sort v) (recur (inc n)))))",
    );
    assert_eq!(machine.run(1_000), Outcome::OutOfFuel);
    assert_eq!(machine.run(FUEL), Outcome::Done(Value::keyword("done")));
}
