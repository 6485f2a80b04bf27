//! Archives of states: what an earlier version wrote is read, and what hostile hands wrote is refused or
//! runs within its bounds.
//!
//! `golden/state-2.bin` was written by [`bytes`] when the format was new. It may only be written anew, by
//! `YIN_GOLDEN=write`, together with another number of the format.

use std::path::Path;

use datom::Value;
use yin::{Engine, Kind, Limits, Machine, NoFacts, Outcome, Program, State};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/state-2.bin");

/// Holds one of everything that a state can hold.
const SOURCE: &str = "\
(def rate 3) (def held nil) (def text \"a longer text\") (def big 123456789012345678901234567890)
(def leaves [2.5 1e300 -7 \\é \"short\" 'name :key #uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"
             #inst \"2026-01-02T03:04:05Z\" nil true inc [] () {} #{}])
(defn ask [what items] (perform :shop/price what items))
(defn total [items]
  (+ 1 (let [n (count items) f (fn [x] (* n x)) m {:a [1 2.5] :b #{f} :c '(1 2)}]
         (f (prompt :p (+ 1 (control :p k (do (def held k) (ask :apple m)))))))))
(defn deep [n] (if (= n 0) (total [10 20]) (+ n (deep (- n 1)))))
(deep 5)";

fn program() -> Program {
    Program::read("shop.yin", SOURCE).unwrap()
}

/// The archive of the program where it waits for its answer, and its request.
fn bytes() -> (Vec<u8>, u64) {
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&program()).unwrap();
    let Outcome::Perform { id, .. } = machine.run(10_000) else { panic!("it does not ask") };
    (machine.capture().unwrap().to_bytes(), id)
}

fn restored(state: &State, engine: Engine) -> Result<Machine, yin::Error> {
    let mut machine =
        Machine::new(NoFacts, Limits::default().heap_words(1 << 18)).with_engine(engine);
    machine.restore(state, |hash| Some(program()).filter(|program| program.hash() == *hash))?;
    Ok(machine)
}

#[test]
fn the_golden_archive_is_what_is_written_and_goes_on() {
    let (bytes, id) = bytes();
    if std::env::var("YIN_GOLDEN").is_ok_and(|wanted| wanted == "write") {
        std::fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        std::fs::write(GOLDEN, &bytes).unwrap();
    }
    let golden = std::fs::read(GOLDEN).unwrap();
    assert_eq!(golden, bytes);
    for engine in [Engine::Register, Engine::Stepper] {
        let state = State::from_bytes(&golden).unwrap();
        assert_eq!(state.to_bytes(), golden);
        let mut machine = restored(&state, engine).unwrap();
        if engine == Engine::Register {
            assert_eq!(machine.capture().unwrap(), state);
        }
        machine.resume(id, Ok(Value::Int(7))).unwrap();
        assert_eq!(machine.run(10_000), Outcome::Done(Value::Int(30)), "{engine:?}");
    }
}

#[test]
fn another_format_and_damage_are_told_apart() {
    let (bytes, _) = bytes();
    let refused = |bytes: &[u8]| {
        let error = State::from_bytes(bytes).unwrap_err();
        assert_eq!(error.kind, Kind::Code);
        error.message
    };
    let mut first = bytes.clone();
    first[7] = b'1';
    assert!(refused(&first).contains("format"));
    for end in 0..bytes.len() {
        refused(&bytes[..end]);
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
    }
}

/// Where the hash lies, of everything behind.
const HASH: std::ops::Range<usize> = 8..24;

/// Each byte changed to some others, under the right hash.
#[test]
fn an_archive_that_was_edited_is_refused_or_runs_within_its_bounds() {
    let (bytes, id) = bytes();
    let (mut unread, mut refused, mut ran) = (0, 0, 0);
    for at in HASH.end..bytes.len() {
        for edit in [1, 16, 0x80, 0xff] {
            let mut edited = bytes.clone();
            edited[at] ^= edit;
            let hash = blake3::hash(&edited[HASH.end..]);
            edited[HASH].copy_from_slice(&hash.as_bytes()[..HASH.len()]);
            let Ok(state) = State::from_bytes(&edited) else {
                unread += 1;
                continue;
            };
            assert_eq!(state.to_bytes(), edited, "a state has one form");
            match restored(&state, Engine::Register) {
                Err(_) => refused += 1,
                Ok(mut machine) => {
                    let _answered = machine.resume(id, Ok(Value::Int(7)));
                    let _outcome = machine.run(10_000);
                    let _state = machine.capture();
                    ran += 1;
                }
            }
        }
    }
    assert!(unread > 100 && refused > 100 && ran > 100, "{unread} {refused} {ran}");
}
