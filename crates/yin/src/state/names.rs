//! The names of a state in the making, each once.

use std::collections::HashMap;

/// Where each name stands in the list of a state.
#[derive(Default)]
pub(super) struct Names(HashMap<String, u32>);

impl Names {
    /// The number of a name in `list`, to whose end it goes if it is new.
    pub(super) fn number(&mut self, name: &str, list: &mut Vec<String>) -> u32 {
        if let Some(&number) = self.0.get(name) {
            return number;
        }
        let number = list.len() as u32;
        list.push(name.to_owned());
        self.0.insert(name.to_owned(), number);
        number
    }
}
