//! A world: one folder with a database and the key that grants rights in it.
//!
//! 1. The key is made once and never leaves the folder; every token of the world descends from it.
//! 2. A world is complete or absent: the key is written before the database is made.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daodb::{Database, LogError, Opening, Options};
use datom::Value;
use shibi::{Keypair, Trust};

use crate::fault::Fault;
use crate::function::YinFunctions;
use crate::journal::Journal;
use crate::progress;
use crate::reporter::Reporter;
use crate::schema;

const KEY_FILE: &str = "node.key";

/// An open world.
pub struct World {
    dir: PathBuf,
    database: Database,
    functions: YinFunctions,
    journal: Arc<Journal>,
    key: Keypair,
}

impl World {
    /// Makes an empty world.
    ///
    /// # Errors
    /// There is one already, or the folder cannot be written.
    pub fn create(dir: &Path) -> Result<Self, Box<Fault>> {
        if exists(dir) {
            return Err(Fault::new(format!("{}: a world is already here", dir.display()))
                .help("open it with any other command, or choose another folder")
                .into());
        }
        Self::open_or_create(dir)
    }

    /// Opens a world that is there.
    ///
    /// # Errors
    /// There is none, or it is damaged beyond what opening repairs.
    pub fn open(dir: &Path) -> Result<Self, Box<Fault>> {
        Self::open_with(dir, Options::new())
    }

    /// Opens a world although transactions in its log are damaged or missing: goes on behind what
    /// can be read, and puts aside what cannot.
    ///
    /// # Errors
    /// There is none, or its files cannot be read or written at all.
    pub fn repair(dir: &Path) -> Result<Self, Box<Fault>> {
        Self::open_with(dir, Options::new().accept_loss(true))
    }

    /// Opens a world and makes its region again from the log.
    ///
    /// # Errors
    /// There is none, or another process has it open.
    pub fn rebuild(dir: &Path) -> Result<Self, Box<Fault>> {
        Self::open_with(dir, Options::new().rebuild(true))
    }

    fn open_with(dir: &Path, options: Options) -> Result<Self, Box<Fault>> {
        if exists(dir) {
            return Self::attach(dir, options);
        }
        Err(Fault::new(format!("{}: no world here", dir.display()))
            .help(format!("`datom init {}` makes an empty one", dir.display()))
            .into())
    }

    /// Opens a world, or makes an empty one.
    ///
    /// # Errors
    /// The folder cannot be written, or the world is damaged beyond what opening repairs.
    pub fn open_or_create(dir: &Path) -> Result<Self, Box<Fault>> {
        Self::open_or_create_at(dir, None)
    }

    /// Opens a world, or makes one whose time begins at `instant` (microseconds since 1970 UTC), so
    /// that a history from elsewhere can follow with its own times.
    ///
    /// # Errors
    /// As [`World::open_or_create`].
    pub(crate) fn open_or_create_at(dir: &Path, instant: Option<i64>) -> Result<Self, Box<Fault>> {
        fs::create_dir_all(dir).map_err(|error| cannot("make the folder", dir, &error))?;
        if !exists(dir) {
            refuse_strangers(dir)?;
        }
        let world = Self::attach(dir, Options::new())?;
        world.state_schema(instant)?;
        Ok(world)
    }

    /// Makes a world from a backup. Its key is a new one: tokens of the world that was backed up mean
    /// nothing here.
    ///
    /// # Errors
    /// There is a world or something else in the folder, there is no backup, or files cannot be read
    /// or written.
    pub fn restore(dir: &Path, backup: &Path) -> Result<Self, Box<Fault>> {
        fs::create_dir_all(dir).map_err(|error| cannot("make the folder", dir, &error))?;
        if !exists(dir) {
            refuse_strangers(dir)?;
        }
        let key = key(dir)?;
        let database = Database::restore(backup, dir, progress::showing(Options::new()))
            .map_err(|error| Fault::of_database(&error))?;
        Ok(Self::new(dir, database, key))
    }

    /// A world whose database finds functions in itself.
    fn new(dir: &Path, database: Database, key: Keypair) -> Self {
        let functions = YinFunctions::new();
        database.add_library(functions.clone());
        let journal = Journal::new(&database);
        Self { dir: dir.to_path_buf(), database, functions, journal, key }
    }

    fn attach(dir: &Path, options: Options) -> Result<Self, Box<Fault>> {
        let key = key(dir)?;
        let database = Database::open(dir, progress::showing(options))
            .map_err(|error| lost(Fault::of_database(&error), &error, dir))?;
        tell_opening(database.opening());
        Ok(Self::new(dir, database, key))
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Where the runs of this world keep what they do.
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Sets how many steps each call of a function by a query or transaction may take.
    pub fn set_function_fuel(&self, fuel: u64) {
        self.functions.set_fuel(fuel);
    }

    /// The key that every token of this world descends from.
    #[must_use]
    pub fn key(&self) -> &Keypair {
        &self.key
    }

    /// Whose tokens count here: the world's own.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust::in_roots([*self.key.public()])
    }

    /// States the schema, unless it is there: stating it again would add no datom but a
    /// transaction.
    pub(crate) fn state_schema(&self, instant: Option<i64>) -> Result<(), Box<Fault>> {
        for mut transaction in schema::schema() {
            let db = self.database.db()?;
            let mut missing = false;
            for attribute in &transaction {
                if let Some(Value::Keyword(ident)) = attribute.get("db/ident") {
                    missing |= db.ident(ident)?.is_none();
                }
            }
            if !missing {
                continue;
            }
            if let Some(instant) = instant.filter(|&instant| instant >= db.instant()) {
                transaction.push(schema::at(instant));
            }
            self.database.transact(&transaction)?;
        }
        Ok(())
    }
}

/// A log that lost transactions can be gone on with, if a person says so.
fn lost(fault: Fault, error: &daodb::Error, dir: &Path) -> Box<Fault> {
    match error {
        daodb::Error::Log(LogError::Damaged { .. } | LogError::Short { .. }) => fault
            .help(format!("to go on without what is lost: datom verify {} --repair", dir.display()))
            .into(),
        _ => fault.into(),
    }
}

/// What opening had to mend is said, whatever the command.
fn tell_opening(opening: &Opening) {
    let tell = Reporter::telling();
    if let Some(torn) = &opening.torn {
        tell.tell(
            "torn",
            format_args!(
                "the last {} bytes of {} were no whole transaction ({}); they are kept in {}, and \
                 transactions up to {} are whole",
                torn.bytes,
                torn.segment.display(),
                torn.what,
                torn.kept.display(),
                torn.good_through
            ),
        );
    }
    if let Some(lost) = &opening.lost {
        let kept: Vec<String> = lost.kept.iter().map(|path| path.display().to_string()).collect();
        let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
        tell.tell(
            "lost",
            format_args!(
                "transactions {} to {}: {}; kept as evidence: {kept}",
                lost.good_through + 1,
                lost.durable_through,
                lost.what
            ),
        );
    }
    if let Some(why) = &opening.rebuilt {
        let kept = opening.set_aside.as_ref().map(|path| path.display().to_string());
        let kept = kept.map_or_else(String::new, |path| format!("; the old file is {path}"));
        let replayed = opening.replayed;
        tell.tell(
            "rebuilt",
            format_args!("the region, from {replayed} transactions of the log: {why}{kept}"),
        );
    }
}

/// A folder with somebody's files in it does not become a world by a slip of the keyboard.
fn refuse_strangers(dir: &Path) -> Result<(), Box<Fault>> {
    let entries = fs::read_dir(dir).map_err(|error| cannot("look into the folder", dir, &error))?;
    // A killed creation leaves at most a draft of the key.
    let strange = |name: &std::ffi::OsString| !name.to_string_lossy().starts_with(KEY_FILE);
    match entries.flatten().map(|entry| entry.file_name()).find(strange) {
        None => Ok(()),
        Some(name) => Err(Fault::new(format!(
            "{}: no world here, and the folder is not empty: it holds {}",
            dir.display(),
            name.display()
        ))
        .help("name a folder that does not exist yet, or that holds a world")
        .into()),
    }
}

fn exists(dir: &Path) -> bool {
    dir.join(KEY_FILE).is_file()
}

fn key(dir: &Path) -> Result<Keypair, Box<Fault>> {
    let path = dir.join(KEY_FILE);
    if !path.exists() {
        let key = Keypair::generate().map_err(Fault::new)?;
        match key.save(&path) {
            Ok(()) => return Ok(key),
            // Another process was faster; its key is the world's.
            Err(_) if path.exists() => {}
            Err(error) => return Err(Fault::new(error).into()),
        }
    }
    Ok(Keypair::load(&path).map_err(Fault::new)?)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Box<Fault> {
    let fault = Fault::new(format!("{}: cannot {what}: {error}", path.display()));
    match error.kind() {
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            fault.help("choose a folder that you may write").into()
        }
        _ => fault.into(),
    }
}
