//! Loading what a program needs: the programs of other namespaces, from the database.

use std::sync::Arc;

use datom::{Symbol, Word};

use super::Machine;
use crate::error::{Fault, Kind, Trouble};
use crate::library;
use crate::projection::Projection;

impl Machine {
    /// `(yin/ns 'own 'other ...)`: runs the forms of each other namespace that is not loaded yet.
    /// Two namespaces may need each other: what is being loaded counts as loaded.
    pub(super) fn namespace(&mut self, names: &[Word], at: u8, tail: bool) -> Result<(), Trouble> {
        let Some(load) = self.projection.prelude_function("%load") else {
            return Err(Trouble::new(Kind::State, "the prelude has no `%load`"));
        };
        if self.projection.entries.get(load as usize).is_none_or(|entry| entry.pc == 0) {
            self.compile(load)?;
        }
        let (forms, loaded) = self.forms_to_load(names)?;
        self.invoke(Projection::plain(load), vec![forms], at, tail)?;
        if !self.spent {
            self.namespaces.extend(loaded);
        }
        Ok(())
    }

    /// The functions of the forms of the namespaces that are not loaded yet, as a vector, and the
    /// namespaces that are loaded once they have run.
    pub(crate) fn forms_to_load(&mut self, names: &[Word]) -> Result<(Word, Vec<Symbol>), Trouble> {
        let own = names.first().and_then(|&name| self.heap.name(name)).map(Symbol::from);
        let mut forms = Vec::new();
        let mut loaded = Vec::from_iter(own);
        for &word in names.iter().skip(1) {
            let Some(name) = self.heap.name(word).map(Symbol::from) else {
                return Err(self.heap.wrong("ns", "names of namespaces", word));
            };
            if self.namespaces.contains(&name) || loaded.contains(&name) {
                continue;
            }
            let program = library::find(&mut *self.facts, &name).map_err(|error| {
                Trouble::Fault(Box::new(Fault {
                    kind: error.kind,
                    message: error.to_string(),
                    help: error.help,
                    value: None,
                }))
            })?;
            let id = self.projection.add_program(Arc::new(program.clone()));
            self.projection.shadow_all(id);
            for &form in program.forms() {
                let function = self.projection.form(id, form, name.as_str());
                forms.push(Projection::plain(function));
            }
            loaded.push(name);
        }
        Ok((self.heap.vector(&forms)?, loaded))
    }

    /// The program of a namespace, if there is one.
    pub(crate) fn find_namespace(&mut self, name: &Symbol) -> Option<crate::Program> {
        library::find(&mut *self.facts, name).ok()
    }
}
