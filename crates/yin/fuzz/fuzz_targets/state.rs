//! The bytes of a state that hostile hands wrote, with the right hash: refused, or a program that runs
//! within its bounds on either engine, and can be stated as datoms.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program, State};

const SOURCE: &str = "\
(def rate 3) (def text \"a longer text\") (def held nil)
(defn ask [what items] (perform :shop/price what items))
(defn total [items]
  (+ 1 (let [n (count items) f (fn [x] (* n x)) m {:a [1 2.5] :b #{f}}]
         (f (prompt :p (+ 1 (control :p k (do (def held k) (ask :apple m)))))))))
(total [10 20])";

/// Magic and hash in front of the archive.
const HEAD: usize = 8 + 16;

fn base() -> &'static (Program, Vec<u8>) {
    static BASE: OnceLock<(Program, Vec<u8>)> = OnceLock::new();
    BASE.get_or_init(|| {
        let program = Program::read("shop.yin", SOURCE).unwrap();
        let mut machine = Machine::new(NoFacts, Limits::default());
        machine.start(&program).unwrap();
        assert!(matches!(machine.run(10_000), Outcome::Perform { .. }));
        let bytes = machine.capture().unwrap().to_bytes();
        (program, bytes)
    })
}

fuzz_target!(|data: &[u8]| {
    let (program, bytes) = base();
    let mut bytes = bytes.clone();
    let archive = bytes.len() - HEAD;
    // Where, what, and how: a byte is replaced, or added to.
    for edit in data.chunks_exact(4) {
        let at = HEAD + usize::from(u16::from_le_bytes([edit[0], edit[1]])) % archive;
        bytes[at] = if edit[3] % 2 == 0 { edit[2] } else { bytes[at].wrapping_add(edit[2]) };
    }
    let hash = blake3::hash(&bytes[HEAD..]);
    bytes[8..HEAD].copy_from_slice(&hash.as_bytes()[..HEAD - 8]);
    let Ok(state) = State::from_bytes(&bytes) else { return };
    assert_eq!(state.to_bytes(), bytes, "a state has one form");
    let _facts = state.transaction(|_| Some(program.clone()));
    for engine in [Engine::Register, Engine::Stepper] {
        let mut machine =
            Machine::new(NoFacts, Limits::default().heap_words(1 << 18)).with_engine(engine);
        if machine.restore(&state, |_| Some(program.clone())).is_ok() {
            if let Some(request) = state.request() {
                let _answered = machine.resume(request, Ok(7.into()));
            }
            let _outcome = machine.run(20_000);
            let _state = machine.capture();
        }
    }
});
