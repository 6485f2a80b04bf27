//! What no other tool checks: rules of the tree that are easy to break and easy to see.
//!
//! 1. Every Rust file begins with a module comment, unless it is a test.
//! 2. A source file stays under [`LINES_MAX`] lines.
//! 3. No test is ignored, none sleeps, none expects a panic by attribute.
//! 4. Every crate has a README with an example.
//! 5. `unsafe` stays in the crates that map memory; all others forbid it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::root;

const LINES_MAX: usize = 650;
/// The only crates that may say `unsafe`.
const UNSAFE_CRATES: [&str; 1] = ["eve"];

pub(crate) fn check() -> Result<(), String> {
    let mut faults = Vec::new();
    for folder in ["crates", "xtask", "benches"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            check_file(&file, &text, &mut faults);
        }
    }
    for folder in folders(&root().join("crates")) {
        check_crate(&folder, &mut faults);
    }
    if faults.is_empty() { Ok(()) } else { Err(format!("tidy:\n  {}", faults.join("\n  "))) }
}

fn check_file(path: &Path, text: &str, faults: &mut Vec<String>) {
    let mut fault = |what: String| faults.push(format!("{}: {what}", path.display()));
    let shown = path.to_string_lossy();
    let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
    if !is_test && !text.starts_with("//!") {
        fault("does not begin with a `//!` comment that says what it is".to_owned());
    }
    let lines = text.lines().count();
    if !is_test && lines > LINES_MAX {
        fault(format!("{lines} lines; one concept a file keeps under {LINES_MAX}"));
    }
    // Spelt apart so that this file does not find itself.
    for (banned, why) in [
        (concat!("#[", "ignore"), "an ignored test is no test"),
        (concat!("thread::", "sleep"), "wait for an event, not for a time"),
        (concat!("#[should_", "panic"), "assert what happens"),
        (concat!("#[rustfmt::", "skip"), "let the formatter be"),
    ] {
        if text.contains(banned) {
            fault(format!("contains `{banned}`: {why}"));
        }
    }
}

fn check_crate(folder: &Path, faults: &mut Vec<String>) {
    let mut fault = |what: &str| faults.push(format!("{}: {what}", folder.display()));
    match fs::read_to_string(folder.join("README.md")) {
        Ok(text) if text.contains("```") => {}
        Ok(_) => fault("README.md has no example"),
        Err(_) => fault("has no README.md"),
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let library = fs::read_to_string(folder.join("src/lib.rs")).unwrap_or_default();
    if !UNSAFE_CRATES.contains(&name.as_ref()) && !library.contains("#![forbid(unsafe_code)]") {
        fault("lib.rs lacks #![forbid(unsafe_code)]");
    }
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
