//! Rows of words in memory, found by any of their columns: inputs, and relations given as sources.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Rows of equal width. Orders by other columns are made when first asked for and kept.
#[derive(Debug, Default)]
pub(crate) struct Table {
    width: usize,
    words: Vec<u64>,
    orders: RefCell<HashMap<Vec<usize>, Rc<Vec<u32>>>>,
}

impl Table {
    pub(crate) fn new(width: usize, words: Vec<u64>) -> Self {
        Self { width, words, orders: RefCell::default() }
    }

    /// Words in a row; of no rows 0.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len().checked_div(self.width).unwrap_or(0)
    }

    fn row(&self, at: usize) -> &[u64] {
        self.words.get(at * self.width..(at + 1) * self.width).unwrap_or_default()
    }

    /// Rows numbered in the order of `columns`.
    fn order(&self, columns: &[usize]) -> Rc<Vec<u32>> {
        if let Some(order) = self.orders.borrow().get(columns) {
            return order.clone();
        }
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by(|a, b| self.key(*a, columns).cmp(self.key(*b, columns)));
        let order = Rc::new(order);
        self.orders.borrow_mut().insert(columns.to_vec(), order.clone());
        order
    }

    fn key(&self, row: u32, columns: &[usize]) -> impl Iterator<Item = u64> {
        let row = self.row(row as usize);
        columns.iter().map(|column| row.get(*column).copied().unwrap_or(0))
    }

    /// Every row whose `columns` hold `key`, until told to stop.
    pub(crate) fn each<E>(
        &self,
        columns: &[usize],
        key: &[u64],
        mut take: impl FnMut(&[u64]) -> Result<bool, E>,
    ) -> Result<(), E> {
        if columns.is_empty() {
            for at in 0..self.len() {
                if !take(self.row(at))? {
                    break;
                }
            }
            return Ok(());
        }
        let order = self.order(columns);
        let from = order.partition_point(|row| self.key(*row, columns).lt(key.iter().copied()));
        for row in order.get(from..).unwrap_or_default() {
            if !self.key(*row, columns).eq(key.iter().copied()) || !take(self.row(*row as usize))? {
                break;
            }
        }
        Ok(())
    }
}
