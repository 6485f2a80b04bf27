//! An agent's program can be gone through step by step, forwards and back, after it ran, and where
//! agents stand can be asked for by queries.

use std::io::Write;
use std::process::Stdio;

use crate::place::{Place, Ran};

const PROGRAM: &str = r#"(defn twice [n]
  (* 2 n))
(def at (perform :time/now))
(loop [n 0 sum 0]
  (if (= n 400)
    [sum (perform :fs/read "agent.yin")]
    (recur (+ n 1) (+ sum (twice n)))))
"#;
const RUN: [&str; 5] = ["run", "world", "agent.yin", "--durable", "worker"];

fn place() -> Place {
    let place = Place::new();
    place.write("agent.yin", PROGRAM);
    place
}

/// `datom agent step` with commands on its standard input.
fn steps(place: &Place, commands: &str) -> Ran {
    let arguments = ["agent", "step", "world", "worker"];
    let mut child = place.datom(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
    Ran::new(&arguments, child.wait_with_output().unwrap())
}

#[test]
fn a_program_is_gone_through_forwards_and_back_and_each_step_is_the_same_moment() {
    let place = place();
    place.ok(&RUN);
    // A request, four hundred turns with a call each and the beginning, a request, the end.
    let forwards: Vec<String> =
        (0..900).step_by(7).map(|n| format!(":to {n}\n:frames\n")).collect();
    let backwards: Vec<String> = forwards.iter().rev().cloned().collect();
    let there = steps(&place, &forwards.concat());
    let back = steps(&place, &backwards.concat());
    let moments = |ran: &Ran| -> Vec<String> {
        assert_eq!(ran.status, Some(0), "{ran}");
        ran.stdout.split("step ").skip(1).map(str::to_owned).collect()
    };
    let (there, mut back) = (moments(&there), moments(&back));
    back.reverse();
    assert_eq!(there.len(), forwards.len());
    assert_eq!(there, back);
    for (n, moment) in (0..600).step_by(7).zip(&there) {
        let is_so = moment.split(['\n', ':']).next() == Some(&n.to_string());
        assert!(is_so, "step {n}: {moment}");
    }
    let distinct: std::collections::BTreeSet<&String> = there.iter().collect();
    assert!(distinct.len() > 100, "{} moments", distinct.len());
}

#[test]
fn a_step_shows_the_source_with_its_place_marked_the_names_and_the_calls() {
    let place = place();
    place.ok(&RUN);
    let shown = steps(&place, ":step\n:step 3\n:where\n:back\n:frames\n:end\n:step\n").stdout;
    // The first step is the first request.
    assert!(shown.starts_with("step 1: asks for :time/now"), "{shown}");
    assert!(
        shown.contains("agent.yin:7:27\n7 │     (recur (+ n 1) (+ sum (twice n)))))"),
        "{shown}"
    );
    let marked = shown.lines().any(|line| line.trim_end().ends_with("^^^^^^^^^"));
    assert!(marked && shown.contains("  n = 1\n  sum = 0\n"), "{shown}");
    assert!(shown.contains("#0 ") && shown.contains("n = "), "{shown}");
    assert!(shown.contains(": ended with [159600 \"(defn twice"), "{shown}");
}

#[test]
fn a_command_that_cannot_be_obeyed_is_told_with_its_line_and_the_others_are_obeyed() {
    let place = place();
    place.ok(&RUN);
    let ran = steps(&place, ":next\n:jump\n:to\n:step x\n:next\n:previous\n");
    let told = ["line 2:", "there is no command :jump", ":frames", "line 3:", "line 4:"];
    ran.fails_with(1, &[&told[..], &["3 commands were wrong"]].concat());
    let shown: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("step ")).collect();
    assert_eq!(shown.len(), 3, "{ran}");
    assert!(shown[0] == "step 1: asks for :time/now" && shown[0] == shown[2], "{ran}");
    assert!(shown[1].contains(": asks for :fs/read \"agent.yin\""), "{ran}");
}

#[test]
fn in_the_repl_a_program_is_gone_through_and_queries_see_the_world_as_it_did() {
    let place = Place::new();
    place.write(
        "agent.yin",
        r#"(transact! [{:db/ident :note/n :db/valueType :db.type/long}])
(defn note [n] (transact! [{:note/n n}]) (perform :time/now))
[(note 7) (note 8) (note 9)]"#,
    );
    place.ok(&RUN);
    let entries = ":agents\n:agent worker\n:next\n:next\n[:find [?n ...] :where [_ :note/n ?n]]\n:up\n:down\n\
        :leave\n[:find [?n ...] :where [_ :note/n ?n]]\n(+ 1 2)\n";
    let repl = |entries: &str| -> Ran {
        let mut child = place.datom(&["repl", "world"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
        Ran::new(&["repl", "world"], child.wait_with_output().unwrap())
    };
    let ran = repl(entries);
    assert_eq!(ran.status, Some(0), "{ran}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("[[\"worker\" :agent.status/done"), "{ran}");
    assert!(lines.contains(&"[7 8]") && lines.contains(&"  n = 8"), "{ran}");
    // Whoever steps out of the function sees the line that called it.
    assert!(lines.contains(&"agent.yin:3:11") && ran.stdout.contains(", #1 agent.yin"), "{ran}");
    assert_eq!(lines[lines.len() - 2..], ["[7 8 9]", "3"], "{ran}");

    repl(":step\n").fails_with(1, &[":step goes through the program of an agent", ":agent NAME"]);
    repl(":agent nobody\n(+ 1 2)").fails_with(1, &["no state of an agent nobody"]);
}

#[test]
fn a_step_is_shown_by_its_number_and_the_request_there_has_the_state_that_was_kept() {
    let place = place();
    place.write(
        "agent.yin",
        "(loop [n 0] (if (= n 3) (perform :fs/read \"none\") (recur (+ n 1))))",
    );
    place.ok(&RUN);
    let hash = |text: &str| text.split(":state-hash").nth(1).unwrap().trim().to_owned();
    let last = place.ok(&["agent", "show", "world", "worker"]);
    // The request comes behind the third turn.
    let at = place.ok(&["agent", "at", "world", "worker", "--step", "3"]);
    assert!(at.contains(":asks") && at.contains("[:fs/read [\"none\"]]"), "{at}");
    let kept = last.split(":state-hash").nth(1).unwrap().split('"').nth(1).unwrap();
    assert!(hash(&at).contains(kept), "{at} {last}");
}

#[test]
fn where_agents_stand_and_with_what_is_a_query() {
    const WHERE: &str = "[:find ?agent ?function ?name ?value
        :where [?a :agent/name ?agent] [?a :agent/stands ?s] [?s :state/frames ?f]
               [?f :frame/function ?function] [?f :frame/bindings ?b]
               [?b :bind/name ?name] [?b :bind/value ?value]]";
    let place = Place::new();
    place.write("wait.yin", "(defn wait [n] (loop [left n] (if (= left 0) n (recur (- left 1)))))\n(wait (count args))\n(+ 1 (wait 50))");
    for (name, fuel) in [("ada", "20"), ("eve", "30"), ("ann", "30")] {
        let run = ["run", "world", "wait.yin", "--durable", name, "--fuel", fuel];
        place.run(&run).fails_with(1, &["took more than"]);
    }
    place.ok(&["agent", "facts", "world"]);
    let rows = place.ok(&["q", "world", WHERE]);
    for name in ["ada", "eve", "ann"] {
        assert!(rows.contains(&format!("[\"{name}\" \"wait\" n 50]")), "{rows}");
    }
    let states = || place.ok(&["q", "world", "[:find (count ?s) . :where [?s :state/id]]"]);
    // Two of them stand alike, and are one state.
    assert_eq!(states().trim(), "2");
    place.ok(&["run", "world", "wait.yin", "--durable", "eve"]);
    place.ok(&["agent", "facts", "world", "eve"]);
    assert_eq!(states().trim(), "2");
    place.ok(&["run", "world", "wait.yin", "--durable", "ann"]);
    place.ok(&["agent", "facts", "world"]);
    let rows = place.ok(&["q", "world", WHERE]);
    assert!(rows.contains("\"ada\"") && !rows.contains("\"eve\""), "{rows}");
    assert_eq!(states().trim(), "1");
    let left = place.ok(&["q", "world", "[:find (count ?f) . :where [?f :frame/depth]]"]);
    assert_ne!(left.trim(), "nil");
    place.ok(&["agent", "cancel", "world", "ada"]);
    place.ok(&["agent", "facts", "world"]);
    assert_eq!(
        place.ok(&["q", "world", "[:find (count ?f) . :where [?f :bind/place]]"]).trim(),
        "nil"
    );
}

#[test]
fn an_agent_is_sampled_and_its_fuel_bounds_the_whole_run() {
    let place = Place::new();
    place.write(
        "steps.yin",
        "(loop [n 0] (if (= n 50) :done (do (perform :time/now) (recur (+ n 1)))))",
    );
    let run = ["run", "world", "steps.yin", "--durable", "worker", "--trace", "5"];
    let short: Vec<&str> = run.iter().copied().chain(["--fuel", "20"]).collect();
    // Each process has so many, however often it asks for something.
    place.run(&short).fails_with(1, &["took more than 20 steps"]);
    place.run(&short).fails_with(1, &["took more than 20 steps"]);
    assert_eq!(place.ok(&short).trim(), ":done");
    let samples =
        place.ok(&["q", "world", "[:find (sum ?n) . :with ?t :where [?t :trace/samples ?n]]"]);
    assert!(samples.trim().parse::<u64>().unwrap() >= 9, "{samples}");
    place.run(&["run", "world", "steps.yin", "--fuel", "20"]).fails_with(1, &["took more than 20"]);
    place.run(&["agent", "pause", "world", "worker"]).fails_with(1, &["has ended: it is done"]);
}
