//! Worlds whose log anybody may have written: opened, read, written to and opened again. An error or
//! an answer, never a crash; and a world that opened once opens again.
//!
//! The first byte says which file of the log is replaced or changed: the second's lowest bit, which
//! of both.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use daodb::{Create, Database, Error, Options};
use datom::edn;
use libfuzzer_sys::fuzz_target;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn transact(db: &Database, text: &str) {
    db.transact(&edn::read_all(text).expect("EDN")).expect("a transaction");
}

type Files = Vec<(PathBuf, Vec<u8>)>;

/// The files of a log in plain, sealed and cold segments, by their paths in the world.
fn world() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = folder();
        let options = Options::new().segment_bytes_max(1_000).seals(false);
        let db = Database::open(folder.path(), options).expect("a world");
        transact(&db, "{:db/ident :name :db/valueType :db.type/string}");
        let name = |n: u64| transact(&db, &format!("{{:name \"a name of more than a word {n}\"}}"));
        (0..4).for_each(name);
        db.freeze(folder.path().join("cold"), 3).expect("room");
        (4..8).for_each(name);
        db.seal().expect("room");
        (8..12).for_each(name);
        drop(db);
        let mut files = Files::new();
        for part in ["log", "cold"] {
            for entry in fs::read_dir(folder.path().join(part)).expect("its folder") {
                let entry = entry.expect("an entry");
                let bytes = fs::read(entry.path()).expect("a file");
                files.push((Path::new(part).join(entry.file_name()), bytes));
            }
        }
        files.retain(|(path, _)| !path.ends_with("lease"));
        files.sort();
        files
    })
}

fn changed(original: &[u8], which: u8, data: &[u8]) -> Vec<u8> {
    if which % 2 == 1 {
        return data.to_vec();
    }
    let mut bytes = original.to_vec();
    for edit in data.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        match edit[2] % 4 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), edit[3]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = edit[3];
                }
            }
        }
    }
    bytes
}

fn use_all(folder: &Path, options: Options) -> Result<(), Error> {
    let db = Database::open(folder, options)?;
    let now = db.db()?;
    let t = now.basis();
    for transaction in db.log()? {
        let _ = transaction?;
    }
    let _ = db.stats()?;
    let _ = db.verify()?;
    if now.attribute_named(&"name".into()).is_some() {
        db.transact(&edn::read_all("{:name \"later\"}").expect("EDN"))?;
        assert_eq!(db.db()?.basis(), t + 1);
        drop(db);
        let again = Database::open(folder, Options::new().create(Create::Never))?;
        assert_eq!(again.db()?.basis(), t + 1, "what was told of is there");
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let [which, how, data @ ..] = data else { return };
    let folder = folder();
    let files = world();
    let chosen = usize::from(*which) % files.len();
    for part in ["log", "cold"] {
        fs::create_dir_all(folder.path().join(part)).expect("room in memory");
    }
    for (place, (path, original)) in files.iter().enumerate() {
        let to = folder.path().join(path);
        let bytes = if place == chosen { changed(original, *how, data) } else { original.clone() };
        fs::write(&to, bytes).expect("room in memory");
    }
    // The cold folder lies elsewhere than where it was made.
    if !files[chosen].0.ends_with("log/cold") {
        let cold = format!("{}\n", folder.path().join("cold").display());
        fs::write(folder.path().join("log/cold"), cold).expect("room in memory");
    }
    let options = Options::new().create(Create::Never).region_bytes_max(64 << 20);
    if use_all(folder.path(), options.clone()).is_err() {
        let _ = use_all(folder.path(), options.accept_loss(true));
    }
});
