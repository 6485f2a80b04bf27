//! Live code: functions are redefined under programs that run.

mod common;

use daodb::Database;
use datom::{Value, edn};
use yin::{Engine, Kind, Limits, Machine, NoFacts, Outcome, Program, State};

fn read(name: &str, source: &str) -> Program {
    Program::read(name, source).unwrap()
}

fn machine(engine: Engine, source: &str) -> Machine {
    let mut machine = Machine::new(NoFacts, Limits::default()).with_engine(engine);
    machine.start(&read("old.yin", source)).unwrap();
    machine
}

const ENGINES: [Engine; 2] = [Engine::Register, Engine::Stepper];

fn value(machine: &mut Machine) -> Value {
    match machine.run(100_000) {
        Outcome::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_next_call_is_of_the_new_function() {
    for engine in ENGINES {
        let source =
            "(defn f [] :old) (loop [] (if (= (f) :old) (recur) [(f) (map (fn [_] (f)) [1])]))";
        let mut machine = machine(engine, source);
        assert_eq!(machine.run(5_000), Outcome::OutOfFuel);
        machine.redefine(&"f".into(), &read("new.yin", "(defn f [] :new)")).unwrap();
        assert_eq!(value(&mut machine), edn::read("[:new [:new]]").unwrap());
    }
}

#[test]
fn calls_that_wait_and_functions_that_are_held_go_on_as_they_were() {
    for engine in ENGINES {
        let source = "(defn f [n] (if (= n 0) (perform :ask) nil) [:old n])
                      (def held f)
                      [(f 0) (f 1) (held 2)]";
        let mut machine = machine(engine, source);
        let Outcome::Perform { id, .. } = machine.run(5_000) else { panic!() };
        machine.redefine(&"f".into(), &read("new.yin", "(defn f [n] [:new n])")).unwrap();
        machine.resume(id, Ok(Value::Nil)).unwrap();
        assert_eq!(value(&mut machine), edn::read("[[:old 0] [:new 1] [:old 2]]").unwrap());
    }
}

#[test]
fn a_recursion_changes_under_way() {
    for engine in ENGINES {
        let source = "(defn sum [n] (if (= n 5) (perform :ask) nil) (if (= n 0) 0 (+ n (sum (- n 1))))) (sum 10)";
        let mut machine = machine(engine, source);
        let Outcome::Perform { id, .. } = machine.run(5_000) else { panic!() };
        machine.redefine(&"sum".into(), &read("new.yin", "(defn sum [n] 1000)")).unwrap();
        machine.resume(id, Ok(Value::Nil)).unwrap();
        // 10 to 5 are added by the old code, which calls the new one then.
        assert_eq!(value(&mut machine), Value::Int(1_045));
    }
}

#[test]
fn what_was_redefined_before_a_program_defines_it_stays_so() {
    for engine in ENGINES {
        let mut machine = machine(engine, "(def limit 5) (defn f [] [:old limit]) (f)");
        machine.redefine(&"f".into(), &read("new.yin", "(defn f [] [:new limit])")).unwrap();
        assert_eq!(value(&mut machine), edn::read("[:new 5]").unwrap());
    }
}

#[test]
fn a_state_takes_the_new_function_along() {
    for (engine, other) in
        [(Engine::Register, Engine::Stepper), (Engine::Stepper, Engine::Register)]
    {
        let (old, new) = (
            read("old.yin", "(defn f [x] (+ x 1)) [(f (perform :ask)) (f 1)]"),
            read("new.yin", "(defn f [x] (* x 10))"),
        );
        let mut machine = Machine::new(NoFacts, Limits::default()).with_engine(engine);
        machine.start(&old).unwrap();
        let Outcome::Perform { id, .. } = machine.run(5_000) else { panic!() };
        machine.redefine(&"f".into(), &new).unwrap();
        let state = State::from_bytes(&machine.capture().unwrap().to_bytes()).unwrap();
        let mut there = Machine::new(NoFacts, Limits::default()).with_engine(other);
        let known = |hash: &[u8; 32]| [&old, &new].into_iter().find(|p| p.hash() == *hash).cloned();
        there.restore(&state, known).unwrap();
        there.resume(id, Ok(7.into())).unwrap();
        // The operator of the call that waits was evaluated before: first the operator, then operands.
        let Outcome::Done(value) = there.run(5_000) else { panic!() };
        assert_eq!(value.as_slice().unwrap()[1], Value::Int(10));
    }
}

#[test]
fn what_defines_no_such_function_is_refused() {
    let mut machine = machine(Engine::Register, "(defn f [] 1) (f)");
    for source in ["(defn g [] 1)", "(def f 5)", "(def f (let [x 1] (fn [] x)))"] {
        let error = machine.redefine(&"f".into(), &read("new.yin", source)).unwrap_err();
        assert_eq!(error.kind, Kind::Code, "{source}");
    }
    assert_eq!(value(&mut machine), Value::Int(1));
}

#[test]
fn who_runs_is_told_innermost_first() {
    for engine in ENGINES {
        let source = "(defn spin [] (loop [] (recur))) (defn work [] (+ 1 (spin))) (+ 1 (work))";
        let program = read("old.yin", source);
        let mut machine = machine(engine, source);
        assert_eq!(machine.run(1_000), Outcome::OutOfFuel);
        let active = machine.active(2);
        let names: Vec<&str> = active.iter().map(|active| &*active.function).collect();
        assert_eq!(names, ["spin", "work"], "{engine:?}");
        let spin = program.function(&"spin".into()).unwrap();
        assert_eq!(
            (active[0].program, active[0].node),
            (program.hash(), program.tree().hash(spin))
        );
        assert!(machine.turns() >= 900);
    }
}

#[test]
fn a_program_can_state_a_program() {
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    let mut machine = Machine::new(world.clone(), Limits::default());
    let source =
        "(let [{:keys [program facts]} (program-facts \"new.yin\" '[(defn f [x] (* x 2))])]
                    (transact! facts)
                    (transact! [{:function/name 'f :function/program [:yin.program/hash program]}])
                    program)";
    machine.start(&read("maker.yin", source)).unwrap();
    let Value::Hash(hash) = value(&mut machine) else { panic!() };
    let lookup = Value::Vector(vec![Value::keyword("yin.program/hash"), Value::Hash(hash)]);
    let program = Program::load(&world.db().unwrap(), &lookup).unwrap();
    assert_eq!(program.print(), "(def f (fn [x] (* x 2)))\n");
    let error = common::run("(program-facts \"p\" \"(let [x] x)\")").unwrap_err();
    assert!(error.message.contains("p:1:7: this name has no value"), "{error}");
}
