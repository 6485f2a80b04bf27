//! `datom token`: mint and inspect capabilities.

use std::path::PathBuf;

use datom::{Keyword, Value};
use shibi::{Expiry, Grant, Token};

use super::Outcome;
use crate::cli::{self, Format};
use crate::clock;
use crate::fault::Fault;
use crate::ledger;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::world::World;

pub(super) fn token(arguments: &cli::Token) -> Outcome {
    match arguments {
        cli::Token::Mint { dir, operation, folder, expires_in } => {
            let world = World::open(dir)?;
            world.state_schema(None)?;
            let now = clock::micros();
            let expires = match expires_in {
                None => Expiry::Never,
                Some(seconds) => {
                    let micros =
                        i64::try_from(*seconds).ok().and_then(|s| s.checked_mul(1_000_000));
                    let end = micros.and_then(|micros| now.checked_add(micros));
                    Expiry::At(end.ok_or_else(|| Fault::usage("--expires-in is too far away"))?)
                }
            };
            let grant = grant(operation_named(operation)?, folder, expires)?;
            let key = world.key();
            let token = Token::mint(key, key.public(), &grant).map_err(Fault::new)?;
            let rights = token.verify(&world.trust(), now).map_err(Fault::new)?;
            ledger::record(&world, Reporter::telling(), "datom token mint", &[rights])?;
            println!("{}", token.to_text());
            Ok(())
        }
        cli::Token::Show { dir, token } => {
            let world = World::open(dir)?;
            let token = Token::from_text(token).map_err(Fault::new)?;
            let rights = token.verify(&world.trust(), clock::micros()).map_err(Fault::new)?;
            let entities = shibi::ledger::transaction(&rights);
            let shown = entities.into_iter().last().unwrap_or(Value::Nil);
            Ok(Output::Value(shown).print(Format::Auto)?)
        }
    }
}

/// A grant of one operation. Files are confined to the folders; without any, to none.
pub(crate) fn grant(
    operation: Keyword,
    folders: &[PathBuf],
    expires: Expiry,
) -> Result<Grant, Box<Fault>> {
    let mut grant = Grant::new(operation, expires);
    for (number, folder) in folders.iter().enumerate() {
        let path = folder
            .canonicalize()
            .map_err(|error| Fault::new(format!("{}: {error}", folder.display())))?;
        let path = path
            .to_str()
            .ok_or_else(|| Fault::new(format!("{}: the path is no UTF-8", path.display())))?;
        let within = if number == 0 { grant.within(path) } else { grant.and_within(path) };
        grant = within.map_err(Fault::new)?;
    }
    Ok(grant)
}

/// An operation as it is written on the command line, with or without its colon.
pub(crate) fn operation_named(text: &str) -> Result<Keyword, Box<Fault>> {
    let name = text.strip_prefix(':').unwrap_or(text);
    match datom::edn::read(&format!(":{name}")) {
        Ok(Value::Keyword(operation)) if operation.namespace().is_some() => Ok(operation),
        _ => Err(Fault::usage(format!("'{text}' is no operation"))
            .help("an operation is a keyword such as :fs/read")
            .into()),
    }
}
