//! The commands and what each runs.

use crate::step::{cargo, run, target};
use crate::{harm, powercut, tidy};

/// A command's name, what it is for, and the work.
pub(crate) struct Command {
    name: &'static str,
    about: &'static str,
    pub(crate) run: fn(&[String]) -> Result<(), String>,
}

const COMMANDS: [Command; 16] = [
    Command { name: "help", about: "this list", run: print_help },
    Command { name: "setup", about: "install what the toolchain needs besides cargo", run: setup },
    Command {
        name: "test",
        about: "the whole suite: lint, unit, doc, integration, loom",
        run: test,
    },
    Command {
        name: "lint",
        about: "formatting, clippy, documentation, tidiness of the tree",
        run: lint,
    },
    Command {
        name: "tidy",
        about: "only the tidiness of the tree: file sizes, what tests may not do",
        run: |_| tidy::check(),
    },
    Command {
        name: "integration",
        about: "only the tests that spawn real processes; arguments filter them",
        run: integration,
    },
    Command { name: "loom", about: "every lock-free protocol, every interleaving", run: loom },
    Command {
        name: "bench",
        about: "Criterion suites beside their peers: bench [database|growth|query|ring|slab|time|yin] [filter], bench yin agents, bench yin collections, bench ring iceoryx2",
        run: bench,
    },
    Command {
        name: "torture",
        about: "processes killed, and a checker: torture [db|yin] [--seconds N] [--seed S]",
        run: torture,
    },
    Command {
        name: "powercut",
        about: "images of a disk whose power is cut (root): powercut [region|world] [--images N]",
        run: powercut::powercut,
    },
    Command {
        name: "header",
        about: "write the numbers of the ring's format for C, or compare: header [--check]",
        run: header,
    },
    Command { name: "miri", about: "eve on heap regions under miri (nightly)", run: harm::miri },
    Command { name: "asan", about: "eve's tests with AddressSanitizer (nightly)", run: harm::asan },
    Command { name: "tsan", about: "eve's tests with ThreadSanitizer (nightly)", run: harm::tsan },
    Command {
        name: "fuzz",
        about: "arbitrary input for a decoder (nightly, cargo-fuzz): fuzz [target] [arguments]",
        run: harm::fuzz,
    },
    Command { name: "ci", about: "what must be green before anything lands", run: ci },
];

pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

pub(crate) fn help() -> String {
    let line = |command: &Command| format!("  {:<12} {}\n", command.name, command.about);
    format!("cargo xtask COMMAND\n\n{}", COMMANDS.iter().map(line).collect::<String>())
}

fn print_help(_: &[String]) -> Result<(), String> {
    print!("{}", help());
    Ok(())
}

fn setup(_: &[String]) -> Result<(), String> {
    run(
        "toolchain components",
        std::process::Command::new("rustup").args(["component", "add", "rustfmt", "clippy"]),
    )
}

fn test(_: &[String]) -> Result<(), String> {
    lint(&[])?;
    // Not the benches: they measure, which takes minutes and shows nothing unoptimised. The lint
    // compiles them.
    let targets = ["test", "--workspace", "--lib", "--bins", "--tests", "--examples"];
    run("unit and integration tests", &mut cargo(&targets))?;
    run("documentation tests", &mut cargo(&["test", "--workspace", "--doc"]))?;
    loom(&[])
}

fn lint(_: &[String]) -> Result<(), String> {
    tidy::check()?;
    run("formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    run(
        "clippy",
        &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    )?;
    run(
        "documentation",
        cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

fn integration(filter: &[String]) -> Result<(), String> {
    run(
        "integration tests",
        cargo(&["test", "--package", "node", "--test", "*", "--"]).args(filter),
    )
}

fn loom(filter: &[String]) -> Result<(), String> {
    // A model explores every interleaving, so it runs optimised, in its own folder: other flags
    // would rebuild everything else each time.
    let target = target().join("loom");
    for (package, flag) in [("eve", "--cfg loom"), ("yin", "--cfg loom_yin")] {
        run(
            &format!("loom models of {package}"),
            cargo(&["test", "--package", package, "--release", "--lib", "--", "loom"])
                .args(filter)
                .env("RUSTFLAGS", flag)
                .env("CARGO_TARGET_DIR", &target),
        )?;
    }
    Ok(())
}

fn bench(arguments: &[String]) -> Result<(), String> {
    if let [suite, peer] = arguments
        && suite == "ring"
        && peer == "iceoryx2"
    {
        return beside_iceoryx2();
    }
    let mut command = cargo(&["bench", "--package", "benches"]);
    if let Some((suite, filter)) = arguments.split_first() {
        command.args(["--bench", suite, "--"]).args(filter);
    }
    run("benchmarks", &mut command)
}

/// A peer whose tree is as large as ours: a workspace of its own, in a folder of its own.
fn beside_iceoryx2() -> Result<(), String> {
    let manifest = "benches/iceoryx2/Cargo.toml";
    run(
        "the ring beside iceoryx2",
        cargo(&["run", "--release", "--locked", "--manifest-path", manifest])
            .env("CARGO_TARGET_DIR", target().join("iceoryx2")),
    )
}

fn torture(arguments: &[String]) -> Result<(), String> {
    match arguments.split_first() {
        Some((what, rest)) if what == "db" => run(
            "the database under torture",
            cargo(&["run", "--release", "--package", "daodb", "--example", "torture", "--"])
                .args(rest),
        ),
        Some((what, rest)) if what == "yin" => {
            run("the program", &mut cargo(&["build", "--release", "--package", "node"]))?;
            run(
                "agents under torture",
                cargo(&["run", "--release", "--package", "node", "--example", "torture", "--"])
                    .args(rest),
            )
        }
        _ => harm::torture(arguments),
    }
}

/// cbindgen parses Rust, which nobody else needs here: a workspace of its own.
fn header(arguments: &[String]) -> Result<(), String> {
    let manifest = "crates/eve/bindgen/Cargo.toml";
    run(
        "the C header",
        cargo(&["run", "--quiet", "--locked", "--manifest-path", manifest, "--"])
            .args(arguments)
            .env("CARGO_TARGET_DIR", target().join("bindgen")),
    )
}

fn ci(_: &[String]) -> Result<(), String> {
    test(&[])?;
    header(&["--check".to_owned()])?;
    harm::torture(&[])?;
    // The README's first command, as a user gives it.
    let world = target().join("ci-world");
    if world.exists() {
        std::fs::remove_dir_all(&world).map_err(|error| format!("{}: {error}", world.display()))?;
    }
    let world = world.display().to_string();
    run(
        "the main job",
        &mut cargo(&["run", "--release", "--", "run", &world, "examples/deps.yin", "Cargo.lock"]),
    )
}
