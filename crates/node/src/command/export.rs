//! `datom export`: the facts of a world as text.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;
use crate::progress;
use crate::reporter::Reporter;
use crate::sight;
use crate::transfer;
use crate::world::World;

pub(super) fn export(arguments: &cli::Export) -> Outcome {
    if arguments.view.history {
        return Err(Fault::usage("an export is of one state, which --history is not").into());
    }
    let world = World::open(&arguments.dir)?;
    let db = sight::look(&world, &arguments.view)?;
    let file = arguments.file.as_deref().filter(|file| file.as_os_str() != "-");
    let format = arguments.format.or_else(|| file.and_then(cli::Transfer::of)).unwrap_or_default();
    let bar = progress::counting("entities");
    let told = |forms: u64| bar.set_position(forms);
    let forms = match file {
        None => {
            match transfer::write(format, &db, &mut BufWriter::new(io::stdout().lock()), told) {
                Ok(forms) => forms,
                Err(fault) if fault.is_broken_pipe() => return Ok(()),
                Err(fault) => return Err(fault),
            }
        }
        Some(path) => {
            let shown = path.display();
            let cannot = |error| Fault::new(format!("cannot write {shown}: {error}"));
            let mut out = BufWriter::new(File::create(path).map_err(cannot)?);
            let forms = transfer::write(format, &db, &mut out, told)?;
            out.flush().map_err(cannot)?;
            forms
        }
    };
    bar.finish_and_clear();
    let t = db.as_of_t().map_or(db.basis(), |t| t.min(db.basis()));
    Reporter::telling().tell("exported", format_args!("{forms} forms, as of t {t}"));
    Ok(())
}
