//! Durable agents, killed at random: `cargo xtask torture yin [--seconds N] [--seed S]`.
//!
//! A hundred agents at a time append to one file and transact; each is a process, and eight run at
//! once. Processes are killed at random moments, one or all of them, and begun again by the same
//! command; or an agent is handed to another process, which may be killed as well. When the time is
//! over each agent runs to its end. Then every effect must be in the file
//! once, in the order of its agent, and every fact in the world once; and a replay of each agent must
//! come to its states.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Agents that are under way at a time.
const AGENTS: usize = 100;
/// Their processes that run at a time.
const PROCESSES: usize = 8;
/// Effects of each agent, and transactions.
const STEPS: usize = 12;
/// The longest time between two kills.
const PAUSE_MICROS_MAX: u64 = 30_000;

const SCHEMA: &str = "[{:db/ident :step/of :db/valueType :db.type/string}
  {:db/ident :step/number :db/valueType :db.type/long}]";
const PROGRAM: &str = r#"
(def name (first args))
(loop [n 0]
  (if (= n STEPS)
    name
    (do (perform :fs/append "log" (str name " " n "\n"))
        (transact! [{:db/id "step" :step/of name :step/number n}])
        (recur (+ n 1)))))
"#;

struct Torture {
    datom: PathBuf,
    folder: PathBuf,
    random: u64,
    /// Processes that were started so far.
    spawned: usize,
}

/// What is under way.
#[derive(Default)]
struct Field {
    /// Agents that nobody runs now.
    waiting: Vec<String>,
    running: Vec<Running>,
    begun: usize,
    ended: BTreeSet<String>,
    kills: usize,
    moves: usize,
}

/// A process that runs an agent, or waits for it.
struct Running {
    agent: String,
    child: Child,
    /// Where it says why it failed.
    errors: PathBuf,
}

/// What a process says that has no agent to run any more, or none yet.
const LEFT: [&str; 2] = ["goes on in another process", "there is no agent"];

impl Torture {
    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn random(&mut self, below: usize) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % below.max(1) as u64) as usize
    }

    fn datom(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.datom);
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.datom(arguments).output().expect("datom starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "datom {}: {said}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn begin(&mut self, agent: &str) -> Running {
        self.spawn(
            agent,
            &["run", "world", "agent.yin", agent, "--durable", agent, "--allow", ":fs/append"],
        )
    }

    fn spawn(&mut self, agent: &str, arguments: &[&str]) -> Running {
        self.spawned += 1;
        let errors = self.folder.join(format!("{}.err", self.spawned));
        let mut command = self.datom(arguments);
        let child = command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&errors).expect("a file"))
            .spawn()
            .expect("datom starts");
        Running { agent: agent.to_owned(), child, errors }
    }

    /// Starts, reaps and kills until the time is over and every agent has ended.
    fn run(&mut self, seconds: u64) -> Field {
        let (_never, pause) = mpsc::channel::<()>();
        let started = Instant::now();
        let mut field = Field::default();
        loop {
            let is_time = started.elapsed().as_secs() < seconds;
            if is_time && field.begun - field.ended.len() < AGENTS {
                field.waiting.push(format!("agent-{}", field.begun));
                field.begun += 1;
                continue;
            }
            while field.running.len() < PROCESSES && !field.waiting.is_empty() {
                let at = self.random(field.waiting.len());
                let agent = field.waiting.swap_remove(at);
                let process = self.begin(&agent);
                field.running.push(process);
            }
            if field.running.is_empty() {
                return field;
            }
            let micros = self.random(PAUSE_MICROS_MAX as usize) as u64;
            let _ = pause.recv_timeout(Duration::from_micros(micros));
            if is_time && self.random(4) == 0 {
                self.hand_on(&mut field);
            } else if is_time {
                self.kill(&mut field);
            }
            self.reap(&mut field);
        }
    }

    fn kill(&mut self, field: &mut Field) {
        let all = self.random(20) == 0;
        let one = self.random(field.running.len());
        for (at, process) in field.running.iter_mut().enumerate() {
            if all || at == one {
                let _ = process.child.kill();
                field.kills += 1;
            }
        }
    }

    /// Another process asks for an agent that is run now, most often.
    fn hand_on(&mut self, field: &mut Field) {
        let at = self.random(field.running.len());
        let agent = field.running[at].agent.clone();
        let process = self.spawn(&agent, &["agent", "migrate", "world", &agent]);
        field.running.push(process);
        field.moves += 1;
    }

    fn reap(&self, field: &mut Field) {
        for mut process in std::mem::take(&mut field.running) {
            match process.child.try_wait().expect("a child of ours") {
                None => {
                    field.running.push(process);
                    continue;
                }
                Some(status) if status.success() => {
                    field.ended.insert(process.agent);
                }
                // Killed; whatever else it ends with is a fault, unless it has left the agent.
                Some(status) if status.code().is_none() => field.waiting.push(process.agent),
                Some(status) => {
                    let said = fs::read_to_string(&process.errors).unwrap_or_default();
                    let flat = said.split_whitespace().filter(|word| *word != "│");
                    let flat = flat.collect::<Vec<_>>().join(" ");
                    let left = LEFT.iter().any(|left| flat.contains(left));
                    assert!(left, "{} ended with {status}: {said}", process.agent);
                }
            }
            let _ = fs::remove_file(&process.errors);
        }
    }

    /// Every effect once, in order, and every fact once.
    fn check(&self, agents: usize) {
        let log = fs::read_to_string(self.folder.join("log")).expect("a log");
        let mut steps: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for line in log.lines() {
            let (agent, step) = line.split_once(' ').expect("agent and step");
            steps.entry(agent).or_default().push(step.parse().expect("a number"));
        }
        assert_eq!(steps.len(), agents, "agents in the file");
        for (agent, steps) in steps {
            assert_eq!(steps, (0..STEPS).collect::<Vec<_>>(), "the effects of {agent}");
        }
        let facts = self.ok(&["q", "world", "[:find (count ?e) . :where [?e :step/of]]"]);
        assert_eq!(facts.trim(), (agents * STEPS).to_string(), "transactions");
        self.replay(agents);
        self.ok(&["verify", "world"]);
    }

    /// Replays each agent, as many at a time as there are cores.
    fn replay(&self, agents: usize) {
        let started = Instant::now();
        let next = AtomicUsize::new(0);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| {
                    loop {
                        let agent = next.fetch_add(1, Ordering::Relaxed);
                        if agent >= agents {
                            return;
                        }
                        self.ok(&["agent", "replay", "world", &format!("agent-{agent}")]);
                    }
                });
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        println!("{agents} replays in {seconds:.0} s, {:.0} a second", agents as f64 / seconds);
    }
}

/// The `datom` program of the same build.
fn datom() -> PathBuf {
    let own = std::env::current_exe().expect("a path of its own");
    let folder = own.parent().and_then(Path::parent).expect("examples lie in a folder");
    folder.join("datom")
}

fn argument(name: &str) -> Option<u64> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}

fn main() {
    let seconds = argument("--seconds").unwrap_or(60);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = argument("--seed").unwrap_or(now.as_nanos() as u64);
    println!("{seconds} s, seed {seed}");
    let folder = tempfile::tempdir().expect("a folder");
    let mut torture =
        Torture { datom: datom(), folder: folder.path().to_path_buf(), random: seed, spawned: 0 };
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    write("agent.yin", &PROGRAM.replace("STEPS", &STEPS.to_string()));
    write("schema.edn", SCHEMA);
    torture.ok(&["init", "world"]);
    torture.ok(&["transact", "world", "schema.edn"]);
    let started = Instant::now();
    let field = torture.run(seconds);
    println!(
        "{} agents, {} effects and as many transactions, {} kills, {} handed on, {:.0} s",
        field.begun,
        field.begun * STEPS,
        field.kills,
        field.moves,
        started.elapsed().as_secs_f64()
    );
    torture.check(field.begun);
    println!("every effect is in the file once, every fact in the world once, all replays agree");
}
