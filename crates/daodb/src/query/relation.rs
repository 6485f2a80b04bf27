//! The rows of a rule, kept by datafrog.
//!
//! 1. A relation is a datafrog [`Variable`] of fixed-width word tuples: rows go in, become *recent*
//!    for one round, then *stable*. One iteration drives all relations of a component.
//! 2. Each order that some plan looks rows up by is a variable of its own, holding the same rows
//!    with their columns permuted; order 0 is the plain one.
//! 3. Between two runs of a component nothing is recent: all rows are stable.

use datafrog::{Iteration, Relation as Sorted, Variable};

use super::error::Error;
use super::source::begins;

/// Widest rule.
pub(crate) const ARITY_MAX: usize = 16;

/// The rows of one rule, whatever their width.
pub(crate) trait Relation {
    /// The number of an order whose first columns are `columns`, in some sequence.
    fn order(&mut self, iteration: &mut Iteration, columns: &[usize]) -> usize;

    /// The columns of an order.
    fn columns(&self, order: usize) -> Vec<usize>;

    /// Adds rows, given one behind the other.
    fn insert(&self, rows: &[u64]);

    /// Appends the rows that are new in this round.
    fn recent(&self, into: &mut Vec<u64>);

    /// Every row of an order that begins with `prefix`, in the columns of that order.
    fn each(
        &self,
        order: usize,
        prefix: &[u64],
        take: &mut dyn FnMut(&[u64]) -> Result<bool, Error>,
    ) -> Result<(), Error>;

    fn len(&self) -> usize;

    /// How many orders hold the rows.
    fn orders(&self) -> usize;
}

struct Fixed<const N: usize> {
    orders: Vec<(Vec<usize>, Variable<[u64; N]>)>,
}

/// An empty relation of rows of `width` words.
pub(crate) fn relation(iteration: &mut Iteration, width: usize) -> Option<Box<dyn Relation>> {
    macro_rules! widths {
        ($($n:literal)*) => {
            match width {
                $($n => Some(Box::new(Fixed::<$n>::new(iteration)) as Box<dyn Relation>),)*
                _ => None,
            }
        };
    }
    // A rule's tail calls are rows of two of its keys, hence the double width.
    widths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
}

impl<const N: usize> Fixed<N> {
    fn new(iteration: &mut Iteration) -> Self {
        let plain = (0..N).collect();
        Self { orders: vec![(plain, iteration.variable("rows"))] }
    }

    fn permuted(row: &[u64; N], columns: &[usize]) -> [u64; N] {
        let mut out = [0; N];
        for (slot, column) in out.iter_mut().zip(columns) {
            *slot = row.get(*column).copied().unwrap_or(0);
        }
        out
    }
}

impl<const N: usize> Relation for Fixed<N> {
    fn order(&mut self, iteration: &mut Iteration, columns: &[usize]) -> usize {
        let mut sorted = columns.to_vec();
        sorted.sort_unstable();
        let serves = |order: &Vec<usize>| {
            let mut first = order.get(..columns.len()).unwrap_or_default().to_vec();
            first.sort_unstable();
            first == sorted
        };
        if let Some(at) = self.orders.iter().position(|(order, _)| serves(order)) {
            return at;
        }
        let rest = (0..N).filter(|column| !columns.contains(column));
        let order: Vec<usize> = columns.iter().copied().chain(rest).collect();
        let variable = iteration.variable("rows by other columns");
        let (_, plain) = &self.orders[0];
        for rows in plain.stable.borrow().iter() {
            let rows = rows.iter().map(|row| Self::permuted(row, &order)).collect();
            variable.insert(Sorted::from_vec(rows));
        }
        self.orders.push((order, variable));
        self.orders.len() - 1
    }

    fn columns(&self, order: usize) -> Vec<usize> {
        self.orders.get(order).map(|(columns, _)| columns.clone()).unwrap_or_default()
    }

    fn insert(&self, rows: &[u64]) {
        let rows: Vec<[u64; N]> = rows.as_chunks::<N>().0.to_vec();
        let rows = Sorted::from_vec(rows);
        for (order, variable) in self.orders.iter().skip(1) {
            let permuted = rows.iter().map(|row| Self::permuted(row, order)).collect();
            variable.insert(Sorted::from_vec(permuted));
        }
        if let Some((_, plain)) = self.orders.first() {
            plain.insert(rows);
        }
    }

    fn recent(&self, into: &mut Vec<u64>) {
        if let Some((_, plain)) = self.orders.first() {
            into.extend(plain.recent.borrow().iter().flatten());
        }
    }

    fn each(
        &self,
        order: usize,
        prefix: &[u64],
        take: &mut dyn FnMut(&[u64]) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let Some((_, variable)) = self.orders.get(order) else { return Ok(()) };
        let stable = variable.stable.borrow();
        let recent = variable.recent.borrow();
        for rows in stable.iter().chain(std::iter::once(&*recent)) {
            let from = rows.partition_point(|row| row.as_slice() < prefix);
            for row in rows.get(from..).unwrap_or_default() {
                if !begins(row, prefix) {
                    break;
                }
                if !take(row)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn orders(&self) -> usize {
        self.orders.len()
    }

    fn len(&self) -> usize {
        let Some((_, plain)) = self.orders.first() else { return 0 };
        let stable: usize = plain.stable.borrow().iter().map(|rows| rows.len()).sum();
        stable + plain.recent.borrow().len()
    }
}
