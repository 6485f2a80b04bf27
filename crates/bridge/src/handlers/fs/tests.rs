use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use datom::{Value, edn};
use shibi::{Expiry, Grant, Rights};
use tempfile::TempDir;

use super::{FILE_BYTES_MAX, Files};
use crate::handlers::tests::rights;
use crate::{Call, Failure};

/// A folder that the token names, a sibling that it does not, and links of every kind.
struct World {
    _temporary: TempDir,
    inside: PathBuf,
    outside: PathBuf,
    files: Files,
    rights: Rights,
}

fn world() -> World {
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().canonicalize().unwrap();
    let (inside, outside) = (root.join("inside"), root.join("outside"));
    fs::create_dir_all(inside.join("sub")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::create_dir(root.join("insider")).unwrap();
    fs::write(root.join("insider/secret"), "secret").unwrap();
    fs::write(inside.join("a.txt"), "text").unwrap();
    fs::write(inside.join("sub/b.bin"), [0xff, 0x00]).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink("a.txt", inside.join("link-in")).unwrap();
    symlink("../a.txt", inside.join("sub/link-up-in")).unwrap();
    symlink("../outside/secret", inside.join("link-out")).unwrap();
    symlink(outside.join("secret"), inside.join("link-absolute")).unwrap();
    symlink(inside.join("a.txt"), inside.join("link-absolute-in")).unwrap();
    symlink("../outside", inside.join("folder-out")).unwrap();
    symlink("loop", inside.join("loop")).unwrap();
    let grant = Grant::new("fs/any", Expiry::Never).within(inside.to_str().unwrap()).unwrap();
    let (files, rights) = (Files::at(&inside), rights(&grant));
    World { _temporary: temporary, inside, outside, files, rights }
}

impl World {
    fn call(
        &self,
        operation: fn(&Files, &Call<'_>) -> Result<Value, Failure>,
        args: &Value,
    ) -> Result<Value, Failure> {
        let name = "fs/any".into();
        operation(&self.files, &Call { id: 1, operation: &name, args, rights: &self.rights, t: 0 })
    }

    fn read(&self, path: &str) -> Result<Value, Failure> {
        self.call(Files::read, &Value::text(path))
    }

    fn write(&self, path: &str, content: &str) -> Result<Value, Failure> {
        self.call(Files::write, &Value::Vector(vec![Value::text(path), Value::text(content)]))
    }

    fn list(&self, path: &str) -> Result<Value, Failure> {
        self.call(Files::list, &Value::text(path))
    }

    fn inside(&self, name: &str) -> String {
        self.inside.join(name).to_str().unwrap().to_owned()
    }
}

fn kind(result: Result<Value, Failure>) -> String {
    result.unwrap_err().kind.as_str().to_owned()
}

#[test]
fn files_inside_are_read_by_relative_and_absolute_paths_and_links() {
    let world = world();
    for path in [
        "a.txt",
        "./a.txt",
        "sub/.//./../a.txt",
        &world.inside("a.txt"),
        "link-in",
        "sub/link-up-in",
    ] {
        let read = world.read(path);
        if path.contains("..") {
            assert_eq!(kind(read), "fs/denied", "{path}");
        } else {
            assert_eq!(read, Ok(Value::text("text")), "{path}");
        }
    }
}

#[test]
fn no_path_leads_out() {
    let world = world();
    let out = world.outside.join("secret");
    let sibling = format!("{}r/secret", world.inside.display());
    for path in [
        "../outside/secret",
        "..",
        "sub/../../outside/secret",
        out.to_str().unwrap(),
        &sibling,
        "/etc/passwd",
        "/",
        "link-out",
        "link-absolute",
        "folder-out/secret",
        "folder-out",
        "sub/../link-out",
        "a\0b",
        "",
    ] {
        assert_eq!(kind(world.read(path)), "fs/denied", "read {path:?}");
        assert_eq!(kind(world.list(path)), "fs/denied", "list {path:?}");
    }
    for path in [
        "../outside/new",
        "folder-out/new",
        out.to_str().unwrap(),
        &sibling,
        "sub/../../outside/new",
    ] {
        assert_eq!(kind(world.write(path, "x")), "fs/denied", "write {path:?}");
    }
    assert_eq!(fs::read_to_string(out).unwrap(), "secret");
    assert_eq!(fs::read_dir(&world.outside).unwrap().count(), 1);
}

/// The kernel refuses absolute links below a folder even where they lead back into it: they are
/// read from the system's root, which is out of it.
#[test]
fn absolute_links_are_refused_wherever_they_lead() {
    assert_eq!(kind(world().read("link-absolute-in")), "fs/denied");
}

#[test]
fn a_link_of_the_system_is_no_way_out() {
    let grant = Grant::new("fs/any", Expiry::Never).within("/proc").unwrap();
    let world = World { rights: rights(&grant), ..world() };
    assert_eq!(kind(world.read("/proc/self/root/etc/passwd")), "fs/denied");
    assert_eq!(kind(world.list("/proc/self/cwd")), "fs/denied");
}

#[test]
fn a_token_without_folders_reads_nothing() {
    let world = World { rights: rights(&Grant::new("fs/any", Expiry::Never)), ..world() };
    let failure = world.read("a.txt").unwrap_err();
    assert!(failure.message.contains("names no folder"), "{failure}");
}

#[test]
fn text_is_checked_and_bytes_are_not() {
    let world = world();
    assert_eq!(kind(world.read("sub/b.bin")), "fs/not-text");
    let ask = |form: &str| {
        let args = edn::read(&format!("{{:path \"sub/b.bin\" :as {form}}}")).unwrap();
        world.call(Files::read, &args)
    };
    assert_eq!(ask(":bytes"), Ok(Value::Bytes([0xff, 0x00][..].into())));
    for other in [":json", "\"bytes\"", "nil"] {
        assert_eq!(kind(ask(other)), "bridge/bad-args", "{other}");
    }
}

#[test]
fn only_regular_files_are_read_and_nothing_blocks() {
    let world = world();
    let pipe = world.inside.join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.inside.join("socket")).unwrap();
    for path in ["pipe", "sub", "socket", "."] {
        assert_eq!(kind(world.read(path)), "fs/not-a-file", "{path}");
    }
    assert_eq!(kind(world.write("pipe", "x")), "fs/not-a-file");
    assert_eq!(kind(world.write("sub", "x")), "fs/not-a-file");
    assert_eq!(kind(world.write(".", "x")), "fs/not-a-file");
}

#[test]
fn what_is_missing_or_in_the_way_is_named() {
    let world = world();
    assert_eq!(kind(world.read("none")), "fs/not-found");
    assert_eq!(kind(world.read("a.txt/none")), "fs/not-a-folder");
    assert_eq!(kind(world.list("a.txt")), "fs/not-a-folder");
    assert_eq!(kind(world.write("none/a", "x")), "fs/not-found");
    assert_eq!(kind(world.read("loop")), "fs/denied");
    assert!(world.read("none").unwrap_err().message.contains(&world.inside("none")));
}

#[test]
fn a_file_beyond_the_limit_is_refused_by_its_size() {
    let world = world();
    let large = fs::File::create(world.inside.join("large")).unwrap();
    large.set_len(FILE_BYTES_MAX as u64).unwrap();
    assert!(
        world
            .call(Files::read, &Value::map([(Value::keyword("path"), Value::text("large"))]))
            .is_ok()
    );
    large.set_len(FILE_BYTES_MAX as u64 + 1).unwrap();
    let failure = world.read("large").unwrap_err();
    assert_eq!(failure.kind.as_str(), "fs/too-large");
    assert!(failure.message.contains(&FILE_BYTES_MAX.to_string()));
}

#[test]
fn a_write_makes_or_replaces_a_file_and_leaves_nothing_beside_it() {
    let world = world();
    assert_eq!(world.write("sub/new", "one"), Ok(Value::Int(3)));
    assert_eq!(world.write("sub/new", "three"), Ok(Value::Int(5)));
    assert_eq!(world.read("sub/new"), Ok(Value::text("three")));
    let bytes = Value::map([
        (Value::keyword("path"), Value::text("sub/new")),
        (Value::keyword("content"), Value::Bytes([1, 2][..].into())),
    ]);
    assert_eq!(world.call(Files::write, &bytes), Ok(Value::Int(2)));
    assert_eq!(fs::read(world.inside.join("sub/new")).unwrap(), [1, 2]);
    let names: Vec<_> =
        fs::read_dir(world.inside.join("sub")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    let world = world();
    let path = world.inside.join("a.txt");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    world.write("a.txt", "other").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_link_is_not_written_through_nor_replaced() {
    let world = world();
    for link in ["link-in", "link-out", "link-absolute", "loop"] {
        assert_eq!(kind(world.write(link, "x")), "fs/not-a-file", "{link}");
        assert!(fs::symlink_metadata(world.inside.join(link)).unwrap().is_symlink());
    }
    assert_eq!(fs::read_to_string(world.inside.join("a.txt")).unwrap(), "text");
}

#[test]
fn arguments_of_other_shapes_are_named() {
    let world = world();
    for args in ["nil", "[\"a\"]", "[1 \"x\"]", "[\"a\" 1]", "{:path \"a\"}", "{:content \"a\"}"] {
        let args = edn::read(args).unwrap();
        assert_eq!(kind(world.call(Files::write, &args)), "bridge/bad-args", "{args}");
        assert!(world.call(Files::list, &args).is_err());
    }
}

#[test]
fn a_listing_is_sorted_and_says_what_is_there() {
    let world = world();
    let Ok(Value::Vector(entries)) = world.list(".") else { panic!("no listing") };
    let names: Vec<_> = entries.iter().map(|e| e.get("name").unwrap().as_text().unwrap()).collect();
    assert_eq!(
        names,
        [
            "a.txt",
            "folder-out",
            "link-absolute",
            "link-absolute-in",
            "link-in",
            "link-out",
            "loop",
            "sub"
        ]
    );
    assert_eq!(entries[0], edn::read("{:name \"a.txt\" :kind :file :bytes 4}").unwrap());
    assert_eq!(entries[1].get("kind"), Some(&Value::keyword("link")));
    assert_eq!(entries[7].get("kind"), Some(&Value::keyword("folder")));
}

#[test]
fn a_name_that_is_no_text_is_listed_as_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let world = world();
    let folder = world.inside.join("odd");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    let Ok(Value::Vector(entries)) = world.list("odd") else { panic!("no listing") };
    assert_eq!(entries[0].get("name"), Some(&Value::Bytes([0xff][..].into())));
}

#[test]
fn the_innermost_folder_confines() {
    let world = world();
    let (wide, narrow) = (world.inside(""), world.inside("sub"));
    let grant = Grant::new("fs/any", Expiry::Never);
    let grant = grant.within(wide.trim_end_matches('/')).unwrap().and_within(&narrow).unwrap();
    let world = World { rights: rights(&grant), ..world };
    assert_eq!(world.read("a.txt"), Ok(Value::text("text")));
    assert_eq!(kind(world.read("sub/link-up-in")), "fs/denied");
}
