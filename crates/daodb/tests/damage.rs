//! What a damaged or shortened log does to a world: what was never durable is cut off, what was is
//! refused, and nobody loses anything without being asked.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::{Fact, SCHEMA, closed, facts, flip, segments, transact};
use daodb::{Create, Database, Error, LogError, Options};
use datom::frame::Header;
use tempfile::TempDir;

/// A closed world in one segment.
struct World {
    folder: TempDir,
    facts: BTreeSet<Fact>,
    /// What the file that says how far the log is durable said after each transaction, by `t`.
    said: BTreeMap<u64, Vec<u8>>,
}

impl World {
    fn of(transactions: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path(), Options::new()).unwrap();
        let mut said = BTreeMap::new();
        let durable = folder.path().join("log/durable");
        transact(&db, SCHEMA);
        for number in 1..transactions {
            let text = format!("{{:name \"a name that is long enough {number}\" :n {number}}}");
            let t = transact(&db, &text).t;
            said.insert(t, fs::read(&durable).unwrap());
        }
        let facts = facts(&db.db().unwrap().history());
        drop(db);
        Self { folder, facts, said }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn region(&self) -> PathBuf {
        self.path().join("region.eve")
    }

    fn durable(&self) -> PathBuf {
        self.path().join("log/durable")
    }

    fn segment(&self) -> PathBuf {
        segments(self.path()).pop().unwrap()
    }

    fn length(&self) -> u64 {
        fs::metadata(self.segment()).unwrap().len()
    }

    /// As after a power cut, of the region at least.
    fn lose_region(&self) -> &Self {
        fs::remove_file(self.region()).unwrap();
        self
    }

    /// As after the death of a process in a bad moment: the region's mark says nothing.
    fn lose_mark_of_region(&self) -> &Self {
        fs::remove_file(self.path().join("log/id")).unwrap();
        self
    }

    /// As after a power cut: what was written last is not on the disk.
    fn say_durable(&self, t: u64) -> &Self {
        fs::write(self.durable(), &self.said[&t]).unwrap();
        self
    }

    fn truncate(&self, length: u64) -> &Self {
        OpenOptions::new().write(true).open(self.segment()).unwrap().set_len(length).unwrap();
        self
    }

    fn open(&self) -> Result<Database, Error> {
        Database::open(self.path(), Options::new())
    }

    fn accept(&self) -> Database {
        Database::open(self.path(), Options::new().accept_loss(true)).unwrap()
    }

    /// Every file but locks and the log's number.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(self.path())
    }

    /// Opening is refused and leaves everything as it was.
    fn refuses(&self, what: &str) -> LogError {
        let before = self.files();
        let error = self.open().expect_err(what);
        let Error::Log(error) = error else { panic!("{what}: {error}") };
        assert!(error.to_string().contains("Nothing was changed"), "{what}: {error}");
        assert!(self.files() == before, "{what}: something was changed");
        error
    }
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().chain(fs::read_dir(folder.join("log")).unwrap()) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The region's file is written to by looking at it.
        let other = ["gate", "attached", "lease", "id", "region.eve"].contains(&name);
        if path.is_dir() || (other && name != "region.eve") {
            continue;
        }
        let bytes = if other { Vec::new() } else { fs::read(&path).unwrap() };
        files.insert(path, bytes);
    }
    files
}

/// Where the frames of a segment lie.
fn frames(segment: &Path) -> Vec<(u64, Range<u64>)> {
    let bytes = fs::read(segment).unwrap();
    let mut frames = Vec::new();
    let mut at = 64;
    while let Ok(header) = Header::decode(&bytes[at..]) {
        let next = at + header.length as usize;
        frames.push((header.t, at as u64..next as u64));
        at = next;
    }
    assert_eq!(at, bytes.len(), "the segment is whole");
    frames
}

/// The world goes on, is sound, and opens again.
fn goes_on(db: Database, folder: &Path) {
    let t = transact(&db, "{:name \"on it goes\"}").t;
    let found = db.verify().unwrap();
    assert!(found.is_clean(), "{:?}", found.problems);
    drop(db);
    let again = Database::open(folder, Options::new()).unwrap();
    assert_eq!(again.db().unwrap().basis(), t);
    assert_eq!((&again.opening().torn, &again.opening().lost), (&None, &None));
}

#[test]
fn how_far_the_log_is_durable_is_written_down_with_each_group() {
    let world = World::of(40);
    for (t, said) in &world.said {
        assert_eq!(said[32..40], t.to_le_bytes());
        let end = u64::from_le_bytes(said[24..32].try_into().unwrap());
        assert!(frames(&world.segment()).iter().any(|(found, at)| (found, at.end) == (t, end)));
    }
}

#[test]
fn a_flipped_bit_in_the_last_segment_is_refused_when_the_region_is_lost() {
    let world = World::of(40);
    world.lose_region();
    let (segment, frames) = (world.segment(), frames(&world.segment()));
    let mut at = 0;
    while at < world.length() {
        flip(&segment, at);
        let error = world.refuses(&format!("byte {at}"));
        let LogError::Damaged { path, at: found, good_through, lost, .. } = &error else {
            panic!("{error}")
        };
        let hit = frames.iter().find(|(_, place)| place.contains(&at));
        let (t, begins) = hit.map_or((1, 0), |(t, place)| (*t, place.start));
        assert_eq!((path, *found, *good_through), (&segment, begins, t - 1), "{error}");
        let names = match t {
            _ if hit.is_none() => "1 to 40 stand behind the damage".to_owned(),
            39 => "40 stands whole behind the damage".to_owned(),
            40 => "40 is lost".to_owned(),
            t => format!("{} to 40 stand behind the damage", t + 1),
        };
        assert!(lost.contains(&names), "byte {at}: {lost}");
        assert!(lost.ends_with("all up to 40 were on the disk once"), "{lost}");
        flip(&segment, at);
        at += 97;
    }
    assert_eq!(facts(&world.open().unwrap().db().unwrap().history()), world.facts);
}

#[test]
fn a_flipped_bit_in_the_log_is_found_and_left_when_the_region_is_whole() {
    let world = World::of(40);
    let segment = world.segment();
    for at in (0..world.length()).step_by(97) {
        flip(&segment, at);
        let damaged = fs::read(&segment).unwrap();
        let db = world.open().unwrap();
        assert_eq!(facts(&db.db().unwrap().history()), world.facts, "byte {at}");
        assert!(!db.verify().unwrap().is_clean(), "byte {at}");
        drop(db);
        assert!(fs::read(&segment).unwrap() == damaged, "byte {at}: nothing is cut");
        flip(&segment, at);
    }
    goes_on(world.open().unwrap(), world.path());
}

#[test]
fn a_log_with_room_behind_it_opens_and_one_with_anything_else_is_cut() {
    const ROOM: u64 = 200_000;
    for loses_region in [false, true] {
        for stray in [None, Some(0), Some(ROOM - 1)] {
            // As a killed process leaves it, or a power cut.
            let world = World::of(40);
            let length = world.length();
            world.truncate(length + ROOM);
            if let Some(stray) = stray {
                let segment = OpenOptions::new().write(true).open(world.segment()).unwrap();
                segment.write_all_at(&[1], length + stray).unwrap();
            }
            if loses_region {
                world.lose_region();
            }
            let db = world.open().unwrap();
            let torn = db.opening().torn.as_ref().map(|torn| (torn.at, torn.bytes));
            assert_eq!(torn, stray.map(|_| (length, ROOM)), "{stray:?} {loses_region}");
            assert_eq!(facts(&db.db().unwrap().history()), world.facts);
            goes_on(db, world.path());
        }
    }
}

/// Whether a segment is what it was, but for the room that is taken behind it while it is open.
fn has_again(segment: &Path, whole: &[u8]) -> bool {
    let now = fs::read(segment).unwrap();
    now.strip_prefix(whole).is_some_and(|room| room.iter().all(|byte| *byte == 0))
}

#[test]
fn what_the_region_still_has_is_written_again_in_place_of_what_is_damaged() {
    // The region gives up frames in groups of 64 and more: it has all of these.
    for at in [0, 30, 64, 1_000, 3_333, 5_000] {
        let world = World::of(40);
        let (segment, whole) = (world.segment(), fs::read(world.segment()).unwrap());
        flip(&segment, at);
        let damaged = fs::read(&segment).unwrap();
        let db = world.lose_mark_of_region().open().unwrap();
        let torn = db.opening().torn.clone().unwrap();
        assert!(torn.what.contains("written again"), "{}", torn.what);
        assert!(fs::read(&torn.kept).unwrap() == damaged[torn.at as usize..], "byte {at}");
        assert!(has_again(&segment, &whole), "byte {at}");
        assert_eq!(facts(&db.db().unwrap().history()), world.facts, "byte {at}");
        goes_on(db, world.path());
    }
}

#[test]
fn a_truncated_log_is_made_whole_when_the_region_has_the_rest() {
    for keep in [0, 30, 64, 70, 1_000, 5_000] {
        let world = World::of(40);
        let whole = fs::read(world.segment()).unwrap();
        world.truncate(keep);
        let db = world.open().unwrap();
        assert!(has_again(&world.segment(), &whole), "{keep}");
        assert_eq!(facts(&db.db().unwrap().history()), world.facts, "{keep}");
        goes_on(db, world.path());
    }
    let world = World::of(40);
    let whole = fs::read(world.segment()).unwrap();
    fs::remove_dir_all(world.path().join("log")).unwrap();
    goes_on(world.open().unwrap(), world.path());
    assert!(fs::read(world.segment()).unwrap().starts_with(&whole[..whole.len()]));
}

#[test]
fn a_log_that_is_truncated_under_a_living_process_is_left_until_it_opens_again() {
    let world = World::of(40);
    let db = world.open().unwrap();
    world.truncate(3_000);
    let left = fs::read(world.segment()).unwrap();
    let error = db.transact(&common::data("{:name \"late\"}")).unwrap_err();
    assert!(matches!(error, Error::NotDurable { t: 41, .. }), "{error}");
    assert!(error.to_string().contains("bytes are gone from its end"), "{error}");
    let expected = facts(&db.db().unwrap().history());
    drop(db);
    assert!(fs::read(world.segment()).unwrap() == left);
    let db = world.open().unwrap();
    assert_eq!(facts(&db.db().unwrap().history()), expected, "the late one as well");
    goes_on(db, world.path());
}

#[test]
fn what_the_region_gave_up_and_the_log_lost_is_refused() {
    type Harm = fn(&World);
    let harms: [(&str, Harm); 4] = [
        ("a flip", |world| flip(&world.lose_mark_of_region().segment(), 3_000)),
        ("a truncation", |world| {
            world.truncate(3_000);
        }),
        ("a flip, and nothing says how far", |world| {
            fs::remove_file(world.durable()).unwrap();
            flip(&world.lose_mark_of_region().segment(), 3_000);
        }),
        ("a truncation, and nothing says how far", |world| {
            fs::remove_file(world.durable()).unwrap();
            world.lose_mark_of_region().truncate(3_000);
        }),
    ];
    for (what, harm) in harms {
        let world = World::of(300);
        harm(&world);
        let error = world.refuses(what);
        let LogError::Damaged { good_through, .. } = error else { panic!("{what}: {error}") };
        let db = world.accept();
        assert_eq!(db.db().unwrap().basis(), good_through, "{what}");
        let lost = db.opening().lost.clone().unwrap();
        assert_eq!(lost.good_through, good_through, "{what}");
        assert!(lost.durable_through > good_through, "{what}");
        assert!(db.opening().set_aside.as_ref().is_some_and(|old| old.is_file()), "{what}");
        goes_on(db, world.path());
    }
}

#[test]
fn a_log_that_is_shorter_than_it_was_is_refused_when_the_region_is_lost() {
    let frames_of = frames(&World::of(40).segment());
    let boundary = frames_of[20].1.end;
    let length = frames_of[39].1.end;
    for keep in [length - 1, length - 7, boundary, boundary + 50, 70, 64, 30, 0] {
        let world = World::of(40);
        let whole = fs::read(world.segment()).unwrap();
        world.lose_region().truncate(keep);
        let good = frames_of.iter().filter(|(_, place)| place.end <= keep).count() as u64;
        match world.refuses(&format!("{keep} bytes")) {
            LogError::Damaged { good_through, lost, .. } => {
                assert_eq!(good_through, good, "{keep}");
                assert!(lost.ends_with("all up to 40 were on the disk once"), "{lost}");
            }
            LogError::Short { log_t, state_t, .. } => {
                assert!(keep == 64 || keep == boundary, "{keep}");
                assert_eq!((log_t, state_t), (good, 40), "{keep}");
            }
            other => panic!("{other}"),
        }
        let segment = world.segment();
        let db = world.accept();
        let lost = db.opening().lost.clone().unwrap();
        assert_eq!((lost.good_through, lost.durable_through), (good, 40), "{keep}");
        assert_eq!(db.db().unwrap().basis(), good, "{keep}");
        assert!(!db.opening().created && db.opening().rebuilt.is_some(), "{keep}");
        let mut left = if segment.exists() { fs::read(&segment).unwrap() } else { vec![] };
        for kept in &lost.kept {
            left.extend(fs::read(kept).unwrap());
        }
        assert!(left == whole[..keep as usize], "{keep}: every byte is still somewhere");
        if good > 0 {
            goes_on(db, world.path());
        }
    }
}

#[test]
fn a_log_without_segments_is_no_new_world() {
    let world = World::of(5);
    fs::remove_file(world.lose_region().segment()).unwrap();
    let error = world.refuses("no segments");
    assert!(matches!(error, LogError::Short { log_t: 0, state_t: 5, .. }), "{error}");
}

#[test]
fn what_was_written_after_the_durable_end_is_taken_when_it_is_whole() {
    for t in [2, 20, 39, 40] {
        let world = World::of(40);
        let db = world.lose_region().say_durable(t).open().unwrap();
        assert_eq!(facts(&db.db().unwrap().history()), world.facts, "{t}");
        assert_eq!((&db.opening().torn, &db.opening().lost), (&None, &None), "{t}");
        let said = fs::read(world.durable()).unwrap();
        assert_eq!(said, world.said[&40], "it is written down again");
        goes_on(db, world.path());
    }
}

#[test]
fn a_torn_tail_is_cut_kept_and_reported() {
    // As a power cut leaves it: the region is of no use, and the segment ends somewhere.
    let frames = frames(&World::of(40).segment());
    let durable = frames[29].1.end;
    for keep in [frames[39].1.end - 1, frames[37].1.start + 100, durable + 1, durable] {
        let world = World::of(40);
        world.lose_region().say_durable(30).truncate(keep);
        let db = world.open().unwrap();
        let now = db.db().unwrap().basis();
        assert_eq!(now, frames.iter().filter(|(_, place)| place.end <= keep).count() as u64);
        let torn = db.opening().torn.clone();
        if keep == durable {
            assert_eq!(torn, None, "it ends behind a whole frame");
        } else {
            let torn = torn.unwrap();
            assert_eq!((torn.good_through, &torn.segment), (now, &world.segment()), "{keep}");
            assert_eq!(fs::metadata(&torn.kept).unwrap().len(), torn.bytes, "{keep}");
        }
        goes_on(db, world.path());
    }
}

#[test]
fn a_group_that_was_torn_in_its_middle_is_cut_kept_and_reported() {
    // Several frames were written with one sync that never came, and a part in between is missing.
    for torn_t in [31, 35, 39] {
        let world = World::of(40);
        let place = frames(&world.segment())[torn_t - 1].1.clone();
        let file = OpenOptions::new().write(true).open(world.segment()).unwrap();
        file.write_all_at(&[0; 200], place.start + 8).unwrap();
        let bytes = fs::read(world.segment()).unwrap();
        let db = world.lose_region().say_durable(30).open().unwrap();
        assert_eq!(db.db().unwrap().basis(), torn_t as u64 - 1);
        let torn = db.opening().torn.clone().unwrap();
        assert!(torn.what.contains("whole ones up to 40"), "{}", torn.what);
        assert!(fs::read(torn.kept).unwrap() == bytes[place.start as usize..]);
        goes_on(db, world.path());
    }
}

#[test]
fn damage_in_front_of_a_stale_durable_end_is_refused() {
    let world = World::of(40);
    flip(&world.lose_region().say_durable(30).segment(), 3_000);
    assert!(matches!(world.refuses("a flip"), LogError::Damaged { .. }));
    let world = World::of(40);
    world.lose_region().say_durable(30).truncate(3_000);
    let error = world.refuses("a truncation");
    assert!(error.to_string().contains("all up to 30 were on the disk once"), "{error}");
}

#[test]
fn without_the_durable_end_whole_frames_behind_a_damage_tell_that_it_is_one() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 4] = [
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("damaged", |path| flip(path, 33)),
        ("something else", |path| fs::write(path, "x".repeat(200)).unwrap()),
    ];
    for (what, harm) in harms {
        let world = World::of(40);
        harm(&world.durable());
        let db = world.lose_region().open().unwrap();
        assert_eq!(facts(&db.db().unwrap().history()), world.facts, "{what}");
        drop(db);
        let said = fs::read(world.durable()).unwrap();
        assert_eq!(said[..80], world.said[&40], "{what}: it is written down again");

        harm(&world.durable());
        let segment = world.lose_region().segment();
        // All but the last frame, behind which nothing tells anything. How it is that the file says
        // nothing makes no difference, so one of them is looked at closely.
        let step = if what == "missing" { 97 } else { 3_001 };
        for at in (0..frames(&segment)[38].1.end).step_by(step) {
            flip(&segment, at);
            let error = world.refuses(&format!("{what}, byte {at}"));
            assert!(matches!(error, LogError::Damaged { .. }), "{what}, byte {at}: {error}");
            flip(&segment, at);
        }
        let db = world.truncate(world.length() - 1).open().unwrap();
        assert_eq!(db.db().unwrap().basis(), 39, "{what}");
        assert!(db.opening().torn.is_some(), "{what}");
        goes_on(db, world.path());
    }
}

#[test]
fn a_loss_that_is_accepted_keeps_what_stood_behind_it() {
    let world = World::of(40);
    let (segment, whole) = (world.segment(), fs::read(world.segment()).unwrap());
    flip(&world.lose_region().segment(), 3_000);
    let LogError::Damaged { at, good_through, .. } = world.refuses("a flip") else { panic!() };
    let db = world.accept();
    let lost = db.opening().lost.clone().unwrap();
    assert_eq!((lost.good_through, lost.durable_through), (good_through, 40));
    assert_eq!((&db.opening().torn, lost.kept.len()), (&None, 1));
    assert!(fs::read(&segment).unwrap() == whole[..at as usize]);
    assert_eq!(fs::metadata(&lost.kept[0]).unwrap().len(), whole.len() as u64 - at);
    goes_on(db, world.path());
}

#[test]
fn a_sound_world_has_no_loss_to_accept() {
    let world = World::of(5);
    let before = world.files();
    assert_eq!(world.accept().opening().lost, None);
    assert!(world.files() == before);
    let new = tempfile::tempdir().unwrap();
    let options = Options::new().accept_loss(true).create(Create::New);
    let db = Database::open(new.path(), options).unwrap();
    assert!(db.opening().created && db.opening().lost.is_none());
}

#[test]
fn a_damaged_segment_in_the_middle_is_refused_or_given_up_with_all_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path());
    let all = segments(folder.path());
    let at = fs::metadata(&all[1]).unwrap().len() / 2;
    flip(&all[1], at);
    // The region still has everything, so the world opens, and verify says what is wrong.
    let db = Database::open(folder.path(), Options::new()).unwrap();
    let found = db.verify().unwrap();
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(found.problems[0].contains("damaged at byte"), "{:?}", found.problems);
    drop(db);
    fs::remove_file(folder.path().join("region.eve")).unwrap();
    let before = files(folder.path());
    let error = Database::open(folder.path(), Options::new()).unwrap_err();
    let Error::Log(LogError::Damaged { path, good_through, lost, .. }) = &error else {
        panic!("{error}")
    };
    assert_eq!(path, &all[1]);
    assert!(*good_through > 0 && lost.starts_with(&(good_through + 1).to_string()), "{error}");
    assert!(files(folder.path()) == before);

    let db = Database::open(folder.path(), Options::new().accept_loss(true)).unwrap();
    let given_up = db.opening().lost.clone().unwrap();
    assert_eq!((given_up.good_through, given_up.durable_through), (*good_through, 31));
    assert_eq!(given_up.kept.len(), all.len() - 1, "the rest of one, and those behind it");
    for (kept, segment) in given_up.kept.iter().zip(&all[1..]).skip(1) {
        assert!(fs::read(kept).unwrap() == before[segment], "{}", kept.display());
    }
    goes_on(db, folder.path());
}

#[test]
fn a_lost_segment_is_refused_or_given_up_with_all_behind_it() {
    for says in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        closed(folder.path());
        let all = segments(folder.path());
        fs::remove_file(&all[1]).unwrap();
        fs::remove_file(folder.path().join("region.eve")).unwrap();
        if !says {
            fs::remove_file(folder.path().join("log/durable")).unwrap();
        }
        let before = files(folder.path());
        let error = Database::open(folder.path(), Options::new()).unwrap_err();
        assert!(matches!(error, Error::Log(LogError::Short { .. })), "{error}");
        assert!(files(folder.path()) == before);
        let db = Database::open(folder.path(), Options::new().accept_loss(true)).unwrap();
        assert_eq!(db.opening().lost.as_ref().unwrap().kept.len(), all.len() - 2);
        goes_on(db, folder.path());
    }
}

#[test]
fn the_durable_end_of_another_history_is_refused() {
    let (world, other) = (World::of(40), World::of(20));
    fs::copy(other.durable(), world.durable()).unwrap();
    let error = world.lose_region().refuses("another history");
    assert!(error.to_string().contains("of different histories"), "{error}");
    let db = world.accept();
    assert_eq!(facts(&db.db().unwrap().history()), world.facts);
    assert_eq!(db.opening().lost.as_ref().unwrap().durable_through, 20);
    goes_on(db, world.path());
}

#[test]
fn a_region_that_was_put_aside_for_nothing_comes_back() {
    let world = World::of(40);
    flip(&world.segment(), 3_000);
    fs::write(world.region(), "no region").unwrap();
    let error = world.refuses("no region, and a flip");
    assert!(matches!(error, LogError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(world.region()).unwrap(), b"no region");
}
