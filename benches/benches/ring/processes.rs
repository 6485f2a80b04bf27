//! The same between two processes: this program starts itself again as the consumer.

use std::env;
use std::fs::File;
use std::hint::spin_loop;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eve::ring::{self, Consumer, Layout, Mapped, Producer, Ring};

use crate::course::{CAPACITY, checksum, pin, record, timed_trips, trips};
use crate::ours::{echo_all, fill, pop, pop_all, push, push_all, view_all};

/// Tells a started program that it is the other process: what to do, how often, and in which folder.
const TASK: &str = "RING_BENCH_TASK";

const POP: &str = "pop";
const VIEW: &str = "view";
const ECHO: &str = "echo";

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

pub(crate) fn is_the_other() -> bool {
    env::var_os(TASK).is_some()
}

/// Says that it is there, consumes, and says what it saw.
pub(crate) fn be_the_other() {
    let task = env::var(TASK).unwrap();
    let mut parts = task.splitn(3, ' ');
    let mut next = || parts.next().unwrap();
    let (work, count, folder) = (next(), next().parse::<u64>().unwrap(), Path::new(next()));
    pin(1);
    let mut consumer = open(folder, "there").consumer().unwrap();
    let mut back = open(folder, "back").producer().unwrap();
    push(&mut back, record(0));
    let total = match work {
        POP => pop_all(&mut consumer, count),
        VIEW => view_all(&mut consumer, count, |_| spin_loop()),
        _ => {
            echo_all(&mut consumer, &mut back, count);
            return;
        }
    };
    push(&mut back, record(total));
}

/// The other process, attached and waiting, and our sides of the rings.
struct Pair {
    producer: Producer<Mapped>,
    back: Consumer<Mapped>,
    other: Child,
    _folder: tempfile::TempDir,
}

fn start(work: &str, layout: Layout, count: u64) -> Pair {
    // In memory, where there is such a folder: a disk would add its own work.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_path_buf() } else { env::temp_dir() };
    let folder = tempfile::tempdir_in(parent).unwrap();
    let producer = create(folder.path(), "there", layout).producer().unwrap();
    let mut back = create(folder.path(), "back", layout).consumer().unwrap();
    let task = format!("{work} {count} {}", folder.path().display());
    let mut command = Command::new(env::current_exe().unwrap());
    let other = command.env(TASK, task).stdout(Stdio::null()).spawn().unwrap();
    pin(0);
    pop(&mut back);
    Pair { producer, back, other, _folder: folder }
}

fn transfer(
    work: &str,
    layout: Layout,
    count: u64,
    produce: impl FnOnce(&mut Producer<Mapped>),
) -> Duration {
    let mut pair = start(work, layout, count);
    let start = Instant::now();
    produce(&mut pair.producer);
    let total = pop(&mut pair.back)[0];
    let time = start.elapsed();
    assert_eq!(total, checksum(count));
    assert!(pair.other.wait().unwrap().success());
    time
}

pub(crate) fn one_by_one(layout: Layout, count: u64) -> Duration {
    transfer(POP, layout, count, |producer| push_all(producer, count))
}

pub(crate) fn in_place(layout: Layout, count: u64) -> Duration {
    transfer(VIEW, layout, count, |producer| fill(producer, count, |_| spin_loop()))
}

pub(crate) fn round_trips(layout: Layout, count: u64) -> Duration {
    let mut pair = start(ECHO, layout, trips(count));
    let time = timed_trips(count, |number| {
        push(&mut pair.producer, record(number));
        assert_eq!(pop(&mut pair.back)[0], number);
    });
    assert!(pair.other.wait().unwrap().success());
    time
}
