//! Yin beside Lua 5.4: the same programs, taken in turns; the best of several rounds counts.

use std::time::{Duration, Instant};

use yin::{Engine, Limits, Machine, NoFacts, Outcome, Program};

/// Rounds of each program; the best counts.
const ROUNDS: usize = 5;

/// One program in both languages.
struct Case {
    name: &'static str,
    yin: &'static str,
    lua: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "fib 30",
        yin: "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 30)",
        lua: "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(30)",
    },
    Case {
        name: "tak x10",
        yin: "(defn tak [x y z] (if (< y x) (tak (tak (- x 1) y z) (tak (- y 1) z x) (tak (- z 1) x y)) z))
              (loop [n 10 s 0] (if (= n 0) s (recur (- n 1) (+ s (tak 18 12 6)))))",
        lua: "local function tak(x,y,z) if y < x then return tak(tak(x-1,y,z), tak(y-1,z,x), tak(z-1,x,y)) end return z end
              local s = 0 for i = 1, 10 do s = s + tak(18,12,6) end return s",
    },
    Case {
        name: "countdown 10M",
        yin: "(defn down [n] (if (= n 0) 0 (down (- n 1)))) (down 10000000)",
        lua: "local function down(n) if n == 0 then return 0 end return down(n-1) end return down(10000000)",
    },
    Case {
        name: "ack 3 7",
        yin: "(defn ack [m n] (cond (= m 0) (+ n 1) (= n 0) (ack (- m 1) 1) :else (ack (- m 1) (ack m (- n 1))))) (ack 3 7)",
        lua: "local function ack(m,n) if m == 0 then return n+1 end if n == 0 then return ack(m-1,1) end return ack(m-1, ack(m,n-1)) end return ack(3,7)",
    },
    Case {
        name: "church 2^16 x10",
        yin: "(defn two [f] (fn [x] (f (f x)))) (defn four [f] ((two two) f)) (defn add1 [n] (+ n 1))
              (loop [n 10 s 0] (if (= n 0) s (recur (- n 1) (+ s (((((two two) two) two) add1) 0)))))",
        lua: "local function two(f) return function(x) return f(f(x)) end end
              local function add1(n) return n + 1 end
              local s = 0 for i = 1, 10 do s = s + two(two)(two)(two)(add1)(0) end return s",
    },
    Case {
        name: "map update 1M",
        yin: "(loop [n 0 m {}] (if (= n 1000000) (count m) (recur (+ n 1) (assoc m (rem n 1000) n))))",
        lua: "local m, c = {}, 0 for n = 0, 999999 do local k = n % 1000 if m[k] == nil then c = c + 1 end m[k] = n end return c",
    },
    Case {
        name: "vector update 1M",
        yin: "(loop [n 0 v (vec (range 1000))] (if (= n 1000000) (count v) (recur (+ n 1) (assoc v (rem n 1000) n))))",
        lua: "local v = {} for i = 1, 1000 do v[i] = i end for n = 0, 999999 do v[n % 1000 + 1] = n end return #v",
    },
    Case {
        name: "text append 20k",
        yin: "(loop [n 0 s \"\"] (if (= n 20000) (count s) (recur (+ n 1) (str s \"x\"))))",
        lua: "local s = '' for n = 1, 20000 do s = s .. 'x' end return #s",
    },
];

fn machine(engine: Engine) -> Machine {
    Machine::new(NoFacts, Limits::default()).with_engine(engine)
}

fn yin(program: &Program, engine: Engine) -> (Duration, String) {
    let mut machine = machine(engine);
    machine.start(program).unwrap();
    let started = Instant::now();
    match machine.run(u64::MAX) {
        Outcome::Done(value) => (started.elapsed(), value.to_string()),
        other => panic!("{other:?}"),
    }
}

fn lua(source: &str) -> (Duration, String) {
    let lua = mlua::Lua::new();
    let chunk = lua.load(source).into_function().unwrap();
    let started = Instant::now();
    let value: i64 = chunk.call(()).unwrap();
    (started.elapsed(), value.to_string())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn main() {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>12}",
        "program", "yin ms", "lua ms", "yin/lua", "stepper/lua"
    );
    for case in CASES.iter().filter(|case| case.name.contains(&filter)) {
        let program = Program::read(case.name, case.yin).unwrap();
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let (time, value) = yin(&program, Engine::Register);
            ours = ours.min(time);
            let (time, expected) = lua(case.lua);
            theirs = theirs.min(time);
            assert_eq!(value, expected, "{}", case.name);
        }
        let stepped = yin(&program, Engine::Stepper).0;
        let ratio = |time: Duration| ms(time) / ms(theirs);
        println!(
            "{:<18} {:>9.2} {:>9.2} {:>9.2} {:>12.2}",
            case.name,
            ms(ours),
            ms(theirs),
            ratio(ours),
            ratio(stepped)
        );
    }
}
