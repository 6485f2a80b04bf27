//! Programs that hold much and forget much: how long a slice of a thousand turns may take, and what of the time the
//! collector has. Beside Lua's two collectors.
//!
//! 1. Each holds so many pairs, which it makes in slices, too, and then makes ten million vectors of three (Lua:
//!    tables), one a turn, and forgets each.
//! 2. The collector's share is what the slices took beyond as many usual ones: in yin, which collects all at once,
//!    the median; in Lua, which collects a little in each, the median of slices with the collector stopped.

use std::time::{Duration, Instant};

use yin::{Engine, Outcome, Program};

const TURNS: u64 = 10_000_000;
const SLICE: u64 = 1_000;
/// Slices with the collector stopped.
const STOPPED: usize = 300;

struct Measured {
    /// The longest slice while it made what it holds.
    growing: Duration,
    slices: Vec<Duration>,
    usual: Duration,
}

pub(crate) fn measure() {
    println!(
        "{:<12} {:<18} {:>14} {:>14} {:>10} {:>12}",
        "pairs held", "collector", "while growing", "longest slice", "share", "ns a turn"
    );
    for held in [0, 1_000, 10_000, 100_000, 1_000_000] {
        row(held, "yin", yin(held));
        row(held, "Lua incremental", lua(held, false));
        row(held, "Lua generational", lua(held, true));
    }
}

fn row(held: u64, name: &str, measured: Measured) {
    let Measured { growing, mut slices, usual } = measured;
    slices.sort_unstable();
    let whole: Duration = slices.iter().sum();
    let usual = usual * slices.len() as u32;
    println!(
        "{held:<12} {name:<18} {:>11.2} ms {:>11.2} ms {:>8.0} % {:>12.1}",
        super::ms(growing),
        slices.last().map_or(0.0, |&slice| super::ms(slice)),
        100.0 * (1.0 - usual.as_secs_f64() / whole.as_secs_f64()).max(0.0),
        whole.as_nanos() as f64 / TURNS as f64,
    );
}

fn median(slices: &[Duration]) -> Duration {
    let mut sorted = slices.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn yin(held: u64) -> Measured {
    let source = format!(
        "(def live (loop [n 0 v []] (if (= n {held}) v (recur (inc n) (conj v [n n])))))
         (perform :begin)
         (loop [n 0 last nil] (if (= n {TURNS}) (count live) (recur (inc n) [n n n])))"
    );
    let mut machine = super::machine(Engine::Register);
    machine.start(&Program::read("garbage", &source).unwrap()).unwrap();
    let mut slices = Vec::new();
    let mut growing = Duration::ZERO;
    loop {
        let started = Instant::now();
        let outcome = machine.run(SLICE);
        slices.push(started.elapsed());
        match outcome {
            Outcome::OutOfFuel => {}
            Outcome::Perform { id, .. } => {
                growing = slices.drain(..).max().unwrap_or_default();
                machine.resume(id, Ok(1.into())).unwrap();
            }
            Outcome::Done(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let usual = median(&slices);
    Measured { growing, slices, usual }
}

fn lua(held: u64, is_generational: bool) -> Measured {
    let lua = mlua::Lua::new();
    match is_generational {
        true => lua.gc_gen(0, 0),
        false => lua.gc_inc(0, 0, 0),
    };
    let source = "local live = {}
        local function grow(n) for i = 1, n do live[#live + 1] = {i, i} end end
        local function churn(n) local last for i = 1, n do last = {i, i, i} end return last end
        return grow, churn";
    let (grow, churn): (mlua::Function, mlua::Function) = lua.load(source).eval().unwrap();
    let slice = |run: &mlua::Function, turns: u64| {
        let started = Instant::now();
        run.call::<mlua::Value>(turns).unwrap();
        started.elapsed()
    };
    let growing = (0..held.div_ceil(SLICE)).map(|_| slice(&grow, SLICE.min(held)));
    let growing = growing.max().unwrap_or_default();
    lua.gc_stop();
    let stopped: Vec<Duration> = (0..STOPPED).map(|_| slice(&churn, SLICE)).collect();
    lua.gc_restart();
    lua.gc_collect().unwrap();
    let slices = (0..TURNS / SLICE).map(|_| slice(&churn, SLICE)).collect();
    Measured { growing, slices, usual: median(&stopped) }
}
