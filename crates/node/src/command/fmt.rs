//! `datom fmt`: one layout for programs.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use super::Outcome;
use crate::cli;
use crate::fault::Fault;

pub(super) fn fmt(arguments: &cli::Fmt) -> Outcome {
    let mut different = Vec::new();
    for file in &arguments.files {
        let name = file.display().to_string();
        let is_input = file == Path::new("-");
        if file.extension().is_some_and(|extension| extension == "py") {
            return Err(Fault::new(format!("{name} is Python"))
                .help("`datom fmt` lays out Yin; Python has formatters of its own")
                .into());
        }
        let text = if is_input { standard_input() } else { fs::read_to_string(file) };
        let text = text.map_err(|error| Fault::new(format!("cannot read {name}: {error}")))?;
        let formatted = yin::format(&name, &text)?;
        match (arguments.check, is_input) {
            (true, _) if formatted != text => different.push(name),
            (false, true) => write_out(&formatted)?,
            (false, false) if formatted != text => replace(file, &formatted)?,
            _ => {}
        }
    }
    match different.is_empty() {
        true => Ok(()),
        false => Err(Fault::new(format!("laid out differently: {}", different.join(", ")))
            .help("run `datom fmt` on them")
            .into()),
    }
}

fn standard_input() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map(|_| text)
}

fn write_out(text: &str) -> Outcome {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Fault::new(format!("cannot write: {error}")).into())
}

/// A file is replaced as a whole, so that it is never half written.
fn replace(file: &Path, text: &str) -> Outcome {
    let failed =
        |error: std::io::Error| Fault::new(format!("cannot write {}: {error}", file.display()));
    let mut beside = file.as_os_str().to_owned();
    beside.push(".fmt");
    fs::write(&beside, text).map_err(failed)?;
    let keep = fs::metadata(file).and_then(|of| fs::set_permissions(&beside, of.permissions()));
    keep.and_then(|()| fs::rename(&beside, file)).map_err(|error| failed(error).into())
}
