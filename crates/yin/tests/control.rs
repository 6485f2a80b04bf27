//! Handlers, prompts, continuations and dynamic names.

mod common;

use common::{fails, gives, run, run_in};
use yin::{Kind, Limits, Machine, NoFacts, Outcome, Program};

#[test]
fn what_is_thrown_is_caught_by_the_innermost_handler() {
    gives("(try (+ 1 2) (catch e :never))", "3");
    gives("(try (throw {:code 7}) (catch e (:code e)))", "7");
    gives("(try (try (throw 1) (catch e (throw (+ e 1)))) (catch e (* e 10)))", "20");
    gives(
        "(defn deep [n] (if (= n 0) (throw :out) (+ 1 (deep (- n 1))))) (try (deep 1000) (catch e e))",
        ":out",
    );
    gives("(try (map (fn [x] (if (= x 2) (throw x) x)) [1 2 3]) (catch e [:at e]))", "[:at 2]");
}

#[test]
fn faults_of_the_machine_are_error_values_with_kind_and_place() {
    gives("(try (+ 1 :a) (catch e (error-kind e)))", ":yin/type");
    gives("(try (nth [] 3) (catch e (error-kind e)))", ":yin/range");
    gives("(try (/ 1 0) (catch e (error-message e)))", "\"`/` by zero\"");
    gives("(try (unknown 1) (catch e (error-kind e)))", ":yin/unbound");
    gives("(try ((fn [x] x)) (catch e (error-kind e)))", ":yin/arity");
    gives("(try\n  (quot 1 0)\n  (catch e (get (yin/content e) :at)))", "\"test.yin:2:3\"");
    gives(
        "(try (fail \"no\") (catch e [(error? e) (error-kind e) (error-message e)]))",
        "[true :yin/failed \"no\"]",
    );
    gives("(try (fail (error :app/x \"m\")) (catch e (error-kind e)))", ":app/x");
}

#[test]
fn handlers_may_name_the_kind_they_take() {
    let source = "(defn f [x] (try (cond (= x 0) (throw (error :app/a \"m\")) (= x 1) (+ x nil) :else (throw x))
                    (catch :app/a e 10) (catch :yin/type e 20)))";
    gives(&format!("{source} [(f 0) (f 1) (try (f 2) (catch e e))]"), "[10 20 2]");
}

#[test]
fn finally_runs_behind_values_and_errors() {
    let log = "(def log []) (defn note [x] (def log (conj log x)) x)";
    gives(&format!("{log} (try (note 1) (finally (note 2))) log"), "[1 2]");
    gives(
        &format!("{log} (try (try (throw 1) (finally (note 2))) (catch e (note e))) log"),
        "[2 1]",
    );
    gives(
        &format!("{log} (try (throw 1) (catch e (note :caught)) (finally (note :end))) log"),
        "[:caught :end]",
    );
    fails("(try (fail \"x\") (finally 1))", Kind::Failed, (1, 1), "x");
}

#[test]
fn running_out_of_depth_can_be_caught_and_interrupts_cannot() {
    gives("(defn f [n] (+ 1 (f n))) (try (f 1) (catch e (error-kind e)))", ":yin/depth");
    let source = "(try (loop [v []] (recur (conj v (range 1000)))) (catch e (error-kind e)))";
    let small = Limits::default().heap_words(1 << 20);
    assert_eq!(run_in(small, source).unwrap(), datom::Value::keyword("yin/memory"));
    let program = Program::read("t", "(loop [] (try (fail \"x\") (catch e 1)) (recur))").unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    assert_eq!(machine.run(10_000), Outcome::OutOfFuel);
    machine.interrupt().store(true, std::sync::atomic::Ordering::Relaxed);
    let Outcome::Failed(error) = machine.run(10_000) else { panic!() };
    assert_eq!(error.kind, Kind::Interrupted);
}

#[test]
fn a_continuation_is_a_function_of_the_rest_up_to_the_prompt() {
    gives("(prompt :p (+ 1 (control :p k 10)))", "10");
    gives("(prompt :p (+ 1 (control :p k (k 10))))", "11");
    gives("(prompt :p (+ 1 (control :p k (k (k 10)))))", "12");
    gives("(prompt :p (* 2 (control :p k 5)))", "5");
    gives("(prompt :p [2 (control :p k (map k [1 2]))])", "[[2 1] [2 2]]");
}

#[test]
fn control_reaches_the_prompt_of_its_tag() {
    gives("(prompt :a (+ 1 (prompt :b (* 10 (control :a k (k 5))))))", "51");
    gives("(prompt :a (+ 1 (prompt :b (* 10 (control :a k 5)))))", "5");
    fails("(prompt :a (control :b k 1))", Kind::Range, (1, 12), "no prompt :b");
}

#[test]
fn continuations_outlive_their_prompt_and_keep_their_registers() {
    let source = "(defn gen [n] (prompt :gen (loop [i 0] (when (< i n) (control :gen k [i k]) (recur (inc i)))) nil))
                  (defn all [step] (loop [step step out []] (if step (recur ((step 1) nil) (conj out (step 0))) out)))";
    let source = source.replace("(step 1)", "(nth step 1)").replace("(step 0)", "(nth step 0)");
    gives(&format!("{source} (all (gen 5))"), "[0 1 2 3 4]");
    // Many shots: the same place goes on twice with different values.
    gives(
        &format!("{source} (let [[i k] [1 2]] [i k])")
            .replace("(let [[i k] [1 2]] [i k])", "(let [s (gen 3)] [(all s) (all s)])"),
        "[[0 1 2] [0 1 2]]",
    );
}

#[test]
fn search_by_continuations_that_are_called_many_times() {
    let source = "
      (defn choose [xs] (control :search k (mapcat k xs)))
      (defn require-that [x] (if x nil (control :search k [])))
      (prompt :search
        (let [a (choose (range 1 20)) b (choose (range a 20)) c (choose (range b 20))]
          (require-that (= (* c c) (+ (* a a) (* b b))))
          [[a b c]]))";
    gives(source, "[[3 4 5] [5 12 13] [6 8 10] [8 15 17] [9 12 15]]");
}

#[test]
fn the_whole_program_is_a_prompt_and_callcc_escapes() {
    gives("(+ 1 (call/cc (fn [k] (+ 10 (k 1)))))", "2");
    gives("(+ 1 (call/cc (fn [k] 5)))", "6");
    gives(
        "(defn find [f xs] (call/cc (fn [out] (run! (fn [x] (if (f x) (out x))) xs) nil))) (find even? [1 3 4 5])",
        "4",
    );
    gives(
        "(def kept nil) (def n 0) (+ 100 (call/cc (fn [k] (def kept k) 1))) (def n (inc n)) (kept 5)",
        "105",
    );
}

#[test]
fn a_continuation_for_one_call_refuses_a_second() {
    gives("(prompt :p (+ 1 (control-once :p k (k 10))))", "11");
    fails(
        "(prompt :p (+ 1 (control-once :p k (+ (k 1) (k 2)))))",
        Kind::Range,
        (1, 45),
        "called already",
    );
}

#[test]
fn handlers_inside_of_a_continuation_come_back_with_it() {
    let source = "(def k1 nil)
      (prompt :p (try (+ 1 (control :p k (def k1 k) 0)) (catch e [:caught e])))
      (k1 :x)";
    let value = run(source).unwrap().to_string();
    assert!(value.starts_with("[:caught "), "{value}");
}

#[test]
fn dynamic_names_are_bound_for_the_calls_inside() {
    gives("(def *depth* 0) (defn f [] *depth*) [(f) (binding [*depth* 5] (f)) (f)]", "[0 5 0]");
    gives("(def *a* 1) (def *b* 2) (binding [*a* 10 *b* (+ *a* 1)] [*a* *b*])", "[10 11]");
    gives("(def *a* 1) (try (binding [*a* 2] (fail \"x\")) (catch e *a*))", "1");
    fails("*nothing*", Kind::Unbound, (1, 1), "*nothing*");
    fails("(binding [x 1] x)", Kind::Syntax, (1, 11), "dynamic");
}

#[test]
fn control_works_in_slices_of_any_size_and_under_collection() {
    let source = "(defn choose [xs] (control :search k (mapcat k xs)))
      (prompt :search (let [a (choose (range 1 9)) b (try (choose [a (vector a)]) (catch e 0))] [[a b (str \"a longer text \" a)]]))";
    let whole = run(source).unwrap();
    for fuel in [1, 2, 3, 7] {
        let mut machine = Machine::new(NoFacts, Limits::default());
        machine.start(&Program::read("t", source).unwrap()).unwrap();
        loop {
            match machine.run(fuel) {
                Outcome::OutOfFuel => {}
                Outcome::Done(value) => break assert_eq!(value, whole),
                other => panic!("{other:?}"),
            }
        }
    }
}
