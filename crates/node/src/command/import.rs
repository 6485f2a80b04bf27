//! `datom import`: facts from a file of another program, or a git history.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use daodb::{Durability, Import, TransactOptions};
use datom::Value;
use indicatif::ProgressBar;

use super::Outcome;
use crate::cli::{self, Transfer};
use crate::fault::Fault;
use crate::git::Repository;
use crate::history;
use crate::progress;
use crate::reporter::Reporter;
use crate::schema;
use crate::transfer::{self, Take};
use crate::world::World;

pub(super) fn import(arguments: &cli::Import) -> Outcome {
    match (&arguments.repository, arguments.source.as_os_str() == "git") {
        (Some(repository), true) => of_git(&arguments.dir, repository),
        (None, true) => {
            Err(Fault::usage("`datom import DIR git` needs the repository's folder").into())
        }
        (Some(_), false) => {
            Err(Fault::usage("one file at a time; a repository follows the word git").into())
        }
        (None, false) => of_file(arguments),
    }
}

fn of_git(dir: &Path, repository: &Path) -> Outcome {
    let repository = Repository::open(repository)?;
    let world = World::open_or_create_at(dir, history::beginning(&repository)?)?;
    let bar = progress::of(repository.count()?, "commits");
    let told = |done: history::Imported| bar.set_position(done.commits + done.known);
    let done = history::import(world.database(), &repository, told)?;
    bar.finish_and_clear();
    let t = world.database().db()?.basis();
    let (commits, datoms, known) = (done.commits, done.datoms, done.known);
    let details = format_args!("{commits} commits, {datoms} facts; {known} were there already");
    Reporter::telling().committed("imported", details, t);
    Ok(())
}

fn of_file(arguments: &cli::Import) -> Outcome {
    let file = &arguments.source;
    let is_stdin = file.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let text: Box<dyn BufRead> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file);
        Box::new(BufReader::new(
            opened.map_err(|error| Fault::new(format!("cannot read {name}: {error}")))?,
        ))
    };
    let format = arguments.format.or_else(|| Transfer::of(file)).unwrap_or_default();
    let world = World::open_or_create(&arguments.dir)?;
    // The disk is waited for once, at the end.
    let options = TransactOptions::new().durability(Durability::Process);
    let import = world.database().import().options(options);
    let import = import.also(schema::reason("datom import", &name));
    let mut taking = Taking { import, bar: progress::counting("entities") };
    transfer::read(format, &name, text, &mut taking)?;
    let done = taking.import.finish()?;
    taking.bar.finish_and_clear();
    world.database().sync()?;
    let (forms, datoms) = (done.forms, done.datoms);
    Reporter::telling().committed(
        "imported",
        format_args!("{forms} forms, {datoms} facts"),
        done.t,
    );
    Ok(())
}

struct Taking {
    import: Import,
    bar: ProgressBar,
}

impl Take for Taking {
    fn take(&mut self, form: Value) -> Result<(), Box<Fault>> {
        self.bar.inc(1);
        Ok(self.import.add(form)?)
    }

    fn type_of(&mut self, attribute: &str) -> Result<Option<String>, Box<Fault>> {
        let found = self.import.attribute(attribute)?;
        Ok(found.map(|attribute| attribute.value_type.name().to_owned()))
    }
}
