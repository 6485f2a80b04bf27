//! A slab between processes that are killed and stopped, and on disks that are full. Every test
//! starts its own program again as the other process.

use std::env;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use counting::{assert_counted, count_up, trace};
use eve::{Addr, Error, Options, Recovery, Region, Slab, Snapshot, Write};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

mod counting;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));
const FOLDER: &str = "EVE_SLAB_FOLDER";

fn folder_of_the_other() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

fn path(folder: &Path) -> PathBuf {
    folder.join("world.eve")
}

fn create(folder: &Path) -> Slab {
    Slab::create(Region::create(path(folder), &Options::default()).unwrap()).unwrap()
}

fn open(folder: &Path) -> Slab {
    Slab::open(Region::open(path(folder)).unwrap()).unwrap()
}

/// The other process; SIGKILLed when dropped.
struct Other(Child);

impl Other {
    fn start(test: &str, folder: &Path) -> Other {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test]).env(FOLDER, folder).stdout(Stdio::null());
        Other(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Stops it and waits until it stands still.
    fn stop(&self) {
        self.signal(Signal::STOP);
        waitpid(Some(Pid::from_child(&self.0)), WaitOptions::UNTRACED).unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Everything a process can be doing when it is killed.
fn work_until_killed(folder: &Path) -> ! {
    let slab = open(folder);
    let mut held = Vec::new();
    for round in 0_usize.. {
        slab.swap(count_up).unwrap();
        match round % 8 {
            0 => held.push(slab.snapshot().unwrap()),
            1 => drop(slab.allocate(100 + round % 3 * 50_000).unwrap()),
            2 => {
                let mut txn = slab.begin().unwrap();
                for bytes in [40, 400, 4000, 70_000] {
                    txn.alloc(bytes).unwrap();
                }
            }
            3 if held.len() > 5 => held.clear(),
            4 => {
                let mut txn = slab.begin().unwrap();
                let (root, _) = count_up(&mut txn).unwrap();
                let _ = txn.commit(root); // or lost to somebody else
            }
            6 if round % 64 == 6 => drop(slab.sync().unwrap()),
            7 if round % 32 == 7 => drop(open(folder)),
            5 => slab.release(slab.allocate(round % 3000).unwrap().send()).unwrap(),
            _ => {}
        }
    }
    unreachable!("killed long before")
}

#[test]
fn processes_see_each_others_commits() {
    if let Some(folder) = folder_of_the_other() {
        let slab = open(&folder);
        for _ in 0..1000 {
            slab.swap(count_up).unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    let mut other = Other::start("processes_see_each_others_commits", folder.path());
    for _ in 0..1000 {
        slab.swap(count_up).unwrap();
    }
    let mut seen = slab.commits();
    while seen < 2000 {
        let now = slab.wait(seen, PATIENCE);
        assert_ne!(now, seen, "woken by a commit");
        seen = now;
    }
    assert!(other.0.wait().unwrap().success());
    assert_counted(&slab.snapshot().unwrap());
    let found = slab.verify(trace).unwrap();
    assert_eq!((found.epoch, found.leaked_blocks), (2000, Some(0)));
}

#[test]
fn a_killed_process_loses_nothing_and_survivors_go_on() {
    const KILLS: u64 = 40;
    if let Some(folder) = folder_of_the_other() {
        work_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    let mut held: Vec<Snapshot> = Vec::new();
    for kill in 0..KILLS {
        let other =
            Other::start("a_killed_process_loses_nothing_and_survivors_go_on", folder.path());
        let mut seen = slab.commits();
        let enough = seen + kill * 13 % 97 + 1;
        while seen < enough {
            let now = slab.wait(seen, PATIENCE);
            assert_ne!(now, seen, "the other commits");
            seen = now;
        }
        drop(other);
        held.push(slab.snapshot().unwrap());
        for _ in 0..100 {
            slab.swap(count_up).unwrap();
        }
        held.iter().for_each(assert_counted);
        if held.len() > 4 {
            held.remove(1);
        }
        let found = slab.verify(trace).unwrap();
        assert!(found.leaked_blocks.unwrap() <= kill + 1, "{found:?}");
    }
    held.iter().for_each(assert_counted);
    let stats = slab.stats();
    assert_eq!(stats.attachments.len(), 1, "the dead are gone: {stats:?}");
    assert!(stats.used_bytes < 32 << 20, "{stats:?}");
}

#[test]
fn whoever_opens_after_everybody_was_killed_finds_all_of_it() {
    const KILLS: u64 = 40;
    const NAME: &str = "whoever_opens_after_everybody_was_killed_finds_all_of_it";
    if let Some(folder) = folder_of_the_other() {
        work_until_killed(&folder);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut commits = create(folder.path()).commits();
    for kill in 0..KILLS {
        let others = [Other::start(NAME, folder.path()), Other::start(NAME, folder.path())];
        let watcher = open(folder.path());
        while watcher.commits() < commits + kill * 7 % 50 + 1 {
            let seen = watcher.commits();
            assert_ne!(watcher.wait(seen, PATIENCE), seen);
        }
        let alone = kill % 2 == 0;
        // Leaves while others are at work, or is still there when the next one opens.
        let watcher = (!alone).then_some(watcher);
        drop(others);
        let slab = Slab::open_with(Region::open(path(folder.path())).unwrap(), trace).unwrap();
        drop(watcher);
        if alone {
            assert!(matches!(slab.recovery(), Recovery::Processes { .. }), "{:?}", slab.recovery());
            let found = slab.verify(trace).unwrap();
            assert_eq!(found.leaked_blocks, Some(0), "{found:?}");
            // Killed between sending one and receiving it: it is still under way.
            assert!(found.payload_blocks <= 2 * (kill + 1), "{found:?}");
        }
        assert_counted(&slab.snapshot().unwrap());
        assert!(slab.commits() > commits);
        commits = slab.commits();
    }
}

#[test]
fn a_stopped_process_keeps_its_snapshot() {
    const READY: usize = 0;
    const LOOK: usize = 1;
    if let Some(folder) = folder_of_the_other() {
        let slab = open(&folder);
        let held = slab.snapshot().unwrap();
        slab.user_word(READY).store(held.epoch(), Ordering::Release);
        while slab.user_word(LOOK).load(Ordering::Acquire) == 0 {
            let _ = slab.wait(slab.commits(), PATIENCE);
        }
        assert_counted(&held);
        slab.swap(count_up).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    for _ in 0..100 {
        slab.swap(count_up).unwrap();
    }
    let mut other = Other::start("a_stopped_process_keeps_its_snapshot", folder.path());
    while slab.user_word(READY).load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    other.stop();
    for _ in 0..20_000 {
        slab.swap(count_up).unwrap();
    }
    slab.reclaim().unwrap();
    assert_eq!(slab.stats().attachments.len(), 2, "not robbed");
    slab.user_word(LOOK).store(1, Ordering::Release);
    other.signal(Signal::CONT);
    slab.swap(count_up).unwrap();
    assert!(other.0.wait().unwrap().success());
    assert_eq!(slab.commits(), 20_102);
}

#[test]
fn a_payload_goes_from_one_process_to_another() {
    const LETTER: usize = 0;
    if let Some(folder) = folder_of_the_other() {
        let slab = open(&folder);
        let mut letter = slab.allocate(100_000).unwrap();
        letter.fill(7);
        slab.user_word(LETTER).store(letter.send().raw(), Ordering::Release);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    let mut other = Other::start("a_payload_goes_from_one_process_to_another", folder.path());
    assert!(other.0.wait().unwrap().success());
    let at = Addr::from_raw(slab.user_word(LETTER).load(Ordering::Acquire));
    let letter = slab.receive(at).unwrap();
    assert_eq!(&letter[..], [7; 100_000]);
    assert!(matches!(slab.release(at), Err(Error::NotThat { .. })));
    drop(letter);
    assert_eq!(slab.stats().blocks, 0);
}

/// The child inherits the file, which has no name, and is killed in the middle of its work.
#[test]
fn a_region_without_a_name_is_handed_to_a_child() {
    if let Some(descriptor) = folder_of_the_other() {
        let slab = Slab::open(Region::open(descriptor).unwrap()).unwrap();
        loop {
            slab.swap(count_up).unwrap();
        }
    }
    let slab = Slab::create(Region::memfd(&Options::default()).unwrap()).unwrap();
    let descriptor = slab.region().inheritable().unwrap();
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    let other = Other::start("a_region_without_a_name_is_handed_to_a_child", Path::new(&path));
    drop(descriptor);
    let mut seen = 0;
    while seen < 100 {
        seen = slab.wait(seen, PATIENCE);
    }
    drop(other);
    slab.swap(count_up).unwrap();
    slab.reclaim().unwrap();
    assert_counted(&slab.snapshot().unwrap());
    assert_eq!(slab.status().attachments.len(), 1, "the dead one is gone");
    assert_eq!(slab.verify(trace).unwrap().leaked_blocks, Some(0));
}

/// Whoever holds back room is named.
#[test]
fn the_status_names_who_holds_back_what() {
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    slab.swap(count_up).unwrap();
    let held = slab.snapshot().unwrap();
    for _ in 0..500 {
        slab.swap(count_up).unwrap();
    }
    let status = slab.status();
    let oldest = status.oldest_pin.unwrap();
    assert_eq!((oldest.pid, oldest.epoch, oldest.commits_ago), (std::process::id(), 1, 500));
    assert_eq!(status.retired_by, [(Some(std::process::id()), status.retired_blocks)]);
    assert!(status.retired_blocks > 0);
    drop(held);
    assert_eq!(slab.status().oldest_pin, None);
    let stats = slab.stats();
    assert_eq!(stats.free_bytes + stats.block_bytes, stats.used_bytes);
}

/// On a file system of its own, of 6 MiB.
#[test]
fn a_full_disk_is_an_error_and_changes_nothing() {
    if let Some(folder) = folder_of_the_other() {
        let slab = create(&folder);
        for _ in 0..100 {
            slab.swap(count_up).unwrap();
        }
        let mut txn = slab.begin().unwrap();
        let refused = loop {
            if let Err(error) = txn.alloc(10_000) {
                break error;
            }
        };
        assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
        drop(txn);
        for _ in 0..100 {
            slab.swap(count_up).unwrap();
        }
        let second = Region::create(folder.join("second.eve"), &Options::default());
        assert!(matches!(second, Err(Error::DiskFull { .. })), "{second:?}");
        let names = std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(names, 1, "nothing half made is left");
        drop(slab);
        assert_counted(&open(&folder).snapshot().unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = env::current_exe().unwrap();
    let script = r#"mount -t tmpfs -o size=6m tmpfs "$EVE_SLAB_FOLDER" && exec "$0" --exact \
        a_full_disk_is_an_error_and_changes_nothing"#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]).arg(program).env(FOLDER, folder.path());
    // Without the right to mount there is no small disk: `true` tells whether that is the reason.
    let may = Command::new("unshare").args(["-rm", "true"]).status();
    if may.is_ok_and(|status| status.success()) {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    } else {
        eprintln!("skipped: this user may not mount a small disk");
    }
}
