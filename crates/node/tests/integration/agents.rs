//! Who looks at agents from outside is told the truth: who runs, who was killed, who had not begun.

use crate::place::{Killed, Place};

const WAITS: &str = "(perform :db/await '[:find ?x . :where [_ :never/stated ?x]])";
const RUN: [&str; 5] = ["run", "world", "waits.yin", "--durable", "worker"];

/// A process that runs the agent, once that waits.
fn waiting(place: &Place) -> Killed {
    let child = Killed(place.datom(&RUN).spawn().unwrap());
    // Each look is a process of its own; the agent is there after few of them.
    let is_there = |_: &u32| place.ok(&["agents", "world"]).contains(":agent.status/running");
    assert!((0..1_000).any(|n| is_there(&n)), "the agent does not come to wait");
    child
}

#[test]
fn a_killed_agent_is_stopped_and_one_that_runs_has_its_process() {
    let place = Place::new();
    place.write("waits.yin", WAITS);
    place.write("never.edn", "[{:db/ident :never/stated :db/valueType :db.type/long}]");
    place.ok(&["init", "world"]);
    place.ok(&["transact", "world", "never.edn"]);
    let mut child = waiting(&place);
    let runs = place.ok(&["agents", "world"]);
    let process = child.0.id().to_string();
    assert!(runs.contains(":agent.status/running") && runs.contains(&process), "{runs}");
    let shown = place.ok(&["agent", "show", "world", "worker"]);
    assert!(shown.contains(&format!(":process {process}")), "{shown}");

    child.kill();
    let stopped = place.ok(&["agents", "world"]);
    assert!(stopped.contains(":agent.status/stopped") && !stopped.contains(&process), "{stopped}");
    let moment = |text: &str| text.split("#inst").nth(1).unwrap().to_owned();
    assert_eq!(
        moment(&stopped).split(' ').nth(1),
        moment(&runs).split(' ').nth(1),
        "nothing was kept since"
    );
    let shown = place.ok(&["agent", "show", "world", "worker"]);
    assert!(shown.contains(":status :agent.status/stopped"), "{shown}");
    assert!(!shown.contains(":process"), "{shown}");

    // Asking took nothing: the agent can be taken up, and runs again.
    let mut again = Killed(place.datom(&RUN).spawn().unwrap());
    let is_running = |_: &u32| place.ok(&["agents", "world"]).contains(":agent.status/running");
    assert!((0..1_000).any(|n| is_running(&n)));
    place.ok(&["agent", "cancel", "world", "worker"]);
    again.kill();
    assert!(place.ok(&["agents", "world"]).contains(":agent.status/cancelled"));
}

#[test]
fn an_agent_had_not_begun_before_it_began() {
    let place = Place::new();
    place.write("quick.yin", "[(perform :time/now)]");
    place.ok(&["init", "world"]);
    place.ok(&["run", "world", "quick.yin", "--durable", "worker"]);
    let at = |t: &str| place.run(&["agent", "at", "world", "worker", t]);
    at("1").fails_with(1, &["had not begun after transaction 1", "it began with transaction"]);
    at("999").fails_with(1, &["transactions run to"]);
    at("soon").fails_with(2, &["a number of a transaction, or a time"]);
    let first = at("1").stderr;
    let first = first.split("with transaction ").nth(1).unwrap().split(',').next().unwrap();
    let begun = at(first);
    assert!(begun.stdout.contains(":agent.status/running"), "{begun}");
}
