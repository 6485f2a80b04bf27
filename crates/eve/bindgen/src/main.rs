//! Writes `include/eve_ring_format.h` from `src/ring/format.rs`, or says that it is not what would
//! be written (`--check`).

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use cbindgen::{Builder, Config, DocumentationStyle, Language};

const HEAD: &str = "\
/* eve_ring_format.h: the numbers of the rings of eve, which docs/format.md of the project draws.
 *
 * Written by `cargo xtask header` from src/ring/format.rs: change it there.
 */";

fn config() -> Config {
    let mut config = Config {
        language: Language::C,
        header: Some(HEAD.to_owned()),
        include_guard: Some("EVE_RING_FORMAT_H".to_owned()),
        no_includes: true,
        documentation_style: DocumentationStyle::C99,
        ..Config::default()
    };
    config.export.prefix = Some("EVE_RING_".to_owned());
    config
}

fn main() -> ExitCode {
    let eve = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let committed = eve.join("include/eve_ring_format.h");
    let source = eve.join("src/ring/format.rs");
    let bindings = match Builder::new().with_config(config()).with_src(&source).generate() {
        Ok(bindings) => bindings,
        Err(why) => {
            eprintln!("{}: {why}", source.display());
            return ExitCode::FAILURE;
        }
    };
    let mut written = Vec::new();
    bindings.write(&mut written);
    if !env::args().any(|argument| argument == "--check") {
        return match fs::write(&committed, written) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{}: {why}", committed.display());
                ExitCode::FAILURE
            }
        };
    }
    match fs::read(&committed) {
        Ok(found) if found == written => ExitCode::SUCCESS,
        Ok(_) => {
            eprintln!("{} is not what {} says", committed.display(), source.display());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("{}: {why}", committed.display());
            ExitCode::FAILURE
        }
    }
}
