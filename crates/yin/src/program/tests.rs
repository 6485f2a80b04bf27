//! Programs through a database and back, and what hostile hands can put there.

use daodb::Database;
use datom::{Value, edn};

use super::{Program, schema};
use crate::ast::DEPTH_MAX;
use crate::error::Kind;

const SOURCE: &str = "\
(def limit 10)
(defn twice [x] (* 2 x))
(defn walk [f & more] (loop [n 0 out []] (if (= n limit) out (recur (inc n) (conj out (f n))))))
(let [greeting \"a longer text\" m {:a [1 2.5 nil]}] (or (walk twice) greeting))
(do (perform :fs/read '(x [y])) nil (fn self [] (self)))";

fn world() -> Database {
    let world = Database::memory().unwrap();
    world.transact(&schema()).unwrap();
    world
}

fn stored(world: &Database, source: &str) -> Program {
    let program = Program::read("p.yin", source).unwrap();
    world.transact(&program.transaction()).unwrap();
    program
}

fn load(world: &Database, entity: &Value) -> Result<Program, crate::Error> {
    Program::load(&world.db().unwrap(), entity)
}

fn transact(world: &Database, data: &str) -> daodb::Report {
    world.transact(edn::read(data).unwrap().as_slice().unwrap()).unwrap()
}

#[test]
fn a_program_comes_back_as_it_went_in() {
    let world = world();
    let program = stored(&world, SOURCE);
    let loaded = load(&world, &program.entity()).unwrap();
    assert_eq!(loaded.hash(), program.hash());
    assert_eq!((loaded.name(), loaded.source()), (program.name(), program.source()));
    assert_eq!(loaded.tree().len(), program.tree().len());
    // Positions survive: each form and each node below it.
    let spans = |program: &Program| {
        let mut left = program.forms().to_vec();
        let mut spans = Vec::new();
        while let Some(id) = left.pop() {
            spans.push(program.tree().span(id));
            left.extend(program.tree().node(id).children());
        }
        spans
    };
    assert_eq!(spans(&loaded), spans(&program));
}

#[test]
fn the_schema_and_the_same_program_again_state_nothing_new() {
    let world = world();
    stored(&world, SOURCE);
    let facts = |report: daodb::Report| report.datoms.len();
    // Only the instant of the transaction itself is new.
    assert_eq!(facts(world.transact(&schema()).unwrap()), 1);
    let again = Program::read("p.yin", SOURCE).unwrap();
    assert_eq!(facts(world.transact(&again.transaction()).unwrap()), 1);
}

#[test]
fn programs_share_what_is_equal_in_them() {
    let world = world();
    stored(&world, "(defn f [x] (+ x 1))");
    let count = |query: &str| world.db().unwrap().q(query, &[]).unwrap();
    let before = count("[:find (count ?n) . :where [?n :yin/type]]");
    stored(&world, "(defn f [x] (+ x 1)) ; the same code in another text");
    assert_eq!(count("[:find (count ?n) . :where [?n :yin/type]]"), before);
    assert_eq!(count("[:find (count ?p) . :where [?p :yin.program/name]]"), Value::Int(2));
}

#[test]
fn programs_can_be_asked_about() {
    let world = world();
    stored(&world, SOURCE);
    let ask = |query: &str| world.db().unwrap().q(query, &[]).unwrap().to_string();
    let functions = "[:find [?name ...] :where [?p :yin.program/name \"p.yin\"] [?p :yin.program/definitions ?d]
                      [?d :yin/name ?name] [?d :yin/definition-of ?f] [?f :yin/type :yin.type/lambda]]";
    assert_eq!(ask(functions), "[twice walk]");
    assert_eq!(ask("[:find [?op ...] :where [?n :yin/op ?op]]"), "[:fs/read]");
    // Who calls `inc`?
    let callers = "[:find [?name ...] :in $ % :where [?v :yin/name inc] [?c :yin/operator ?v]
                    (within ?f ?c) [?d :yin/definition-of ?f] [?d :yin/name ?name]]";
    let rules = edn::read(
        "[[(part ?a ?b) [?a :yin/body ?b]] [(part ?a ?b) [?a :yin/operands ?b]]
          [(part ?a ?b) [?a :yin/alternate ?b]]
          [(within ?a ?b) (part ?a ?b)] [(within ?a ?b) (part ?a ?x) (within ?x ?b)]]",
    );
    assert_eq!(world.db().unwrap().q(callers, &[rules.unwrap()]).unwrap().to_string(), "[walk]");
}

/// What is wrong below a node is told with the place where that node stands in the source.
#[test]
fn damage_is_told_with_the_node_and_its_place_in_the_source() {
    let source = "(defn f [n] (+ n 1))\n(defn g [n] (if (> n 3) (f n) (g (f n))))\n(g 0)";
    // A name in the edit stands for the entity that its query finds.
    let told = |edit: &str, names: &[(&str, &str)], message: &str, place: &str| {
        let world = world();
        let program = stored(&world, source);
        let mut edit = edit.to_owned();
        for (name, query) in names {
            let found = world.db().unwrap().q(query, &[]).unwrap().to_string();
            edit = edit.replace(name, &found);
        }
        transact(&world, &edit);
        let error = load(&world, &program.entity()).unwrap_err();
        assert_eq!(error.kind, Kind::Code);
        assert!(error.message.contains(message), "{}", error.message);
        let position = error.position.unwrap_or_else(|| panic!("no place: {}", error.message));
        assert_eq!(position.span.of(source), Some(place), "{}", error.message);
    };
    let the_if = ("IF", "[:find ?n . :where [?n :yin/type :yin.type/if]]");
    let dangling = "refers to it, and there is no node 999999";
    told("[[:db/add IF :yin/test 999999]]", &[the_if], dangling, "(> n 3)");
    let g = ("G", "[:find ?l . :where [?d :yin/name g] [?d :yin/definition-of ?l]]");
    told("[[:db/add IF :yin/alternate G]]", &[the_if, g], "contains itself", "(g (f n))");
    // What was met before counts as many places as it takes.
    let last = "[:find ?c . :where [?c :yin/operator ?g] [?g :yin/name g] [?c :yin/operands ?o]
                                   [?o :yin/type :yin.type/literal]]";
    let unknown = "unknown :yin/type";
    told("[[:db/add C :yin/type :yin.type/nothing]]", &[("C", last)], unknown, "(g 0)");
    let test = ("C", "[:find ?c . :where [?c :yin/operator ?o] [?o :yin/name >]]");
    let plus = ("PLUS", "[:find ?v . :where [?v :yin/name +]]");
    let changed = "is not what its :yin/hash says";
    told("[[:db/add C :yin/operator PLUS]]", &[test, plus], changed, "(> n 3)");
}

#[test]
fn a_database_of_its_time_gives_the_program_of_its_time() {
    let world = world();
    let old = stored(&world, "(+ 1 2)");
    let then = world.db().unwrap();
    let new = stored(&world, "(+ 1 3)");
    assert!(Program::load(&then, &old.entity()).is_ok());
    assert_eq!(Program::load(&then, &new.entity()).unwrap_err().kind, Kind::Code);
}

#[test]
fn a_program_of_thousands_of_forms_and_a_literal_of_thousands_of_parts_come_back_whole() {
    let parts: String = (0..3_000).map(|n| format!(" {n}")).collect();
    for source in [parts.clone(), format!("(def all '[{parts}])")] {
        let world = world();
        let program = stored(&world, &source);
        let loaded = load(&world, &program.entity()).unwrap();
        assert_eq!(loaded.hash(), program.hash());
        assert_eq!(loaded.tree().len(), program.tree().len());
    }
}

#[test]
fn code_as_deep_as_may_be_is_loaded_on_a_small_stack() {
    let on_a_stack = |bytes: usize, work: &(dyn Fn() + Sync)| {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(bytes);
            thread.spawn_scoped(scope, work).unwrap().join().unwrap();
        });
    };
    let world = world();
    let depth = DEPTH_MAX - 2;
    let source = format!("{}x{}", "(if nil nil ".repeat(depth), ")".repeat(depth));
    on_a_stack(16 << 20, &|| drop(stored(&world, &source)));
    let id = world.db().unwrap().q("[:find ?p . :where [?p :yin.program/name]]", &[]).unwrap();
    on_a_stack(1 << 20, &|| {
        let loaded = load(&world, &id).unwrap();
        assert_eq!(loaded.tree().len(), 3 * depth + 1);
    });
}

/// Damages a stored program and expects loading to refuse it.
#[track_caller]
fn refused(damage: impl Fn(&Database, &Program), message: &str) {
    let world = world();
    let program = stored(&world, "(defn f [x] (if x (g x 1) [x \"a longer text\"]))");
    damage(&world, &program);
    let error = load(&world, &program.entity()).unwrap_err();
    assert_eq!(error.kind, Kind::Code, "{error}");
    assert!(error.message.contains(message), "{error}");
}

/// The first node of a type.
fn node(world: &Database, kind: &str) -> u64 {
    let query = format!("[:find ?n . :where [?n :yin/type :yin.type/{kind}]]");
    match world.db().unwrap().q(&query, &[]).unwrap() {
        Value::Ref(id) => id,
        other => panic!("{other}"),
    }
}

#[test]
fn an_ast_that_was_edited_in_place_is_refused() {
    refused(
        |world, _| {
            let literal = node(world, "literal");
            transact(world, &format!("[[:db/add {literal} :yin/value 99]]"));
        },
        "is not what its :yin/hash says",
    );
    refused(
        |world, _| {
            let lambda = node(world, "lambda");
            transact(world, &format!("[[:db/add {lambda} :yin/params [y]]]"));
        },
        "is not what its :yin/hash says",
    );
}

#[test]
fn cycles_dangling_references_and_wrong_types_are_refused() {
    refused(
        |world, _| {
            let lambda = node(world, "lambda");
            transact(world, &format!("[[:db/add {lambda} :yin/body {lambda}]]"));
        },
        "contains itself",
    );
    refused(
        |world, _| {
            let branch = node(world, "if");
            transact(world, &format!("[[:db/add {branch} :yin/alternate 999999]]"));
        },
        "there is no node 999999",
    );
    refused(
        |world, _| {
            let variable = node(world, "variable");
            transact(world, &format!("[[:db/add {variable} :yin/type :yin.type/nonsense]]"));
        },
        "unknown :yin/type",
    );
    refused(
        |world, _| {
            let call = node(world, "application");
            transact(world, &format!("[[:db/add {call} :yin/order [1 2]]]"));
        },
        "a tuple of hashes",
    );
    refused(
        |world, _| {
            let call = node(world, "application");
            let nobody = "00".repeat(32);
            transact(world, &format!("[[:db/add {call} :yin/order [#hash \"{nobody}\"]]]"));
        },
        "there is no node",
    );
    refused(
        |world, program| {
            let entity = program.entity();
            transact(world, &format!("[[:db/add {entity} :yin.program/source \"other\"]]"));
        },
        "is not what its :yin.program/hash says",
    );
}

#[test]
fn what_is_no_program_is_refused() {
    let world = world();
    let entity = Value::Ref(transact(&world, "[{:db/id \"x\" :yin/name a}]").tempids[&"x".into()]);
    let error = load(&world, &entity).unwrap_err();
    assert!(error.message.contains("is no program"), "{error}");
    assert_eq!(load(&world, &Value::Ref(1 << 40)).unwrap_err().kind, Kind::Code);
}

#[test]
fn damaged_positions_lose_places_and_nothing_else() {
    let world = world();
    let program = stored(&world, SOURCE);
    for bytes in ["", "ff", "ffffffffffffffffffffff", "0002ffffffff7f01"] {
        let entity = program.entity();
        transact(
            &world,
            &format!("[[:db/add {entity} :yin.program/positions #bytes \"{bytes}\"]]"),
        );
        let loaded = load(&world, &program.entity()).unwrap();
        assert_eq!(loaded.hash(), program.hash());
    }
}

#[test]
fn streams_and_continuations_have_the_node_types_of_the_universal_ast() {
    let world = world();
    let ast = edn::read(
        "{:type :stream/put, :target {:type :stream/make, :buffer 4},
          :val {:type :vm/resume, :parked-id 0, :val {:type :vm/park}}}",
    );
    let program = Program::from_ast("p", &ast.unwrap()).unwrap();
    assert_eq!(program.print(), "(stream/put (stream/make 4) (vm/resume 0 (vm/park)))\n");
    world.transact(&program.transaction()).unwrap();
    assert_eq!(load(&world, &program.entity()).unwrap().hash(), program.hash());
    let found = world.db().unwrap().q(
        "[:find ?room ?id :where [?put :yin/type :stream/put] [?put :yin/target ?s] [?s :yin/buffer ?room]
          [?put :yin/val-node ?r] [?r :yin/type :vm/resume] [?r :yin/parked-id ?id]
          [?r :yin/val-node ?p] [?p :yin/type :vm/park]]",
        &[],
    );
    assert_eq!(found.unwrap(), edn::read("#{[4 0]}").unwrap());
}

#[test]
fn what_is_no_universal_ast_is_refused_with_the_node() {
    for (ast, message) in [
        ("{:type :lamda}", "there is no node type :lamda"),
        ("7", "a node is a map"),
        ("{:type :if, :test {:type :literal}}", "has no :consequent"),
        ("{:type :variable, :name if}", "cannot be the name of a variable"),
        ("{:type :lambda, :params [a a], :body {:type :literal}}", "bound twice"),
    ] {
        let error = Program::from_ast("p", &edn::read(ast).unwrap()).unwrap_err();
        assert!(error.message.contains(message), "{ast}: {error}");
    }
}
