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
    if function.params.len() != arguments.arguments.len() {
        let (wanted, given) = (function.params.len(), arguments.arguments.len());
        return Err(Fault::usage(format!("{} takes {wanted} arguments, not {given}", function.name)).into());
    }
    let mut call = Call::new(&arguments.function).fuel(arguments.fuel);
    for (kind, text) in function.params.iter().zip(&arguments.arguments) {
        call = call.arg(value(*kind, text)?);
    }
    let outcome = guest.call(&call).map_err(Fault::new)?;
    for result in &outcome.results {
        println!("{result}");
    }
    eprintln!("fuel      {}", outcome.fuel_used);
    Ok(())
}

fn value(kind: Kind, text: &str) -> Result<Value, Box<Fault>> {
    Value::parse(kind, text)
        .ok_or_else(|| Fault::usage(format!("'{text}' is no {kind}")).into())
}
