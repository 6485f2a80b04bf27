//! Agents that wait or transact are killed, paused and handed on as any other.

use std::fs;
use std::process::Child;

use crate::place::Place;

const SCHEMA: &str = "[{:db/ident :job/name :db/valueType :db.type/string}
  {:db/ident :n :db/valueType :db.type/long}]";
const AWAITS: &str = r#"
(def got (perform :db/await '[:find ?n . :where [_ :job/name ?n]]))
(perform :fs/append "log" (str got "\n"))
got
"#;
const RUN: [&str; 7] =
    ["run", "world", "agent.yin", "--durable", "worker", "--allow", ":fs/append"];
/// Longer than any test.
const SLEEPS: &str = "(perform :time/sleep 1000000000)";
const JOB: &str = r#"{:job/name "sweep"}"#;

fn place(program: &str) -> Place {
    let place = Place::new();
    place.write("agent.yin", program);
    place.write("schema.edn", SCHEMA);
    place.write("job.edn", JOB);
    place.ok(&["init", "world"]);
    place.ok(&["transact", "world", "schema.edn"]);
    place
}

fn q(place: &Place, query: &str) -> String {
    place.ok(&["q", "world", query]).trim().to_owned()
}

/// A process that runs the agent, when the world says that it waits for something, and since when: behind
/// whatever it kept before.
fn waiting(place: &Place, operation: &str, epoch: usize) -> Child {
    let child = place.datom(&RUN).spawn().unwrap();
    let query = "[:find [?op ?epoch] :where [?a :agent/waits-for ?op] [?a :agent/epoch ?epoch]]";
    let stands = format!("[{operation} {epoch}]");
    while q(place, query) != stands {
        std::thread::yield_now();
    }
    child
}

/// The process ends by itself and says why.
fn ended(child: Child, why: &str) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(why), "{said}");
}

fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// It was answered once, and a replay agrees.
fn answered_once(place: &Place) {
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "sweep\n");
    let query = "[:find ?answer ?t :where [_ :agent/answer ?answer ?t true]]";
    let answers = place.ok(&["q", "world", "--history", query]);
    assert_eq!(answers.matches(":ok \\\"sweep\\\"").count(), 1, "{answers}");
    let replayed = place.ok(&["agent", "replay", "world", "worker"]);
    assert!(replayed.contains(":ended true") && replayed.contains(":requests 2"), "{replayed}");
}

#[test]
fn an_agent_killed_while_it_awaits_rows_gets_them_once_though_they_came_when_nobody_ran_it() {
    let place = place(AWAITS);
    killed(waiting(&place, ":db/await", 1));
    place.ok(&["transact", "world", "job.edn"]);
    assert_eq!(place.ok(&RUN).trim(), "\"sweep\"");
    answered_once(&place);
}

#[test]
fn an_agent_killed_while_it_awaits_rows_awaits_them_again() {
    let place = place(AWAITS);
    killed(waiting(&place, ":db/await", 1));
    killed(waiting(&place, ":db/await", 2));
    let child = waiting(&place, ":db/await", 3);
    place.ok(&["transact", "world", "job.edn"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "\"sweep\"");
    answered_once(&place);
}

#[test]
fn an_agent_that_awaits_rows_is_handed_to_another_process_which_awaits_them() {
    let place = place(AWAITS);
    let owner = waiting(&place, ":db/await", 1);
    let caller = place.datom(&["agent", "migrate", "world", "worker"]).spawn().unwrap();
    ended(owner, "goes on in another process");
    place.ok(&["transact", "world", "job.edn"]);
    let output = caller.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "\"sweep\"");
    answered_once(&place);
}

#[test]
fn a_wait_ends_when_its_agent_is_paused_or_cancelled() {
    for (program, operation) in [(AWAITS, ":db/await"), (SLEEPS, ":time/sleep")] {
        let place = place(program);
        let child = waiting(&place, operation, 1);
        place.ok(&["agent", "pause", "world", "worker"]);
        ended(child, "was paused");
        place.ok(&["agent", "resume", "world", "worker"]);
        let child = waiting(&place, operation, 2);
        place.ok(&["agent", "cancel", "world", "worker"]);
        ended(child, "was cancelled");
        place.run(&RUN).fails_with(1, &["is cancelled"]);
    }
}

#[test]
fn a_sleep_goes_on_from_when_it_was_asked_for() {
    // What was asked for a millisecond ago or more is over, however long it is asked for again.
    let place = place("(perform :time/sleep 1000000000)");
    killed(waiting(&place, ":time/sleep", 1));
    let state = q(&place, "[:find ?r . :where [_ :agent/request ?r]]");
    assert!(state.contains(":time/sleep [1000000000]"), "{state}");
    // Another process finds the same request, with a time that has passed.
    place.write("short.edn", r#"{:agent/name "worker" :agent/request "[1 :time/sleep [0]]"}"#);
    place.ok(&["transact", "world", "short.edn"]);
    assert_eq!(place.ok(&RUN).trim(), "nil");
}

#[test]
fn a_program_that_only_transacts_leaves_at_once() {
    let place = place("(loop [n 0] (transact! [{:n n}]) (recur (+ n 1)))");
    let child = place.datom(&RUN).spawn().unwrap();
    while q(&place, "[:find (count ?e) . :where [?e :n]]") == "nil" {
        std::thread::yield_now();
    }
    place.ok(&["agent", "pause", "world", "worker"]);
    ended(child, "was paused");
    let count = |query: &str| q(&place, query).trim_start_matches("nil").parse().unwrap_or(0_u64);
    let after = "[:find (count ?e) . :where [?a :agent/status :agent.status/paused ?t]
                                            [?e :n _ ?later] [(< ?t ?later)]]";
    // One may have been under way.
    assert!(count(after) <= 1, "{} transactions behind the pause", count(after));
    let before = count("[:find (count ?e) . :where [?e :n]]");
    // It goes on behind the last of them.
    place.ok(&["agent", "resume", "world", "worker"]);
    let child = place.datom(&RUN).spawn().unwrap();
    while count("[:find (count ?e) . :where [?e :n]]") == before {
        std::thread::yield_now();
    }
    killed(child);
    let twice = "[:find ?n :where [?e :n ?n] [?f :n ?n] [(!= ?e ?f)]]";
    assert_eq!(q(&place, twice), "[]");
}
