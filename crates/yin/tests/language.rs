//! The language, form by form. `docs/yin.md` says the same in words.

mod common;

use common::{fails, gives, run, step};
use datom::Value;
use yin::{Kind, Limits, Machine, NoFacts, Outcome, Program};

#[test]
fn literals_stand_for_themselves() {
    for text in [
        "nil",
        "true",
        "false",
        "17",
        "-5",
        "2.5",
        "\"datom\"",
        ":status",
        ":a/b",
        "\\x",
        "[1 2 3]",
        "#{1 2}",
        "{:a 1, :b [2 3]}",
        "[]",
        "{}",
        "#{}",
        "()",
        "#inst \"2024-05-17T08:30:00Z\"",
        "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
        "123456789012345678901234567890",
        "576460752303423488",
        "1e300",
        "##Inf",
    ] {
        gives(text, text);
    }
    gives("", "nil");
    gives("1 2 3", "3");
}

#[test]
fn collections_may_hold_expressions() {
    gives("[(+ 1 2) [(+ 3 4)]]", "[3 [7]]");
    gives("{(+ 1 2) (+ 3 4)}", "{3 7}");
    gives("#{(+ 1 2) 4}", "#{3 4}");
    let many: String = (0..300).map(|n| format!("(+ 0 {n}) ")).collect();
    gives(&format!("(count [{many}])"), "300");
    gives(&format!("(count #{{{many}}})"), "300");
    let pairs: String = (0..150).map(|n| format!("(+ 0 {n}) {n} ")).collect();
    gives(&format!("(count {{{pairs}}})"), "150");
}

#[test]
fn quote_stands_for_what_is_written() {
    gives("'(+ 1 x)", "(+ 1 x)");
    gives("(quote [a b])", "[a b]");
    gives("'[:find ?x :where [?x :a _]]", "[:find ?x :where [?x :a _]]");
}

#[test]
fn only_nil_and_false_are_false() {
    gives("(if nil 1 2)", "2");
    gives("(if false 1 2)", "2");
    gives("(if 0 1 2)", "1");
    gives("(if \"\" 1 2)", "1");
    gives("(if [] 1)", "1");
    gives("(if false 1)", "nil");
    gives("(if (< 1 2) (if (> 1 2) :a :b) :c)", ":b");
}

#[test]
fn let_binds_one_name_after_the_other() {
    gives("(let [a 1 b (+ a 1) a (* b 10)] [a b])", "[20 2]");
    gives("(let [x 1] (let [x 2] x) x)", "1");
    gives("(let [])", "nil");
    gives("(let [x 5] (+ x 1) (* x 3))", "15");
}

#[test]
fn functions_close_over_what_they_see() {
    gives("((fn [x] (+ x 1)) 10)", "11");
    gives("((((fn [a] (fn [b] (fn [c] (- (- a b) c)))) 10) 3) 2)", "5");
    gives("(let [n 3 add (fn [x] (+ x n))] (let [n 100] (add 1)))", "4");
    gives("((fn fact [n] (if (= n 0) 1 (* n (fact (- n 1))))) 20)", "2432902008176640000");
    gives("(let [f (fn f [n] (fn [] (if (= n 0) :done ((f (- n 1))))))] ((f 3)))", ":done");
    gives("((fn [a & more] [a more]) 1 2 3)", "[1 [2 3]]");
    gives("((fn [& all] all))", "[]");
    // Closures of one loop keep the values of their own turn.
    gives(
        "(map (fn [f] (f)) (loop [n 0 fs []] (if (= n 3) fs (recur (inc n) (conj fs (fn [] n))))))",
        "[0 1 2]",
    );
}

#[test]
fn definitions_are_seen_by_everything_after_them_and_late_bound() {
    gives("(def x 7) (+ x 1)", "8");
    gives("(def x 7)", "7");
    gives("(defn f [n] (g n)) (defn g [n] (* n 2)) (f 21)", "42");
    gives("(defn f [] (g)) (defn g [] 1) (def a (f)) (defn g [] 2) [a (f)]", "[1 2]");
    gives("(defn f \"doc\" [x] x) (def y \"doc\" (f 3)) y", "3");
    gives("(def a/b 1) a/b", "1");
}

#[test]
fn a_program_can_give_a_built_in_name_another_meaning() {
    gives(
        "(defn f [] (+ 1 2)) (def a (f)) (defn + [a b] [a b]) [a (f) (reduce max [1 3])]",
        "[3 [1 2] 3]",
    );
    gives("(do (def inc dec) (inc 1))", "0");
    gives("(let [+ -] (+ 3 1))", "2");
    gives("(defn count [x] :mine) [(count [1 2]) (map inc [1 2])]", "[:mine [2 3]]");
}

#[test]
fn do_runs_in_order_and_gives_the_last() {
    gives("(do 1 2 3)", "3");
    gives("(do)", "nil");
    gives("(do (def a 1) (def b (+ a 1)) [a b])", "[1 2]");
}

#[test]
fn loops_turn_by_recur() {
    gives("(loop [n 5 acc 1] (if (= n 0) acc (recur (- n 1) (* acc n))))", "120");
    gives("(loop [a 1 b 2 n 0] (if (= n 3) [a b] (recur b a (inc n))))", "[2 1]");
    gives("(loop [a 1 b 2 n 0] (if (= n 1) [a b] (recur (+ a b) (+ a b) (inc n))))", "[3 3]");
    gives(
        "(loop [a 1 n 0] (let [b a] (if (= n 2) [a b] (recur (* a 10) (+ n (if (= b 1) 1 1))))))",
        "[100 100]",
    );
    gives("((fn [n acc] (if (= n 0) acc (recur (dec n) (+ acc n)))) 100 0)", "5050");
    gives("((fn [n & more] (if (= n 0) more (recur (dec n) (conj more n)))) 3)", "[3 2 1]");
    gives(
        "(loop [i 0 out []] (if (= i 2) out (recur (inc i) (conj out (loop [j 0 s 0] (if (> j i) s (recur (inc j) (+ s j))))))))",
        "[0 1]",
    );
}

#[test]
fn sugar_is_what_it_stands_for() {
    gives("[(and) (and 1) (and 1 2) (and 1 nil 2) (and false (fail 1))]", "[true 1 2 nil false]");
    gives(
        "[(or) (or nil 1) (or nil false) (or 1 (fail 1)) (or (or nil 2) 3)]",
        "[nil 1 false 1 2]",
    );
    gives("[(when true 1 2) (when nil 1) (when-not nil 1) (if-not 1 2 3)]", "[2 nil 1 3]");
    gives("[(if-let [x 1] (inc x) :no) (if-let [x nil] x :no) (when-let [x 5] x)]", "[2 :no 5]");
    gives("(let [x :outer] (if-let [x nil] 1 x))", ":outer");
    gives("[(cond false 1 :else 2) (cond (= 1 2) 1) (cond nil 1 true 3 :else 4)]", "[2 nil 3]");
    gives("(-> 5 inc (- 1) (* 2))", "10");
    gives("(->> [1 2 3] (map inc) (filter odd?))", "[3]");
    gives("(if (and (< 1 2) (or (= 1 2) (= 2 2))) :yes :no)", ":yes");
    gives("(if (not (and 1 nil)) :yes :no)", ":yes");
}

#[test]
fn operators_come_first_and_operands_from_left_to_right() {
    let trace = "(def seen []) (defn note [x] (def seen (conj seen x)) x) ";
    gives(&format!("{trace} ((do (note :f) +) (note 1) (note 2) (note 3)) seen"), "[:f 1 2 3]");
    gives(&format!("{trace} [(note 1) (note 2)] {{(note :a) (note 3)}} seen"), "[1 2 :a 3]");
    gives(&format!("{trace} (+ (note 1) (* (note 2) (note 3)) (note 4)) seen"), "[1 2 3 4]");
    gives(&format!("{trace} (< (note 1) (note 2)) (get {{}} (note 3) (note 4)) seen"), "[1 2 3 4]");
    // The operator is read before an operand gives its name another meaning.
    gives("(defn f [x] [:old x]) (f (do (defn f [x] [:new x]) 1))", "[:old 1]");
    // An unbound operator is found before its operands do anything.
    let error = run("(nobody (fail \"operand\"))").unwrap_err();
    assert_eq!(error.kind, Kind::Unbound);
    let error = run("(defn f [x] (nobody (/ 1 0))) (f 1)").unwrap_err();
    assert_eq!(error.kind, Kind::Unbound);
}

#[test]
fn integers_grow_and_shrink() {
    gives("(+ 576460752303423487 1)", "576460752303423488");
    gives("(- -576460752303423488 1)", "-576460752303423489");
    gives("(- (+ 576460752303423487 1) 1)", "576460752303423487");
    gives("(* 9999999999 9999999999 9999999999)", "999999999700000000029999999999");
    gives(
        "(loop [n 0 x 1] (if (= n 200) x (recur (inc n) (* x 2))))",
        "1606938044258990275541962092341162602522202993782792835301376",
    );
    gives("(quot (* 1000000000000 1000000000000) 1000000000000)", "1000000000000");
    gives("(= (* 4294967296 4294967296) 18446744073709551616)", "true");
    gives("(inc 9223372036854775807)", "9223372036854775808");
    gives("(- -9223372036854775808)", "9223372036854775808");
    gives("(* -1 -9223372036854775808)", "9223372036854775808");
    gives("(quot -9223372036854775808 -1)", "9223372036854775808");
    gives("(< 1 100000000000000000000)", "true");
}

#[test]
fn bits_go_on_with_the_sign_for_ever() {
    gives("[(bit-and -1 255) (bit-or 1 2 4) (bit-xor 5 1 1) (bit-not -1)]", "[255 7 5 0]");
    gives(
        "[(bit-and (pow 2 100) -1) (bit-not (pow 2 64))]",
        "[1267650600228229401496703205376 -18446744073709551617]",
    );
    gives(
        "[(bit-shift-left -1 3) (bit-shift-right -1 1000000000000) (bit-shift-right 5 300000)]",
        "[-8 -1 0]",
    );
    fails("(bit-shift-left 1 1000000000000)", Kind::Limit, (1, 1), "a shift by more than");
    fails("(bit-shift-left 1 262144)", Kind::Limit, (1, 1), "grows beyond");
    fails("(bit-shift-left 1 -1)", Kind::Type, (1, 1), "a distance from 0 up");
    fails("(bit-and 1 1.5)", Kind::Type, (1, 1), "`bit-and` wants integers");
}

#[test]
fn bytes_characters_and_instants_have_numbers() {
    gives(
        "[(vec #bytes \"00ff\") (first #bytes \"07\") (bytes #bytes \"01\")]",
        "[[0 255] 7 #bytes \"01\"]",
    );
    gives("(bytes->str (bytes (map #(+ % 1) (str->bytes \"HAL\"))))", "\"IBM\"");
    gives(
        "[(char (inc (int \\a))) (inst (int #inst \"2024-05-17T01:02:03.000004Z\"))]",
        "[\\b #inst \"2024-05-17T01:02:03.000004Z\"]",
    );
    fails("(bytes [256])", Kind::Type, (1, 1), "integers from 0 to 255");
    fails("(char 55296)", Kind::Type, (1, 1), "the code of a character");
    fails("(inst (pow 2 70))", Kind::Type, (1, 1), "microseconds");
}

#[test]
fn integers_and_floats_mix_by_rule() {
    gives(
        "[(+ 1 2.5) (* 2 0.5) (/ 6 3) (/ 1 2) (/ 2) (- 5) (- 2.5)]",
        "[3.5 1.0 2 0.5 0.5 -5 -2.5]",
    );
    gives("[(quot 7 2) (rem -7 3) (mod -7 3) (mod 7 -3) (mod 5.5 2)]", "[3 -1 2 -2 1.5]");
    gives(
        "[(= 1 1.0) (== 1 1.0) (not= 1 1.0) (< 1 1.5 2) (>= 3 3 2)]",
        "[false true true true true]",
    );
    gives(
        "[(int 2.9) (float 3) (round 2.5) (floor -1.5) (ceil 1.2) (sqrt 9)]",
        "[2 3.0 3 -2 2 3.0]",
    );
    gives("[(+) (*) (min 3 1 2) (max 1 2.5) (abs -3)]", "[0 1 1 2.5 3]");
    gives(
        "[(zero? 0.0) (pos? 1) (neg? -1) (even? 4) (odd? 100000000000000000001)]",
        "[true true true true true]",
    );
    gives(
        "[(parse-int \"42\") (parse-int \"x\") (parse-float \"2.5\") (* 1e200 1e200)]",
        "[42 nil 2.5 ##Inf]",
    );
    gives("(= 9007199254740993 9007199254740992.0)", "false");
    gives("(== 9007199254740993 9007199254740992.0)", "false");
    fails("(/ 1 0)", Kind::Arithmetic, (1, 1), "by zero");
    fails("(mod 1.5 0)", Kind::Arithmetic, (1, 1), "by zero");
    gives("(/ 1.0 0)", "##Inf");
}

#[test]
fn texts_are_text() {
    gives("(str \"a\" 1 :k nil \\c [1 \"x\"] 2.5)", "\"a1:kc[1 \\\"x\\\"]2.5\"");
    gives("[(subs \"héllo\" 1 3) (subs \"abc\" 1) (count \"héllo\")]", "[\"él\" \"bc\" 5]");
    gives(
        "[(split \"a b c\" \" \") (split-lines \"x\\ny\") (join \", \" [1 2]) (join [\"a\" \\b])]",
        "[[\"a\" \"b\" \"c\"] [\"x\" \"y\"] \"1, 2\" \"ab\"]",
    );
    gives("[(upper-case \"abc\") (lower-case \"ÄB\") (trim \"  x \")]", "[\"ABC\" \"äb\" \"x\"]");
    gives(
        "[(starts-with? \"abc\" \"ab\") (ends-with? \"abc\" \"bc\") (includes? \"abc\" \"d\") (index-of \"äbc\" \"c\")]",
        "[true true false 2]",
    );
    gives(
        "[(replace \"a-b-c\" \"-\" \"+\") (blank? \" \") (blank? nil) (pr-str \"a\" 1)]",
        "[\"a+b+c\" true true \"\\\"a\\\" 1\"]",
    );
    gives(
        "[(name :a/b) (namespace :a/b) (name 'x) (keyword \"k\") (keyword \"n\" \"k\") (symbol \"s\") (name \"a/b\")]",
        "[\"b\" \"a\" \"x\" :k :n/k s \"a/b\"]",
    );
    fails("(subs \"abc\" 2 9)", Kind::Range, (1, 1), "outside");
}

#[test]
fn collections_are_never_changed() {
    gives("(let [a [1 2 3] b (conj a 4) c (assoc a 0 9)] [a b c])", "[[1 2 3] [1 2 3 4] [9 2 3]]");
    gives(
        "[(get {:a 1} :a) (get {:a 1} :b) (get {:a 1} :b 0) (get [5 6] 1) (get [5] 3) (get #{1} 1) (get nil 1)]",
        "[1 nil 0 6 nil 1 nil]",
    );
    gives(
        "[(:a {:a 1}) (:b {:a 1} 2) (map :x [{:x 1} {:x 2}]) ((if true :a :b) {:a 3})]",
        "[1 2 [1 2] 3]",
    );
    gives(
        "[(get-in {:a {:b [1 2]}} [:a :b 1]) (assoc-in {:a {:b 1}} [:a :c] 2) (update {:a 1} :a + 10) (update-in {:a {:b 1}} [:a :b] inc)]",
        "[2 {:a {:b 1, :c 2}} {:a 11} {:a {:b 2}}]",
    );
    gives(
        "[(dissoc {:a 1 :b 2} :a) (disj #{1 2} 1) (merge {:a 1} {:b 2} {:a 3}) (select-keys {:a 1 :b 2} [:a :c])]",
        "[{:b 2} #{2} {:a 3, :b 2} {:a 1}]",
    );
    gives(
        "[(keys {:b 2 :a 1}) (vals {:b 2 :a 1}) (count {:a 1}) (contains? {:a nil} :a) (contains? #{1} 2) (empty? [])]",
        "[[:a :b] [1 2] 1 true false true]",
    );
    gives(
        "[(into [] #{3 1 2}) (into #{} [1 1 2]) (into {} [[:a 1] [:b 2]]) (conj {:a 1} [:b 2]) (vec {:a 1}) (set [1 1]) (zipmap [:a :b] [1 2])]",
        "[[1 2 3] #{1 2} {:a 1, :b 2} {:a 1, :b 2} [[:a 1]] #{1} {:a 1, :b 2}]",
    );
    gives("(= {:a [1 #{2}]} (assoc {} :a [1 (conj #{} 2)]))", "true");
    fails("(assoc {} :a)", Kind::Arity, (1, 1), "at least 3");
    fails("(assoc {} :a 1 :b)", Kind::Arity, (1, 1), "without a value");
    fails("(assoc [1] 5 1)", Kind::Range, (1, 1), "index 5 of 1");
}

#[test]
fn sequences_work_on_anything_with_elements() {
    gives(
        "[(first [1 2]) (first nil) (second \"ab\") (last #{1 3}) (rest [1 2 3]) (rest []) (nth [1 2] 1) (nth [1] 5 :no)]",
        "[1 nil \\b 3 [2 3] [] 2 :no]",
    );
    gives(
        "[(take 2 [1 2 3]) (drop 2 [1 2 3]) (reverse [1 2]) (concat [1] nil #{2} '(3)) (cons 0 [1]) (pop [1 2]) (peek [1 2])]",
        "[[1 2] [3] [2 1] [1 2 3] [0 1] [1] 2]",
    );
    gives(
        "[(range 3) (range 1 4) (range 0 10 5) (range 3 0 -1) (range 0 1 0.5)]",
        "[[0 1 2] [1 2 3] [0 5] [3 2 1] [0 0.5]]",
    );
    gives(
        "[(distinct [1 2 1]) (frequencies \"aab\") (partition-all 2 [1 2 3]) (flatten [1 [2 [3]]]) (interpose 0 [1 2]) (repeat 2 :x) (subvec [1 2 3] 1 2)]",
        "[[1 2] {\\a 2, \\b 1} [[1 2] [3]] [1 2 3] [1 0 2] [:x :x] [2]]",
    );
    gives(
        "[(map inc [1 2]) (map + [1 2] [10 20 30]) (map first {:a 1}) (map-indexed (fn [i x] [i x]) \"ab\") (mapcat range [1 2])]",
        "[[2 3] [11 22] [:a] [[0 \\a] [1 \\b]] [0 0 1]]",
    );
    gives(
        "[(filter odd? (range 5)) (remove odd? (range 5)) (keep :x [{:x 1} {}]) (some even? [1 2]) (every? odd? [1 3]) (take-while pos? [1 -1 2]) (drop-while pos? [1 -1 2])]",
        "[[1 3] [0 2 4] [1] true true [1] [-1 2]]",
    );
    gives(
        "[(reduce + [1 2 3]) (reduce + 10 [1]) (reduce + []) (reduce-kv (fn [s k v] (+ s v)) 0 {:a 1 :b 2}) (group-by odd? [1 2 3])]",
        "[6 11 0 3 {false [2], true [1 3]}]",
    );
    gives(
        "[(sort [3 1 2]) (sort > [3 1 2]) (sort-by - [3 1 2]) (sort-by first [[2 :a] [1 :b]]) (sort-by count > [\"a\" \"bbb\"]) (sort compare [\"b\" \"a\"])]",
        "[[1 2 3] [3 2 1] [3 2 1] [[1 :b] [2 :a]] [\"bbb\" \"a\"] [\"a\" \"b\"]]",
    );
    gives(
        "[(apply + [1 2]) (apply + 1 2 [3]) (apply str (range 300)) ((comp inc inc) 1) ((partial - 10) 3) ((juxt first last) [1 2]) ((complement nil?) 1) ((constantly 5) 1 2)]",
        &format!(
            "[3 6 \"{}\" 3 7 [1 2] true 5]",
            (0..300).map(|n| n.to_string()).collect::<String>()
        ),
    );
    fails("(nth [1] 1)", Kind::Range, (1, 1), "index 1 of 1");
    fails("(map inc 5)", Kind::Type, (1, 1), "`vec` wants a collection");
}

#[test]
fn what_a_value_is_can_be_asked() {
    gives(
        "(map type [nil true 1 1.5 \"a\" :a 'a \\a [1] '(1) {} #{} inc (error :x \"y\")])",
        "[:nil :boolean :integer :float :text :keyword :symbol :character :vector :list :map :set :function :error]",
    );
    gives(
        "[(fn? inc) (fn? (fn [] 1)) (coll? [1]) (string? \"a\") (list? '(1)) (some? nil) (true? 1) (boolean 1)]",
        "[true true true true true false false true]",
    );
    gives("[(compare 1 2) (compare :b :a) (compare [1] [1]) (= [1] '(1))]", "[-1 1 0 false]");
    gives("(= (gensym) (gensym))", "false");
    gives("(gensym \"t\")", ":t-1");
}

#[test]
fn errors_are_values_until_they_end_the_program() {
    gives(
        "(let [e (error :my/kind \"bad\")] [(error? e) (error-message e) (error-kind e) (error? 1)])",
        "[true \"bad\" :my/kind false]",
    );
    fails("(let [x 1]\n  (fail \"no good\"))", Kind::Failed, (2, 3), "no good");
    fails("(fail (error :a \"from value\"))", Kind::Failed, (1, 1), "from value");
    fails("(+ 1 (error :a \"used\"))", Kind::Type, (1, 1), "error value: used");
    let error = run("(fail {:code 7})").unwrap_err();
    assert_eq!(error.value.as_deref(), Some(&datom::edn::read("{:code 7}").unwrap()));
}

#[test]
fn errors_name_the_place_and_the_calls() {
    let source = "(defn g [x]\n  (+ x \"a\"))\n(defn f [x]\n  (let [y (g x)]\n    (+ y 1)))\n(f 1)";
    let error = run(source).unwrap_err();
    assert_eq!(error.to_string(), "test.yin:2:3: `+` wants numbers, not a text: \"a\"");
    let calls: Vec<String> = error
        .calls
        .iter()
        .map(|call| format!("{}:{}", call.function, call.position.as_ref().unwrap().line))
        .collect();
    assert_eq!(calls, ["g:2", "f:4", "test.yin:6"]);
    // A fault inside the language's own functions is shown at the call of the program.
    fails("\n(map (fn [x]\n  (inc x)) [:a])", Kind::Type, (3, 3), "not a keyword");
    fails("\n (reduce 5 [1 2])", Kind::Type, (2, 2), "non-function");
}

#[test]
fn every_kind_of_mistake_has_its_own_error() {
    fails("(+ 1 unknown)", Kind::Unbound, (1, 6), "nothing is called `unknown`");
    fails("(5 1)", Kind::Type, (1, 1), "non-function: 5 is an integer");
    fails("((fn [x] x))", Kind::Arity, (1, 1), "`fn` takes 1 argument, not 0");
    fails("(defn f [a b] a) (f 1)", Kind::Arity, (1, 18), "`f` takes 2 arguments, not 1");
    fails("((fn [a & b] a))", Kind::Arity, (1, 1), "at least 1");
    fails("(count 1 2)", Kind::Arity, (1, 1), "`count` takes 1 arguments, not 2");
    fails("(:a)", Kind::Arity, (1, 1), "a keyword takes");
    fails("(< 1 :a)", Kind::Type, (1, 1), "`<` wants numbers");
    fails("(if (< nil 1) 1 2)", Kind::Type, (1, 5), "`<` wants numbers, not nil");
    fails("(nth [1] 1.0)", Kind::Type, (1, 1), "index");
    fails("(- \"a\" 1)", Kind::Type, (1, 1), "`-` wants numbers");
    fails("(q '[:find ?x])", Kind::Database, (1, 1), "no database");
    let error = run("(cuont [1])").unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean `count`?"));
}

#[test]
fn performing_parks_until_the_answer_comes() {
    let program =
        Program::read("p", "(+ 1 (* 2 (perform :math/add 3 (perform :math/id 4))))").unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    let Outcome::Perform { id, op, args } = machine.run(100) else { panic!() };
    assert_eq!((op.as_str(), args), ("math/id", vec![Value::Int(4)]));
    assert!(machine.resume(id + 1, Ok(Value::Nil)).is_err(), "answers go by id");
    assert!(matches!(machine.run(100), Outcome::Failed(error) if error.kind == Kind::State));
    machine.resume(id, Ok(Value::Int(4))).unwrap();
    let Outcome::Perform { id, args, .. } = machine.run(100) else { panic!() };
    assert_eq!(args, [Value::Int(3), Value::Int(4)]);
    machine.resume(id, Ok(Value::Int(7))).unwrap();
    assert!(machine.resume(id, Ok(Value::Int(7))).is_err(), "each request is answered once");
    assert_eq!(machine.run(100), Outcome::Done(Value::Int(15)));
}

#[test]
fn a_refused_request_is_an_error_value() {
    let source =
        "(let [x (perform :fs/read \"f\")] (if (error? x) [(error-kind x) (error-message x)] x))";
    let mut machine = Machine::new(NoFacts, Limits::default());
    for (answer, expected) in [
        ("{:kind :fs/denied :message \"no\"}", "[:fs/denied \"no\"]"),
        ("\"just text\"", "[:error \"just text\"]"),
        (":code", "[:error \":code\"]"),
    ] {
        machine.start(&Program::read("p", source).unwrap()).unwrap();
        let Outcome::Perform { id, .. } = machine.run(100) else { panic!() };
        machine.resume(id, Err(datom::edn::read(answer).unwrap())).unwrap();
        assert_eq!(machine.run(100), Outcome::Done(datom::edn::read(expected).unwrap()));
    }
}

#[test]
fn a_parked_program_tells_where_it_waits_and_with_what() {
    let source = "(defn ask [question]\n  (str (perform :user/ask question) \"!\"))\n(let [who \"Ada\"] (str who (ask :name)))";
    let program = Program::read("p.yin", source).unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    assert!(matches!(machine.run(100), Outcome::Perform { .. }));
    let levels = machine.levels();
    let told: Vec<String> = levels
        .iter()
        .map(|level| {
            let names: Vec<String> =
                level.names.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} {} {}", level.function, level.position.as_ref().unwrap(), names.join(","))
        })
        .collect();
    assert_eq!(told, ["ask p.yin:2:8 question=:name", "p.yin p.yin:3:27 who=\"Ada\""]);
    let tree = program.tree();
    let perform = tree.ids().find(|&id| tree.node(id).type_name() == "perform").unwrap();
    assert_eq!(levels[0].node, tree.hash(perform));
}

#[test]
fn definitions_outlive_programs_and_failures() {
    let mut machine = Machine::new(NoFacts, Limits::default());
    step(&mut machine, "(def x 1) (defn f [n] (+ n x))").unwrap();
    assert!(step(&mut machine, "(def y 2) (f :a) (def z 3)").is_err());
    assert_eq!(step(&mut machine, "(f y)").unwrap(), Value::Int(3));
    assert_eq!(step(&mut machine, "z").unwrap_err().kind, Kind::Unbound);
    machine.define("args", &Value::Vector(vec!["a".into()])).unwrap();
    assert_eq!(step(&mut machine, "(first args)").unwrap(), Value::text("a"));
    let names: Vec<String> =
        machine.definitions().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["x", "f", "y", "args"]);
}

#[test]
fn functions_leave_the_machine_by_name_only() {
    gives("(defn f [] 1)", "#yin/function f");
    gives(
        "[inc (fn g [] 1) (let [x 1] (fn [] x))]",
        "[#yin/function inc #yin/function g #yin/function fn]",
    );
}
