//! Appends: once a key, whole or not at all, wherever a process ended.

use std::fs;
use std::path::Path;

use datom::Value;
use shibi::{Expiry, Grant, Rights};

use crate::handlers::fs::Files;
use crate::handlers::tests::rights;
use crate::{Call, Failure};

struct World {
    folder: tempfile::TempDir,
    rights: Rights,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let grant = Grant::new("fs/append", Expiry::Never).within(path.to_str().unwrap()).unwrap();
        Self { folder, rights: rights(&grant) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn call(&self, args: &Value) -> Result<Value, Failure> {
        let files = Files::at(&self.path().canonicalize().unwrap());
        let operation = "fs/append".into();
        files.append(&Call { id: 1, operation: &operation, args, rights: &self.rights, t: 0 })
    }

    fn append(&self, writer: u8, number: i64, content: &str) -> Result<Value, Failure> {
        self.call(&Value::map([
            (Value::keyword("path"), Value::text("log")),
            (Value::keyword("content"), Value::text(content)),
            (
                Value::keyword("key"),
                Value::Vector(vec![Value::Hash([writer; 32]), Value::Int(number)]),
            ),
        ]))
    }

    fn plain(&self, content: &str) -> Result<Value, Failure> {
        self.call(&Value::Vector(vec![Value::text("log"), Value::text(content)]))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap()
    }

    fn cut(&self, bytes: u64) {
        fs::File::options()
            .write(true)
            .open(self.path().join("log"))
            .unwrap()
            .set_len(bytes)
            .unwrap();
    }
}

fn kind(result: Result<Value, Failure>) -> String {
    result.unwrap_err().kind.as_str().to_owned()
}

#[test]
fn each_key_is_appended_once_in_the_order_of_coming() {
    let world = World::new();
    for (writer, number, content) in [(1, 1, "a1 "), (2, 1, "b1 "), (1, 2, "a2 ")] {
        for _ in 0..3 {
            assert_eq!(world.append(writer, number, content), Ok(Value::Int(3)));
        }
    }
    // Numbers grow, and may leave some out.
    world.append(2, 9, "b9 ").unwrap();
    world.plain("plain ").unwrap();
    assert_eq!(world.log(), "a1 b1 a2 b9 plain ");
}

#[test]
fn what_comes_too_late_or_is_something_else_is_refused() {
    let world = World::new();
    world.append(1, 5, "five").unwrap();
    assert_eq!(kind(world.append(1, 4, "four")), "fs/stale");
    assert_eq!(kind(world.append(1, 5, "FIVE")), "fs/stale");
    for number in [0, -1] {
        assert_eq!(kind(world.append(1, number, "x")), "bridge/bad-args");
    }
    assert_eq!(world.log(), "five");
}

/// A process that was killed left the slot, and of the content as much as it had written.
#[test]
fn an_append_that_was_cut_anywhere_is_finished_by_itself_or_taken_back_by_others() {
    let content = "interrupted";
    for written in 0..=content.len() as u64 {
        let is_whole = written == content.len() as u64;
        for finishes in [true, false] {
            let world = World::new();
            world.append(1, 1, "first ").unwrap();
            world.append(1, 2, content).unwrap();
            world.cut("first ".len() as u64 + written);
            if finishes {
                world.append(1, 2, content).unwrap();
                assert_eq!(world.log(), "first interrupted");
                continue;
            }
            world.append(2, 1, " other ").unwrap();
            // Done again after that, it is there once all the same.
            world.append(1, 2, content).unwrap();
            world.append(1, 2, content).unwrap();
            let expected = match is_whole {
                true => "first interrupted other ",
                false => "first  other interrupted",
            };
            assert_eq!(world.log(), expected, "{written}");
        }
    }
}

#[test]
fn an_append_without_a_key_takes_back_what_another_left_unfinished() {
    let world = World::new();
    world.append(1, 1, "half").unwrap();
    world.cut(2);
    world.plain("whole").unwrap();
    world.append(1, 1, "half").unwrap();
    assert_eq!(world.log(), "wholehalf");
}

#[test]
fn processes_that_append_at_the_same_time_lose_nothing() {
    let world = World::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let world = &world;
            scope.spawn(move || {
                for number in 1..=20 {
                    world.append(writer, number, &format!("{writer}/{number}\n")).unwrap();
                }
            });
        }
    });
    let log = world.log();
    for writer in 0..4 {
        let prefix = format!("{writer}/");
        let of: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        assert_eq!(of, (1..=20).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn damage_and_what_is_no_file_are_named() {
    let world = World::new();
    world.append(1, 1, "x").unwrap();
    let keys = world.path().join(".log.keys");
    let mut bytes = fs::read(&keys).unwrap();
    bytes[3] ^= 1;
    fs::write(&keys, bytes).unwrap();
    assert_eq!(kind(world.append(1, 2, "y")), "fs/keys-damaged");
    assert_eq!(world.log(), "x");

    let world = World::new();
    std::os::unix::fs::symlink("elsewhere", world.path().join("log")).unwrap();
    assert_eq!(kind(world.append(1, 1, "x")), "fs/not-a-file");
    assert!(!world.path().join("elsewhere").exists());
}
