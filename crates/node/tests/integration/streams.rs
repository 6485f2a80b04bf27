//! Streams of agents that outlive their processes: what is in them is there after any kill, and once.

use std::fs;

use crate::place::{Killed, Place};

/// Keeps values in a stream across effects, and reads them all.
const HOLDS: &str = r#"
(def s (stream/make 8))
(def c (stream/cursor s))
(dotimes [n 4] (stream/put s [n "é"]))
(def read
  (loop [n 0 read []]
    (if (= n 12)
      read
      (do
        (perform :fs/append "log" (str n "\n"))
        (stream/put s n)
        (recur (+ n 1) (conj read (stream/next c)))))))
(stream/close s)
[read (stream/next c) (perform :stream/next c 0 :late) (error-kind (stream/put s 1))]
"#;
const HOLD: [&str; 7] =
    ["run", "world", "holds.yin", "--durable", "holds", "--allow", ":fs/append"];

/// A value goes round; each step is a line.
const RING: &str = r#"
(def to (perform :agent/inbox (mod (+ agent 1) agents)))
(when (= agent 0) (stream/put to 0))
(loop [n 0]
  (when (< n 6)
    (let [x (stream/next inbox)]
      (perform :fs/append "log" (str x "\n"))
      (when (or (> agent 0) (< n 5)) (stream/put to (+ x 1)))
      (recur (+ n 1)))))
agent
"#;
const RUN_RING: [&str; 9] =
    ["run", "world", "ring.yin", "--durable", "ring", "--agents", "3", "--allow", ":fs/append"];

fn lines(place: &Place) -> Vec<i64> {
    let text = fs::read_to_string(place.path("log")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Runs a command that is killed whenever it has appended a line more, until it ends by itself.
fn killed_at_each_line(place: &Place, run: &[&str], expected: usize) -> String {
    for seen in 0..expected {
        let mut child = Killed(place.datom(run).spawn().unwrap());
        while lines(place).len() <= seen && child.0.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
    }
    place.ok(run)
}

#[test]
fn what_is_in_a_stream_survives_every_kill_and_is_read_once() {
    let place = Place::new();
    place.write("holds.yin", HOLDS);
    let value = killed_at_each_line(&place, &HOLD, 12);
    assert_eq!(lines(&place), (0..12).collect::<Vec<i64>>());
    let replay = place.ok(&["agent", "replay", "world", "holds"]);
    assert!(replay.contains(":ended true"), "{replay}");
    // In memory, where nothing is kept, it is the same program.
    let alone = place.ok(&["run", "world", "holds.yin", "--agents", "1", "--allow", ":fs/append"]);
    assert_eq!(value, alone);
    let kept = "[:find ?put ?passed :where [?s :stream/put ?put] [?s :stream/passed ?passed]]";
    assert_eq!(place.ok(&["q", "world", kept]).trim(), "[[16 14]]");
    place.ok(&["verify", "world"]);
}

#[test]
fn agents_of_a_group_share_streams_and_go_on_with_them_after_kills() {
    let place = Place::new();
    place.write("ring.yin", RING);
    let values = killed_at_each_line(&place, &RUN_RING, 18);
    assert_eq!(values.split_whitespace().collect::<String>(), "[[00][11][22]]");
    assert_eq!(lines(&place), (0..18).collect::<Vec<i64>>());
    for agent in ["ring/0", "ring/1", "ring/2"] {
        place.ok(&["agent", "replay", "world", agent]);
    }
    assert_eq!(place.ok(&RUN_RING), values, "whoever has ended has its value");
    place.ok(&["verify", "world"]);
}

#[test]
fn an_agent_is_migrated_with_what_it_reads_and_writes() {
    let place = Place::new();
    place.write(
        "reads.yin",
        "(loop [sum 0] (let [x (stream/next inbox)] (if (= x :end) sum (recur (+ sum x)))))",
    );
    place.write(
        "writes.yin",
        r#"(def to (perform :agent/inbox "reads"))
           (dotimes [n 100] (stream/put to n)) (stream/put to :end)"#,
    );
    let waits = |agent: &str, op: &str, epoch: i64| {
        let query = format!(
            "[:find ?epoch . :where [?a :agent/name {agent:?}] [?a :agent/waits-for {op}]
              [?a :agent/epoch ?epoch]]"
        );
        while place.ok(&["q", "world", &query]).trim() != epoch.to_string() {
            std::thread::yield_now();
        }
    };
    place.ok(&["init", "world"]);
    let reads = ["run", "world", "reads.yin", "--durable", "reads"];
    let owner = place.datom(&reads).spawn().unwrap();
    waits("reads", ":stream/next", 1);
    // It leaves while it waits, and nobody has it when the writer fills its inbox.
    place.ok(&["agent", "pause", "world", "reads"]);
    assert!(!owner.wait_with_output().unwrap().status.success());
    let writer = ["run", "world", "writes.yin", "--durable", "writes"];
    let full = Killed(place.datom(&writer).spawn().unwrap());
    let put = "[:find ?put . :where [?s :stream/inbox \"reads\"] [?s :stream/put ?put]]";
    while place.ok(&["q", "world", put]).trim() != "64" {
        std::thread::yield_now();
    }
    waits("writes", ":stream/put", 1);
    drop(full);
    let full = place.datom(&writer).spawn().unwrap();
    let read = place.ok(&["agent", "migrate", "world", "reads"]);
    assert_eq!(read.trim(), "4950");
    assert!(full.wait_with_output().unwrap().status.success());
}
