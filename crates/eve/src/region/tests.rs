use std::fs;
use std::os::unix::fs::FileExt;

use super::*;
use crate::attachment::Attachment;
use crate::layout::{pin_at, slot, slot_at};
use crate::structure::WordMap;
use crate::{Addr, Marks, Slab, Snapshot};

fn small() -> Options {
    Options { limit_bytes: 64 << 20, ..Options::default() }
}

/// A file with a map of a hundred entries in it.
fn sample(path: &Path) {
    let slab = Slab::create(Region::create(path, &small()).unwrap()).unwrap();
    for key in 0..100 {
        let made = slab.swap(|txn| {
            let map = WordMap::from_root(txn.base()).insert(txn, &key, key * key)?.0;
            Ok::<_, Error>((map.root(), ()))
        });
        made.unwrap();
    }
}

/// A folder whose files are in memory, if the system has one: this needs thousands of flushes.
pub(crate) fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Marks the blocks of a map of words.
pub(crate) fn trace(snapshot: &Snapshot, root: Addr, marks: &mut Marks<'_>) -> Result<(), Error> {
    let mut failed = None;
    let traced = WordMap::from_root(root).trace(snapshot, &mut |at| {
        marks.mark(at).unwrap_or_else(|error| {
            failed = Some(error);
            false
        })
    });
    failed.map_or(traced, Err)
}

/// Opens the file and does everything with it that can be done.
fn use_all(path: &Path) -> Result<(), Error> {
    let slab = Slab::open_with(Region::open(path)?, trace)?;
    let snapshot = slab.snapshot()?;
    let map = WordMap::from_root(snapshot.root());
    for key in 0..100 {
        map.get(&snapshot, &key)?;
    }
    map.verify(&snapshot)?;
    let _ = slab.stats();
    for key in 0..20 {
        slab.swap(|txn| {
            let map = WordMap::from_root(txn.base()).insert(txn, &key, 0)?.0;
            Ok::<_, Error>((map.root(), ()))
        })?;
    }
    drop(slab.allocate(100)?);
    slab.verify(trace)?;
    slab.sync()?;
    Ok(())
}

#[test]
fn what_is_no_region_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.eve");
    assert!(matches!(Region::open(&path), Err(Error::Missing { .. })));
    assert!(matches!(
        Region::open(folder.path()),
        Err(Error::Io { .. } | Error::NotARegion { .. })
    ));
    for content in [&b""[..], b"eve slab", &[0; 4096], b"PK\x03\x04"] {
        fs::write(&path, content).unwrap();
        let refused = Region::open(&path);
        assert!(matches!(refused, Err(Error::NotARegion { .. })), "{refused:?}");
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("a.eve") && message.contains("check the path"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), content, "left as it was");
    }
    assert!(matches!(Region::create(&path, &small()), Err(Error::Exists { .. })));
    let nowhere = folder.path().join("no/such/folder.eve");
    assert!(Region::create(nowhere, &small()).is_err());
}

#[test]
fn another_layout_version_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.eve");
    sample(&path);
    let mut image = fs::read(&path).unwrap();
    image[page::VERSION as usize] = 99;
    let words: Vec<u64> =
        image[..56].chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect();
    image[56..64].copy_from_slice(&header::check(&words).to_le_bytes());
    fs::write(&path, image).unwrap();
    let refused = Region::open(&path).unwrap_err();
    assert!(matches!(refused, Error::Version { found: 99, known: 5, .. }), "{refused}");
}

#[test]
fn a_truncated_file_is_refused_whatever_is_left() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    sample(&path);
    // How long a sample is depends on its seed: one sample, cut again and again.
    let image = fs::read(&path).unwrap();
    let len = image.len();
    for left in [0, 1, 63, 64, 511, 512, 4095, 4096, 65_536, 900_000, len - 4096, len - 1] {
        fs::write(&path, &image[..left]).unwrap();
        let refused = Region::open(&path);
        assert!(
            matches!(refused, Err(Error::Header { .. } | Error::NotARegion { .. })),
            "{left}: {refused:?}"
        );
    }
    fs::write(&path, &image).unwrap();
    use_all(&path).unwrap();
}

#[test]
fn every_flipped_bit_of_the_unchanging_header_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.eve");
    sample(&path);
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    for bit in 0..64 * 8 {
        let mut byte = [0];
        file.read_exact_at(&mut byte, bit / 8).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (bit % 8)], bit / 8).unwrap();
        assert!(Region::open(&path).is_err(), "bit {bit}");
        file.write_all_at(&byte, bit / 8).unwrap();
    }
    drop(Region::open(&path).unwrap());
}

/// A pin in a slot that is nobody's is damage, and who takes the slot does not hold it.
#[test]
fn a_pin_that_is_nobodys_is_not_taken_over_with_its_slot() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    sample(&path);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&4_u64.to_le_bytes(), slot_at(0) + slot::PINS_USED).unwrap();
    file.write_all_at(&u64::MAX.to_le_bytes(), pin_at(0, 3)).unwrap();
    let slab = Slab::open_with(Region::open(&path).unwrap(), trace).unwrap();
    assert_eq!(slab.status().oldest_pin, None);
    drop(slab);
    assert!(!Attachment::somebody_lives(&Region::open(&path).unwrap()), "it has left");
}

/// Whatever is flipped, using the region ends in an answer or in an error.
#[test]
fn a_flipped_bit_anywhere_is_an_answer_or_an_error() {
    let folder = quick_folder();
    let (path, copy) = (folder.path().join("a.eve"), folder.path().join("b.eve"));
    sample(&path);
    let image = fs::read(&path).unwrap();
    // Most of the file is zero, so look where something is, and at some of the rest.
    let places = (0..image.len()).step_by(8).filter(|at| {
        image[*at..*at + 8].iter().any(|byte| *byte != 0) || at.is_multiple_of(24_576 + 64)
    });
    let mut refused = 0;
    let mut tried = 0;
    for (at, turn) in places.step_by(5).zip(0_usize..) {
        let mut damaged = image.clone();
        damaged[at + turn % 8] ^= 1 << (turn / 8 % 8);
        damaged[page::CLEAN as usize] ^= (turn % 2) as u8;
        fs::write(&copy, &damaged).unwrap();
        tried += 1;
        refused += u64::from(use_all(&copy).is_err());
    }
    assert!(tried > 300, "{tried} flips tried");
    assert!(refused > tried / 50, "{refused} of {tried} refused");
}

#[test]
fn a_region_grows_in_extents_up_to_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.eve");
    let region = Region::create(&path, &small()).unwrap();
    let before = region.allocated();
    region.grow_to(before + 1).unwrap();
    assert!(region.allocated() >= before + EXTENT_MIN);
    assert_eq!(fs::metadata(&path).unwrap().len(), region.allocated());
    let other = Region::open(&path).unwrap();
    region.grow_to(40 << 20).unwrap();
    assert!(other.allocated() >= 40 << 20, "seen through the other mapping");
    assert!(matches!(region.grow_to((64 << 20) + 1), Err(Error::RegionFull { .. })));
}

#[test]
fn two_creators_of_one_name_make_one_region() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.eve");
    let made = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Region::create(&path, &small()).is_ok())).collect();
        tries.into_iter().map(|t| t.join().unwrap()).filter(|ok| *ok).count()
    });
    assert_eq!(made, 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    drop(Region::open(&path).unwrap());
}

#[test]
fn a_folder_that_cannot_be_written_says_so() {
    let refused = Region::create("/sys/world.eve", &small());
    assert!(matches!(refused, Err(Error::ReadOnly { .. })), "{refused:?}");
    let unwritable = Region::open("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    assert!(unwritable.is_err(), "{unwritable:?}");
}

/// The directory has words for the chunks in which it lies itself, and page 0, and the lanes.
#[test]
fn a_directory_that_makes_blocks_of_the_header_is_refused() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    sample(&path);
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    for chunk in 0..layout::ChunkId(0).first_of_group().0 {
        let at = layout::ChunkId(chunk).entry();
        file.write_all_at(&2_u64.to_le_bytes(), at).unwrap();
        assert!(matches!(use_all(&path), Err(Error::Header { .. })), "chunk {chunk}");
        file.write_all_at(&[0; 8], at).unwrap();
    }
    use_all(&path).unwrap();
}

#[test]
fn a_file_cut_at_any_line_is_refused() {
    let folder = quick_folder();
    let path = folder.path().join("a.eve");
    sample(&path);
    let file = fs::File::options().write(true).open(&path).unwrap();
    let mut left = fs::metadata(&path).unwrap().len();
    while left >= 64 {
        left -= 64;
        file.set_len(left).unwrap();
        let refused = Region::open(&path);
        let is_said = matches!(refused, Err(Error::Header { .. } | Error::NotARegion { .. }));
        assert!(is_said, "{left}: {refused:?}");
    }
}

/// The first thing asked of the disk is refused, then the second, and so on until nothing is: each
/// time what was committed is there, what is refused says so, and the next attempt succeeds.
#[test]
fn every_refusal_of_the_disk_leaves_everything_whole() {
    fn scenario(path: &Path, done: &mut u64) -> Result<(), Error> {
        let slab = Slab::create(Region::create(path, &small())?)?;
        for key in 0..40 {
            slab.swap(|txn| {
                let map = WordMap::from_root(txn.base()).insert(txn, &key, key)?.0;
                let room = crate::Write::alloc(txn, 200_000)?;
                crate::Write::retire(txn, room);
                Ok::<_, Error>((map.root(), ()))
            })?;
            *done = key + 1;
            if key % 10 == 9 {
                drop(slab.allocate(3 << 20)?);
                slab.sync()?;
            }
        }
        Ok(())
    }
    let folder = quick_folder();
    let mut refusals = 0;
    for n in 1.. {
        let path = folder.path().join(format!("{n}.eve"));
        let mut done = 0;
        disk::refuse(n);
        let outcome = scenario(&path, &mut done);
        let refused = disk::relent();
        let slab = match Region::open(&path) {
            Ok(region) => Slab::open_with(region, trace).unwrap(),
            Err(Error::Missing { .. }) => {
                assert_eq!((done, outcome.is_err()), (0, true), "{n}");
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing half made");
                refusals += 1;
                continue;
            }
            Err(error) => panic!("{n}: {error}"),
        };
        let snapshot = slab.snapshot().unwrap();
        assert_eq!(WordMap::from_root(snapshot.root()).len(&snapshot).unwrap(), done, "{n}");
        assert_eq!(slab.verify(trace).unwrap().leaked_blocks, Some(0), "{n}");
        drop(slab);
        fs::remove_file(&path).unwrap();
        if !refused {
            outcome.unwrap();
            break;
        }
        refusals += 1;
    }
    assert!(refusals > 12, "{refusals}");
}
