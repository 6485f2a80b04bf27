//! `datom nock`: nouns, their jams, and the machine.

use std::fmt::Display;

use nock::{Arena, Noun};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;

/// Parts of a noun that are printed at most: a noun that shares its parts can be small in memory
/// and larger in print than any disk.
const PARTS_MAX: usize = 1 << 24;

pub(super) fn nock(arguments: &cli::Nock) -> Outcome {
    let mut arena = Arena::new();
    let printed = match arguments {
        cli::Nock::Jam { noun } => {
            let noun = parsed(&mut arena, "the noun", noun)?;
            let bytes = nock::jam(&arena, noun).map_err(Fault::new)?;
            arena.atom_from_bytes(&bytes).map_err(Fault::new)?
        }
        cli::Nock::Cue { jam } => {
            let atom = parsed(&mut arena, "the jam", jam)?;
            let bytes = arena
                .as_atom(atom)
                .ok_or_else(|| Fault::usage("the jam is a cell").help("a jam is one number"))?
                .to_bytes();
            nock::cue(&mut arena, &bytes).map_err(Fault::new)?
        }
        cli::Nock::Eval { subject, formula, fuel } => {
            let subject = parsed(&mut arena, "the subject", subject)?;
            let formula = parsed(&mut arena, "the formula", formula)?;
            let mut fuel = *fuel;
            nock::run(&mut arena, subject, formula, &mut fuel).map_err(Fault::new)?
        }
    };
    println!("{}", nock::text(&arena, printed, PARTS_MAX).map_err(Fault::new)?);
    Ok(())
}

fn parsed(arena: &mut Arena, what: impl Display, text: &str) -> Result<Noun, Box<Fault>> {
    nock::parse(arena, text).map_err(|error| {
        Fault::usage(format!("{what}: {error}"))
            .help("a noun is a number or a cell such as [1 2 3]")
            .into()
    })
}
