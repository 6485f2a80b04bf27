//! Power cuts on a real file system: `powercut [region|world] [--images N] [--seed S]`.
//!
//! A file system lies on a disk that records each write and each flush in order (the driver `blklogwrites`
//! of QEMU's storage daemon, by way of FUSE and a loop device). A program works on it. Then images are made of what a disk
//! might hold whose power is cut: all that was flushed, and of what was written since then any sectors at
//! all. Each is mounted and checked by the program, which must find what it had told of. So that a recorder
//! that records nothing does not look like a success, a careless program has to be found out first.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use crate::step::{cargo, run, target};

const DISK_BYTES: u64 = 96 << 20;
const LOG_BYTES: u64 = 4 << 30;
const SECTOR: usize = 512;
const IMAGES: u64 = 300;
/// A careless program is found out by far fewer.
const CONTROL_IMAGES: u64 = 60;

const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// The crate whose example works on the disk, and the example.
const REGION: [&str; 2] = ["eve", "region_power"];
const WORLD: [&str; 2] = ["daodb", "world_power"];

pub(crate) fn powercut(arguments: &[String]) -> Result<(), String> {
    let (mut programs, mut images, mut seed) = (vec![REGION, WORLD], IMAGES, 1);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || rest.next().and_then(|value| value.parse().ok());
        let wants = || format!("{argument} wants a whole number");
        match argument.as_str() {
            "region" => programs = vec![REGION],
            "world" => programs = vec![WORLD],
            "--images" => images = number().ok_or_else(wants)?,
            "--seed" => seed = number().ok_or_else(wants)?,
            other => {
                return Err(format!("no argument '{other}': region, world, --images N, --seed S"));
            }
        }
    }
    needs()?;
    for [package, example] in programs {
        let build = ["build", "--release", "--package", package, "--example", example];
        run(example, &mut cargo(&build))?;
        let program = target().join("release/examples").join(example);
        let careless = recorded(&program, "careless", CONTROL_IMAGES, seed)?;
        if careless.wrong == 0 {
            return Err(format!("{example}: nothing was lost of what was not waited for"));
        }
        println!("{example}: who does not wait is found out by {careless}");
        let careful = recorded(&program, "write", images, seed)?;
        println!("{example}: {careful}");
        if careful.unmounted * 4 > careful.images {
            return Err(format!("{example}: hardly an image can be mounted"));
        }
        if let Some(first) = careful.first {
            return Err(format!("{example}: {first}"));
        }
    }
    Ok(())
}

fn needs() -> Result<(), String> {
    let has = |program: &str| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    for (program, package) in [
        ("qemu-storage-daemon", "qemu-system-common or qemu-utils"),
        ("mkfs.ext4", "e2fsprogs"),
        ("losetup", "mount or util-linux"),
    ] {
        if !has(program) {
            return Err(format!("{program} is not here; it comes with {package}"));
        }
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    root.then_some(()).ok_or("only root may mount; run it with sudo".into())
}

/// What became of some images.
struct Outcome {
    images: u64,
    writes: usize,
    wrong: u64,
    /// Images that the file system itself is not made for: a torn sector of its head.
    unmounted: u64,
    first: Option<String>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { images, writes, wrong, unmounted, .. } = self;
        write!(f, "{wrong} of {images} images, of {writes} recorded writes")?;
        if *unmounted > 0 {
            write!(f, "; {unmounted} more that the file system cannot mount")?;
        }
        Ok(())
    }
}

/// Runs the program on a disk that is recorded, and checks images of it.
fn recorded(program: &Path, role: &str, images: u64, seed: u64) -> Result<Outcome, String> {
    let folder = target().join("powercut");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let disk = Disk::new(&folder)?;
    let began = disk.mounted(|mount| {
        let began = entries(&disk.log)?.len();
        command(Command::new(program).arg(role).arg(mount))?;
        Ok(began)
    })?;
    drop(disk);
    let log = entries(&folder.join("log.raw"))?;
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut outcome =
        Outcome { images, writes: log.len() - began, wrong: 0, unmounted: 0, first: None };
    let mut cuts: Vec<usize> = (0..images)
        .map(|_| began + (random.next() % (log.len() - began).max(1) as u64) as usize)
        .collect();
    cuts.sort_unstable();
    let mut replay = Replay::new(&folder, log)?;
    for cut in cuts {
        let image = replay.image(cut, &mut random)?;
        let Some(checked) = checked(program, &folder, &image)? else {
            outcome.unmounted += 1;
            outcome.images -= 1;
            continue;
        };
        if let Err(why) = checked {
            outcome.wrong += 1;
            outcome.first.get_or_insert(format!("seed {seed}, cut at write {cut}: {why}"));
        }
    }
    Ok(outcome)
}

/// What the program says of an image, if it can be mounted.
fn checked(
    program: &Path,
    folder: &Path,
    image: &Path,
) -> Result<Option<Result<(), String>>, String> {
    let mount = folder.join("image");
    fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
    if command(Command::new("mount").args(["-o", "loop"]).arg(image).arg(&mount)).is_err() {
        return Ok(None);
    }
    let checked = command(Command::new(program).arg("check").arg(&mount)).map(drop);
    command(Command::new("umount").arg(&mount))?;
    Ok(Some(checked))
}

/// A file system on a disk that is recorded.
struct Disk {
    folder: PathBuf,
    log: PathBuf,
    daemon: Child,
    device: String,
}

impl Disk {
    fn new(folder: &Path) -> Result<Disk, String> {
        let (disk, log) = (folder.join("disk.raw"), folder.join("log.raw"));
        let export = folder.join("export.img");
        for (path, bytes) in [(&disk, DISK_BYTES), (&log, LOG_BYTES), (&export, 0)] {
            let made = File::create(path).and_then(|file| file.set_len(bytes));
            made.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let node = |text: &str, path: &Path| format!("{text}{}", path.display());
        let mut daemon = Command::new("qemu-storage-daemon");
        daemon.args(["--blockdev", &node("driver=file,node-name=d,filename=", &disk)]);
        daemon.args(["--blockdev", &node("driver=file,node-name=l,filename=", &log)]);
        daemon.args(["--blockdev", RECORDER, "--export"]);
        daemon.arg(node("type=fuse,id=e,node-name=r,writable=on,mountpoint=", &export));
        let daemon = daemon.spawn().map_err(|error| format!("qemu-storage-daemon: {error}"))?;
        let mut made = Disk { folder: folder.to_owned(), log, daemon, device: String::new() };
        // It says nothing when it is ready, but then the file is as long as the disk.
        while fs::metadata(&export).map_or(0, |of| of.len()) != DISK_BYTES {
            if let Ok(Some(status)) = made.daemon.try_wait() {
                return Err(format!("qemu-storage-daemon ended ({status})"));
            }
            thread::yield_now();
        }
        let device = command(Command::new("losetup").args(["-f", "--show"]).arg(&export))?;
        made.device = String::from_utf8_lossy(&device.stdout).trim().to_owned();
        command(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&made.device))?;
        Ok(made)
    }

    fn mounted<T>(&self, work: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
        let mount = self.folder.join("mount");
        fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        command(Command::new("mount").arg(&self.device).arg(&mount))?;
        command(&mut Command::new("sync"))?;
        let done = work(&mount);
        command(Command::new("umount").arg(&mount))?;
        done
    }
}

const RECORDER: &str =
    "driver=blklogwrites,node-name=r,file=d,log=l,log-sector-size=512,log-super-update-interval=1";

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.device.is_empty() {
            let _ = command(Command::new("losetup").args(["-d", &self.device]));
        }
        // Asked to end, it writes the log's head.
        let pid = self.daemon.id().to_string();
        let _ = command(Command::new("kill").args(["-TERM", &pid]));
        let _ = self.daemon.wait();
    }
}

/// One recorded write or flush.
struct Entry {
    /// Where it begins on the disk, and its data in the log, in bytes.
    at: u64,
    data: u64,
    bytes: u64,
    flags: u64,
}

/// The entries of a log, in order.
fn entries(log: &Path) -> Result<Vec<Entry>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", log.display());
    let file = File::open(log).map_err(failed)?;
    let words = |at: u64| -> Result<[u64; 4], String> {
        let mut bytes = [0; 32];
        file.read_exact_at(&mut bytes, at).map_err(failed)?;
        let word = |i: usize| bytes[i * 8..][..8].try_into().map(u64::from_le_bytes);
        Ok([0, 1, 2, 3].map(|i| word(i).unwrap_or_default()))
    };
    let [_, _, count, _] = words(0)?;
    let (mut entries, mut at) = (Vec::new(), SECTOR as u64);
    for _ in 0..count {
        let [sector, sectors, flags, _] = words(at)?;
        let bytes = sectors * SECTOR as u64;
        let data = at + SECTOR as u64;
        entries.push(Entry { at: sector * SECTOR as u64, data, bytes, flags });
        at = data + if flags & DISCARD == 0 { bytes } else { 0 };
    }
    Ok(entries)
}

/// Makes images of what the disk might hold.
struct Replay {
    log: File,
    entries: Vec<Entry>,
    /// What was flushed, and up to which entry that is.
    flushed: PathBuf,
    done: usize,
    image: PathBuf,
}

impl Replay {
    fn new(folder: &Path, entries: Vec<Entry>) -> Result<Replay, String> {
        let (flushed, image) = (folder.join("flushed.img"), folder.join("cut.img"));
        let made = File::create(&flushed).and_then(|file| file.set_len(DISK_BYTES));
        made.map_err(|error| format!("{}: {error}", flushed.display()))?;
        let log = File::open(folder.join("log.raw")).map_err(|error| error.to_string())?;
        Ok(Replay { log, entries, flushed, done: 0, image })
    }

    /// What is left when the power is cut after entry `cut`, which is not before that of the last call.
    fn image(&mut self, cut: usize, random: &mut Random) -> Result<PathBuf, String> {
        let failed = |error: std::io::Error| format!("making an image: {error}");
        let flush = self.entries[..cut].iter().rposition(|entry| entry.flags & FLUSH != 0);
        let flush = flush.unwrap_or(0).max(self.done);
        let flushed = OpenOptions::new().write(true).open(&self.flushed).map_err(failed)?;
        for entry in &self.entries[self.done..flush] {
            self.apply(entry, &flushed, || true).map_err(failed)?;
        }
        self.done = flush;
        fs::copy(&self.flushed, &self.image).map_err(failed)?;
        let image = OpenOptions::new().write(true).open(&self.image).map_err(failed)?;
        // From none to all of it.
        let kept = random.next() % 5;
        for entry in &self.entries[flush..cut] {
            let lasting = entry.flags & FUA != 0;
            self.apply(entry, &image, || lasting || random.next() % 4 < kept).map_err(failed)?;
        }
        Ok(self.image.clone())
    }

    /// Writes the sectors of an entry that the disk keeps.
    fn apply(
        &self,
        entry: &Entry,
        disk: &File,
        mut keeps: impl FnMut() -> bool,
    ) -> std::io::Result<()> {
        let mut sector = [0; SECTOR];
        for offset in (0..entry.bytes).step_by(SECTOR) {
            if entry.flags & DISCARD == 0 {
                self.log.read_exact_at(&mut sector, entry.data + offset)?;
            }
            if keeps() {
                disk.write_all_at(&sector, entry.at + offset)?;
            }
        }
        Ok(())
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// What a command says, which must succeed.
fn command(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}
