//! An agent outlives its processes: whenever they are killed, the same command goes on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bridge::{Call, Failure, Layer, Next};
use datom::{Keyword, Value};
use node::{Grants, Reporter, Runner, World};

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

/// What the process of [`a_process_that_dies_behind_its_effect`] runs, and when it dies.
const DIES_IN: &str = "DATOM_TEST_DIES_IN";
const DIES_AT: &str = "DATOM_TEST_DIES_AT";

/// Ends the process right behind the n-th effect, before anybody can keep its answer.
struct Dies {
    left: u64,
}

impl Layer for Dies {
    fn call(&mut self, call: &Call<'_>, next: Next<'_>) -> Result<Value, Failure> {
        let answer = next.call(call);
        self.left -= 1;
        if self.left == 0 {
            std::process::abort();
        }
        answer
    }
}

/// No test of its own: the others run it in a process that does not survive it.
#[test]
fn a_process_that_dies_behind_its_effect() {
    let Ok(folder) = std::env::var(DIES_IN) else { return };
    let left = std::env::var(DIES_AT).unwrap().parse().unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let world = World::open_or_create(Path::new("world")).unwrap();
    let text = fs::read_to_string("agent.yin").unwrap();
    let stored = node::store(world.database(), Reporter::silent(), "agent.yin", &text).unwrap();
    let folder = Path::new(&folder).canonicalize().unwrap();
    let mint = ["fs/append", "fs/read", "time/now"].map(Keyword::from).to_vec();
    let grants = Grants { mint, folders: vec![folder], ..Grants::default() };
    let by = "agent.yin";
    let mut runner =
        Runner::new(&world, Reporter::silent(), by, Some(stored.entity), &grants).unwrap();
    runner.layer(Dies { left });
    runner.define("args", &Value::Vector(vec![])).unwrap();
    let ended = runner.run_durable(&stored, "worker", u64::MAX);
    assert!(ended.is_ok());
}

/// Runs an agent whose process dies behind its n-th effect; then as a user does, to its end.
fn dies_and_goes_on(place: &Place, effect: u64) -> String {
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durable::a_process_that_dies_behind_its_effect"])
        .env(DIES_IN, place.path("."))
        .env(DIES_AT, effect.to_string())
        .output()
        .unwrap();
    assert!(!died.status.success(), "it did not die");
    place.ok(&["run", "world", "agent.yin", "--durable", "worker", "--allow", ":fs/append"])
}

#[test]
fn an_effect_with_a_key_is_done_once_although_its_process_died_before_it_was_answered() {
    for effect in 1..=4 {
        let place = Place::new();
        place.write(
            "agent.yin",
            r#"(loop [n 0] (if (= n 4) :done
                 (do (perform :fs/append "log" (str n "\n")) (recur (+ n 1)))))"#,
        );
        assert_eq!(dies_and_goes_on(&place, effect).trim(), ":done");
        assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "0\n1\n2\n3\n");
        let replayed = place.ok(&["agent", "replay", "world", "worker"]);
        assert!(replayed.contains("requests") && replayed.contains('4'), "{replayed}");
    }
}

#[test]
fn an_effect_without_a_key_is_done_at_most_once_and_the_program_is_told() {
    let place = Place::new();
    place.write(
        "agent.yin",
        r#"(defn put [n] (perform :fs/append {:path "log" :content (str n "\n") :key nil}))
           [(put 1) (put 2) (put 3)]"#,
    );
    let value = dies_and_goes_on(&place, 2);
    assert!(value.contains("#yin/error {:kind :effect/ambiguous"), "{value}");
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), "1\n2\n3\n");
}

#[test]
fn a_transaction_of_a_program_is_made_once_and_answered_alike() {
    let place = Place::new();
    place.write("schema.edn", "{:db/ident :n :db/valueType :db.type/long}");
    place.ok(&["transact", "world", "schema.edn"]);
    // The transactions lie between the state that was kept before the first effect's answer, and the
    // second effect, behind which the process dies.
    place.write(
        "agent.yin",
        r#"(perform :time/now)
           (def before (q '[:find (count ?e) . :where [?e :n]]))
           (def made (map (fn [n] (let [report (transact! [{:db/id "new" :n n}])]
                                    [n (= n (:n (entity (get (:tempids report) "new"))))]))
                          [1 2 3]))
           (perform :fs/append "log" (str made))
           [before made (q '[:find (count ?e) . :where [?e :n]])]"#,
    );
    let value = dies_and_goes_on(&place, 2);
    assert_eq!(value.trim(), "[nil [[1 true] [2 true] [3 true]] 3]");
    let count = place.ok(&["q", "world", "[:find (count ?e) . :where [?e :n]]"]);
    assert_eq!(count.trim(), "3");
    place.ok(&["agent", "replay", "world", "worker"]);
}

#[test]
fn a_replay_comes_to_the_same_states_or_says_where_it_does_not() {
    let place = Place::new();
    place.write(
        "agent.yin",
        r#"(def at (perform :time/now)) (def log (perform :fs/write "log" (str at)))
           (loop [n 1000] (if (= n 0) [log (perform :fs/read "log")] (recur (- n 1))))"#,
    );
    let short: Vec<&str> = RUN.iter().copied().chain(["--fuel", "400"]).collect();
    place.run(&short).fails_with(1, &["took more than 400 steps"]);
    let hash = |text: &str| {
        let text = text.split("state-hash").nth(1).unwrap();
        text.split('"').nth(1).unwrap().to_owned()
    };
    let part = place.ok(&["agent", "replay", "world", "worker"]);
    assert_eq!(hash(&part), hash(&place.ok(&["agent", "show", "world", "worker"])));
    place.ok(&RUN);
    let whole = place.ok(&["agent", "replay", "world", "worker"]);
    assert_eq!(hash(&whole), hash(&place.ok(&["agent", "show", "world", "worker"])));
    // An answer that was changed by hand leads elsewhere.
    let lie = r#"{:agent/name "worker" :agent/answer "[3 :ok 4711]"}"#;
    place.write("lie.edn", lie);
    place.ok(&["transact", "world", "lie.edn"]);
    place.run(&["agent", "replay", "world", "worker"]).fails_with(1, &["comes elsewhere"]);
}
