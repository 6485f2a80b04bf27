//! The names that every machine begins with.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::Machine;
use crate::ast::Node;
use crate::builtin;
use crate::error::Error;
use crate::heap::primitive_word;
use crate::program::Program;
use crate::projection::{PRELUDE, Projection, Site};

/// The prelude, read once for all machines.
pub(crate) fn prelude() -> Result<Arc<Program>, Error> {
    static PRELUDE_PROGRAM: OnceLock<Result<Arc<Program>, Error>> = OnceLock::new();
    PRELUDE_PROGRAM
        .get_or_init(|| Program::read("prelude.yin", builtin::PRELUDE_SOURCE).map(Arc::new))
        .clone()
}

impl Machine {
    pub(super) fn add_builtins(&mut self) {
        let mut builtins = HashMap::new();
        for (id, primitive) in (0..).zip(builtin::TABLE) {
            builtins.insert(primitive.name.into(), primitive_word(id));
        }
        // The prelude is part of the crate, and a test reads it.
        let Ok(program) = prelude() else { return };
        let id = self.projection.add_program(program.clone());
        debug_assert_eq!(id, PRELUDE);
        for &form in program.forms() {
            if let Node::Definition { name, value } = program.tree().node(form) {
                let site = Site { program: id, node: *value };
                if let Some(function) = self.projection.lambda(site, Vec::new(), Some(name)) {
                    let word = Projection::plain(function);
                    if let Some(own) = name.as_str().strip_prefix('%')
                        && !builtins.contains_key(own)
                    {
                        builtins.insert(format!("yin/{own}").as_str().into(), word);
                    }
                    builtins.insert(name.clone(), word);
                }
            }
        }
        self.projection.builtins = Arc::new(builtins);
    }
}
