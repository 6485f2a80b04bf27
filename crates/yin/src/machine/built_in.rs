//! The names that every machine begins with.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::Machine;
use crate::ast::Node;
use crate::builtin;
use crate::heap::primitive_word;
use crate::program::Program;
use crate::projection::{Projection, Site, is_prelude};

/// The programs of the prelude, read once for all machines. They are part of the crate, and a test
/// reads them.
pub(crate) fn prelude() -> &'static [Arc<Program>] {
    static PROGRAMS: OnceLock<Vec<Arc<Program>>> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let read = |(name, source)| Program::read(name, source).ok().map(Arc::new);
        builtin::PRELUDE.into_iter().filter_map(read).collect()
    })
}

impl Machine {
    pub(super) fn add_builtins(&mut self) {
        let mut builtins = HashMap::new();
        for (id, primitive) in (0..).zip(builtin::TABLE) {
            builtins.insert(primitive.name.into(), primitive_word(id));
        }
        let prelude = prelude().iter().map(|program| {
            let id = self.projection.add_program(program.clone());
            debug_assert!(is_prelude(id));
            (id, program)
        });
        let forms = prelude
            .collect::<Vec<_>>()
            .into_iter()
            .flat_map(|(id, program)| program.forms().iter().map(move |&form| (id, program, form)));
        for (id, program, form) in forms {
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
