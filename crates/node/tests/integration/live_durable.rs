//! An agent's functions are changed while it runs, and whoever goes on with it or replays it runs the code of then.

use std::fs;
use std::process::Child;

use crate::place::Place;

const SCHEMA: &str = "{:db/ident :gate/open :db/valueType :db.type/long}";
/// Writes what `f` makes of each number, each behind a gate.
const GATED: &str = r#"
(defn f [n] (* n 10))
(loop [n 1]
  (if (> n 4)
    :done
    (do (perform :db/await '[:find ?g . :in $ ?n :where [?g :gate/open ?n]] n)
        (perform :fs/append "log" (str (f n) "\n"))
        (recur (+ n 1)))))
"#;
const RUN: [&str; 8] =
    ["run", "world", "agent.yin", "--live", "--durable", "worker", "--allow", ":fs/append"];

fn place(program: &str) -> Place {
    let place = Place::new();
    place.write("agent.yin", program);
    place.write("schema.edn", SCHEMA);
    place.ok(&["init", "world"]);
    place.ok(&["transact", "world", "schema.edn"]);
    place
}

/// A function of a name means this from now on.
fn redefine(place: &Place, name: &str, source: &str) {
    let program = format!(
        "(let [{{:keys [tempid facts]}} (program-facts \"new\" '[{source}])]
           (transact! (conj facts {{:function/name '{name} :function/program tempid}})) nil)"
    );
    place.write("redefine.yin", &program);
    place.ok(&["run", "world", "redefine.yin"]);
}

fn open(place: &Place, gate: u64) {
    place.write("gate.edn", &format!("{{:gate/open {gate}}}"));
    place.ok(&["transact", "world", "gate.edn"]);
}

fn q(place: &Place, query: &str) -> String {
    place.ok(&["q", "world", query]).trim().to_owned()
}

/// Until the agent waits at a gate.
fn at_gate(place: &Place, gate: u64) {
    let query = "[:find ?r . :where [_ :agent/request ?r]]";
    while !q(place, query).ends_with(&format!("] {gate}]]\"")) {
        std::thread::yield_now();
    }
}

fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The code that was taken over: where, and as of which transaction.
fn codes(place: &Place) -> String {
    place.ok(&["q", "world", "--history", "[:find ?code :where [_ :agent/code ?code _ true]]"])
}

/// The hash of the state that a command tells.
fn hash(told: &str) -> &str {
    told.split("state-hash").nth(1).and_then(|rest| rest.split('"').nth(1)).unwrap()
}

/// A replay comes to where the agent stands, and so does whoever goes through it step by step.
fn replays(place: &Place) {
    let replayed = place.ok(&["agent", "replay", "world", "worker"]);
    let shown = place.ok(&["agent", "show", "world", "worker"]);
    assert_eq!(hash(&replayed), hash(&shown), "{replayed}{shown}");
}

#[test]
fn a_function_is_redefined_between_a_kill_and_the_next_process_and_each_step_ran_the_code_of_then()
{
    let place = place(GATED);
    let child = place.datom(&RUN).spawn().unwrap();
    open(&place, 1);
    at_gate(&place, 2);
    redefine(&place, "f", "(defn f [n] (* n 100))");
    open(&place, 2);
    at_gate(&place, 3);
    killed(child);
    replays(&place);
    redefine(&place, "f", "(defn f [n] (* n 1000))");
    open(&place, 3);
    let child = place.datom(&RUN).spawn().unwrap();
    at_gate(&place, 4);
    killed(child);
    replays(&place);
    // Who does not follow keeps to what was followed.
    redefine(&place, "f", "(defn f [n] :never)");
    open(&place, 4);
    let still: Vec<&str> = RUN.iter().copied().filter(|word| *word != "--live").collect();
    assert_eq!(place.ok(&still).trim(), ":done");
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "10\n200\n3000\n4000\n");
    replays(&place);
    let codes = codes(&place);
    assert_eq!(codes.matches("#hash").count(), 3, "{codes}");
    let end = place.ok(&["agent", "at", "world", "worker", "--step", "1000"]);
    assert!(end.contains(":standing :done") && end.contains(":what :done"), "{end}");
}

#[test]
fn who_migrates_an_agent_that_follows_the_functions_follows_them() {
    let place = place(GATED);
    let owner = place.datom(&RUN).spawn().unwrap();
    at_gate(&place, 1);
    let caller = place.datom(&["agent", "migrate", "world", "worker"]).spawn().unwrap();
    assert!(!owner.wait_with_output().unwrap().status.success());
    redefine(&place, "f", "(defn f [n] (+ n 1))");
    (1..=4).for_each(|gate| open(&place, gate));
    let output = caller.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), ":done");
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "2\n3\n4\n5\n");
    replays(&place);
}
