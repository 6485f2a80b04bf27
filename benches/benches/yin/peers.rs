//! Other languages: how long they take for a program, and what it gives.

use std::process::Command;
use std::time::{Duration, Instant};

/// What the interpreters get: some recurse on it.
const STACK_BYTES: usize = 1 << 30;

pub(crate) fn lua(source: &str) -> (Duration, String) {
    let lua = mlua::Lua::new();
    let chunk = lua.load(source).into_function().unwrap();
    let started = Instant::now();
    let value: i64 = chunk.call(()).unwrap();
    (started.elapsed(), value.to_string())
}

/// With its checks as they come, but for the depth of calls, which the programs need.
pub(crate) fn rhai(source: &'static str) -> (Duration, String) {
    let run = move || {
        let mut engine = rhai::Engine::new();
        engine.set_max_call_levels(1 << 20).set_max_expr_depths(0, 0);
        let ast = engine.compile(source).unwrap();
        let started = Instant::now();
        let value: i64 = engine.eval_ast(&ast).unwrap();
        (started.elapsed(), value.to_string())
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run).unwrap();
    thread.join().unwrap()
}

/// CPython, if it is here; compiling and starting it are no part of the time.
pub(crate) fn python(source: &str) -> Option<(Duration, String)> {
    const RUN: &str = "import sys, time; sys.setrecursionlimit(1 << 20); code = compile(sys.argv[1], 'bench', 'exec'); names = {}
started = time.perf_counter(); exec(code, names); print(time.perf_counter() - started, names['result'])";
    let ran = Command::new("python3").args(["-c", RUN, source]).output().ok()?;
    let said = String::from_utf8(ran.stdout).ok()?;
    let (seconds, value) = said.trim().split_once(' ')?;
    Some((Duration::from_secs_f64(seconds.parse().ok()?), value.to_owned()))
}
