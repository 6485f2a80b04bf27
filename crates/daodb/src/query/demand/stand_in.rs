//! What stands for a relation while the order of a rule's clauses is being found.

use datafrog::Iteration;

use super::super::error::Error;
use super::super::relation::Relation;

/// Rows a rule is taken to have before it was computed.
const UNKNOWN_ROWS: usize = 4096;

/// Stands for a relation that is not there yet: only its columns count.
pub(super) struct Nothing;

impl Relation for Nothing {
    fn order(&mut self, _: &mut Iteration, _: &[usize]) -> usize {
        0
    }

    fn columns(&self, _: usize) -> Vec<usize> {
        Vec::new()
    }

    fn insert(&self, _: &[u64]) {}

    fn recent(&self, _: &mut Vec<u64>) {}

    fn each(
        &self,
        _: usize,
        _: &[u64],
        _: &mut dyn FnMut(&[u64]) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn orders(&self) -> usize {
        0
    }

    fn len(&self) -> usize {
        UNKNOWN_ROWS
    }
}
