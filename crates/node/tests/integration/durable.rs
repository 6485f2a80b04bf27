//! An agent outlives its processes: whenever they are killed, the same command goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::place::Place;

/// Writes a file for each step and reads it back.
const PROGRAM: &str = r#"
(defn step [n]
  (perform :fs/write (str n ".txt") (str "step " n))
  (count (perform :fs/read (str n ".txt"))))
(loop [n 0 sum 0]
  (if (= n STEPS) [:sum sum] (recur (+ n 1) (+ sum (step n)))))
"#;
const STEPS: u64 = 8;
const SUM: &str = "[:sum 48]";
const RUN: [&str; 7] = ["run", "world", "agent.yin", "--durable", "worker", "--allow", ":fs/write"];

fn place() -> Place {
    let place = Place::new();
    place.write("agent.yin", &PROGRAM.replace("STEPS", &STEPS.to_string()));
    place
}

fn random(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as f64 / f64::from(1_u32 << 31)
}

#[test]
fn an_agent_killed_at_any_moment_goes_on_and_each_request_is_answered_once() {
    let place = place();
    let started = Instant::now();
    place.ok(&["run", "other", "agent.yin", "--durable", "worker", "--allow", ":fs/write"]);
    let usual = started.elapsed();
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}");
    let mut kills = 0;
    // However often it is killed, it gets on.
    for _ in 0..40 {
        let moment = usual.mul_f64(random(&mut seed) * 0.7);
        let mut child = place.datom(&RUN).spawn().unwrap();
        if !killed(&mut child, moment) {
            break;
        }
        kills += 1;
    }
    let value = place.ok(&RUN);
    assert_eq!(value.trim(), SUM, "after {kills} kills");
    for n in 0..STEPS {
        assert_eq!(
            std::fs::read_to_string(place.path(&format!("{n}.txt"))).unwrap(),
            format!("step {n}")
        );
    }
    let answers = place.ok(&[
        "q",
        "world",
        "--history",
        "[:find ?answer ?t :where [_ :agent/answer ?answer ?t true]]",
    ]);
    let numbers: Vec<&str> =
        answers.lines().filter_map(|line| line.split("[").nth(2)?.split(' ').next()).collect();
    let distinct: BTreeSet<&&str> = numbers.iter().collect();
    assert_eq!(numbers.len() as u64, 2 * STEPS, "{answers}");
    assert_eq!(distinct.len(), numbers.len(), "{answers}");
    place.ok(&["verify", "world"]);
}

/// Kills a process after a moment; false if it had ended before.
fn killed(child: &mut std::process::Child, moment: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn agents_can_be_listed_shown_paused_and_looked_at_in_the_past() {
    let place = place();
    place.ok(&RUN);
    let listed = place.ok(&["agents", "world"]);
    assert!(listed.contains("worker") && listed.contains(":agent.status/done"), "{listed}");
    let shown = place.ok(&["agent", "show", "world", "worker"]);
    assert!(shown.contains(SUM) && shown.contains("agent.yin:4"), "{shown}");
    // The first moment at which it had asked for something.
    let first =
        place.ok(&["q", "world", "--history", "[:find (min ?t) . :where [_ :agent/request _ ?t]]"]);
    let t = (first.trim().parse::<u64>().unwrap() & ((1 << 58) - 1)).to_string();
    let past = place.ok(&["agent", "at", "world", "worker", &t]);
    assert!(past.contains("n 0") && past.contains("agent.yin:3"), "{past}");

    place.run(&["agent", "show", "world", "nobody"]).fails_with(1, &["there is no agent nobody"]);
}

#[test]
fn a_paused_agent_goes_on_where_it_was_and_a_cancelled_one_never() {
    let place = place();
    place.write("busy.yin", "(loop [n 1000] (if (= n 0) :rested (recur (- n 1))))");
    let whole = ["run", "world", "busy.yin", "--durable", "worker"];
    let short: Vec<&str> = whole.iter().copied().chain(["--fuel", "400"]).collect();
    place.run(&short).fails_with(1, &["took more than 400 steps", "goes on with it"]);
    place.ok(&["agent", "pause", "world", "worker"]);
    place.run(&whole).fails_with(1, &["is paused"]);
    place.ok(&["agent", "resume", "world", "worker"]);
    place.run(&short).fails_with(1, &["took more than 400 steps"]);
    // Two hundred turns are left.
    assert_eq!(place.ok(&short).trim(), ":rested");

    let other: Vec<&str> =
        short.iter().map(|&word| if word == "worker" { "other" } else { word }).collect();
    place.run(&other).fails_with(1, &["took more than 400 steps"]);
    place.ok(&["agent", "cancel", "world", "other"]);
    place.run(&other).fails_with(1, &["is cancelled"]);
}
