//! A database that is open.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use datom::Frame;
use eve::{Region, Slab};

use crate::combine::Line;
use crate::db::Db;
use crate::error::Error;
use crate::function::{Function, Library};
use crate::history::Transactions;
use crate::log::places::Places;
use crate::log::{Frames, Lead, Writer, seal};
use crate::open::{self, Opening};
use crate::options::{Durability, Options};
use crate::pending;
use crate::query::{Budget, COLUMN_BYTES_MAX};
use crate::record::Record;
use crate::store::Store;
use crate::subscription::Hub;
use crate::turn::{Leading, Turn, Waiting};
use crate::verify::{self, Verification};
use crate::world::World;

/// An open database: a handle that is cheap to clone and to send.
///
/// Any number of processes can have one world open and write to it.
///
/// ```
/// use daodb::Database;
/// use datom::edn;
///
/// let db = Database::memory()?;
/// db.transact(&edn::read_all("{:db/ident :person/name :db/valueType :db.type/string}").unwrap())?;
/// let report = db.transact(&edn::read_all("{:db/id \"ada\" :person/name \"Ada Lovelace\"}").unwrap())?;
/// assert_eq!(report.t, 2);
/// assert_eq!(report.datoms.len(), 2); // the name, and when it was stated
/// # Ok::<(), daodb::Error>(())
/// ```
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    /// Drains in the background, once somebody does not wait for the disk, and seals.
    drainer: Mutex<Option<JoinHandle<()>>>,
    /// Syncs for threads that wait at the same time, once there are such.
    relief: Mutex<Option<JoinHandle<()>>>,
    opening: Opening,
}

/// What the background thread shares.
pub(crate) struct Core {
    pub(crate) store: Store,
    disk: Option<Disk>,
    pub(crate) durability: Durability,
    /// Seals what is full.
    seals: bool,
    pub(crate) line: Line,
    pub(crate) turn: Turn,
    signal: Signal,
    hub: Hub,
}

struct Disk {
    world: World,
    writer: Writer,
    places: Places,
}

/// Tells the background thread that there is something to do, or that it shall end.
#[derive(Default)]
struct Signal {
    wanted: Mutex<Wanted>,
    changed: Condvar,
    stop: AtomicBool,
    /// A segment of the log was begun, so the one before can be sealed.
    sealable: AtomicBool,
    /// A large frame is on the disk, so its room in the region can be given back.
    releasable: AtomicBool,
}

/// What the background thread is to do.
#[derive(Clone, Copy, Default)]
struct Wanted {
    drain: bool,
    seal: bool,
    release: bool,
}

impl Wanted {
    fn is_nothing(self) -> bool {
        !self.drain && !self.seal && !self.release
    }
}

/// What did not wait for the disk is written at most this much later, if the disk lets it.
const PAUSE: Duration = Duration::from_millis(5);

/// Address space of a database in memory.
const MEMORY_BYTES_MAX: u64 = 1 << 38;

impl Database {
    /// Opens the world in a folder, making it if `options` say so.
    ///
    /// # Errors
    /// [`crate::WorldError`] when there is none or too many, when the folder cannot be written, when the
    /// disk is full; [`crate::LogError`] when the log is damaged. The folder is left as it was.
    pub fn open(folder: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        let world = World::enter(folder.as_ref(), options.create)?;
        let (store, writer, opening) = open::open(&world, &options)?;
        let core = Core {
            store,
            disk: Some(Disk { world, writer, places: Places::default() }),
            durability: options.durability,
            seals: options.seals,
            line: Line::default(),
            turn: Turn::default(),
            signal: Signal::default(),
            hub: Hub::default(),
        };
        Ok(Self::new(core, opening))
    }

    /// A database in the memory of this process, for as long as the handle lives.
    ///
    /// # Errors
    /// When the system has no address space for it.
    pub fn memory() -> Result<Self, Error> {
        let mut bytes = MEMORY_BYTES_MAX;
        let region = loop {
            match Region::anonymous(bytes) {
                Ok(region) => break region,
                Err(_) if bytes > 1 << 28 => bytes /= 4,
                Err(error) => return Err(error.into()),
            }
        };
        let store = Store::new(Slab::create(region)?, None, Budget::new(COLUMN_BYTES_MAX))?;
        let durability = Durability::Process;
        let (line, turn) = (Line::default(), Turn::default());
        let (signal, hub) = (Signal::default(), Hub::default());
        let core = Core { store, disk: None, durability, seals: false, line, turn, signal, hub };
        Ok(Self::new(core, Opening { created: true, ..Opening::default() }))
    }

    fn new(core: Core, opening: Opening) -> Self {
        let (drainer, relief) = (Mutex::default(), Mutex::default());
        let inner = Inner { core: Arc::new(core), drainer, relief, opening };
        Self { inner: Arc::new(inner) }
    }

    /// Whether a folder holds a world.
    #[must_use]
    pub fn exists(folder: impl AsRef<Path>) -> bool {
        World::is_world(folder.as_ref())
    }

    /// The world's folder; `None` for a database in memory.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        self.inner.core.disk.as_ref().map(|disk| disk.world.folder().to_path_buf())
    }

    /// What opening it found and did.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.inner.opening
    }

    /// The database as it is now, as a value that stays as it is.
    ///
    /// # Errors
    /// When the world is damaged, or too many values are held at once.
    pub fn db(&self) -> Result<Db, Error> {
        self.inner.core.store.db()
    }

    /// Gives a name to code that transactions of this handle and its clones can call. A name that
    /// is taken is given to the new one.
    ///
    /// ```
    /// use daodb::{Database, Db};
    /// use datom::{Value, edn};
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
    /// db.register("greet", |_: &Db, args: &[Value]| {
    ///     let name = args.first().and_then(Value::as_text).ok_or("[greet name]")?;
    ///     let map = Value::map([(Value::keyword("name"), Value::text(&format!("Hello, {name}")))]);
    ///     Ok(Value::Vector(vec![map]))
    /// });
    /// db.transact(&edn::read_all("[greet \"Ada\"]")?)?;
    /// let found = db.db()?.q("[:find ?n . :where [_ :name ?n]]", &[])?;
    /// assert_eq!(found, Value::text("Hello, Ada"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn register(&self, name: &str, function: impl Function + 'static) {
        self.inner.core.store.functions().register(name, Arc::new(function));
    }

    /// Adds a place where functions are found that have no name here.
    pub fn add_library(&self, library: impl Library + 'static) {
        self.inner.core.store.functions().add(Arc::new(library));
    }

    /// The last transaction that is on the disk.
    #[must_use]
    pub fn durable_t(&self) -> u64 {
        match &self.inner.core.disk {
            Some(_) => self.inner.core.store.durable_t(),
            None => 0,
        }
    }

    /// Waits until everything that is committed now is on the disk, and answers the last `t`.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn sync(&self) -> Result<u64, Error> {
        let t = self.db()?.basis();
        if self.inner.core.disk.is_some() {
            self.inner.core.drain(t)?;
        }
        Ok(t)
    }

    /// Waits until a transaction after `t` is committed, by any process, or the time is over.
    /// Answers the newest `t`.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn wait(&self, t: u64, timeout: Option<Duration>) -> Result<u64, Error> {
        let slab = self.inner.core.store.slab();
        // A time too far away to be told is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let seen = slab.commits();
            let now = self.db()?.basis();
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if now > t || left.is_some_and(|left| left.is_zero()) {
                return Ok(now);
            }
            let _ = slab.wait(seen, left);
        }
    }

    /// All transactions, oldest first.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn log(&self) -> Result<Transactions, Error> {
        self.tx_range(1, u64::MAX)
    }

    /// The transactions from `from` up to, but without, `to`, oldest first.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn tx_range(&self, from: u64, to: u64) -> Result<Transactions, Error> {
        let db = self.db()?;
        let floor = db.state().record.floor;
        self.transactions(db, from, to, floor)
    }

    /// The transactions of a range, those up to `on_disk` from the log. It is at least the floor of
    /// `db`, and durable.
    pub(crate) fn transactions(
        &self,
        db: Db,
        from: u64,
        to: u64,
        on_disk: u64,
    ) -> Result<Transactions, Error> {
        let last = to.saturating_sub(1).min(db.basis());
        let mut kept = Vec::new();
        let after = on_disk.max(from.saturating_sub(1));
        for frame in pending::list(&db.state().memory, &db.state().record, after)? {
            if (from..=last).contains(&frame.t) {
                kept.push((frame.t, frame.bytes.to_vec()));
            }
        }
        let disk = self.inner.core.disk.as_ref();
        let frames = disk.map(|disk| {
            let frames = Frames::new(disk.writer.folder(), from, last.min(on_disk));
            frames.with_places(&disk.places)
        });
        Ok(Transactions::new(db, frames, kept))
    }

    /// Looks through everything: blocks, indexes, history, dictionary, log, and whether they agree.
    /// Reads all of it.
    ///
    /// # Errors
    /// When something cannot be read at all. What can be read and is wrong is in the answer.
    pub fn verify(&self) -> Result<Verification, Error> {
        verify::verify(self)
    }

    /// Publishes a frame that goes on where the state ends; false when it does not.
    pub(crate) fn publish(&self, frame: &Frame) -> Result<bool, Error> {
        let core = &self.inner.core;
        let published = core.store.publish_frame(frame, self.durable_t())?;
        if published && core.disk.is_some() {
            self.work_soon(|wanted| wanted.drain = true);
        }
        Ok(published)
    }

    pub(crate) fn core(&self) -> &Core {
        &self.inner.core
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.inner.core.hub
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.core.store
    }

    pub(crate) fn slab(&self) -> &Slab {
        self.inner.core.store.slab()
    }

    /// The folder of the log; `None` for a database in memory.
    pub(crate) fn log_folder(&self) -> Option<&Path> {
        self.inner.core.disk.as_ref().map(|disk| disk.writer.folder())
    }

    /// Whether a process is writing the log.
    pub(crate) fn lease_is_held(&self) -> Result<bool, Error> {
        let disk = self.inner.core.disk.as_ref();
        Ok(disk.map_or(Ok(false), |disk| disk.writer.is_leased())?)
    }

    /// Has the background thread do what is left: to write the log, to seal what is full, and to release
    /// what is durable.
    pub(crate) fn work_later(&self, drain: bool) {
        let signal = &self.inner.core.signal;
        let seal = signal.sealable.swap(false, Ordering::Relaxed);
        let release = signal.releasable.swap(false, Ordering::Relaxed);
        if drain || seal || release {
            self.work_soon(|wanted| {
                wanted.drain |= drain;
                wanted.seal |= seal;
                wanted.release |= release;
            });
        }
    }

    /// Starts the thread that syncs for others, if threads have waited for each other without it.
    pub(crate) fn relieve(&self) {
        if !self.inner.core.turn.lacks_relief() {
            return;
        }
        let mut relief = self.inner.relief.lock().unwrap_or_else(PoisonError::into_inner);
        if relief.is_none() {
            let core = self.inner.core.clone();
            let thread = thread::Builder::new().name("daodb-sync".into());
            *relief = thread.spawn(move || core.sync_always()).ok();
        }
    }

    /// Has the background thread work, which is started the first time.
    fn work_soon(&self, want: impl FnOnce(&mut Wanted)) {
        let mut drainer = self.inner.drainer.lock().unwrap_or_else(PoisonError::into_inner);
        if drainer.is_none() {
            let core = self.inner.core.clone();
            let thread = thread::Builder::new().name("daodb-log".into());
            *drainer = thread.spawn(move || core.work_always()).ok();
        }
        drop(drainer);
        let signal = &self.inner.core.signal;
        let mut wanted = signal.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = wanted.is_nothing();
        want(&mut wanted);
        if idle {
            signal.changed.notify_one();
        }
    }
}

impl Core {
    /// Tries again to write what there was no room for, and to take room for what comes.
    fn make_room(&self, disk: &Disk) -> Result<(), Error> {
        self.drain(self.store.db()?.basis())?;
        let (mut lead, _) = disk.writer.lead(&self.store)?;
        Ok(lead.reserve(0)?)
    }

    /// Gives back the room that the log took, if nobody else will write to it.
    fn leave(&self) -> Result<(), Error> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let gate = disk.world.open()?;
        if gate.alone {
            let (mut lead, _) = disk.writer.lead(&self.store)?;
            lead.trim()?;
        }
        Ok(())
    }

    pub(crate) fn keeps_log(&self) -> bool {
        self.disk.is_some()
    }

    /// Whether the log can take a transaction.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        let Some(disk) = &self.disk else { return Ok(()) };
        disk.writer.check()?;
        if disk.writer.is_full() { self.make_room(disk) } else { Ok(()) }
    }

    /// Returns when transaction `t` is on the disk: because somebody else put it there, or by
    /// draining everything that is committed, for all who wait.
    fn drain(&self, t: u64) -> Result<(), Error> {
        self.drain_with(Some(t), Vec::new())
    }

    /// The same of a transaction, if there is one, letting others wait who sleep already.
    pub(crate) fn drain_with(&self, t: Option<u64>, others: Vec<Waiting>) -> Result<(), Error> {
        match self.turn.take(t, others, || self.store.durable_t()) {
            Some(leading) => self.drain_leading(leading, t.unwrap_or(0)),
            None => Ok(()),
        }
    }

    /// Drains everything that is committed, whose turn it is.
    pub(crate) fn drain_leading(&self, mut leading: Leading<'_>, t: u64) -> Result<(), Error> {
        let Some(disk) = &self.disk else { return Ok(()) };
        self.drain_one(disk, &mut leading, t)
    }

    fn drain_one(&self, disk: &Disk, leading: &mut Leading<'_>, t: u64) -> Result<(), Error> {
        let drained = self.drain_now(disk, t);
        let durable_t = self.store.durable_t();
        match &drained {
            Ok(()) => leading.reached(durable_t),
            Err(_) => leading.failed(durable_t),
        }
        drained
    }

    /// Syncs for those who wait, whenever the turn comes to the relief.
    fn sync_always(&self) {
        let Some(disk) = &self.disk else { return };
        let is_over = || self.signal.stop.load(Ordering::Acquire);
        while let Some(mut leading) = self.turn.stand_by(is_over) {
            while let Some(t) = leading.wanted()
                && self.drain_one(disk, &mut leading, t).is_ok()
            {
                leading.serve();
            }
        }
    }

    /// Takes the lease of the log, unless another process brings transaction `t` to the disk before that.
    fn lead<'c>(&'c self, disk: &'c Disk, t: u64) -> Result<Option<Lead<'c>>, Error> {
        loop {
            let seen = self.store.leases();
            if self.store.durable_t() >= t {
                return Ok(None);
            }
            if let Some(lead) = disk.writer.try_lead(&self.store)? {
                return Ok(Some(lead));
            }
            self.store.wait_for_lease(seen);
        }
    }

    fn drain_now(&self, disk: &Disk, t: u64) -> Result<(), Error> {
        let Some(mut lead) = self.lead(disk, t)? else { return Ok(()) };
        if lead.end().t >= t {
            return Ok(());
        }
        let snapshot = self.store.slab().snapshot()?;
        let record = Record::read(&snapshot, snapshot.root())?;
        let end = lead.end().t;
        if end < record.floor {
            return Err(Error::corrupt(format!(
                "the log ends at {end}, but the region gave up its frames up to {}",
                record.floor
            )));
        }
        let frames = pending::list(&snapshot, &record, end)?;
        let frames: Vec<Vec<u8>> = frames.iter().map(|frame| frame.bytes.to_vec()).collect();
        // The disk takes its time: meanwhile nothing should be held back from reuse.
        drop(snapshot);
        if lead.append(&frames)? && self.seals {
            self.signal.sealable.store(true, Ordering::Relaxed);
        }
        if frames.iter().any(|frame| frame.len() >= pending::DROP_BYTES) {
            self.signal.releasable.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Lets transactions gather, so that they share a sync, and one waits at most this long for it.
    fn pause(&self) {
        let signal = &self.signal;
        let wanted = signal.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let stays = |_: &mut Wanted| !signal.stop.load(Ordering::Acquire);
        drop(signal.changed.wait_timeout_while(wanted, PAUSE, stays));
    }

    fn work_always(&self) {
        let signal = &self.signal;
        loop {
            let mut wanted = signal.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            while wanted.is_nothing() && !signal.stop.load(Ordering::Acquire) {
                wanted = signal.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner);
            }
            let Wanted { drain, seal, release } = std::mem::take(&mut *wanted);
            drop(wanted);
            if signal.stop.load(Ordering::Acquire) {
                return;
            }
            if drain || release {
                self.pause();
            }
            if drain {
                // A failure shows to the next who waits for the disk; until then the frames are
                // safe in the region.
                // The state is let go of first: what it sees stays in the region.
                let basis = self.store.db().map(|db| db.basis());
                let _ = basis.and_then(|basis| self.drain(basis));
            }
            // By now whoever made the transaction has mostly let go of the states before and after it.
            if release || signal.releasable.swap(false, Ordering::Relaxed) {
                let _ = self.store.release_frames();
            }
            if seal || signal.sealable.swap(false, Ordering::Relaxed) {
                // What cannot be sealed now stays as it is, and is tried again with the next.
                let _ = self.disk.as_ref().map(|disk| seal::seal_all(disk.writer.folder()));
            }
        }
    }
}

impl Drop for Inner {
    /// Drains what is left, as far as the disk lets: it is safe in the region anyway.
    fn drop(&mut self) {
        let signal = &self.core.signal;
        signal.stop.store(true, Ordering::Release);
        {
            let _wanted = signal.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            signal.changed.notify_all();
        }
        let drainer = self.drainer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.core.turn.end_relief();
        let relief = self.relief.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        for thread in [drainer, relief].into_iter().flatten() {
            let _ = thread.join();
        }
        let _ = self.core.store.db().and_then(|db| self.core.drain(db.basis()));
        let _ = self.core.leave();
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("folder", &self.folder()).finish_non_exhaustive()
    }
}
