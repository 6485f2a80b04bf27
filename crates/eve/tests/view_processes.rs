//! Looking at a region without the right to write it, beside processes that write, are killed and
//! come back. Every test starts its own program again as the other process.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use eve::structure::WordMap;
use eve::{Addr, Durability, Error, Marks, Options, Read, Region, Slab, Snapshot, VIEWS_MAX, View};

const FOLDER: &str = "EVE_VIEW_FOLDER";
const KEYS: u64 = 200;
/// A user that is nobody in particular.
const NOBODY: u32 = 65_534;

fn folder_of_the_other() -> Option<PathBuf> {
    env::var_os(FOLDER).map(PathBuf::from)
}

fn path(folder: &Path) -> PathBuf {
    folder.join("world.eve")
}

fn other(test: &str, folder: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(FOLDER, folder).stdout(Stdio::null());
    command
}

fn create(folder: &Path) -> Slab {
    // Each view reserves as much room for addresses, and there are many.
    let options = Options { limit_bytes: 1 << 30, ..Options::default() };
    Slab::create(Region::create(path(folder), &options).unwrap()).unwrap()
}

fn open(folder: &Path) -> Slab {
    Slab::open_with(Region::open(path(folder)).unwrap(), trace).unwrap()
}

/// Every key of the version that this commit makes says its number.
fn renew(slab: &Slab) -> u64 {
    let commit = slab.swap(|txn| {
        let number = txn.epoch();
        let mut map = WordMap::from_root(txn.base());
        for key in 0..KEYS {
            map = map.insert(txn, &key, number)?.0;
        }
        Ok::<_, Error>((map.root(), ()))
    });
    commit.unwrap().0.epoch
}

/// The version is whole and nothing but itself.
fn assert_whole<R: Read>(reader: &R, root: Addr, epoch: u64) {
    let map = WordMap::from_root(root);
    map.verify(reader).unwrap();
    let entries: Vec<(u64, u64)> = map.iter(reader).map(Result::unwrap).collect();
    assert_eq!(entries.len() as u64, if epoch == 0 { 0 } else { KEYS });
    assert!(entries.iter().all(|(_, number)| *number == epoch), "{epoch}: {entries:?}");
}

fn assert_view(view: &View) {
    assert_whole(view, view.root(), view.epoch());
}

fn trace(snapshot: &Snapshot, root: Addr, marks: &mut Marks<'_>) -> Result<(), Error> {
    WordMap::from_root(root).trace(snapshot, &mut |at| marks.mark(at).unwrap())
}

#[test]
fn a_view_stays_as_it_is_and_moves_on_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    let empty = View::open(path(folder.path())).unwrap();
    assert_eq!((empty.epoch(), empty.root()), (0, Addr::NONE));
    renew(&slab);
    let mut view = View::open(path(folder.path())).unwrap();
    assert_eq!(view.epoch(), 0, "nobody offered anything");
    slab.offer().unwrap();
    assert!(view.refresh().unwrap());
    assert!(!view.refresh().unwrap());
    for _ in 0..300 {
        renew(&slab);
    }
    slab.reclaim().unwrap();
    assert_eq!(view.epoch(), 1);
    assert_view(&view);
    assert_eq!(slab.sync().unwrap(), 301);
    assert!(view.refresh().unwrap());
    assert_eq!(view.epoch(), 301);
    assert_view(&view);
    let attached = slab.status().attachments.len();
    assert_eq!(attached, 1, "a view is no attachment");
}

/// What a view lets go comes back, and what it looks at does not.
#[test]
fn a_view_holds_back_only_its_version_and_only_while_it_lives() {
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    let blocks = |slab: &Slab| {
        slab.reclaim().unwrap();
        slab.stats().blocks
    };
    renew(&slab);
    slab.offer().unwrap();
    let one = blocks(&slab);
    let view = View::open(path(folder.path())).unwrap();
    for _ in 0..50 {
        renew(&slab);
        slab.offer().unwrap();
    }
    assert!(blocks(&slab) >= 2 * one, "the view's version is there");
    assert_view(&view);
    drop(view);
    assert!(blocks(&slab) < 2 * one, "and goes back without it");
}

/// More views of different versions than there are entries stop nobody.
#[test]
fn as_many_views_as_you_like_stop_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    let mut views = Vec::new();
    for _ in 0..VIEWS_MAX + 10 {
        renew(&slab);
        slab.sync().unwrap();
        views.push(View::open(path(folder.path())).unwrap());
    }
    views.iter().for_each(assert_view);
    assert_eq!(views[VIEWS_MAX - 1].epoch(), VIEWS_MAX as u64);
    assert_eq!(views[VIEWS_MAX + 9].epoch(), VIEWS_MAX as u64, "the newest that is offered");
    assert_eq!(slab.status().checkpoint_epoch, slab.commits(), "which is not the newest saved");
    views.remove(0);
    // A child of another test has its lock, too, until it runs its own program.
    let moves_on = |view: &mut View| {
        slab.offer().unwrap();
        std::thread::yield_now();
        view.refresh().unwrap()
    };
    assert!((0..100_000).any(|_| moves_on(&mut views[5])));
    assert_eq!(views[5].epoch(), slab.commits());
}

/// The file is of mode 0444, and who looks at it is another user where this one may say so.
#[test]
fn whoever_may_only_read_sees_what_was_saved_while_others_write() {
    const NAME: &str = "whoever_may_only_read_sees_what_was_saved_while_others_write";
    if let Some(folder) = folder_of_the_other() {
        let writes = fs::OpenOptions::new().write(true).open(path(&folder));
        if rustix::process::geteuid().as_raw() == NOBODY {
            assert!(writes.is_err(), "no right to write");
            assert!(matches!(Region::open(path(&folder)), Err(Error::ReadOnly { .. })));
        }
        let mut view = View::open(path(&folder)).unwrap();
        let mut seen = 0;
        while seen < 100 {
            assert_view(&view);
            seen += u64::from(view.refresh().unwrap());
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let slab = create(folder.path()).with_durability(Durability::Checkpoint);
    renew(&slab);
    fs::set_permissions(path(folder.path()), Permissions::from_mode(0o444)).unwrap();
    let mut command = other(NAME, folder.path());
    if rustix::process::geteuid().is_root() {
        // Its program lies where only this user may look.
        let program = folder.path().join("other");
        fs::copy(env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        command = Command::new(program);
        command.args(["--exact", NAME]).env(FOLDER, folder.path()).current_dir("/").uid(NOBODY);
    } else {
        eprintln!("as the same user: this one cannot become another");
    }
    let mut reader = command.stdout(Stdio::null()).spawn().unwrap();
    let status = loop {
        if let Some(status) = reader.try_wait().unwrap() {
            break status;
        }
        renew(&slab);
    };
    assert!(status.success());
    assert_eq!(slab.verify(trace).unwrap().leaked_blocks, Some(0));
}

/// Killed readers hold back nothing, killed writers take nothing from readers.
#[test]
fn views_and_writers_outlive_each_other() {
    const NAME: &str = "views_and_writers_outlive_each_other";
    if let Some(folder) = folder_of_the_other() {
        let slab = open(&folder);
        let mut views = Vec::new();
        for round in 0.. {
            renew(&slab);
            if round % 3 == 0 {
                slab.offer().unwrap();
                views.push(View::open(path(&folder)).unwrap());
            }
            if views.len() > 4 {
                views.iter().for_each(assert_view);
                views.clear();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    renew(&create(folder.path()));
    let mut view = View::open(path(folder.path())).unwrap();
    assert_eq!(view.epoch(), 1, "what the last process left");
    let mut kept = Vec::new();
    for round in 0..12 {
        let mut writer = other(NAME, folder.path()).spawn().unwrap();
        while !view.refresh().unwrap() {
            std::thread::yield_now();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert_view(&view);
        kept.push(View::open(path(folder.path())).unwrap());
        if round % 3 == 2 {
            // Nobody is attached: this one sweeps and builds anew what is free, under the views.
            let slab = open(folder.path());
            for _ in 0..20 {
                renew(&slab);
            }
            kept.iter().for_each(assert_view);
            assert_view(&view);
            kept.remove(0);
        }
    }
    drop(kept);
    drop(view);
    let slab = open(folder.path());
    slab.offer().unwrap();
    slab.reclaim().unwrap();
    let found = slab.verify(trace).unwrap();
    assert_eq!(found.leaked_blocks, Some(0), "{found:?}");
    assert!(found.retired_blocks <= found.reachable_blocks, "{found:?}");
}

/// The machine stopped: nobody has put the region in order yet.
#[test]
fn a_view_of_a_region_whose_machine_stopped_is_its_checkpoint() {
    const BOOT: usize = 512;
    const CLEAN: usize = 520;
    let folder = tempfile::tempdir().unwrap();
    let stopped = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    for saved in [0, 3, 9] {
        while slab.commits() < saved {
            renew(&slab);
        }
        if saved > 0 {
            slab.sync().unwrap();
        }
        renew(&slab);
        let mut image = fs::read(path(folder.path())).unwrap();
        image[BOOT..BOOT + 8].fill(0x5a);
        image[CLEAN] = 0;
        fs::write(path(stopped.path()), &image).unwrap();
        let mut view = View::open(path(stopped.path())).unwrap();
        assert_eq!(view.epoch(), saved);
        assert_view(&view);
        // Somebody may write and puts it in order; the view is of a version that is still offered.
        let next = open(stopped.path());
        for _ in 0..50 {
            renew(&next);
        }
        next.reclaim().unwrap();
        assert_eq!(view.epoch(), saved);
        assert_view(&view);
        next.sync().unwrap();
        assert!(view.refresh().unwrap());
        assert_view(&view);
        drop((view, next));
        fs::remove_file(path(stopped.path())).unwrap();
    }
}

/// A file that is shorter than its header says, but not than its checkpoint needs, can be read.
#[test]
fn a_view_reads_nothing_behind_the_end_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let slab = create(folder.path());
    renew(&slab);
    slab.sync().unwrap();
    let length = fs::metadata(path(folder.path())).unwrap().len();
    drop(slab.allocate(20 << 20).unwrap());
    let mut image = fs::read(path(folder.path())).unwrap();
    image[512..520].fill(0x5a);
    image[520] = 0;
    image.truncate(length as usize);
    let copy = folder.path().join("copy.eve");
    fs::write(&copy, &image).unwrap();
    let view = View::open(&copy).unwrap();
    assert_view(&view);
    for at in (0..40_u64 << 20).step_by(65_536 / 4) {
        let _ = view.words(Addr::from_raw(at + 128)); // an answer or an error
    }
}

#[test]
fn what_is_no_region_is_an_error_for_a_view_too() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(View::open(path(folder.path())), Err(Error::Missing { .. })));
    fs::write(path(folder.path()), [0; 5000]).unwrap();
    assert!(matches!(View::open(path(folder.path())), Err(Error::NotARegion { .. })));
    assert!(View::open(folder.path()).is_err());
    fs::remove_file(path(folder.path())).unwrap();
    drop(create(folder.path()));
    let file = fs::OpenOptions::new().write(true).open(path(folder.path())).unwrap();
    file.set_len(1 << 20).unwrap();
    assert!(matches!(View::open(path(folder.path())), Err(Error::Header { .. })));
}

/// Atoms of a domain can be looked at, too.
#[test]
fn atoms_are_read_through_a_view() {
    let folder = tempfile::tempdir().unwrap();
    let bank = eve::Domain::open(path(folder.path())).unwrap();
    bank.swap("ada", |_, _: u64| Ok::<_, Error>((100, ()))).unwrap();
    bank.slab().offer().unwrap();
    let view = View::open(path(folder.path())).unwrap();
    assert_eq!(view.atom::<u64>("ada").unwrap(), 100);
    assert_eq!(view.atom::<u64>("ben").unwrap(), 0);
    let seen = bank.load::<u64>("ada").unwrap();
    assert!(bank.watch("ada", &seen, Some(Duration::ZERO)).unwrap().is_none());
}
