//! Random programs against an evaluator that does the obvious thing with host values.

use std::collections::BTreeMap;

use datom::Value;
use num_bigint::BigInt;
use proptest::prelude::*;

use super::{Engine, Limits, Machine, Outcome};
use crate::facts::NoFacts;
use crate::program::Program;

/// A program of the part of the language that the evaluator knows. Every value is an integer or a
/// vector, and every operation is applied to what it takes, so every program has a value.
#[derive(Clone, Debug)]
enum Int {
    Literal(i64),
    /// The n-th name in scope, counted from the outermost; 7 where there is none.
    Name(usize),
    Operation(&'static str, Vec<Int>),
    If(Box<Test>, Box<Int>, Box<Int>),
    Let(Box<Int>, Box<Int>),
    /// `((fn [x y] body) a b)`, through a value so that it is a real call.
    Call(Box<Int>, Box<Int>, Box<Int>),
    /// A loop of so many turns that adds the body, which sees the counter.
    Loop(u8, Box<Int>),
    Count(Box<List>),
    Sum(Box<List>),
    Nth(usize, Box<List>),
}

#[derive(Clone, Debug)]
enum Test {
    Compare(&'static str, Int, Int),
    Not(Box<Test>),
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
}

#[derive(Clone, Debug)]
enum List {
    Literal(Vec<Int>),
    Conj(Box<List>, Int),
    Map(Box<List>, Int),
    Filter(Box<List>, Test),
    Sort(Box<List>),
    Concat(Box<List>, Box<List>),
    /// Through a map and back: distinct, sorted keys.
    Keys(Box<List>),
    Rest(Box<List>),
}

fn int() -> impl Strategy<Value = Int> {
    let border = (1i64 << 59) - 1;
    let leaf = prop_oneof![
        4 => (-9..100i64).prop_map(Int::Literal),
        1 => prop::sample::select(vec![border, -border - 1, i64::MAX, i64::MIN, 40_000, -40_000]).prop_map(Int::Literal),
        4 => (0..6usize).prop_map(Int::Name),
    ];
    leaf.prop_recursive(5, 70, 4, |inner| {
        let test = test(inner.clone());
        let list = list(inner.clone());
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            4 => (prop::sample::select(vec!["+", "-", "*"]), prop::collection::vec(inner.clone(), 1..4))
                .prop_map(|(name, operands)| Int::Operation(name, operands)),
            1 => (prop::sample::select(vec!["min", "max"]), prop::collection::vec(inner, 1..4))
                .prop_map(|(name, operands)| Int::Operation(name, operands)),
            2 => (test.prop_map(Box::new), boxed.clone(), boxed.clone())
                .prop_map(|(test, a, b)| Int::If(test, a, b)),
            2 => (boxed.clone(), boxed.clone()).prop_map(|(value, body)| Int::Let(value, body)),
            2 => (boxed.clone(), boxed.clone(), boxed.clone()).prop_map(|(body, a, b)| Int::Call(body, a, b)),
            1 => (0..5u8, boxed).prop_map(|(turns, body)| Int::Loop(turns, body)),
            1 => list.clone().prop_map(|list| Int::Count(Box::new(list))),
            2 => list.clone().prop_map(|list| Int::Sum(Box::new(list))),
            1 => (0..9usize, list).prop_map(|(at, list)| Int::Nth(at, Box::new(list))),
        ]
    })
}

fn test(int: impl Strategy<Value = Int> + Clone + 'static) -> impl Strategy<Value = Test> + Clone {
    let compare = prop::sample::select(vec!["<", "<=", ">", ">=", "=", "not="]);
    (compare, int.clone(), int).prop_map(|(name, a, b)| Test::Compare(name, a, b)).prop_recursive(
        2,
        6,
        2,
        |inner| {
            let boxed = inner.prop_map(Box::new);
            prop_oneof![
                boxed.clone().prop_map(Test::Not),
                (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Test::And(a, b)),
                (boxed.clone(), boxed).prop_map(|(a, b)| Test::Or(a, b)),
            ]
        },
    )
}

fn list(int: impl Strategy<Value = Int> + Clone + 'static) -> impl Strategy<Value = List> + Clone {
    let literal = prop::collection::vec(int.clone(), 0..5).prop_map(List::Literal);
    literal.prop_recursive(3, 12, 2, move |inner| {
        let boxed = inner.prop_map(Box::new);
        prop_oneof![
            (boxed.clone(), int.clone()).prop_map(|(list, x)| List::Conj(list, x)),
            (boxed.clone(), int.clone()).prop_map(|(list, body)| List::Map(list, body)),
            (boxed.clone(), test(int.clone())).prop_map(|(list, test)| List::Filter(list, test)),
            boxed.clone().prop_map(List::Sort),
            (boxed.clone(), boxed.clone()).prop_map(|(a, b)| List::Concat(a, b)),
            boxed.clone().prop_map(List::Keys),
            boxed.prop_map(List::Rest),
        ]
    })
}

/// Source text. Names are `a`, `b`, … by depth.
struct Writer {
    depth: usize,
}

fn name(depth: usize) -> String {
    format!("n{depth}")
}

impl Writer {
    fn int(&mut self, int: &Int) -> String {
        match int {
            Int::Literal(n) => n.to_string(),
            Int::Name(_) if self.depth == 0 => "7".to_owned(),
            Int::Name(at) => name(at % self.depth),
            Int::Operation(op, operands) => {
                let operands: Vec<String> = operands.iter().map(|x| self.int(x)).collect();
                format!("({op} {})", operands.join(" "))
            }
            Int::If(test, a, b) => {
                format!("(if {} {} {})", self.test(test), self.int(a), self.int(b))
            }
            Int::Let(value, body) => {
                let value = self.int(value);
                let body = self.under(1, |this| this.int(body));
                format!("(let [{} {value}] {body})", name(self.depth))
            }
            Int::Call(body, a, b) => {
                let (a, b) = (self.int(a), self.int(b));
                let (x, y) = (name(self.depth), name(self.depth + 1));
                let body = self.under(2, |this| this.int(body));
                format!("((identity (fn [{x} {y}] {body})) {a} {b})")
            }
            Int::Loop(turns, body) => {
                let n = name(self.depth);
                let body = self.under(1, |this| this.int(body));
                format!(
                    "(loop [{n} 0 sum 0] (if (= {n} {turns}) sum (recur (+ {n} 1) (+ sum {body}))))"
                )
            }
            Int::Count(list) => format!("(count {})", self.list(list)),
            Int::Sum(list) => format!("(reduce + 0 {})", self.list(list)),
            Int::Nth(at, list) => format!("(nth {} {at} -1)", self.list(list)),
        }
    }

    fn under(&mut self, names: usize, inside: impl FnOnce(&mut Self) -> String) -> String {
        self.depth += names;
        let text = inside(self);
        self.depth -= names;
        text
    }

    fn test(&mut self, test: &Test) -> String {
        match test {
            Test::Compare(op, a, b) => format!("({op} {} {})", self.int(a), self.int(b)),
            Test::Not(a) => format!("(not {})", self.test(a)),
            Test::And(a, b) => format!("(and {} {})", self.test(a), self.test(b)),
            Test::Or(a, b) => format!("(or {} {})", self.test(a), self.test(b)),
        }
    }

    fn list(&mut self, list: &List) -> String {
        match list {
            List::Literal(items) => {
                let items: Vec<String> = items.iter().map(|x| self.int(x)).collect();
                format!("[{}]", items.join(" "))
            }
            List::Conj(list, x) => format!("(conj {} {})", self.list(list), self.int(x)),
            List::Map(list, body) => {
                let list = self.list(list);
                let body = self.under(1, |this| this.int(body));
                format!("(map (fn [{}] {body}) {list})", name(self.depth))
            }
            List::Filter(list, test) => {
                let list = self.list(list);
                let test = self.under(1, |this| this.test(test));
                format!("(filter (fn [{}] {test}) {list})", name(self.depth))
            }
            List::Sort(list) => format!("(sort {})", self.list(list)),
            List::Concat(a, b) => format!("(concat {} {})", self.list(a), self.list(b)),
            List::Keys(list) => {
                format!("(keys (into {{}} (map (fn [x] [x 1]) {})))", self.list(list))
            }
            List::Rest(list) => format!("(rest {})", self.list(list)),
        }
    }
}

/// The obvious thing. Names are the values in scope, outermost first.
struct Direct {
    names: Vec<BigInt>,
}

impl Direct {
    fn int(&mut self, int: &Int) -> BigInt {
        match int {
            Int::Literal(n) => BigInt::from(*n),
            Int::Name(_) if self.names.is_empty() => BigInt::from(7),
            Int::Name(at) => self.names[at % self.names.len()].clone(),
            Int::Operation(op, operands) => {
                let values: Vec<BigInt> = operands.iter().map(|x| self.int(x)).collect();
                let mut rest = values.iter().skip(1).cloned();
                let first = values[0].clone();
                match *op {
                    "+" => rest.fold(first, |a, b| a + b),
                    "-" if values.len() == 1 => -first,
                    "-" => rest.fold(first, |a, b| a - b),
                    "*" => rest.fold(first, |a, b| a * b),
                    "min" => rest.fold(first, Ord::min),
                    _ => rest.try_fold(first, |a, b| Some(Ord::max(a, b))).unwrap(),
                }
            }
            Int::If(test, a, b) => {
                if self.test(test) {
                    self.int(a)
                } else {
                    self.int(b)
                }
            }
            Int::Let(value, body) => {
                let value = self.int(value);
                self.under(vec![value], |this| this.int(body))
            }
            Int::Call(body, a, b) => {
                let values = vec![self.int(a), self.int(b)];
                self.under(values, |this| this.int(body))
            }
            Int::Loop(turns, body) => {
                (0..*turns).map(|n| self.under(vec![n.into()], |this| this.int(body))).sum()
            }
            Int::Count(list) => self.list(list).len().into(),
            Int::Sum(list) => self.list(list).into_iter().sum(),
            Int::Nth(at, list) => self.list(list).get(*at).cloned().unwrap_or((-1).into()),
        }
    }

    fn under<T>(&mut self, values: Vec<BigInt>, inside: impl FnOnce(&mut Self) -> T) -> T {
        let height = self.names.len();
        self.names.extend(values);
        let result = inside(self);
        self.names.truncate(height);
        result
    }

    fn test(&mut self, test: &Test) -> bool {
        match test {
            Test::Compare(op, a, b) => {
                let (a, b) = (self.int(a), self.int(b));
                match *op {
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    ">=" => a >= b,
                    "=" => a == b,
                    _ => a != b,
                }
            }
            Test::Not(a) => !self.test(a),
            Test::And(a, b) => self.test(a) && self.test(b),
            Test::Or(a, b) => self.test(a) || self.test(b),
        }
    }

    fn list(&mut self, list: &List) -> Vec<BigInt> {
        match list {
            List::Literal(items) => items.iter().map(|x| self.int(x)).collect(),
            List::Conj(list, x) => {
                let mut items = self.list(list);
                items.push(self.int(x));
                items
            }
            List::Map(list, body) => {
                let items = self.list(list);
                items.into_iter().map(|x| self.under(vec![x], |this| this.int(body))).collect()
            }
            List::Filter(list, test) => {
                let items = self.list(list);
                items
                    .into_iter()
                    .filter(|x| self.under(vec![x.clone()], |this| this.test(test)))
                    .collect()
            }
            List::Sort(list) => {
                let mut items = self.list(list);
                items.sort();
                items
            }
            List::Concat(a, b) => {
                let mut items = self.list(a);
                items.extend(self.list(b));
                items
            }
            List::Keys(list) => {
                let keys: BTreeMap<BigInt, ()> =
                    self.list(list).into_iter().map(|key| (key, ())).collect();
                keys.into_keys().collect()
            }
            List::Rest(list) => self.list(list).into_iter().skip(1).collect(),
        }
    }
}

fn run(source: &str, slice: u64, engine: Engine) -> Value {
    let program = Program::read("t", source).unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default()).with_engine(engine);
    machine.start(&program).unwrap();
    loop {
        match machine.run(slice) {
            Outcome::Done(value) => return value,
            Outcome::OutOfFuel => {}
            other => panic!("{source}: {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn programs_have_the_values_they_obviously_have_on_both_engines(program in int(), slice in 1..50u64) {
        let expected = Value::integer(Direct { names: Vec::new() }.int(&program));
        let source = Writer { depth: 0 }.int(&program);
        // The same inside a function, where the last thing done is a tail call.
        let inside = format!("(defn f [] {source}) (f)");
        for engine in [Engine::Register, Engine::Stepper] {
            prop_assert_eq!(run(&source, u64::MAX, engine), expected.clone(), "{}", source);
            prop_assert_eq!(run(&inside, slice, engine), expected.clone(), "{}", source);
        }
    }
}

#[test]
fn a_machine_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Machine>();
}

#[test]
fn an_empty_program_is_nil_even_after_another() {
    let mut machine = Machine::new(NoFacts, Limits::default());
    for (source, expected) in [("5", Value::Int(5)), ("", Value::Nil)] {
        machine.start(&Program::read("t", source).unwrap()).unwrap();
        assert_eq!(machine.run(10), Outcome::Done(expected));
    }
}

#[test]
fn collections_keep_what_globals_closures_and_waiting_calls_hold() {
    let source = "(def kept [\"a long text\" {:a 1.5e300}])
                  (defn counter [start] (fn [n] [start n]))
                  (def closure (counter [\"captured\" 1]))
                  (defn churn [n] (loop [n n] (if (= n 0) nil (do [n [n]] (recur (dec n))))))
                  (defn wait [held] (let [answer (perform :ask)] (churn 50) [held answer]))
                  (let [got (wait (vec (range 40)))] (churn 50) [kept (closure 2) (count (first got)) (second got)])";
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&Program::read("t", source).unwrap()).unwrap();
    let Outcome::Perform { id, .. } = machine.run(1_000) else { panic!() };
    machine.resume(id, Ok(Value::text("a long answer"))).unwrap();
    let Outcome::Done(value) = machine.run(10_000) else { panic!() };
    let expected = r#"[["a long text" {:a 1.5e300}] [["captured" 1] 2] 40 "a long answer"]"#;
    assert_eq!(value, datom::edn::read(expected).unwrap());
    assert!(machine.collections() > 100);
}

#[test]
fn collections_keep_what_continuations_handlers_and_bindings_hold() {
    let source = "(def *name* \"outside of all\")
                  (defn churn [n] (loop [n n] (if (= n 0) nil (do [n [n]] (recur (dec n))))))
                  (defn wait [held] (let [answer (control :p k [k held])] (churn 50) [held answer *name*]))
                  (let [got (prompt :p (binding [*name* \"a bound name\"]
                              (try (wait \"held over the cut\") (catch e \"never\"))))]
                    (churn 50)
                    [(second got) ((first got) \"a first answer\") ((first got) \"a second one\")
                     (try (do (churn 20) (throw [\"thrown\"])) (catch e (churn 20) e))])";
    let expected = r#"["held over the cut"
                       ["held over the cut" "a first answer" "a bound name"]
                       ["held over the cut" "a second one" "a bound name"] ["thrown"]]"#;
    for engine in [Engine::Register, Engine::Stepper] {
        assert_eq!(run(source, 7, engine), datom::edn::read(expected).unwrap());
    }
}
