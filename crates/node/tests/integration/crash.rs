//! Killed at any moment, nothing acknowledged is lost and nothing needs repair by hand.

use std::io::{BufRead, BufReader};
use std::process::ChildStderr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::place::{Place, lock_file};

const ROUNDS: u64 = 100;

#[test]
fn a_hundred_kills_lose_no_acknowledged_transaction() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(30, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    let usual = duration_of_a_run(&place);

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {seed}");
    let mut random = seed | 1;
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        // Another version each time, so that each run has facts to commit.
        place.write("Cargo.lock", &lock_file(30, &format!("0.{round}.1")));
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = usual.mul_f64((random >> 33) as f64 / f64::from(1_u32 << 31) * 1.2);

        let mut child = place.datom(&["run", "world", "deps.yin", "Cargo.lock"]).spawn().unwrap();
        kill_after(&mut child, moment);
        acknowledged = acknowledged.max(last_acknowledged(child.stderr.take().unwrap()));
        child.wait().unwrap();

        let after = transactions(&place);
        assert!(
            after >= acknowledged,
            "round {round}: t {acknowledged} was acknowledged, {after} is left"
        );
    }
    assert!(acknowledged > 0, "no run ever came as far as a commit");
    place.ok(&["verify", "world"]);
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
}

fn duration_of_a_run(place: &Place) -> Duration {
    let started = Instant::now();
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    started.elapsed()
}

/// Waits for the moment or the process's end, whichever is first, and kills it.
fn kill_after(child: &mut std::process::Child, moment: Duration) {
    let started = Instant::now();
    while started.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return;
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
}

/// The highest `t` that the program said to be committed.
fn last_acknowledged(stderr: ChildStderr) -> u64 {
    BufReader::new(stderr)
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.rsplit_once("(t ")?.1.strip_suffix(')')?.parse().ok())
        .max()
        .unwrap_or(0)
}

fn transactions(place: &Place) -> u64 {
    let log = place.ok(&["log", "world", "--format", "json"]);
    let numbers: Vec<u64> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["t"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "t has gaps");
    numbers.len() as u64
}
