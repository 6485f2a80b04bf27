//! Loading: from text or binary to a checked, compiled module.

use wasmtime::{Config, Engine, Module};
use wast::Wat;
use wast::parser::{self, ParseBuffer};

use crate::guest::STACK_BYTES_MAX;

/// The most bytes of a guest, as text or as binary, 16 MiB.
pub const GUEST_BYTES_MAX: usize = 16 << 20;

const BINARY_MAGIC: &[u8] = b"\0asm";

/// Why bytes are no guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// More bytes than a guest can have.
    #[error("a guest of {bytes} bytes: at most {GUEST_BYTES_MAX} are allowed")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// The bytes are neither a binary module nor text.
    #[error("no guest: neither a binary module nor text in UTF-8 (byte {at})")]
    NotText {
        /// The first byte that is no text.
        at: usize,
    },
    /// The text breaks the grammar.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
        /// What was expected.
        message: String,
    },
    /// The module breaks the rules of WebAssembly, or uses what guests may not: threads, relaxed
    /// SIMD, several memories, memories of 64 bits.
    #[error("not a valid guest: {message}")]
    Invalid {
        /// What is wrong, and at which byte of the binary.
        message: String,
    },
    /// The module wants something from outside.
    #[error("the guest imports {module}.{name}, but a guest reaches nothing outside of itself")]
    Import {
        /// From where.
        module: String,
        /// What.
        name: String,
    },
    /// The compiler cannot be set up on this machine.
    #[error("no compiler for this machine: {message}")]
    Engine {
        /// Why.
        message: String,
    },
}

/// A module that needs nothing, compiled for deterministic and bounded execution.
pub(crate) fn module(source: &[u8]) -> Result<Module, LoadError> {
    if source.len() > GUEST_BYTES_MAX {
        return Err(LoadError::TooLarge { bytes: source.len() });
    }
    let assembled;
    let binary = if source.starts_with(BINARY_MAGIC) {
        source
    } else {
        assembled = assemble(source)?;
        &assembled
    };
    let engine = Engine::new(&config())
        .map_err(|error| LoadError::Engine { message: format!("{error:#}") })?;
    let module = Module::from_binary(&engine, binary)
        .map_err(|error| LoadError::Invalid { message: format!("{error:#}") })?;
    if let Some(import) = module.imports().next() {
        return Err(LoadError::Import {
            module: import.module().to_owned(),
            name: import.name().to_owned(),
        });
    }
    Ok(module)
}

/// Everything on which two machines could differ is off; what bounds a call is on.
fn config() -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false);
    config
}

fn assemble(source: &[u8]) -> Result<Vec<u8>, LoadError> {
    let text = core::str::from_utf8(source)
        .map_err(|error| LoadError::NotText { at: error.valid_up_to() })?;
    let syntax = |error: wast::Error| {
        let (line, column) = error.span().linecol_in(text);
        LoadError::Syntax { line: line + 1, column: column + 1, message: error.message() }
    };
    let buffer = ParseBuffer::new(text).map_err(syntax)?;
    let mut module: Wat<'_> = parser::parse(&buffer).map_err(syntax)?;
    module.encode().map_err(syntax)
}
