//! Rings between processes that are killed and stopped. Every test starts its own program again
//! as the other process.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use eve::ring::{self, Error, Fan, Layout, Mapped, Record, Ring};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));
const LAYOUTS: [Layout; 2] = [Layout::Packed, Layout::Sequenced];
const CAPACITY: u64 = 64;
/// How much the consumer of [`killed_consumers_miss_nothing`] reads before it releases.
const VIEW: u64 = 5;
/// Tells a started program that it is the other process, and for which folder.
const FOLDER: &str = "EVE_RING_FOLDER";

fn record(number: u64) -> Record {
    [number, number ^ 1, number.wrapping_mul(3), !number, number << 7]
}

fn file(folder: &Path, name: &str) -> File {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(folder.join(name)).unwrap()
}

fn create(folder: &Path, name: &str, layout: Layout) -> Ring<Mapped> {
    let bytes = ring::bytes(layout, CAPACITY).unwrap();
    Ring::create(Mapped::create(&file(folder, name), bytes).unwrap(), layout, CAPACITY).unwrap()
}

fn open(folder: &Path, name: &str) -> Ring<Mapped> {
    Ring::open(Mapped::open(&file(folder, name)).unwrap()).unwrap()
}

fn folder_of_the_other() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
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
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The other process produces, each time from where its predecessor was killed: the consumer sees
/// every record once, whole and in order.
#[test]
fn killed_producers_lose_and_double_nothing() {
    if let Some(folder) = folder_of_the_other() {
        let mut producer = open(&folder, "ring").producer().unwrap();
        let mut number = producer.published();
        loop {
            let mut room = producer.reserve(3).unwrap();
            while room.put(record(number)) {
                number += 1;
            }
            room.commit();
            producer.wait(None).unwrap();
        }
    }
    for layout in LAYOUTS {
        let folder = tempfile::tempdir().unwrap();
        let mut consumer = create(folder.path(), "ring", layout).consumer().unwrap();
        let mut expected = 0;
        for life in 0..20 {
            let other = Other::start("killed_producers_lose_and_double_nothing", folder.path());
            for _ in 0..1000 + 37 * life {
                assert_eq!(consumer.pop(PATIENCE).unwrap(), record(expected));
                expected += 1;
            }
            drop(other);
        }
        while let Some(found) = consumer.try_pop().unwrap() {
            assert_eq!(found, record(expected));
            expected += 1;
        }
        assert!(!consumer.has_producer());
    }
}

/// The other process consumes, and echoes what it sees before it releases it: between two lives
/// records may come twice, and none is missing.
#[test]
fn killed_consumers_miss_nothing() {
    if let Some(folder) = folder_of_the_other() {
        let mut consumer = open(&folder, "there").consumer().unwrap();
        let mut echo = open(&folder, "back").producer().unwrap();
        loop {
            consumer.wait(None).unwrap();
            let view = consumer.peek(VIEW as usize).unwrap();
            for found in view.iter() {
                echo.push(found, None).unwrap();
            }
            view.release(VIEW as usize);
        }
    }
    for layout in LAYOUTS {
        let folder = tempfile::tempdir().unwrap();
        let mut producer = create(folder.path(), "there", layout).producer().unwrap();
        let mut echoed = create(folder.path(), "back", layout).consumer().unwrap();
        let (mut sent, mut seen) = (0, 0_u64);
        for _ in 0..20 {
            let other = Other::start("killed_consumers_miss_nothing", folder.path());
            let goal = seen + 1000;
            let mut may_repeat = true;
            while seen < goal {
                while producer.try_push(record(sent)).unwrap() {
                    sent += 1;
                }
                let found = echoed.pop(PATIENCE).unwrap();
                assert_eq!(found, record(found[0]));
                let repeats = may_repeat && (seen.saturating_sub(VIEW)..seen).contains(&found[0]);
                assert!(found[0] == seen || repeats, "{} after {seen}", found[0]);
                may_repeat = false;
                seen = found[0] + 1;
            }
            drop(other);
            while let Some(found) = echoed.try_pop().unwrap() {
                assert_eq!(found[0], seen);
                seen += 1;
            }
        }
        assert!(!producer.has_consumer());
    }
}

/// Who is stopped still lives: its side is not given away before it is dead.
#[test]
fn a_stopped_process_keeps_its_side() {
    if let Some(folder) = folder_of_the_other() {
        let mut producer = open(&folder, "ring").producer().unwrap();
        producer.push(record(0), None).unwrap();
        open(&folder, "never").consumer().unwrap().pop(None).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), "never", Layout::Packed);
    let ring = create(folder.path(), "ring", Layout::Packed);
    let mut consumer = ring.consumer().unwrap();
    let mut other = Other::start("a_stopped_process_keeps_its_side", folder.path());
    assert_eq!(consumer.pop(PATIENCE).unwrap(), record(0));
    other.signal(Signal::STOP);
    let pid = other.0.id();
    let robbed = ring.producer();
    assert!(matches!(robbed, Err(Error::Occupied { pid: holder, .. }) if holder == pid));
    assert!(consumer.has_producer());

    other.signal(Signal::KILL);
    other.0.wait().unwrap();
    assert_eq!(ring.producer().unwrap().published(), 1);
    assert!(!consumer.has_producer());
    assert_eq!(consumer.try_pop().unwrap(), None);
}

/// Requests and responses between processes: whoever has nothing to do sleeps, and is woken.
#[test]
fn calls_cross_processes_and_back() {
    if let Some(folder) = folder_of_the_other() {
        let mut requests = open(&folder, "there").consumer().unwrap();
        let mut responses = open(&folder, "back").producer().unwrap();
        while let Ok(request) = requests.pop(None) {
            responses.push(request.map(|word| word.wrapping_add(1)), None).unwrap();
        }
        responses.close();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut requests = create(folder.path(), "there", Layout::Sequenced).producer().unwrap();
    let mut responses = create(folder.path(), "back", Layout::Sequenced).consumer().unwrap();
    let mut other = Other::start("calls_cross_processes_and_back", folder.path());
    for number in 0..5000 {
        requests.push(record(number), PATIENCE).unwrap();
        let response = responses.pop(PATIENCE).unwrap();
        assert_eq!(response, record(number).map(|word| word.wrapping_add(1)));
    }
    requests.close();
    assert!(matches!(responses.pop(PATIENCE), Err(Error::Closed)));
    assert!(other.0.wait().unwrap().success());
}

/// Producers of a fan are killed while they write: what each had published comes, once and in order,
/// nothing half done stands in anybody's way, and their lanes are used again.
#[test]
fn killed_producers_of_a_fan_stop_nobody() {
    const LANES: usize = 3;
    if let Some(folder) = folder_of_the_other() {
        let fan = Fan::open(Mapped::open(&file(&folder, "fan")).unwrap()).unwrap();
        let mut producer = fan.producer().unwrap();
        let me = u64::from(std::process::id());
        let mut number = 0;
        loop {
            let mut room = producer.reserve(3).unwrap();
            while room.put([me, number, me ^ number, 0, 0]) {
                number += 1;
            }
            room.commit();
            producer.wait(None).unwrap();
        }
    }
    for layout in LAYOUTS {
        let folder = tempfile::tempdir().unwrap();
        let bytes = Fan::<Mapped>::bytes(layout, CAPACITY, LANES).unwrap();
        let words = Mapped::create(&file(folder.path(), "fan"), bytes).unwrap();
        let fan = Fan::create(words, layout, CAPACITY, LANES).unwrap();
        let mut consumer = fan.consumer().unwrap();
        let mut seen = std::collections::HashMap::new();
        let mut take = |[who, number, check, ..]: Record| {
            assert_eq!(check, who ^ number);
            let next = seen.entry(who).or_insert(0);
            assert_eq!(number, *next, "of {who}");
            *next += 1;
            who
        };
        let start = || Other::start("killed_producers_of_a_fan_stop_nobody", folder.path());
        let mut others: Vec<_> = (0..LANES).map(|_| start()).collect();
        for life in 0..12 {
            for _ in 0..500 + 37 * life {
                take(consumer.pop(PATIENCE).unwrap());
            }
            drop(others.remove(0));
            others.push(start());
            // The new one has the dead one's lane, and is heard.
            let newest = u64::from(others[LANES - 1].0.id());
            while take(consumer.pop(PATIENCE).unwrap()) != newest {}
        }
        drop(others);
        while let Some(found) = consumer.try_pop().unwrap() {
            take(found);
        }
        assert_eq!(consumer.producers(), 0);
        assert!(fan.producer().is_ok());
    }
}
