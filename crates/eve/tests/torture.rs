//! Processes and threads that swap and read one file, while others are killed: at every k-th store to
//! shared memory, or whenever. Run by `cargo xtask torture`, which compiles the counting hook in.
//!
//! After each round: everything verifies, whoever lives has gone on, what the dead one had is back,
//! and no held snapshot has changed; one process is stopped for as long as all of it takes.

#![cfg(torture)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use counting::{assert_counted, count_up, trace};
use eve::torture::{die_at_store, stores_left};
use eve::{Options, Recovery, Region, Slab, Snapshot, Write};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

mod counting;

const FOLDER: &str = "EVE_TORTURE_FOLDER";
const ROLE: &str = "EVE_TORTURE_ROLE";
const SECONDS: &str = "EVE_TORTURE_SECONDS";
const SEED: &str = "EVE_TORTURE_SEED";
/// Threads of each process that works.
const THREADS: usize = 2;
/// User words: somebody stopped is ready; the stopped one may look; workers shall stand still; how
/// many of them do.
const READY: usize = 0;
const LOOK: usize = 1;
const PAUSE: usize = 2;
const STANDING: usize = 3;
/// A victim's work is over when it has not died by then.
const ENOUGH: u64 = 1 << 40;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn open(folder: &Path) -> Slab {
    Slab::open(Region::open(folder.join("world.eve")).unwrap()).unwrap()
}

/// One turn of everything a process does.
fn turn(slab: &Slab, folder: &Path, round: u64, held: &mut Vec<Snapshot>) {
    slab.swap(count_up).unwrap();
    match round % 8 {
        0 => held.push(slab.snapshot().unwrap()),
        1 => drop(slab.allocate(100 + (round % 3 * 50_000) as usize).unwrap()),
        2 => {
            let mut txn = slab.begin().unwrap();
            for bytes in [40, 400, 4000, 70_000] {
                txn.alloc(bytes).unwrap();
            }
        }
        3 if held.len() > 5 => held.drain(..).for_each(|snapshot| assert_counted(&snapshot)),
        4 => {
            let mut txn = slab.begin().unwrap();
            let (root, _) = count_up(&mut txn).unwrap();
            let _ = txn.commit(root); // or lost to somebody else
        }
        5 => slab.release(slab.allocate((round % 3000) as usize).unwrap().send()).unwrap(),
        6 if round % 64 == 6 => drop(slab.sync().unwrap()),
        7 if round % 32 == 7 => drop(open(folder)),
        _ => {}
    }
}

/// Works until the pause is over for good; stands still while it lasts.
fn work(slab: &Slab, folder: &Path, over: &AtomicBool) {
    let mut held = Vec::new();
    for round in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        if slab.user_word(PAUSE).load(Ordering::Acquire) != 0 {
            held.clear();
            slab.user_word(STANDING).fetch_add(1, Ordering::AcqRel);
            while slab.user_word(PAUSE).load(Ordering::Acquire) != 0 {
                std::thread::yield_now();
            }
            slab.user_word(STANDING).fetch_add(u64::MAX, Ordering::AcqRel);
        }
        turn(slab, folder, round, &mut held);
    }
}

fn work_forever(folder: &Path) {
    let slab = open(folder);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work(&slab, folder, &AtomicBool::new(false)));
        }
    });
}

/// Dies at the store it was told; 0 is to be killed from outside.
fn be_a_victim(folder: &Path, store: u64) {
    if store > 0 {
        die_at_store(store);
    }
    let slab = open(folder);
    let mut held = Vec::new();
    for round in 0..ENOUGH {
        turn(&slab, folder, round, &mut held);
    }
}

fn be_stopped(folder: &Path) {
    let slab = open(folder);
    let held = slab.snapshot().unwrap();
    slab.user_word(READY).store(1, Ordering::Release);
    while slab.user_word(LOOK).load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    assert_counted(&held);
    slab.swap(count_up).unwrap();
}

/// Another process; SIGKILLed when dropped.
struct Other(Child);

impl Other {
    fn start(folder: &Path, role: &str) -> Other {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "torture"]).env(FOLDER, folder).env(ROLE, role);
        Other(command.stdout(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until so many more commits have happened.
fn progress(slab: &Slab, commits: u64) {
    let until = slab.commits() + commits;
    while slab.commits() < until {
        let seen = slab.commits();
        assert_ne!(slab.wait(seen, Some(Duration::from_secs(60))), seen, "nobody goes on");
    }
}

#[test]
fn torture() {
    if let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) {
        let role = env::var(ROLE).unwrap();
        return match role.as_str() {
            "work" => work_forever(&folder),
            "stop" => be_stopped(&folder),
            store => be_a_victim(&folder, store.parse().unwrap()),
        };
    }
    let seed = number(SEED).unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    let time = Duration::from_secs(number(SECONDS).unwrap_or(60));
    println!("torture: seed {seed}, {} s", time.as_secs());
    let folder = tempfile::tempdir().unwrap();
    let options = Options { limit_bytes: 1 << 30, ..Options::default() };
    let slab =
        Slab::create(Region::create(folder.path().join("world.eve"), &options).unwrap()).unwrap();
    let over = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work(&slab, folder.path(), &over));
        }
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            rounds_of(&slab, folder.path(), seed, time)
        }));
        over.store(true, Ordering::Relaxed);
        slab.user_word(PAUSE).store(0, Ordering::Release);
        rounds
    });
    let rounds = rounds.unwrap_or_else(|cause| std::panic::resume_unwind(cause));
    println!("torture: {rounds} processes killed, {} commits", slab.commits());
    drop(slab);
    let region = Region::open(folder.path().join("world.eve")).unwrap();
    let slab = Slab::open_with(region, trace).unwrap();
    assert!(matches!(slab.recovery(), Recovery::None | Recovery::Processes { .. }));
    assert_counted(&slab.snapshot().unwrap());
    assert_eq!(slab.verify(trace).unwrap().leaked_blocks, Some(0));
}

fn rounds_of(slab: &Slab, folder: &Path, seed: u64, time: Duration) -> u64 {
    let mut random = Random(seed | 1);
    let sibling = Other::start(folder, "work");
    let mut stopped = Other::start(folder, "stop");
    while slab.user_word(READY).load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    stopped.signal(Signal::STOP);
    waitpid(Some(Pid::from_child(&stopped.0)), WaitOptions::UNTRACED).unwrap();
    let started = Instant::now();
    let (mut round, mut held, mut leaks) = (0, Vec::new(), 0);
    while started.elapsed() < time {
        round += 1;
        // Every store from the first on, and far ones, and whenever.
        let store = match round % 4 {
            0 => 1 + random.next() % 200_000,
            1 => 0,
            _ => round / 2,
        };
        let mut victim = Other::start(folder, &store.to_string());
        if store == 0 {
            progress(slab, 1 + random.next() % 300);
            victim.0.kill().unwrap();
        }
        let status = victim.0.wait().unwrap();
        assert!(!status.success(), "round {round}: not killed at store {store}");
        progress(slab, 20);
        held.push(slab.snapshot().unwrap());
        if held.len() > 4 {
            held.remove(random.next() as usize % held.len());
        }
        leaks = check(slab, &held, round, store, leaks);
    }
    assert_eq!(stores_left().min(ENOUGH), ENOUGH, "this process counts down to nothing");
    slab.user_word(LOOK).store(1, Ordering::Release);
    stopped.signal(Signal::CONT);
    assert!(stopped.0.wait().unwrap().success(), "the stopped one's snapshot has changed");
    drop(sibling);
    round
}

/// Lets everybody stand still and looks at everything. Returns how many blocks are lost so far.
fn check(slab: &Slab, held: &[Snapshot], round: u64, store: u64, leaks: u64) -> u64 {
    slab.user_word(PAUSE).store(1, Ordering::Release);
    while slab.user_word(STANDING).load(Ordering::Acquire) < 2 * THREADS as u64 {
        std::thread::yield_now();
    }
    slab.reclaim().unwrap();
    held.iter().for_each(assert_counted);
    let found = slab.verify(trace).unwrap_or_else(|error| panic!("round {round}: {error}"));
    let lost = found.leaked_blocks.expect("everybody stands still");
    assert!(lost <= leaks, "round {round}, store {store}: {found:?}, before {leaks}");
    assert_eq!(slab.stats().attachments.len(), 3, "round {round}: the dead one is gone");
    slab.user_word(PAUSE).store(0, Ordering::Release);
    lost
}
