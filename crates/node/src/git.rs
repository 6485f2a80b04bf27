//! A git repository as a stream of commits, read through the `git` program.
//!
//! 1. Commits come parents first; each with what differs from the tree of the commit before it in
//!    this order, whatever branch that was on.
//! 2. Nothing is held but one commit and one change: both programs are read as they write.
//! 3. No shell is involved, and names are bytes that end where git says they end. No two of them
//!    become one text.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::fault::Fault;

/// A repository that is there.
pub(crate) struct Repository<'r> {
    path: &'r Path,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: String,
    /// Seconds since 1970 UTC: when it was written, and when it was committed.
    pub(crate) authored: i64,
    pub(crate) committed: i64,
    pub(crate) message: String,
}

/// What became of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) path: String,
    /// Mode and object; none where the path is gone.
    pub(crate) now: Option<(String, String)>,
}

type Done<T> = Result<T, Box<Fault>>;

impl<'r> Repository<'r> {
    /// # Errors
    /// When there is no `git`, no repository, or no commit.
    pub(crate) fn open(path: &'r Path) -> Done<Self> {
        let repository = Self { path };
        repository.line(&["rev-parse", "--git-dir"])?;
        if repository.line(&["rev-parse", "--verify", "HEAD"]).is_err() {
            let why = format!("{}: there is no commit yet", path.display());
            return Err(Fault::new(why).help("commit something, or check a branch out").into());
        }
        Ok(repository)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path).args(arguments).stdin(Stdio::null());
        command
    }

    /// The one line that a command answers.
    fn line(&self, arguments: &[&str]) -> Done<String> {
        let output = self.command(arguments).output().map_err(no_git)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Fault::new(format!("{}: {said}", self.path.display()))
                .help("name the folder of a git repository")
                .into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// How many commits lead to `HEAD`.
    pub(crate) fn count(&self) -> Done<u64> {
        self.line(&["rev-list", "--count", "HEAD"])?.parse().map_err(|_| strange("rev-list"))
    }

    /// The tree without entries.
    pub(crate) fn empty_tree(&self) -> Done<String> {
        self.line(&["hash-object", "-t", "tree", "--stdin"])
    }

    /// All commits that lead to `HEAD`, parents first.
    pub(crate) fn commits(&self) -> Done<Commits> {
        let format = "--format=%H%x00%T%x00%P%x00%an <%ae>%x00%at%x00%ct%x00%B";
        let order =
            ["log", "--reverse", "--topo-order", "--no-show-signature", "-z", format, "HEAD"];
        let mut command = self.command(&order);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(no_git)?;
        let out = child.stdout.take().ok_or_else(|| strange("log"))?;
        Ok(Commits { child, out: BufReader::new(out) })
    }

    /// Something that compares trees.
    pub(crate) fn comparison(&self) -> Done<Comparison> {
        let mut command =
            self.command(&["diff-tree", "--stdin", "-r", "--raw", "-z", "--no-renames"]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(no_git)?;
        let (Some(stdin), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(strange("diff-tree"));
        };
        Ok(Comparison { child, stdin: Some(stdin), out: BufReader::new(out) })
    }

    /// The paths of a tree with mode and object, as `git ls-tree` gives them.
    #[cfg(test)]
    pub(crate) fn tree(&self, tree: &str) -> Done<Vec<Change>> {
        let output = self.command(&["ls-tree", "-r", "-z", tree]).output().map_err(no_git)?;
        let entries = output.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        let entries = entries.map(|entry| {
            let tab =
                entry.iter().position(|byte| *byte == b'\t').ok_or_else(|| strange("ls-tree"))?;
            let (meta, path) = (String::from_utf8_lossy(&entry[..tab]), &entry[tab + 1..]);
            let fields: Vec<&str> = meta.split(' ').collect();
            let [mode, _, object] = fields.as_slice() else { return Err(strange("ls-tree")) };
            let now = Some(((*mode).to_owned(), (*object).to_owned()));
            Ok(Change { path: path_text(path.to_vec()), now })
        });
        entries.collect()
    }
}

fn no_git(error: std::io::Error) -> Box<Fault> {
    Fault::new(format!("cannot run git: {error}"))
        .help("install git, and see that it is found in PATH")
        .into()
}

fn strange(command: &str) -> Box<Fault> {
    Fault::new(format!("git {command} answered what was not expected")).into()
}

/// A path as text: as it is where it is UTF-8, else in quotes with octal numbers for bytes, as git
/// shows it. So is one that begins with a quote: what is quoted is never what another is called.
fn path_text(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if !text.starts_with('"') => return text,
        Ok(text) => text.into_bytes(),
        Err(error) => error.into_bytes(),
    };
    let mut quoted = String::from("\"");
    for byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            7..=13 => quoted.extend(['\\', char::from(b"abtnvfr"[usize::from(byte - 7)])]),
            _ => quoted += &format!("\\{byte:03o}"),
        }
    }
    quoted + "\""
}

/// Commits as `git log` writes them.
pub(crate) struct Commits {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Commits {
    fn field(&mut self) -> Done<Option<String>> {
        let mut bytes = Vec::new();
        self.out.read_until(0, &mut bytes)?;
        if bytes.pop().is_none() {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The next commit.
    pub(crate) fn next(&mut self) -> Done<Option<Commit>> {
        let Some(id) = self.field()? else {
            return match self.child.wait()?.success() {
                true => Ok(None),
                false => Err(Fault::new("git log failed; see what it said above").into()),
            };
        };
        let mut field = || self.field()?.ok_or_else(|| strange("log"));
        let (tree, parents, author) = (field()?, field()?, field()?);
        let (authored, committed, message) = (field()?, field()?, field()?);
        let seconds = |text: String| text.parse::<i64>().map_err(|_| strange("log"));
        Ok(Some(Commit {
            id,
            tree,
            parents: parents.split_whitespace().map(str::to_owned).collect(),
            author,
            authored: seconds(authored)?,
            committed: seconds(committed)?,
            message: message.trim_end().to_owned(),
        }))
    }
}

impl Drop for Commits {
    fn drop(&mut self) {
        // It may still be writing; nobody reads on.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `git diff-tree`, asked again and again.
pub(crate) struct Comparison {
    child: Child,
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

/// A line that is no pair of trees is written back, and flushed: so it ends an answer.
const END: &str = "end";

impl Comparison {
    /// Calls `each` for every path in which two trees differ.
    pub(crate) fn compare(
        &mut self,
        from: &str,
        to: &str,
        mut each: impl FnMut(Change) -> Done<()>,
    ) -> Done<()> {
        let stdin = self.stdin.as_mut().ok_or_else(|| strange("diff-tree"))?;
        writeln!(stdin, "{from} {to}\n{END}")?;
        stdin.flush()?;
        loop {
            let mut first = [0];
            self.out.read_exact(&mut first).map_err(|_| strange("diff-tree"))?;
            if first != *b":" {
                let mut line = first.to_vec();
                self.out.read_until(b'\n', &mut line)?;
                if line == format!("{END}\n").as_bytes() {
                    return Ok(());
                }
                continue;
            }
            let (meta, path) = (self.bytes()?, path_text(self.bytes()?));
            let meta = String::from_utf8_lossy(&meta);
            let fields: Vec<&str> = meta.split(' ').collect();
            let [_, mode, _, object, status] = fields.as_slice() else {
                return Err(strange("diff-tree"));
            };
            let now = (*status != "D").then(|| ((*mode).to_owned(), (*object).to_owned()));
            each(Change { path, now })?;
        }
    }

    fn bytes(&mut self) -> Done<Vec<u8>> {
        let mut bytes = Vec::new();
        self.out.read_until(0, &mut bytes)?;
        bytes.pop().ok_or_else(|| strange("diff-tree"))?;
        Ok(bytes)
    }
}

impl Drop for Comparison {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
