//! What a person would otherwise have to remember: `cargo xtask COMMAND`.

mod command;
mod harm;
mod powercut;
mod step;
mod tidy;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) if name != "--help" && name != "-h" => (name.as_str(), rest),
        _ => ("help", &[][..]),
    };
    let Some(command) = command::find(name) else {
        eprint!("xtask: no command '{name}'\n\n{}", command::help());
        return ExitCode::from(2);
    };
    match (command.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask {name}: {why}");
            ExitCode::FAILURE
        }
    }
}
