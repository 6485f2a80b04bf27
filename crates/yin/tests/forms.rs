//! Forms that become other forms: patterns, arities, repetition, macros, types, namespaces.

mod common;

use common::{fails, gives, run};
use yin::{Kind, Program};

#[test]
fn vectors_are_taken_apart_by_place() {
    gives("(let [[a b] [1 2]] [b a])", "[2 1]");
    gives(
        "(let [[a [b c] & more :as all] [1 [2 3] 4 5]] [a b c more all])",
        "[1 2 3 [4 5] [1 [2 3] 4 5]]",
    );
    gives("(let [[a b] [1]] [a b])", "[1 nil]");
    gives("(let [a [1 2] [a b] a] [a b])", "[1 2]");
    gives("(let [[[a b] [c d]] [[1 2] [3 4]]] [a b c d])", "[1 2 3 4]");
    gives("(let [[x y] '(1 2)] [x y])", "[1 2]");
}

#[test]
fn maps_are_taken_apart_by_key() {
    gives("(let [{:keys [a b]} {:a 1 :b 2}] [a b])", "[1 2]");
    gives("(let [{x :a y \"k\" :as m} {:a 1 \"k\" 2}] [x y m])", "[1 2 {:a 1 \"k\" 2}]");
    gives("(let [{:keys [a b] :or {b 7}} {:a 1}] [a b])", "[1 7]");
    gives("(let [{:keys [a] :or {a (fail \"unused\")}} {:a nil}] a)", "nil");
    gives("(let [{[a {:keys [b]}] :deep} {:deep [1 {:b 2}]}] [a b])", "[1 2]");
    gives("(let [{:strs [name]} {\"name\" 3}] name)", "3");
}

#[test]
fn parameters_and_loops_take_patterns() {
    gives("((fn [[a b] {:keys [c]}] [a b c]) [1 2] {:c 3})", "[1 2 3]");
    gives(
        "(defn g [x ys] (if (empty? ys) x (let [[y & more] ys] (recur (+ x y) more)))) (g 0 [1 2 3])",
        "6",
    );
    gives("(loop [[x & more] [1 2 3] sum 0] (if x (recur more (+ sum x)) sum))", "6");
    gives("(loop [[a b] [3 1] c a] (if (= a 0) c (recur [(dec a) b] (* c 2))))", "24");
    gives("(map (fn [[k v]] [v k]) {:a 1})", "[[1 :a]]");
    fails("(let [{:nope [a]} {}] a)", Kind::Syntax, (1, 8), "no option");
}

#[test]
fn functions_have_several_arities() {
    gives(
        "(defn f ([] 0) ([a] [a]) ([a b & more] [a b more])) [(f) (f 1) (f 1 2) (f 1 2 3)]",
        "[0 [1] [1 2 []] [1 2 [3]]]",
    );
    gives(
        "(defn sum ([xs] (sum xs 0)) ([xs n] (if (empty? xs) n (recur (rest xs) (+ n (first xs)))))) (sum [1 2 3])",
        "6",
    );
    gives("((fn self ([n] (self n 1)) ([n p] (if (= n 0) p (self (dec n) (* n p))))) 5)", "120");
    fails("(defn f ([a] a) ([a b] b)) (f)", Kind::Arity, (1, 1), "takes 1 or 2 arguments, not 0");
}

#[test]
fn local_functions_may_know_each_other() {
    let source = "(letfn [(even [n] (if (= n 0) true (odd (- n 1)))) (odd [n] (if (= n 0) false (even (- n 1))))] [(even 1000) (odd 7)])";
    gives(source, "[true true]");
    gives("(let [k 3] (letfn [(f [x] (+ x k)) (g [x] (f (f x)))] (g 1)))", "7");
    gives("(letfn [] 1)", "1");
    gives(
        "(letfn [(f [n] (if (= n 0) :done (g n))) (g [n] (letfn [(h [m] (f (dec m)))] (h n)))] (f 5))",
        ":done",
    );
}

#[test]
fn repetition_is_map_run_and_loop() {
    gives("(for [x [1 2 3] y [10 20] :when (odd? x) :let [z (+ x y)]] z)", "[11 21 13 23]");
    gives("(for [x (range 3)] (* x x))", "[0 1 4]");
    gives("(def n 0) (doseq [x [1 2 3] :when (> x 1)] (def n (+ n x))) n", "5");
    gives("(def n 0) (dotimes [i 4] (def n (+ n i))) n", "6");
    gives("(def n 5) (while (> n 0) (def n (dec n))) n", "0");
}

#[test]
fn choice_and_threading() {
    gives(
        "(map (fn [x] (case x 1 :one (2 3) :few \"t\" :text a :symbol :many)) [1 3 \"t\" 'a 9])",
        "[:one :few :text :symbol :many]",
    );
    fails("(case 5 1 2)", Kind::Failed, (1, 1), "no clause");
    gives("(as-> 5 x (+ x 1) (* x x))", "36");
    gives("[(some-> {:a {:b 1}} :a :b inc) (some-> {} :a inc)]", "[2 nil]");
    gives("(cond-> 1 true inc false (* 10) :else (+ 5))", "7");
}

#[test]
fn short_functions_name_their_arguments_by_number() {
    gives("(map #(* % %) [1 2 3])", "[1 4 9]");
    gives("(#(- %2 %1) 1 5)", "4");
    gives("(#(vector %1 % %3 %&) 1 2 3 4 5)", "[1 1 3 [4 5]]");
    gives("[(#(do 7)) (#(get {:a %} :a) 5) (map #(do [% 'b]) [1])]", "[7 5 [[1 b]]]");
    gives("(defmacro m [x] `(map #(+ 1 %) ~x)) (m [1 2])", "[2 3]");
    gives("(let [% 3] (+ % 1))", "4");
    fails("(#(+ %1 %2) 1)", Kind::Arity, (1, 1), "takes 2 arguments, not 1");
    fails("#(map #(+ % 1) %)", Kind::Syntax, (1, 7), "inside of another one");
    fails("#(+ %1000 1)", Kind::Syntax, (1, 1), "parameters");
    let program = Program::read("t", "#(+ % 1)").unwrap();
    assert_eq!(program.print(), "(fn [%] (+ % 1))\n");
}

#[test]
fn nil_alone_ends_what_asks_for_some() {
    gives(
        "[(if-some [x false] [x] 1) (if-some [x nil] x 1) (if-some [x nil] x)]",
        "[[false] 1 nil]",
    );
    gives("(when-some [[a b] [1 2]] (+ a b))", "3");
    gives("[(some->> {:a [1 2]} :a (map inc)) (some->> {} :a (map inc))]", "[[2 3] nil]");
    gives("(cond->> [3 1 2] true sort (= 1 2) (map inc) :else (take 2))", "[1 2]");
    gives("[(if-not nil 1) (if-not 1 2)]", "[1 nil]");
    fails("(if-some [x] 1)", Kind::Syntax, (1, 10), "one name and one value");
    fails("(cond->> 1 true)", Kind::Syntax, (1, 12), "`cond->>` has no step");
}

#[test]
fn condp_asserts_and_comments() {
    gives("(condp = 3 1 :one 3 :three)", ":three");
    gives("(def n 0) [(condp (do (def n (inc n)) <) 5 9 :a 7 :b :c) n]", "[:c 1]");
    fails("(condp = 3 1 :one)", Kind::Failed, (1, 1), "no clause of this `condp` fits");
    gives("(comment (no such) (thing)) (assert (pos? 1) \"x\")", "nil");
    fails("(assert (pos? -1))", Kind::Failed, (1, 1), "not true: (pos? -1)");
}

#[test]
fn letrec_is_letfn() {
    gives(
        "(letrec [even (fn [n] (if (= n 0) true (odd (dec n)))) odd (fn [n] (if (= n 0) false (even (dec n))))] (odd 7))",
        "true",
    );
    let hash = |source| {
        let program = Program::read("t", source).unwrap();
        program.tree().hash(program.forms()[0])
    };
    assert_eq!(hash("(letrec [f (fn [x] (f x))] f)"), hash("(letfn [(f [x] (f x))] f)"));
    fails("(letrec [f (fn g [x] x)] f)", Kind::Syntax, (1, 12), "a function without a name");
}

#[test]
fn maps_and_sets_are_called_like_keywords() {
    gives("[({:a 1} :a) ({:a 1} :b) ({:a 1} :b 2) (#{1} 1) (#{1} 2)]", "[1 nil 2 1 nil]");
    gives(
        "[(map {:a 1 :b 2} [:b :c]) (filter #{1 3} (range 5)) (apply {:a 5} [:a])]",
        "[[2 nil] [1 3] 5]",
    );
    gives("(let [m {:a {:b 7}}] ((m :a) :b))", "7");
    fails("({:a 1})", Kind::Arity, (1, 1), "a map takes 1 to 2 arguments, not 0");
    fails("([1 2] 0)", Kind::Type, (1, 1), "[1 2] is a vector");
}

#[test]
fn macros_make_forms_out_of_forms() {
    gives(
        "(defmacro unless [test & body] `(if ~test nil (do ~@body))) [(unless false 1 2) (unless true 1)]",
        "[2 nil]",
    );
    gives("(defmacro twice [x] (list 'do x x)) (def n 0) (twice (def n (inc n))) n", "2");
    gives("(defn helper [x] (* x 2)) (defmacro at-read [x] (helper x)) (at-read 21)", "42");
    gives("(defmacro swap [a b] `(let [t# ~a] [~b t#])) (let [t 1] (swap t 2))", "[2 1]");
    gives("(defmacro m [x] `{:k [~x #{~x}]}) (m 3)", "{:k [3 #{3}]}");
    gives(
        "(defmacro sum [& xs] (if (empty? xs) 0 `(+ ~(first xs) (sum ~@(rest xs))))) (sum 1 2 3)",
        "6",
    );
    gives("`(a ~(+ 1 2) ~@[4 5] [x])", "(a 3 4 5 [x])");
}

#[test]
fn a_macro_is_no_value_and_cannot_reach_the_world() {
    fails("(defmacro m [x] x) (map m [1])", Kind::Syntax, (1, 25), "is a macro");
    fails("(defmacro m [] (perform :fs/read)) (m)", Kind::Syntax, (1, 36), "asks for something");
    fails("(defmacro m [] (loop [] (recur))) (m)", Kind::Syntax, (1, 35), "takes too long");
    fails("(defmacro m [x] `(m ~x)) (m 1)", Kind::Syntax, (1, 26), "nested deeper");
    fails("(defmacro m [x] (+ x :a)) (m 1)", Kind::Syntax, (1, 27), "the macro `m` fails");
    fails("(defmacro m [f] f) (m)", Kind::Syntax, (1, 20), "takes 1 argument");
    fails("(defmacro m [] inc) (m)", Kind::Syntax, (1, 21), "makes a function");
}

#[test]
fn what_a_macro_makes_has_the_place_of_the_part_it_came_from() {
    fails("(defmacro m [x] `(do ~x))\n(m\n (+ 1 :a))", Kind::Type, (3, 2), "numbers");
}

#[test]
fn expansions_keep_the_call_and_the_name_of_the_macro() {
    let program = Program::read("t", "(defmacro inc2 [x] `(+ ~x 2)) (inc2 (f 1))").unwrap();
    let yin::Node::Expansion { name, call, .. } = program.tree().node(program.forms()[1]) else {
        panic!()
    };
    assert_eq!((name.as_str(), call.to_string().as_str()), ("inc2", "(inc2 (f 1))"));
}

#[test]
fn declared_types_are_checked_and_nothing_else_is() {
    let f = "(defn area [w :- :int h :- [:or :int :float]] :- :number (* w h))";
    gives(&format!("{f} (area 2 3)"), "6");
    let error = run(&format!("{f} (area 2 :b)")).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::Type, "`h` is :b, which is not [:or :int :float]")
    );
    fails("(defn f [x] :- :text x) (f 1)", Kind::Type, (1, 1), "returns 1, which is not :text");
    gives(
        "(defn f [n :- :int acc] :- :int (if (= n 0) acc (recur (dec n) (+ acc n)))) (f 100 0)",
        "5050",
    );
    gives("(defn f [& xs :- [:vector :int]] (count xs)) (f 1 2)", "2");
    gives(
        "[(is? [:map :keyword :int] {:a 1}) (is? [:tuple :int :text] [1 2]) (is? [:enum 1 2] 2) (is? [:maybe :int] nil)]",
        "[true false true true]",
    );
    fails("(defn f [x :- :nope] x)", Kind::Syntax, (1, 15), "no type :nope");
}

#[test]
fn a_namespace_names_its_definitions() {
    gives("(ns app.core) (defn f [x] (g x)) (defn g [x] (+ x 1)) [(f 1) (app.core/f 2)]", "[2 3]");
    gives("(ns a) (def count 7) (defn f [count] count) [count (f 1)]", "[7 1]");
    fails("(def x 1) (ns late)", Kind::Syntax, (1, 11), "first form");
    fails("(ns a (:require nowhere))", Kind::Unbound, (1, 1), "no namespace `nowhere`");
}
