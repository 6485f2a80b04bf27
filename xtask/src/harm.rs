//! Commands that look for harm: processes killed at every store, and the tools that watch memory.
//!
//! All but `torture` need the nightly toolchain; each says what is missing and how to get it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::step::{cargo, root, run, target};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What CI gives it.
const TORTURE_SECONDS: &str = "60";

/// `torture [--seconds N] [--seed S]`
pub(crate) fn torture(arguments: &[String]) -> Result<(), String> {
    let mut command = cargo(&["test", "--package", "eve", "--release", "--test", "torture", "--"]);
    command.args(["--nocapture"]).env("RUSTFLAGS", "--cfg torture");
    command.env("CARGO_TARGET_DIR", target().join("torture"));
    command.env("EVE_TORTURE_SECONDS", TORTURE_SECONDS);
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let variable = match name.as_str() {
            "--seconds" => "EVE_TORTURE_SECONDS",
            "--seed" => "EVE_TORTURE_SEED",
            other => {
                return Err(format!("no argument '{other}': torture [--seconds N] [--seed S]"));
            }
        };
        let value = rest.next().filter(|value| value.parse::<u64>().is_ok());
        command.env(variable, value.ok_or(format!("{name} wants a whole number"))?);
    }
    run("torture", &mut command)
}

/// The core of `eve` under miri, on regions of the heap: it knows no mapped files.
pub(crate) fn miri(filter: &[String]) -> Result<(), String> {
    needs(
        "miri",
        &["+nightly", "miri", "--version"],
        "rustup +nightly component add miri rust-src",
    )?;
    let mut command = nightly(&["miri", "test", "--package", "eve", "--lib", "--"]);
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
    command.env("CARGO_TARGET_DIR", target().join("miri"));
    let heap = [String::from("on_the_heap")];
    run("miri", command.args(if filter.is_empty() { &heap } else { filter }))
}

/// The tests of `eve` with AddressSanitizer.
pub(crate) fn asan(filter: &[String]) -> Result<(), String> {
    needs("nightly", &["+nightly", "--version"], "rustup toolchain install nightly")?;
    // Sides of rings whose owner is to look dead are forgotten, with their memory.
    let folder = target().join("address");
    let forgotten = folder.join("forgotten");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&forgotten, "leak:dead_are\n"))
        .map_err(|error| format!("{}: {error}", forgotten.display()))?;
    let options = ("LSAN_OPTIONS", format!("suppressions={}", forgotten.display()));
    sanitized("address", &[], options, filter)
}

/// The tests of `eve` with ThreadSanitizer, which has to see the standard library, too, and leaves less
/// room for memory to be mapped.
pub(crate) fn tsan(filter: &[String]) -> Result<(), String> {
    needs("nightly", &["+nightly", "--version"], "rustup toolchain install nightly")?;
    sanitized("thread", &["-Zbuild-std"], ("TSAN_OPTIONS", "halt_on_error=1".into()), filter)
}

fn sanitized(
    which: &str,
    more: &[&str],
    (variable, value): (&str, String),
    filter: &[String],
) -> Result<(), String> {
    let mut command = nightly(&["test", "--package", "eve", "--lib", "--tests", "--no-fail-fast"]);
    command.args(["--target", TARGET]).args(more).arg("--").args(filter);
    command.env("RUSTFLAGS", format!("-Zsanitizer={which}"));
    command.env("CARGO_TARGET_DIR", target().join(which)).env(variable, value);
    run(&format!("{which} sanitizer"), &mut command)
}

/// `fuzz [TARGET [ARGUMENTS OF LIBFUZZER]]`: runs a target of any crate's `fuzz` folder; `open` is
/// that of `eve`, which opens files made up from nothing and reads all of them.
pub(crate) fn fuzz(arguments: &[String]) -> Result<(), String> {
    needs("cargo-fuzz", &["+nightly", "fuzz", "--version"], "cargo install --locked cargo-fuzz")?;
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("open", &[][..]),
    };
    let folder = fuzz_folder(name)?;
    let mut command = nightly(&["fuzz", "run", "--fuzz-dir"]);
    command.env("CARGO_TARGET_DIR", target().join("fuzz"));
    run("fuzzing", command.arg(folder).arg(name).arg("--").args(rest))
}

/// The fuzz folder of the crate that has a target of this name.
fn fuzz_folder(name: &str) -> Result<PathBuf, String> {
    let crates = root().join("crates");
    let failed = |error| format!("{}: {error}", crates.display());
    let mut known = Vec::new();
    for entry in fs::read_dir(&crates).map_err(failed)? {
        let folder = entry.map_err(failed)?.path().join("fuzz");
        let Ok(targets) = fs::read_dir(folder.join("fuzz_targets")) else { continue };
        for target in targets {
            let target = target.map_err(failed)?.path();
            let stem = target.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if stem == name {
                return Ok(folder);
            }
            known.push(stem);
        }
    }
    Err(format!("no fuzz target '{name}'; there are {}", known.join(", ")))
}

/// `cargo` of the nightly toolchain: the proxy finds it, which this program's own cargo is not.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").args(arguments).current_dir(root());
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// Says what to install if this call of cargo does not work.
fn needs(what: &str, call: &[&str], install: &str) -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.env_remove("RUSTUP_TOOLCHAIN").args(call).stdout(Stdio::null()).stderr(Stdio::null());
    let works = command.status().is_ok_and(|status| status.success());
    works.then_some(()).ok_or(format!("{what} is not here; get it by `{install}`"))
}
