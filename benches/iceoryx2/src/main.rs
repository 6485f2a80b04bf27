//! 40-byte datoms from one core to another, by our ring and by iceoryx2: one by one and in batches,
//! between threads and between processes.
//!
//! The course is that of the suite `ring`: the same records, cores and checksums. All variants take
//! turns; the table gives medians, and how many times ours iceoryx2 takes. `cargo xtask bench ring
//! iceoryx2` builds and runs it.

#[allow(dead_code)] // it holds what the whole suite needs
#[path = "../../benches/ring/course.rs"]
mod course;
#[allow(dead_code)]
#[path = "../../benches/ring/ours.rs"]
mod ours;
#[allow(dead_code)]
#[path = "../../benches/ring/processes.rs"]
mod processes;
mod theirs;

use std::time::Duration;

use eve::ring::Layout::{Packed, Sequenced};
use iceoryx2::prelude::{ipc, local};

/// How often every variant takes its turn.
const ROUNDS: usize = 15;
/// Records in a turn, of ours and of theirs.
const RECORDS: [u64; 2] = [400_000, 100_000];

struct Variant {
    group: &'static str,
    name: &'static str,
    /// The time that this many records took.
    run: fn(u64) -> Duration,
}

impl Variant {
    fn is_ours(&self) -> bool {
        self.name.starts_with("eve")
    }
}

const VARIANTS: [Variant; 10] = {
    const fn variant(group: &'static str, name: &'static str, run: fn(u64) -> Duration) -> Variant {
        Variant { group, name, run }
    }
    const THREADS: &str = "one by one, threads";
    const PROCESSES: &str = "one by one, processes";
    const BATCHES: &str = "batches, threads";
    const BATCHES_PROCESSES: &str = "batches, processes";
    [
        variant(THREADS, "eve sequenced", |n| ours::one_by_one(Sequenced, n)),
        variant(THREADS, "iceoryx2 ipc", theirs::one_by_one::<ipc::Service>),
        variant(THREADS, "iceoryx2 local", theirs::one_by_one::<local::Service>),
        variant(PROCESSES, "eve sequenced", |n| processes::one_by_one(Sequenced, n)),
        variant(PROCESSES, "iceoryx2 ipc", theirs::one_by_one_processes),
        variant(BATCHES, "eve packed", |n| ours::in_place(Packed, n)),
        variant(BATCHES, "iceoryx2 ipc", theirs::batches::<ipc::Service>),
        variant(BATCHES, "iceoryx2 local", theirs::batches::<local::Service>),
        variant(BATCHES_PROCESSES, "eve packed", |n| processes::in_place(Packed, n)),
        variant(BATCHES_PROCESSES, "iceoryx2 ipc", theirs::batches_processes),
    ]
};

fn median(nanos: &mut [f64]) -> f64 {
    nanos.sort_by(f64::total_cmp);
    nanos[nanos.len() / 2]
}

fn main() {
    if processes::is_the_other() {
        return processes::be_the_other();
    }
    if theirs::is_the_other() {
        return theirs::be_the_other();
    }
    let mut nanos = VARIANTS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (variant, nanos) in VARIANTS.iter().zip(&mut nanos) {
            let count = RECORDS[usize::from(!variant.is_ours())];
            nanos.push((variant.run)(count).as_nanos() as f64 / count as f64);
        }
    }
    println!("{:<24}{:<18}{:>10}{:>10}   theirs / ours", "", "", "median ns", "M/s");
    let mut ours = f64::NAN;
    for (variant, nanos) in VARIANTS.iter().zip(&mut nanos) {
        let median = median(nanos);
        print!("{:<24}{:<18}{median:>10.1}{:>10.2}", variant.group, variant.name, 1e3 / median);
        if variant.is_ours() {
            ours = median;
            println!();
        } else {
            println!("   {:.1}", median / ours);
        }
    }
}
