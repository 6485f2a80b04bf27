//! An agent is handed from one process to another, and nothing is done twice, whoever is killed when.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use bridge::{Call, Failure, Layer, Next};
use datom::{Keyword, Value};
use node::{Grants, Reporter, Runner, World};

use crate::place::Place;

const PROGRAM: &str = r#"
(def name (first args))
(loop [n 0]
  (if (= n 6) name (do (perform :fs/append "log" (str name " " n "\n")) (recur (+ n 1)))))
"#;
const RUN: [&str; 8] =
    ["run", "world", "agent.yin", "Ada", "--durable", "worker", "--allow", ":fs/append"];
const MIGRATE: [&str; 4] = ["agent", "migrate", "world", "worker"];
const RESULT: &str = "\"Ada\"";
/// Which effects the owner has done when it is asked to leave: this many, and the last is not
/// answered yet.
const DONE: usize = 2;

fn place() -> Place {
    let place = Place::new();
    place.write("agent.yin", PROGRAM);
    place
}

/// Where the process of [`an_owner_that_waits_in_its_effect`] runs.
const WAITS_IN: &str = "DATOM_TEST_WAITS_IN";

/// Waits behind the effect until a line is read.
struct Waits {
    left: usize,
}

impl Layer for Waits {
    fn call(&mut self, call: &Call<'_>, next: Next<'_>) -> Result<Value, Failure> {
        let answer = next.call(call);
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            eprintln!("at the gate");
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        answer
    }
}

/// No test of its own: the others run it in a process that owns the agent.
#[test]
fn an_owner_that_waits_in_its_effect() {
    let Ok(folder) = std::env::var(WAITS_IN) else { return };
    std::env::set_current_dir(&folder).unwrap();
    let world = World::open_or_create(Path::new("world")).unwrap();
    let text = fs::read_to_string("agent.yin").unwrap();
    let stored = node::store(world.database(), Reporter::silent(), "agent.yin", &text).unwrap();
    let folder = Path::new(&folder).canonicalize().unwrap();
    let mint = vec![Keyword::from("fs/append")];
    let grants = Grants { mint, folders: vec![folder], ..Grants::default() };
    let by = "agent.yin";
    let mut runner =
        Runner::new(&world, Reporter::silent(), by, Some(stored.entity), &grants).unwrap();
    runner.layer(Waits { left: DONE });
    runner.define("args", &Value::Vector(vec![Value::text("Ada")])).unwrap();
    let ended = runner.run_durable(&stored, "worker", u64::MAX);
    eprintln!("{}", ended.unwrap_err());
}

/// A process of which we hear.
struct Process {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Process {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::of(place.datom(arguments).spawn().unwrap())
    }

    fn of(mut child: Child) -> Self {
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// Reads on until it says something.
    fn says(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "it never says '{words}'");
        }
    }

    /// Lets an owner at the gate go on.
    fn open(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its end, and the rest of what it said.
    fn end(mut self) -> (ExitStatus, String, String) {
        let (mut said, mut value) = (String::new(), String::new());
        self.said.read_to_string(&mut said).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut value).unwrap();
        (self.child.wait().unwrap(), value, said)
    }
}

/// A process that runs the agent, in the midst of an effect.
fn owner(place: &Place) -> Process {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "migrate::an_owner_that_waits_in_its_effect", "--nocapture"])
        .env(WAITS_IN, place.path("."))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut owner = Process::of(child);
    owner.says("at the gate");
    owner
}

fn status(place: &Place) -> String {
    let query = "[:find ?s . :where [?a :agent/name \"worker\"] [?a :agent/status ?s]]";
    place.ok(&["q", "world", query]).trim().to_owned()
}

fn steps(count: usize) -> String {
    (0..count).map(|n| format!("Ada {n}\n")).collect()
}

/// Everything was done once, in order, and a replay agrees.
fn check(place: &Place) {
    let log = fs::read_to_string(place.path("log")).unwrap();
    assert_eq!(log, steps(6));
    assert_eq!(status(place), ":agent.status/done");
    place.ok(&["agent", "replay", "world", "worker"]);
    place.ok(&["verify", "world"]);
}

/// An owner in the midst of an effect, and another process that waits for the agent.
fn owner_and_caller(place: &Place) -> (Process, Process) {
    let owner = owner(place);
    let mut caller = Process::start(place, &MIGRATE);
    caller.says("is asked to leave process");
    while status(place) != ":agent.status/moving" {
        std::thread::yield_now();
    }
    (owner, caller)
}

/// The owner ends, and says why.
fn left(owner: Process) {
    let (_, _, said) = owner.end();
    assert!(said.contains("goes on in another process"), "{said}");
}

#[test]
fn a_running_agent_leaves_behind_its_effect_and_goes_on_in_the_process_that_asked() {
    let place = place();
    let (mut owner, caller) = owner_and_caller(&place);
    // Nothing was taken away from under the owner: its effect is answered, once.
    owner.open();
    left(owner);
    let (ended, value, said) = caller.end();
    assert!(ended.success(), "{said}");
    assert_eq!(value.trim(), RESULT);
    check(&place);
}

#[test]
fn the_process_that_asked_is_killed_while_it_waits_and_the_owner_still_leaves_nothing_behind() {
    let place = place();
    let (mut owner, caller) = owner_and_caller(&place);
    caller.kill();
    owner.open();
    left(owner);
    assert_eq!(status(&place), ":agent.status/moving");
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), steps(DONE));
    // Nobody runs it, so nobody is waited for.
    assert_eq!(place.ok(&MIGRATE).trim(), RESULT);
    check(&place);
}

#[test]
fn the_owner_is_killed_in_its_effect_and_the_process_that_asked_goes_on() {
    let place = place();
    let (owner, caller) = owner_and_caller(&place);
    owner.kill();
    // What it had done has a key, so it is not done again.
    let (ended, value, said) = caller.end();
    assert!(ended.success(), "{said}");
    assert_eq!(value.trim(), RESULT);
    check(&place);
}

#[test]
fn both_are_killed_and_the_command_that_began_it_goes_on() {
    let place = place();
    let (owner, caller) = owner_and_caller(&place);
    owner.kill();
    caller.kill();
    assert_eq!(place.ok(&RUN).trim(), RESULT);
    check(&place);
}

#[test]
fn the_process_that_asked_is_killed_after_each_of_its_effects() {
    for effect in 1..=6 - DONE {
        let place = place();
        let (mut owner, mut caller) = owner_and_caller(&place);
        owner.open();
        left(owner);
        for _ in 0..effect {
            caller.says(":fs/append");
        }
        caller.kill();
        assert_eq!(place.ok(&MIGRATE).trim(), RESULT);
        check(&place);
    }
}

#[test]
fn a_paused_agent_goes_on_in_the_process_that_asks_for_it() {
    let place = place();
    let mut owner = owner(&place);
    place.ok(&["agent", "pause", "world", "worker"]);
    owner.open();
    let (_, _, said) = owner.end();
    assert!(said.contains("was paused"), "{said}");
    assert_eq!(fs::read_to_string(place.path("log")).unwrap(), steps(DONE));
    assert_eq!(place.ok(&MIGRATE).trim(), RESULT);
    check(&place);
}

#[test]
fn a_program_that_asks_for_nothing_leaves_too() {
    let place = Place::new();
    place.write("busy.yin", "(loop [n 0] (recur (+ n 1)))");
    let mut owner = Process::start(&place, &["run", "world", "busy.yin", "--durable", "worker"]);
    owner.says("agent");
    let caller = Process::start(&place, &["agent", "migrate", "world", "worker", "--fuel", "100"]);
    left(owner);
    let (ended, _, said) = caller.end();
    assert!(!ended.success() && said.contains("took more than 100 steps"), "{said}");
    // It went on where it was, and did not begin again.
    let shown = place.ok(&["agent", "show", "world", "worker"]);
    let n = shown.split("{n ").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    assert!(n.parse::<u64>().unwrap() > 100, "{shown}");
}

#[test]
fn what_has_ended_is_not_handed_on() {
    let place = Place::new();
    place.write("brief.yin", ":over");
    place.ok(&["run", "world", "brief.yin", "--durable", "worker"]);
    assert_eq!(place.ok(&MIGRATE).trim(), ":over");
    place
        .run(&["agent", "migrate", "world", "nobody"])
        .fails_with(1, &["there is no agent nobody"]);
}
