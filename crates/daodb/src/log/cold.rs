//! Cold segments: sealed ones that were moved to another folder, such as one on a larger disk.
//!
//! The log's folder has a file `cold` that names the other one. There, each segment is a file named
//! for the BLAKE3 hash of its bytes, and a *manifest* lists them all:
//!
//! ```text
//! daodb cold segments of the log 1f6e0c5a93b2d874
//! 00000000000000000001 2d71…e4 18273 91827
//! check 9c1f…07
//! ```
//!
//! A line is the first `t` of a segment, its file's hash, the bytes of the file and those of the
//! segment. The last line holds the BLAKE3 hash of all lines before it. Manifests are numbered, and
//! the greatest number counts.
//!
//! 1. Files are created, never changed: a segment that is there already is the same one, and of two
//!    who write the next manifest one finds its number taken and starts again.
//! 2. A segment is removed from the log's folder when a manifest that names it is on the disk.
//! 3. Reading needs no copy: whoever wants a cold segment reads it where it is, and its frames prove
//!    themselves.
//! 4. The last segment is never cold. So while the other folder is away the log is appended to, and what
//!    is not there is read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{seal, segment};
use crate::error::WorldError;

const NAME: &str = "cold";
const TITLE: &str = "daodb cold segments of the log ";
const CHECK: &str = "check ";
const PREFIX: &str = "manifest-";
const SUFFIX: &str = "segment";

/// One cold segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The `t` of its first frame.
    pub(crate) first_t: u64,
    pub(crate) path: PathBuf,
    pub(crate) hash: blake3::Hash,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Bytes of the segment.
    pub(crate) length: u64,
}

/// The cold segments of the log in a folder, by their first `t`; none if it has no cold folder.
pub(crate) fn manifest(folder: &Path) -> Result<Vec<Entry>, WorldError> {
    match home(folder)? {
        None => Ok(Vec::new()),
        Some(home) => match newest(&home, folder)? {
            // A mount point without its disk is an empty folder.
            (0, _) if segment::list_here(folder)?.first().is_some_and(|&first_t| first_t > 1) => {
                Err(WorldError::ColdFolderGone { path: home })
            }
            (_, entries) => Ok(entries),
        },
    }
}

/// The cold folder of a log.
pub(crate) fn home(folder: &Path) -> Result<Option<PathBuf>, WorldError> {
    let path = folder.join(NAME);
    match fs::read_to_string(&path) {
        Ok(home) => Ok(Some(PathBuf::from(home.trim_end_matches('\n')))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(WorldError::io(&path, "read where the cold segments are", error)),
    }
}

/// The number and the entries of the newest manifest; 0 and none when there is none.
fn newest(home: &Path, folder: &Path) -> Result<(u64, Vec<Entry>), WorldError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => WorldError::ColdFolderGone { path: home.to_path_buf() },
        _ => WorldError::io(home, "read the manifest of cold segments", source),
    };
    let mut number = 0;
    for entry in fs::read_dir(home).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let found = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse().ok());
        number = number.max(found.unwrap_or(0));
    }
    if number == 0 {
        return Ok((0, Vec::new()));
    }
    let path = manifest_path(home, number);
    let failed = |source| WorldError::io(&path, "read the manifest of cold segments", source);
    let text = fs::read_to_string(&path).map_err(failed)?;
    let entries = parse(&text, &title(folder)?, home).ok_or_else(|| {
        failed(io::Error::other("it is damaged, or of another log; restore it from a backup"))
    })?;
    Ok((number, entries))
}

fn manifest_path(home: &Path, number: u64) -> PathBuf {
    home.join(format!("{PREFIX}{number:08}"))
}

fn title(folder: &Path) -> Result<String, WorldError> {
    let path = folder.join("id");
    let id = fs::read_to_string(&path);
    let id = id.map_err(|source| WorldError::io(&path, "read the log's id", source))?;
    Ok(format!("{TITLE}{}", id.trim()))
}

fn parse(text: &str, title: &str, home: &Path) -> Option<Vec<Entry>> {
    let (body, check) = text.trim_end_matches('\n').rsplit_once('\n')?;
    let hash = blake3::hash(body.as_bytes());
    if check.strip_prefix(CHECK)? != hash.to_hex().as_str() {
        return None;
    }
    let mut lines = body.lines();
    if lines.next()? != title {
        return None;
    }
    lines.map(|line| parse_entry(line, home)).collect()
}

fn parse_entry(line: &str, home: &Path) -> Option<Entry> {
    let mut words = line.split(' ');
    let first_t = words.next()?.parse().ok()?;
    let hash = blake3::Hash::from_hex(words.next()?).ok()?;
    let (bytes, length) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let path = home.join(hash.to_hex().as_str()).with_extension(SUFFIX);
    Some(Entry { first_t, path, hash, bytes, length })
}

fn print(entries: &[Entry], title: &str) -> String {
    let mut text = title.to_owned();
    for Entry { first_t, hash, bytes, length, .. } in entries {
        text += &format!("\n{first_t:020} {} {bytes} {length}", hash.to_hex());
    }
    let check = blake3::hash(text.as_bytes());
    format!("{text}\n{CHECK}{}\n", check.to_hex())
}

/// Moves the sealed segments that hold nothing after `last_t` to a folder, which is made, and which
/// is the cold one of this log from then on. Answers how many were moved.
pub(crate) fn freeze(folder: &Path, home: &Path, last_t: u64) -> Result<u64, WorldError> {
    let failed = |source| WorldError::io(home, "move segments of the log there", source);
    fs::create_dir_all(home).map_err(failed)?;
    let home = fs::canonicalize(home).map_err(failed)?;
    settle(folder, &home)?;
    let segments = segment::list(folder)?;
    let mut moved = 0;
    for (place, &first_t) in segments.iter().enumerate() {
        let sealed = segment::path_as(folder, first_t, seal::SUFFIX);
        let ends_before = segments.get(place + 1).is_some_and(|next| *next <= last_t + 1);
        if ends_before && sealed.exists() {
            move_one(folder, &home, first_t, &sealed)?;
            moved += 1;
        }
    }
    Ok(moved)
}

/// Says where the cold segments are. There is one such place for good, unless it is empty.
fn settle(folder: &Path, home: &Path) -> Result<(), WorldError> {
    if let Some(other) = self::home(folder)?
        && other != home
        && !newest(&other, folder)?.1.is_empty()
    {
        let why = format!("the cold segments of this log are in {}", other.display());
        let source = io::Error::new(io::ErrorKind::AlreadyExists, why);
        return Err(WorldError::io(home, "move segments of the log there", source));
    }
    // Whatever is there must be of this log.
    newest(home, folder)?;
    let path = folder.join(NAME);
    let failed = |source| WorldError::io(&path, "write where the cold segments are", source);
    let fresh = folder.join(format!("{NAME}-{}", std::process::id()));
    write_synced(&fresh, format!("{}\n", home.display()).as_bytes()).map_err(failed)?;
    fs::rename(&fresh, &path).and_then(|()| seal::sync_folder(folder)).map_err(failed)
}

fn move_one(folder: &Path, home: &Path, first_t: u64, sealed: &Path) -> Result<(), WorldError> {
    let failed = |source| WorldError::io(sealed, "move a segment to the cold folder", source);
    let content = fs::read(sealed).map_err(failed)?;
    let bytes = content.len() as u64;
    let length = seal::read_header(&mut content.as_slice(), bytes, first_t).map_err(failed)?;
    let hash = blake3::hash(&content);
    let path = home.join(hash.to_hex().as_str()).with_extension(SUFFIX);
    create_only(home, &path, &content).map_err(failed)?;
    let entry = Entry { first_t, path, hash, bytes, length };
    rewrite(folder, home, |entries| {
        entries.retain(|known| known.first_t != first_t);
        entries.push(entry.clone());
        entries.sort_by_key(|entry| entry.first_t);
    })?;
    fs::remove_file(sealed).and_then(|()| seal::sync_folder(folder)).map_err(failed)
}

/// Takes the segments from `first_t` on out of the manifest. Their files stay.
pub(crate) fn forget_from(folder: &Path, first_t: u64) -> Result<Vec<PathBuf>, WorldError> {
    let gone = manifest(folder)?.into_iter().filter(|entry| entry.first_t >= first_t);
    let gone: Vec<PathBuf> = gone.map(|entry| entry.path).collect();
    if let Some(home) = home(folder)?.filter(|_| !gone.is_empty()) {
        rewrite(folder, &home, |entries| entries.retain(|entry| entry.first_t < first_t))?;
    }
    Ok(gone)
}

/// Writes the next manifest.
fn rewrite(folder: &Path, home: &Path, change: impl Fn(&mut Vec<Entry>)) -> Result<(), WorldError> {
    let title = title(folder)?;
    loop {
        let (number, mut entries) = newest(home, folder)?;
        change(&mut entries);
        let path = manifest_path(home, number + 1);
        let failed = |source| WorldError::io(&path, "write the manifest of cold segments", source);
        if create_only(home, &path, print(&entries, &title).as_bytes()).map_err(failed)? {
            return Ok(());
        }
    }
}

/// Makes a file of this content, whole and synced. False: there is one of that name already.
fn create_only(home: &Path, path: &Path, content: &[u8]) -> io::Result<bool> {
    let fresh = home.join(format!("fresh-{}", std::process::id()));
    write_synced(&fresh, content)?;
    let made = match fs::hard_link(&fresh, path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    fs::remove_file(&fresh)?;
    seal::sync_folder(home)?;
    Ok(made)
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file: File = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TITLE_LINE: &str = "daodb cold segments of the log 00";

    fn entry(first_t: u64) -> Entry {
        let hash = blake3::hash(&first_t.to_le_bytes());
        let path = Path::new("home").join(hash.to_hex().as_str()).with_extension(SUFFIX);
        Entry { first_t, path, hash, bytes: 100, length: 900 }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written() {
        for entries in [vec![], vec![entry(1)], vec![entry(1), entry(900)]] {
            let text = print(&entries, TITLE_LINE);
            assert_eq!(parse(&text, TITLE_LINE, Path::new("home")), Some(entries));
            assert_eq!(parse(&text, "daodb cold segments of the log 01", Path::new("")), None);
        }
    }

    #[test]
    fn every_changed_byte_of_a_manifest_is_found() {
        let text = print(&[entry(1), entry(900)], TITLE_LINE);
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(parse(&changed, TITLE_LINE, Path::new("home")), None, "byte {at}");
        }
    }
}
