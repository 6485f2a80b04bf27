//! A second process reads as fast as the first, and two threads read twice as much as one.
//!
//! All take turns, and the medians count: what a get costs changes with what else goes through the
//! machine's memory. How far two cores keep out of each other's way at all is measured beside it: two
//! threads that read two regions share nothing.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Barrier;

use benches::stores::{Random, open_slab, words};
use eve::{Region, Slab};

use crate::measure::{Entries, build, nanos};

/// First argument of the process that only reads.
pub(crate) const READER: &str = "read-as-a-second-process";
const SIZE: usize = 1_000_000;
const PROBES: usize = 1_000_000;
const ROUNDS: usize = 9;

/// Nanoseconds a get, of the second of two passes: the first maps the pages, and brings into the caches
/// what whoever had the turn before put out of them.
fn gets(slab: &Slab, probes: &[u64]) -> f64 {
    let snapshot = slab.snapshot().expect("a pin");
    let map = Entries::from_root(snapshot.root());
    let all = || {
        probes.iter().fold(0_u64, |sum, word| {
            sum.wrapping_add(map.get(&snapshot, word).unwrap().unwrap()[0])
        })
    };
    all();
    nanos(probes.len(), all)
}

fn probes(seed: u64) -> Vec<u64> {
    Random(seed).sample(&words(SIZE), PROBES)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// What the second process does: for each line that comes it reads, and says what a get took.
pub(crate) fn read(path: &str, seed: u64) {
    let slab = Slab::open(Region::open(path).expect("the region")).expect("the slab");
    let probes = probes(seed);
    for line in std::io::stdin().lines() {
        line.expect("a line");
        println!("{}", gets(&slab, &probes));
    }
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let slab = open_slab(&folder);
    build(&slab, &words(SIZE));
    second_process(&slab, &folder.path().join("world.eve"));
    let folder = tempfile::tempdir().expect("a folder");
    let other = open_slab(&folder);
    build(&other, &words(SIZE));
    two_threads(&slab, &other);
}

fn second_process(slab: &Slab, path: &std::path::Path) {
    let myself = std::env::current_exe().expect("this program");
    let mut command = Command::new(myself);
    command.arg(READER).arg(path).arg("7").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut other = command.spawn().expect("a process");
    let mut ask = other.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(other.stdout.take().expect("a pipe")).lines();
    let probes = probes(7);
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        here.push(gets(slab, &probes));
        writeln!(ask, "again").expect("a reader");
        there.push(answers.next().expect("an answer").expect("a line").parse().expect("a figure"));
    }
    drop(ask);
    assert!(other.wait().expect("the process").success());
    let (here, there) = (median(here), median(there));
    println!("\nget of 1 M: {here:.0} ns here, {there:.0} ns in a second process");
}

fn two_threads(slab: &Slab, other: &Slab) {
    let probes = [probes(11), probes(12)];
    let together = |slabs: [&Slab; 2]| {
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            let readers = [0, 1].map(|reader| {
                let (barrier, probes) = (&barrier, &probes[reader]);
                scope.spawn(move || {
                    barrier.wait();
                    gets(slabs[reader], probes)
                })
            });
            readers.map(|reader| reader.join().expect("a reader"))
        })
    };
    let (mut shared, mut apart) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let alone = gets(slab, &probes[0]);
        let gain = |nanos: [f64; 2]| nanos.into_iter().map(|nanos| alone / nanos).sum::<f64>();
        shared.push(gain(together([slab, slab])));
        apart.push(gain(together([slab, other])));
    }
    let (shared, apart) = (median(shared), median(apart));
    println!("two threads read {shared:.2} times what one does; of two regions, {apart:.2} times");
}
