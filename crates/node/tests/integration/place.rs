//! A folder to work in, and the program to run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A temporary folder with the example program in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/deps.yin");
        fs::copy(example, folder.path().join("deps.yin")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// `datom` with these arguments, in this folder, its output captured.
    pub(crate) fn datom(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_datom"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::new(arguments, self.datom(arguments).output().unwrap())
    }

    /// Runs to the end and must succeed; what it printed on standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.status, Some(0), "{ran}");
        ran.stdout
    }
}

/// A process that is killed at the latest when nobody has it any more.
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a run ended.
pub(crate) struct Ran {
    arguments: String,
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            arguments: arguments.join(" "),
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// It failed with this status, and said all of these.
    pub(crate) fn fails_with(&self, status: i32, said: &[&str]) {
        assert_eq!(self.status, Some(status), "{self}");
        // A person's terminal wraps lines; the words count.
        let words = self.stderr.split_whitespace().filter(|word| *word != "│");
        let flat = words.collect::<Vec<_>>().join(" ");
        for part in said {
            assert!(flat.contains(part), "does not say '{part}': {self}");
        }
        assert!(!self.stderr.contains("panicked"), "{self}");
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { arguments, status, stdout, stderr } = self;
        write!(
            f,
            "datom {arguments}: status {status:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// A `Cargo.lock` of `packages` packages in which each depends on the next two.
pub(crate) fn lock_file(packages: usize, version: &str) -> String {
    let mut text = String::from("version = 4\n");
    for number in 0..packages {
        let dependencies: String = (number + 1..(number + 3).min(packages))
            .map(|dependency| format!(" \"package-{dependency}\",\n"))
            .collect();
        text += &format!(
            "\n[[package]]\nname = \"package-{number}\"\nversion = \"{version}\"\n\
             dependencies = [\n{dependencies}]\n"
        );
    }
    text
}
