//! One step of a command: a process that is announced, timed and must succeed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// `cargo` with these arguments, in the folder of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs the process, says what and how long, and fails if it does.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<(), String> {
    eprintln!("\n── {what}");
    let started = Instant::now();
    let status = command.status().map_err(|error| format!("{what}: cannot start: {error}"))?;
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{what} failed after {seconds:.0} s ({status})"));
    }
    eprintln!("── {what}: {seconds:.0} s");
    Ok(())
}
