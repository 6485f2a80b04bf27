//! Many agents in one process: what they send each other, what each may do, and how all end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::place::{Killed, Place};

const EXAMPLES: [(&str, &str); 3] = [
    ("ring.yin", include_str!("../../../../examples/ring.yin")),
    ("boss.yin", include_str!("../../../../examples/boss.yin")),
    ("examples/worker.yin", include_str!("../../../../examples/worker.yin")),
];

/// A folder with the examples and a world.
fn place() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("examples")).unwrap();
    for (name, text) in EXAMPLES {
        place.write(name, text);
    }
    place.ok(&["init", "world"]);
    place
}

#[test]
fn a_value_goes_round_a_ring_of_agents_on_any_number_of_threads() {
    let place = place();
    let expected: Vec<String> = (0..50).map(|n| format!("[{n} 30]")).collect();
    for threads in ["0", "1", "3"] {
        let ran = ["run", "world", "ring.yin", "30", "--agents", "50", "--threads", threads];
        assert_eq!(place.ok(&ran).trim(), format!("[{}]", expected.join("\n ")));
    }
    let ran = place.run(&["run", "world", "ring.yin", "30", "--agents", "50"]);
    assert!(ran.stderr.contains("50: 50 done; "), "{ran}");
}

#[test]
fn agents_are_started_by_the_name_of_a_program_and_what_they_end_with_is_read() {
    let place = place();
    let run = ["run", "world", "boss.yin", "3000", "--with", "examples/worker.yin"];
    assert_eq!(place.ok(&run).trim(), "430", "so many primes are below 3,000");
    // The world has the worker now.
    assert_eq!(place.ok(&["run", "world", "boss.yin", "100"]).trim(), "25");

    place.write("fails.yin", "(fail (str \"no \" args))");
    place.write(
        "asks.yin",
        r#"(let [x (perform :stream/next (:result (perform :agent/start "fails.yin" "luck")))
                 y (perform :agent/start "nobody.yin")
                 z (perform :agent/inbox 77)]
             [(error-kind x) (error-message x) (error-kind y) (error-kind z)])"#,
    );
    let ran = place.run(&["run", "world", "asks.yin", "--with", "fails.yin"]);
    let told = "[:agent/failed \"fails.yin:1:1: no luck\" :agent/no-program :agent/unknown]";
    assert_eq!(ran.stdout.trim(), told, "{ran}");
    assert!(ran.stderr.contains("agent 1: fails.yin:1:1: no luck"), "{ran}");
    assert!(ran.stderr.contains("2: 1 done, 1 failed;"), "{ran}");
}

#[test]
fn an_inbox_has_room_for_so_much_and_ends_with_its_agent() {
    let place = place();
    place.write(
        "full.yin",
        "(let [to (perform :agent/inbox agent)]
           (loop [n 0] (let [x (perform :stream/put to n 0)] (if (error? x) [n (error-kind x)] (recur (+ n 1))))))",
    );
    assert_eq!(place.ok(&["run", "world", "full.yin"]).trim(), "[64 :stream/full]");
    // The second waits until the first has ended, and is refused then and not held up.
    place.write(
        "late.yin",
        "(if (= agent 0) :gone
           (let [to (perform :agent/inbox 0)]
             (loop [] (let [x (if (error? to) to (perform :stream/put to 1 0))]
               (if (contains? #{:stream/closed :agent/unknown} (if (error? x) (error-kind x))) :told
                 (do (perform :time/sleep 0) (recur)))))))",
    );
    let ran = place.ok(&["run", "world", "late.yin", "--agents", "2"]);
    assert_eq!(ran.split_whitespace().collect::<String>(), "[[0:gone][1:told]]");
    place.write("wait.yin", "(let [x (perform :stream/next inbox)] (error-kind x))");
    let ran = place.ok(&["run", "world", "wait.yin", "--agents", "2"]);
    assert_eq!(ran.matches(":agent/deadlock").count(), 2, "{ran}");
}

#[test]
fn effects_and_transactions_of_many_agents_each_happen_once_and_through_the_gate() {
    let place = place();
    place.write(
        "notes.yin",
        r#"(perform :fs/append "log" (str agent "\n"))
(transact! [{:note/n agent}])
(count (q '[:find [?n ...] :where [_ :note/n ?n]]))"#,
    );
    place.write("note.edn", "[{:db/ident :note/n :db/valueType :db.type/long}]");
    place.ok(&["transact", "world", "note.edn"]);
    let run = ["run", "world", "notes.yin", "--agents", "40", "--threads", "3"];
    let allowed: Vec<&str> = run.iter().copied().chain(["--allow", ":fs/append"]).collect();
    let counts = place.ok(&allowed);
    assert_eq!(counts.lines().count(), 40, "{counts}");
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let mut lines: Vec<u32> = log.lines().map(|line| line.parse().unwrap()).collect();
    lines.sort();
    assert_eq!(lines, (0..40).collect::<Vec<_>>());
    let notes = place.ok(&["q", "world", "[:find (count ?n) . :where [_ :note/n ?n]]"]);
    assert_eq!(notes.trim(), "40");

    place.write("log", "");
    place.write("gate.yin", "(error-kind (perform :fs/append \"log\" \"x\"))");
    let refused = place.ok(&["run", "world", "gate.yin", "--agents", "3"]);
    assert_eq!(refused.matches(":bridge/no-handler").count(), 3, "{refused}");
    assert_eq!(std::fs::read_to_string(place.path("log")).unwrap(), "");
}

#[test]
fn each_agent_has_its_fuel_and_the_failure_of_some_is_the_failure_of_the_run() {
    let place = place();
    place.write(
        "some.yin",
        "(if (= agent 1) (loop [] (recur)) (if (= agent 2) (fail \"no\") agent))",
    );
    let ran = place.run(&["run", "world", "some.yin", "--agents", "4", "--fuel", "50000"]);
    ran.fails_with(
        1,
        &["agent 1: some.yin:1:26: the program took more than 50000 steps", "agent 2: some.yin"],
    );
    ran.fails_with(1, &["4: 2 done, 2 failed;", "2 of 4 agents did not end well"]);
    assert_eq!(ran.stdout.trim(), "[[0 0]\n [3 3]]");

    let usage = |more: &[&str], said: &str| {
        let run = [&["run", "world", "ring.yin", "1"], more].concat();
        place.run(&run).fails_with(2, &[said]);
    };
    usage(&["--agents", "0"], "1..=100000");
    usage(&["--threads", "2", "--durable", "x"], "cannot be used with");
    usage(&["--agents", "2000", "--durable", "x"], "at most 1000 agents");
    usage(&["--agents", "2", "--as-of", "1"], "cannot be used with");
    usage(&["--deny", ":stream/put"], ":stream/put cannot be denied");
}

#[test]
fn an_interrupt_ends_all_agents_whatever_they_do_and_says_so() {
    let place = place();
    place.write(
        "busy.yin",
        "(perform :console/print \"here\")
(if (= agent 0) (loop [] (recur)) (if (= agent 1) (perform :time/sleep 100000000) (perform :stream/next inbox)))",
    );
    for threads in ["0", "2"] {
        let run = ["run", "world", "busy.yin", "--agents", "3", "--threads", threads];
        let mut killed = Killed(place.datom(&run).stderr(Stdio::piped()).spawn().unwrap());
        let child = &mut killed.0;
        let mut out = BufReader::new(child.stdout.take().unwrap());
        for _ in 0..3 {
            out.read_line(&mut String::new()).unwrap();
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
        assert!(said.contains("3: 0 done, 3 interrupted;"), "{said}");
        assert!(said.contains("3 of 3 agents did not end well"), "{said}");
        place.ok(&["verify", "world"]);
    }
}

#[test]
fn what_only_agents_of_one_process_can_do_is_refused_to_those_that_outlive_it() {
    let place = place();
    place.write("starts.yin", "(perform :agent/start \"worker.yin\")");
    let durable = ["run", "world", "starts.yin", "--durable", "worker"];
    let why = ["starts.yin asks for :agent/start", "--durable NAME --agents N", ":db/await"];
    place.run(&durable).fails_with(1, &why);
    assert_eq!(place.ok(&["agents", "world"]).trim(), "[]", "it has not begun");

    // Where it is not seen before, it is an error value for whoever asks.
    place.write("lib.yin", "(ns lib) (defn wait [] (perform :vm/park))");
    place.write(
        "uses.yin",
        "(ns uses (:require lib)) (let [s (lib/wait)] (if (error? s) (error-message s) :made))",
    );
    place.ok(&["run", "world", "lib.yin", "--agents", "1"]);
    let told = place.ok(&["run", "world", "uses.yin", "--durable", "worker"]);
    assert!(told.contains("nobody answers :vm/park here: an agent that outlives"), "{told}");
    let told = place.ok(&["run", "world", "uses.yin"]);
    assert!(told.contains("run the program with `--agents 1`"), "{told}");
}

#[test]
fn a_function_is_redefined_for_all_agents_that_run_and_each_is_traced() {
    let place = place();
    place.write(
        "loops.yin",
        "(defn f [n] n)
(dotimes [n 20000] n)
(perform :console/print \"here\")
(loop [n 0] (if (= (f n) :stop) agent (recur (+ n 1))))",
    );
    place.write("stops.yin", "(defn f [n] :stop)");
    place.ok(&["run", "world", "stops.yin"]);
    for threads in ["0", "2"] {
        let old = ["run", "world", "loops.yin", "--live"];
        let run = [&old[..], &["--agents", "3", "--threads", threads, "--trace", "5000"]].concat();
        let mut child = Killed(place.datom(&run).spawn().unwrap());
        let mut out = BufReader::new(child.0.stdout.take().unwrap());
        for _ in 0..3 {
            out.read_line(&mut String::new()).unwrap();
        }
        let means = |name: &str| {
            let query = format!("[:find (max ?p) . :where [?p :yin.program/name {name:?}]]");
            let program = place.ok(&["q", "world", &query]).trim().to_owned();
            place
                .write("means.edn", &format!("[{{:function/name f :function/program {program}}}]"));
            place.ok(&["transact", "world", "means.edn"]);
        };
        means("stops.yin");
        let mut values = String::new();
        out.read_to_string(&mut values).unwrap();
        assert_eq!(values.split_whitespace().collect::<String>(), "[[00][11][22]]");
        assert!(child.0.wait().unwrap().success());
        // Of those of the first round too, whose samples are facts as well.
        let traced =
            "[:find ?agent (max ?total) :where [?t :trace/agent ?agent] [?t :trace/functions ?f]
                       [?f :trace/function \"loops.yin\"] [?f :trace/total ?total] [(< 0 ?total)]]";
        assert_eq!(place.ok(&["q", "world", traced]).lines().count(), 3);
        means("loops.yin");
    }
}
