//! An AST in a database that was edited by hostile hands: dangling references, cycles, wrong types. It
//! is loaded as it was, or refused; what is loaded runs within its bounds.
#![no_main]

use std::collections::BTreeMap;

use datom::{Value, edn};
use libfuzzer_sys::fuzz_target;
use yin::{Code, Limits, Machine, NoFacts, Program};

const SOURCE: &str = "\
(def limit 10)
(defn twice [x] (* 2 x))
(defn walk [f & more] (loop [n 0 out []] (if (= n limit) out (recur (inc n) (conj out (f n))))))
(let [greeting \"a longer text\"] (or (walk twice) greeting))
(do (stream/make 4) (perform :fs/read '(x [y])) (fn self [] (self)))";

/// Entities by number; a node and the program by hash as well.
struct Facts {
    entities: Vec<BTreeMap<Value, Value>>,
    hashes: BTreeMap<Value, usize>,
}

impl Code for Facts {
    fn entity(&self, name: &Value) -> Result<Option<Value>, String> {
        let at = match name {
            Value::Ref(id) => usize::try_from(*id).ok(),
            other => self.hashes.get(other).copied(),
        };
        let found = at.and_then(|at| Some((at, self.entities.get(at)?)));
        Ok(found.map(|(at, map)| {
            let mut map = map.clone();
            map.insert(Value::keyword("db/id"), Value::Ref(at as u64));
            Value::Map(map)
        }))
    }
}

/// The facts of a program, with references by number.
fn facts(program: &Program) -> Facts {
    let data = program.transaction();
    let id = |form: &Value| form.get("db/id").cloned();
    let mut numbers = BTreeMap::new();
    for form in &data {
        if let Some(id) = id(form) {
            let next = numbers.len();
            numbers.entry(id).or_insert(next);
        }
    }
    let mut facts =
        Facts { entities: vec![BTreeMap::new(); numbers.len()], hashes: BTreeMap::new() };
    let number = |value: &Value| match (numbers.get(value), value.as_slice()) {
        (Some(&at), _) => Value::Ref(at as u64),
        _ => value.clone(),
    };
    for form in &data {
        match (form.as_map(), form.as_slice()) {
            (Some(map), _) => {
                let at = numbers[&id(form).unwrap()];
                for (attribute, value) in map {
                    facts.entities[at].insert(attribute.clone(), number(value));
                    if let Value::Hash(_) = value {
                        let lookup = Value::Vector(vec![attribute.clone(), value.clone()]);
                        facts.hashes.insert(lookup, at);
                    }
                }
            }
            (_, Some([_, id, attribute, value])) => {
                facts.entities[numbers[id]].insert(attribute.clone(), value.clone());
            }
            _ => {}
        }
    }
    facts
}

fuzz_target!(|data: &[u8]| {
    // As an AST in map form.
    if let Some(Ok(ast)) = std::str::from_utf8(data).ok().map(edn::read)
        && let Ok(program) = Program::from_ast("fuzz", &ast)
    {
        run(&program);
    }
    // As edits of a stored program: which entity, which of its attributes, and what instead.
    let program = Program::read("p.yin", SOURCE).unwrap();
    let mut facts = facts(&program);
    for edit in data.chunks_exact(4) {
        let at = usize::from(edit[0]) % facts.entities.len();
        let other = usize::from(edit[2]) % facts.entities.len();
        let taken = facts.entities[other].values().nth(usize::from(edit[3] % 8)).cloned();
        let map = &mut facts.entities[at];
        let Some(attribute) = map.keys().nth(usize::from(edit[1] >> 3) % map.len().max(1)).cloned()
        else {
            continue;
        };
        match edit[1] % 8 {
            0 => drop(map.remove(&attribute)),
            1 => drop(map.insert(attribute, Value::Ref(other as u64))),
            2 => drop(map.insert(attribute, Value::Ref(u64::from(edit[3]) + 1_000))),
            3 => drop(map.insert(attribute, Value::Int(i64::from(edit[3])))),
            4 => drop(map.insert(attribute, Value::Vector(taken.into_iter().collect()))),
            5 => drop(map.insert(attribute, Value::keyword("yin.type/loop"))),
            _ => drop(taken.map(|taken| map.insert(attribute, taken))),
        }
    }
    if let Ok(loaded) = Program::load(&facts, &program.entity()) {
        run(&loaded);
    }
});

fn run(program: &Program) {
    let mut machine = Machine::new(NoFacts, Limits::default().heap_words(1 << 18));
    machine.start(program).unwrap();
    let _outcome = machine.run(20_000);
}
