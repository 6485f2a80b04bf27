//! A git history as transactions: one a commit, with its real time.
//!
//! 1. The state after a commit's transaction has exactly the paths of its tree, each with its object
//!    and mode. So the database as of the transaction is what `git ls-tree` shows of the commit.
//! 2. The transaction's entity is the commit: its id, its author, its parents.
//! 3. Time only goes on, up to now: where a commit is older than the one before it, or than what the
//!    world held already, the transaction has the later time, where it is of the future, the present;
//!    and `:git.commit/committed` has the commit's.
//! 4. What is there already is not imported again: an import goes on where the last one ended.

use daodb::{Database, Durability, TransactOptions};
use datom::{Value, edn};

use crate::clock;
use crate::fault::Fault;
use crate::git::{Change, Commit, Repository};

const SCHEMA: &str = r#"
[{:db/ident :git.commit/id :db/valueType :db.type/string :db/unique :db.unique/identity
  :db/doc "The hash of a commit; its entity is the transaction that brought it."}
 {:db/ident :git.commit/tree :db/valueType :db.type/string :db/doc "The hash of its tree."}
 {:db/ident :git.commit/parents :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/doc "The commits it goes on from, as far as they were imported."}
 {:db/ident :git.commit/author :db/valueType :db.type/string :db/index true :db/doc "Who wrote it."}
 {:db/ident :git.commit/authored :db/valueType :db.type/instant :db/doc "When it was written."}
 {:db/ident :git.commit/committed :db/valueType :db.type/instant :db/doc "When it was committed."}
 {:db/ident :git.file/path :db/valueType :db.type/string :db/unique :db.unique/identity
  :db/doc "The path of a file, also when it is gone; of bytes that are no UTF-8, as git quotes it."}
 {:db/ident :git.file/object :db/valueType :db.type/string :db/index true
  :db/doc "The hash of its content; nothing while the file is gone."}
 {:db/ident :git.file/mode :db/valueType :db.type/string :db/doc "Its mode, in octal digits."}]
"#;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    pub(crate) commits: u64,
    pub(crate) datoms: u64,
    /// Commits that were there already.
    pub(crate) known: u64,
}

const SECOND: i64 = 1_000_000;

type Done<T> = Result<T, Box<Fault>>;

/// When the history begins, in microseconds since 1970 UTC.
pub(crate) fn beginning(repository: &Repository<'_>) -> Done<Option<i64>> {
    let first = repository.commits()?.next()?;
    Ok(first.map(|commit| commit.committed.saturating_mul(SECOND).min(clock::micros())))
}

/// Imports every commit that is not there yet, and tells `progress` after each.
pub(crate) fn import(
    database: &Database,
    repository: &Repository<'_>,
    mut progress: impl FnMut(Imported),
) -> Done<Imported> {
    state_schema(database)?;
    let mut done = Imported::default();
    let mut tree = match last_tree(database)? {
        Some(tree) => tree,
        None => repository.empty_tree()?,
    };
    let mut commits = repository.commits()?;
    let mut comparison = repository.comparison()?;
    while let Some(commit) = commits.next()? {
        if database.db()?.entity_id(&lookup("git.commit/id", &commit.id))?.is_some() {
            done.known += 1;
            continue;
        }
        let mut forms = vec![of_commit(database, &commit)?];
        comparison.compare(&tree, &commit.tree, |change| {
            forms.extend(of_change(change));
            Ok(())
        })?;
        // The disk is waited for once, at the end.
        let options = TransactOptions::new().durability(Durability::Process);
        done.datoms += database.transact_with(&forms, &options)?.datoms.len() as u64;
        done.commits += 1;
        tree = commit.tree;
        progress(done);
    }
    database.sync()?;
    Ok(done)
}

fn state_schema(database: &Database) -> Done<()> {
    if database.db()?.attribute_named(&"git.file/path".into()).is_some() {
        return Ok(());
    }
    let mut forms = match edn::read(SCHEMA) {
        Ok(Value::Vector(forms)) => forms,
        _ => Vec::new(),
    };
    let now = database.db()?.instant();
    forms.push(Value::map([
        (Value::keyword("db/id"), Value::text("datomic.tx")),
        (Value::keyword("db/txInstant"), Value::Instant(now)),
        (Value::keyword("db/doc"), Value::text("the schema of git histories")),
    ]));
    // An empty database has no time yet that could be kept.
    if now == 0 {
        forms.pop();
    }
    database.transact(&forms)?;
    Ok(())
}

/// The tree of the commit that was imported last.
fn last_tree(database: &Database) -> Done<Option<String>> {
    let query = "[:find ?c ?tree :where [?c :git.commit/tree ?tree] :order-by ?c :desc :limit 1]";
    let found = database.db()?.q(query, &[])?;
    let row = found.as_slice().and_then(|rows| rows.first()).and_then(Value::as_slice);
    Ok(row.and_then(|row| row.get(1)?.as_text().map(str::to_owned)))
}

fn lookup(attribute: &str, value: &str) -> Value {
    Value::Vector(vec![Value::keyword(attribute), Value::text(value)])
}

fn of_commit(database: &Database, commit: &Commit) -> Done<Value> {
    let db = database.db()?;
    let mut parents = Vec::new();
    for parent in &commit.parents {
        parents.extend(db.entity_id(&lookup("git.commit/id", parent))?.map(Value::Ref));
    }
    let [authored, committed] =
        [commit.authored, commit.committed].map(|seconds| seconds.saturating_mul(SECOND));
    let time = committed.min(clock::micros()).max(db.instant());
    let mut facts = vec![
        (Value::keyword("db/id"), Value::text("datomic.tx")),
        (Value::keyword("db/txInstant"), Value::Instant(time)),
        (Value::keyword("db/doc"), Value::text(&commit.message)),
        (Value::keyword("git.commit/id"), Value::text(&commit.id)),
        (Value::keyword("git.commit/tree"), Value::text(&commit.tree)),
        (Value::keyword("git.commit/parents"), Value::Vector(parents)),
        (Value::keyword("git.commit/author"), Value::text(&commit.author)),
    ];
    let times = [("git.commit/authored", authored), ("git.commit/committed", committed)];
    let times = times.map(|(name, time)| (Value::keyword(name), Value::Instant(time)));
    // Git takes a time of any year, and a word does not.
    facts.extend(times.into_iter().filter(|(_, time)| time.word_tag().is_some()));
    Ok(Value::map(facts))
}

fn of_change(change: Change) -> Vec<Value> {
    let path = Value::text(&change.path);
    let Some((mode, object)) = change.now else {
        let file = lookup("git.file/path", &change.path);
        let retract = |attribute: &str| {
            let attribute = Value::keyword(attribute);
            Value::Vector(vec![Value::keyword("db/retract"), file.clone(), attribute])
        };
        return vec![retract("git.file/object"), retract("git.file/mode")];
    };
    vec![Value::map([
        (Value::keyword("git.file/path"), path),
        (Value::keyword("git.file/object"), Value::text(&object)),
        (Value::keyword("git.file/mode"), Value::text(&mode)),
    ])]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    type Paths = BTreeSet<(String, Option<(String, String)>)>;

    /// The repository that this is built from, if it is one.
    fn own() -> Option<Repository<'static>> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let found = root.join(".git").exists().then(|| Repository::open(root).ok()).flatten();
        if found.is_none() {
            println!("skipped: there is no git, or this is no repository");
        }
        found
    }

    fn check(database: &Database, repository: &Repository<'_>) {
        let db = database.db().unwrap();
        let commits =
            db.q("[:find ?c ?tree :where [?c :git.commit/tree ?tree] :order-by ?c]", &[]).unwrap();
        for row in commits.as_slice().unwrap() {
            let [Value::Ref(commit), Value::Text(tree)] = row.as_slice().unwrap() else { panic!() };
            let t = datom::id::t_of(*commit).unwrap();
            let query = "[:find ?p ?m ?o :where [?f :git.file/path ?p] [?f :git.file/mode ?m] [?f :git.file/object ?o]]";
            let Value::Set(found) = db.as_of(t).q(query, &[]).unwrap() else { panic!() };
            let text = |value: &Value| value.as_text().unwrap().to_owned();
            let found: Paths = found
                .iter()
                .map(|row| row.as_slice().unwrap())
                .map(|row| (text(&row[0]), Some((text(&row[1]), text(&row[2])))))
                .collect();
            let tree = repository.tree(tree).unwrap();
            let expected: Paths = tree.into_iter().map(|entry| (entry.path, entry.now)).collect();
            assert_eq!(found, expected, "commit {commit}");
        }
    }

    #[test]
    fn the_database_as_of_a_commit_is_the_tree_of_the_commit() {
        let Some(repository) = own() else { return };
        let database = Database::memory().unwrap();
        let done = import(&database, &repository, |_| {}).unwrap();
        assert_eq!(done.commits, repository.count().unwrap());
        check(&database, &repository);
        let again = import(&database, &repository, |_| {}).unwrap();
        assert_eq!((again.commits, again.known), (0, done.commits));
    }

    /// Branches, merges, removals, renames, modes, odd names; and commits after the first import.
    #[test]
    fn every_kind_of_change_comes_through() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let done = Command::new("git")
                .arg("-C")
                .arg(folder.path())
                .args(["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
                .args(arguments)
                .output();
            done.is_ok_and(|output| output.status.success())
        };
        if !git(&["init", "--quiet", "--initial-branch=main"]) {
            println!("skipped: there is no git");
            return;
        }
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let commit = |message: &str| {
            assert!(git(&["add", "--all"]) && git(&["commit", "--quiet", "--message", message]));
        };
        write("a", "1");
        write("dir/odd name \"ü\"\t", "2");
        commit("first\n\nwith a body");
        write("a", "changed");
        write("dir/c", "3");
        commit("second");
        assert!(git(&["checkout", "--quiet", "-b", "side", "HEAD~1"]));
        write("side", "4");
        std::fs::remove_file(folder.path().join("a")).unwrap();
        commit("on the side");
        assert!(git(&["checkout", "--quiet", "main"]));
        write("main only", "5");
        commit("third");
        assert!(
            git(&["merge", "--quiet", "--no-edit", "-X", "ours", "side"]) || {
                git(&["add", "--all"]) && git(&["commit", "--quiet", "--no-edit"])
            }
        );
        // Names that are no text, and one that looks like them; a link, and a repository within.
        let strange: [&[u8]; 4] =
            [b"bytes \xff\n\\", b"bytes \xfe", b"\"bytes \\376\"", b"\"q\xc3\xbc"];
        for name in strange {
            std::fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
        }
        std::os::unix::fs::symlink("main only", folder.path().join("link")).unwrap();
        commit("strange names");
        std::fs::remove_file(folder.path().join("link")).unwrap();
        write("link", "a file now");
        std::fs::remove_file(folder.path().join(OsStr::from_bytes(strange[1]))).unwrap();
        commit("one of them goes");
        let within = format!("160000,{},within", "1".repeat(40));
        assert!(git(&["update-index", "--add", "--cacheinfo", &within]));
        assert!(git(&["commit", "--quiet", "--message", "a repository within"]));
        for seconds in ["@7258118400 +0000", "@99999999999999 +0000"] {
            let mut later = Command::new("git");
            later.env("GIT_COMMITTER_DATE", seconds).arg("-C").arg(folder.path());
            later.args(["-c", "user.name=A", "-c", "user.email=a@b", "commit", "--allow-empty"]);
            assert!(later.args(["-qm", "of the future"]).status().unwrap().success());
        }

        let repository = Repository::open(folder.path()).unwrap();
        let database = Database::memory().unwrap();
        let first = import(&database, &repository, |_| {}).unwrap();
        assert_eq!(first.commits, repository.count().unwrap());
        check(&database, &repository);

        // Each is called what git calls it.
        let shown = Command::new("git").arg("-C").arg(folder.path()).args(["ls-files"]).output();
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        for name in [r#""bytes \377\n\\""#, r#""\"bytes \\376\"""#, r#""\"q\303\274""#] {
            assert!(shown.lines().any(|line| line == name), "{name} in {shown}");
            let file = database.db().unwrap().entity(&lookup("git.file/path", name)).unwrap();
            assert!(file.unwrap().get("git.file/object").unwrap().is_some(), "{name}");
        }
        let gone =
            database.db().unwrap().entity(&lookup("git.file/path", r#""bytes \376""#)).unwrap();
        assert_eq!(gone.unwrap().get("git.file/object").unwrap(), None);

        assert!(git(&["mv", "dir/c", "dir/d"]));
        commit("renamed");
        assert!(git(&["update-index", "--chmod=+x", "dir/d"]));
        assert!(git(&["commit", "--quiet", "--message", "a mode"]));
        let more = import(&database, &repository, |_| {}).unwrap();
        assert_eq!((more.commits, more.known), (2, first.commits));
        check(&database, &repository);
        let parents = "[:find (count ?p) . :where [?c :db/doc ?m] [(clojure.string/starts-with? ?m \"Merge\")] [?c :git.commit/parents ?p]]";
        assert_eq!(database.db().unwrap().q(parents, &[]).unwrap(), Value::Int(2));
        let message = "[:find ?m . :in $ ?t :where [?t :db/doc ?m]]";
        let first = Value::Ref(datom::id::transaction(2));
        assert_eq!(
            database.db().unwrap().q(message, &[first]).unwrap(),
            Value::text("first\n\nwith a body")
        );
    }
}
