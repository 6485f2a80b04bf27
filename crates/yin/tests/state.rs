//! The state of a program as datoms: what a database can be asked about programs that stand still.

mod common;

use daodb::Database;
use datom::{Value, edn};
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program, State};

const SOURCE: &str = "\
(def rate 3)
(defn ask [what items] (perform :shop/price what items))
(defn total [items] (+ 1 (let [n (count items) f (fn [x] (* n x))] (f (ask :apple items)))))
(total [10 20])";

fn world() -> Database {
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    world.transact(&State::schema()).unwrap();
    world
}

/// A program that waits for its first answer.
fn waiting(source: &str) -> (Program, Machine, u64) {
    let program = Program::read("shop.yin", source).unwrap();
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program).unwrap();
    let Outcome::Perform { id, .. } = machine.run(10_000) else { panic!("{source}") };
    (program, machine, id)
}

fn store(world: &Database, program: &Program, state: &State) {
    let known = |hash: &[u8; 32]| (*hash == program.hash()).then(|| program.clone());
    world.transact(&program.transaction()).unwrap();
    world.transact(&state.transaction(known).unwrap()).unwrap();
}

/// A program that waits for its first answer, in a world that holds how it stands.
fn stored(source: &str) -> (Program, State, Database, u64) {
    let (program, mut machine, id) = waiting(source);
    let (state, world) = (machine.capture().unwrap(), world());
    store(&world, &program, &state);
    (program, state, world, id)
}

fn ask(world: &Database, query: &str) -> Value {
    world.db().unwrap().q(query, &[]).unwrap()
}

#[test]
fn a_database_says_where_each_program_waits_and_with_what() {
    let (_, state, world, id) = stored(SOURCE);
    // Where, with what: the names in scope of every waiting call.
    let rows = ask(
        &world,
        "[:find ?function ?at ?name ?value
          :where [?s :state/standing :state.standing/parked] [?s :state/frames ?f]
                 [?f :frame/function ?function] [?f :frame/at ?at]
                 [?f :frame/bindings ?b] [?b :bind/name ?name] [?b :bind/value ?value]]",
    );
    let Value::Set(rows) = rows else { panic!("{rows}") };
    let row = |text: &str| edn::read(text).unwrap();
    assert!(rows.contains(&row("[\"ask\" \"shop.yin:2:24\" what :apple]")), "{rows:?}");
    assert!(rows.contains(&row("[\"ask\" \"shop.yin:2:24\" items [10 20]]")), "{rows:?}");
    assert!(rows.contains(&row("[\"total\" \"shop.yin:3:71\" n 2]")), "{rows:?}");
    // Through the nodes it joins with the code: what is asked for.
    let asked = ask(
        &world,
        "[:find ?op :where [?s :state/frames ?f] [?f :frame/node ?n] [?n :yin/op ?op]]",
    );
    assert_eq!(asked, row("#{[:shop/price]}"));
    // The store, and a closure that captured a name, by its lambda.
    let rate = ask(&world, "[:find ?v . :where [?c :cell/name rate] [?c :cell/value ?v]]");
    assert_eq!(rate, Value::Int(3));
    let closures = ask(
        &world,
        "[:find ?params ?parts :where [?o :object/kind :object.kind/closure] [?o :object/parts ?parts]
          [?o :object/lambda ?l] [?l :yin/params ?params]]",
    );
    let Value::Set(closures) = closures else { panic!("{closures}") };
    assert!(closures.iter().any(|row| row.to_string().starts_with("[[x]")), "{closures:?}");

    // And it goes on from there, on the other engine.
    let read = State::load(&world.db().unwrap(), &state.entity()).unwrap();
    let mut other = Machine::new(NoFacts, Limits::default()).with_engine(Engine::Stepper);
    let db = world.db().unwrap();
    let known = |hash: &[u8; 32]| {
        let lookup = vec![Value::keyword("yin.program/hash"), Value::Hash(*hash)];
        Program::load(&db, &Value::Vector(lookup)).ok()
    };
    other.restore(&read, known).unwrap();
    other.resume(id, Ok(7.into())).unwrap();
    assert_eq!(other.run(10_000), Outcome::Done(15.into()));
}

#[test]
fn what_is_shared_is_one_entity_and_comes_back_shared() {
    // Each vector holds the one before it twice: 2^40 parts if they were written out.
    let source =
        "(def v (loop [n 40 v [1 2 3]] (if (= n 0) v (recur (dec n) [v v])))) (perform :ask)
                  (loop [n 40 v v] (if (= n 0) v (recur (dec n) (nth v 1))))";
    let (program, state, world, id) = stored(source);
    let read = State::load(&world.db().unwrap(), &state.entity()).unwrap();
    let mut other = Machine::new(NoFacts, Limits::default());
    other.restore(&read, |_| Some(program.clone())).unwrap();
    other.resume(id, Ok(Value::Nil)).unwrap();
    assert_eq!(other.run(10_000), Outcome::Done(edn::read("[1 2 3]").unwrap()));
}

#[test]
fn a_state_is_retracted_whole() {
    let (program, state, world, _) = stored(SOURCE);
    let all = "[:find (count ?e) . :where (or [?e :state/id] [?e :frame/depth] [?e :bind/place]
               [?e :cell/name] [?e :object/place])]";
    let before = ask(&world, all);
    assert!(matches!(before, Value::Int(n) if n > 10));
    store(&world, &program, &state);
    assert_eq!(ask(&world, all), before, "stating it again states nothing");
    let retract = vec![Value::keyword("db/retractEntity"), state.entity()];
    world.transact(&[Value::Vector(retract)]).unwrap();
    assert_eq!(ask(&world, all), Value::Nil);
}

#[test]
fn values_that_look_like_marks_stay_what_they_are() {
    let source = "(def v ['#yin/object 0 '#yin/lambda [1 2] '#yin/again nil]) (perform :ask) v";
    let (program, state, world, id) = stored(source);
    let read = State::load(&world.db().unwrap(), &state.entity()).unwrap();
    let mut other = Machine::new(NoFacts, Limits::default());
    other.restore(&read, |_| Some(program.clone())).unwrap();
    other.resume(id, Ok(Value::Nil)).unwrap();
    let expected = edn::read("[#yin/object 0 #yin/lambda [1 2] #yin/again nil]").unwrap();
    assert_eq!(other.run(10_000), Outcome::Done(expected));
}

/// Any fact of a state changed by hand: what is read back is refused, or it is a state that runs
/// to some end within its bounds.
#[test]
fn a_state_that_was_edited_is_refused_or_runs_within_its_bounds() {
    let (program, state, world, id) = stored(SOURCE);
    let facts = ask(
        &world,
        "[:find ?e ?a ?v :where (or [?e :state/id] [?e :frame/depth] [?e :bind/place] [?e :object/place])
          [?e ?attr ?v] [?attr :db/ident ?a]]",
    );
    let Value::Set(facts) = facts else { panic!() };
    let (mut refused, mut ran) = (0, 0);
    for fact in facts {
        let [entity, attribute, value] = fact.as_slice().unwrap() else { panic!() };
        let add = |value| vec![Value::keyword("db/add"), entity.clone(), attribute.clone(), value];
        let retract =
            [Value::keyword("db/retract"), entity.clone(), attribute.clone(), value.clone()];
        let other = match value {
            Value::Int(n) => Some(Value::Int(n + 1)),
            Value::Vector(items) => Some(Value::Vector(items.iter().skip(1).cloned().collect())),
            Value::Tagged(tag, _) => {
                Some(Value::Tagged(tag.clone(), Box::new(Value::Int(1 << 40))))
            }
            _ => None,
        };
        let data = match other {
            Some(other) => add(other),
            None => retract.to_vec(),
        };
        let Ok(db) = world.db().unwrap().with(&[Value::Vector(data)]) else { continue };
        let root = world.db().unwrap().entity_id(&state.entity()).unwrap().unwrap();
        let Ok(read) = State::load(&db.db_after().unwrap(), &Value::Ref(root)) else {
            refused += 1;
            continue;
        };
        let mut machine = Machine::new(NoFacts, Limits::default());
        match machine.restore(&read, |_| Some(program.clone())) {
            Err(_) => refused += 1,
            Ok(()) => {
                let _answer = machine.resume(id, Ok(7.into()));
                let _outcome = machine.run(10_000);
                ran += 1;
            }
        }
    }
    assert!(refused > 20 && ran > 0, "{refused} refused, {ran} ran");
}
