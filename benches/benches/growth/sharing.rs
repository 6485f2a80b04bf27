//! A second process reads as fast as the first, and two threads read twice as much as one.

use std::process::Command;
use std::sync::Barrier;

use benches::stores::{Random, open_slab, words};
use eve::{Region, Slab};

use crate::measure::{Entries, build, nanos};

/// First argument of the process that only reads.
pub(crate) const READER: &str = "read-as-a-second-process";
const SIZE: usize = 1_000_000;
const PROBES: usize = 1_000_000;

/// Nanoseconds a get.
fn gets(slab: &Slab, seed: u64) -> f64 {
    let probes = Random(seed).sample(&words(SIZE), PROBES);
    let snapshot = slab.snapshot().expect("a pin");
    let map = Entries::from_root(snapshot.root());
    let all = || {
        probes.iter().fold(0_u64, |sum, word| {
            sum.wrapping_add(map.get(&snapshot, word).unwrap().unwrap()[0])
        })
    };
    // Once for the pages to be mapped.
    all();
    nanos(PROBES, all)
}

/// What the second process does.
pub(crate) fn read(path: &str, seed: u64) {
    let slab = Slab::open(Region::open(path).expect("the region")).expect("the slab");
    println!("{}", gets(&slab, seed));
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let slab = open_slab(&folder);
    build(&slab, &words(SIZE));
    let here = gets(&slab, 7);
    let myself = std::env::current_exe().expect("this program");
    let path = folder.path().join("world.eve");
    let there = Command::new(myself).arg(READER).arg(path).arg("7").output().expect("a process");
    let there: f64 = String::from_utf8_lossy(&there.stdout).trim().parse().expect("a figure");
    println!("\nget of 1 M: {here:.0} ns here, {there:.0} ns in a second process");

    let (barrier, again) = (Barrier::new(2), gets(&slab, 9));
    let together: Vec<f64> = std::thread::scope(|scope| {
        let readers = [11, 12].map(|seed| {
            let (slab, barrier) = (slab.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                gets(&slab, seed)
            })
        });
        readers.map(|reader| reader.join().expect("a reader")).to_vec()
    });
    let ratio = together.iter().map(|nanos| again / nanos).sum::<f64>();
    println!("two threads read {ratio:.2} times what one does");
}
