//! `datom lyquid`: a WebAssembly function under fuel.

use std::fs;

use lvm::{Call, Guest, Kind, Value};

use super::Outcome;
use crate::cli;
use crate::fault::Fault;

pub(super) fn lyquid(arguments: &cli::Lyquid) -> Outcome {
    let name = arguments.module.display().to_string();
    let bytes = fs::read(&arguments.module)
        .map_err(|error| Fault::new(format!("cannot read the module {name}: {error}")))?;
    let guest = Guest::load(&bytes).map_err(|error| Fault::new(format!("{name}: {error}")))?;
    let Some(function) = guest.functions().find(|function| function.name == arguments.function)
    else {
        let known: Vec<String> = guest.functions().map(|function| function.name).collect();
        return Err(Fault::new(format!("{name} exports no function {}", arguments.function))
            .help(format!("it exports {}", known.join(", ")))
            .into());
    };
    let params = function.params.ok_or_else(|| {
        Fault::new(format!("{} takes a value that cannot be given here", function.name))
    })?;
    if params.len() != arguments.arguments.len() {
        let (wanted, given) = (params.len(), arguments.arguments.len());
        let message = format!("{} takes {wanted} arguments, not {given}", function.name);
        return Err(Fault::usage(message).into());
    }
    let mut call = Call::new(&arguments.function).fuel(arguments.fuel);
    for (kind, text) in params.iter().zip(&arguments.arguments) {
        call = call.arg(value(*kind, text)?);
    }
    let outcome = guest.call(&call).map_err(Fault::new)?;
    for result in &outcome.results {
        println!("{result}");
    }
    eprintln!("fuel      {}", outcome.fuel_used);
    Ok(())
}

/// Integers may be written as signed or as unsigned numbers.
fn value(kind: Kind, text: &str) -> Result<Value, Box<Fault>> {
    let value = match kind {
        Kind::I32 => {
            let unsigned = || text.parse::<u32>().ok().map(u32::cast_signed);
            text.parse().ok().or_else(unsigned).map(Value::I32)
        }
        Kind::I64 => {
            let unsigned = || text.parse::<u64>().ok().map(u64::cast_signed);
            text.parse().ok().or_else(unsigned).map(Value::I64)
        }
        Kind::F32 => text.parse().ok().map(Value::F32),
        Kind::F64 => text.parse().ok().map(Value::F64),
        _ => None,
    };
    value.ok_or_else(|| Fault::usage(format!("'{text}' is no {kind}")).into())
}
