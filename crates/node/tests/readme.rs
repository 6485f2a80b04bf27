//! Every command that a document shows is executed, and prints what the document shows.
//!
//! The `console` blocks of a document run in order, in one empty folder that holds a copy of
//! `examples/` and `Cargo.lock`. What differs from run to run (moments, durations, keys, hashes) is
//! compared by its form. `DATOM_README=update cargo test -p node --test readme` writes what the
//! commands print now back into the documents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

const DOCUMENTS: [&str; 2] = ["README.md", "crates/daodb/README.md"];

#[test]
fn documents_show_what_the_commands_print() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let update = std::env::var_os("DATOM_README").is_some_and(|mode| mode == "update");
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = fs::read_to_string(&path).unwrap();
        let folder = folder_with_examples(&root);
        let shown = Transcript::parse(&text);
        assert!(shown.commands() > 0, "{document} shows no command");
        let printed = shown.execute(folder.path());
        if update {
            fs::write(&path, printed).unwrap();
        } else {
            assert_same(document, &text, &printed);
        }
    }
}

fn folder_with_examples(root: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    fs::create_dir(folder.path().join("examples")).unwrap();
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap();
            fs::copy(&path, folder.path().join("examples").join(name)).unwrap();
        }
    }
    folder
}

/// A document as alternating text and commands with their output.
struct Transcript {
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    /// The lines of a command as they stand in the document, without the output below them.
    Command(String),
}

impl Transcript {
    fn parse(document: &str) -> Self {
        let mut parts = Vec::new();
        let mut inside = false;
        let mut in_command = false;
        for line in document.split_inclusive('\n') {
            if inside && line.starts_with("```") {
                inside = false;
            } else if !inside && line.trim_end() == "```console" {
                inside = true;
            } else if inside && line.starts_with("$ ") {
                in_command = line.trim_end().ends_with('\\');
                parts.push(Part::Command(line.to_owned()));
                continue;
            } else if inside && in_command {
                in_command = line.trim_end().ends_with('\\');
                if let Some(Part::Command(command)) = parts.last_mut() {
                    command.push_str(line);
                }
                continue;
            } else if inside {
                continue; // output, to be printed anew
            }
            match parts.last_mut() {
                Some(Part::Text(text)) => text.push_str(line),
                _ => parts.push(Part::Text(line.to_owned())),
            }
        }
        Self { parts }
    }

    fn commands(&self) -> usize {
        self.parts.iter().filter(|part| matches!(part, Part::Command(_))).count()
    }

    fn execute(&self, folder: &Path) -> String {
        let mut document = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => document.push_str(text),
                Part::Command(command) => {
                    document.push_str(command);
                    document.push_str(&run(command, folder));
                }
            }
        }
        document
    }
}

/// What a command prints, standard error before standard output as in a terminal at its end.
fn run(shown: &str, folder: &Path) -> String {
    let line = shown.trim_start_matches("$ ").replace("cargo run --release --", "datom");
    let program = PathBuf::from(env!("CARGO_BIN_EXE_datom"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{line}")])
        .current_dir(folder)
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let mut printed = String::from_utf8(output.stdout).unwrap();
    printed =
        printed.replace(&folder.canonicalize().unwrap().display().to_string(), "/home/ada/demo");
    if !printed.is_empty() && !printed.ends_with('\n') {
        printed.push('\n');
    }
    printed
}

fn assert_same(document: &str, shown: &str, printed: &str) {
    let (shown, printed) = (normalised(shown), normalised(printed));
    for (number, (shown, printed)) in shown.lines().zip(printed.lines()).enumerate() {
        assert_eq!(
            printed,
            shown,
            "{document} line {}: printed left, shown right; if the new output is right: \
             DATOM_README=update cargo test -p node --test readme",
            number + 1
        );
    }
    assert_eq!(printed.lines().count(), shown.lines().count(), "{document}: lines are missing");
}

/// The text with everything that differs from run to run replaced by its kind.
fn normalised(text: &str) -> String {
    let kinds = [
        (r#"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)?"#, "MOMENT"),
        (r"\b[0-9]+(\.[0-9]+)? ?(ns|µs|ms|s)\b", "DURATION"),
        (r"\b[0-9a-f]{8,}\b", "HEX"),
        // How full the maps' nodes are depends on the hash seed, which differs from world to world.
        (r":blocks \d+", ":blocks COUNT"),
        (r" +", " "),
        (r"─+", "─"),
    ];
    kinds.iter().fold(text.to_owned(), |text, (pattern, kind)| {
        Regex::new(pattern).unwrap().replace_all(&text, *kind).into_owned()
    })
}
