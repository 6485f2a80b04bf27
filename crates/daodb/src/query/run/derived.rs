//! Steps that read what is no fact: tables, relations of rules, rules of other components, graphs.

use super::super::demand;
use super::super::error::Error;
use super::super::step::{Call, Find, Probe, Search};
use super::super::tools::{Kind, misplaced};
use super::{Flow, taken};

impl Flow<'_, '_, '_> {
    pub(super) fn find(&mut self, find: &Find, row: &[u64]) -> Result<(), Error> {
        let key: Vec<u64> = find.key.iter().map(|cell| cell.of(row)).collect();
        let env = self.env;
        let table = env.table(find.table)?;
        table.each(&find.columns, &key, |found| {
            self.env.watch.tick()?;
            let kept = self.emit(row, taken(&find.takes, found))?;
            Ok(!(kept && find.once))
        })
    }

    pub(super) fn probe(&mut self, probe: &Probe, row: &[u64]) -> Result<(), Error> {
        let prefix: Vec<u64> = probe.prefix.iter().map(|cell| cell.of(row)).collect();
        let Kind::Relation(relation) = &self.tool.kind else { return Err(misplaced()) };
        let relation = relation.borrow();
        relation.each(probe.order, &prefix, &mut |found| {
            self.env.watch.tick()?;
            let kept = self.emit(row, taken(&probe.takes, found))?;
            Ok(!(kept && probe.once))
        })
    }

    /// Asks the rule for all rows of the batch at once, then looks the answers up row by row.
    pub(super) fn call(&mut self, call: &Call, rows: &[u64]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        for row in rows.chunks_exact(self.width) {
            wanted.extend(call.demand.iter().map(|cell| cell.of(row)));
        }
        let Kind::Rule(rule) = &self.tool.kind else { return Err(misplaced()) };
        demand::answer(self.env, &rule.component, rule.variant, &wanted)?;
        let Probe { order, prefix, takes, once, .. } = &call.probe;
        // Answers are copied out before they are handed on: a step behind this one may ask the same
        // rule, which then grows the relation.
        let (mut answers, mut width) = (Vec::new(), 1);
        self.each(rows, |flow, row| {
            let prefix: Vec<u64> = prefix.iter().map(|cell| cell.of(row)).collect();
            answers.clear();
            rule.answers.borrow().each(*order, &prefix, &mut |found| {
                flow.env.watch.tick()?;
                width = found.len();
                answers.extend_from_slice(found);
                Ok(true)
            })?;
            for found in answers.chunks_exact(width) {
                if flow.emit(row, taken(takes, found))? && *once {
                    break;
                }
            }
            Ok(())
        })
    }

    pub(super) fn search(&mut self, search: &Search, rows: &[u64]) -> Result<(), Error> {
        let Search { ends, fills, same, .. } = search;
        let Kind::Graph(graph) = &self.tool.kind else { return Err(misplaced()) };
        let mut found = Vec::new();
        let (given, fill) = match (ends, fills) {
            ([Some(from), Some(to)], _) => {
                // Rows that begin at the same place share a search.
                let mut order: Vec<&[u64]> = rows.chunks_exact(self.width).collect();
                order.sort_by_key(|row| from.of(row));
                return order.into_iter().try_for_each(|row| {
                    let reached = graph.reaches(self.env, from.of(row), to.of(row))?;
                    if reached { self.pass(row) } else { Ok(()) }
                });
            }
            ([Some(from), None], [_, fill]) => (from, fill),
            ([None, Some(to)], [fill, _]) => (to, fill),
            ([None, None], [x, y]) => {
                return self.each(rows, |flow, row| {
                    let mut row = row.to_vec();
                    graph.pairs(flow.env, |from, found| {
                        if *same && !found.contains(&from) {
                            return Ok(());
                        }
                        if let Some(place) = x.and_then(|slot| row.get_mut(slot)) {
                            *place = from;
                        }
                        match y.filter(|_| !*same) {
                            Some(slot) => flow.fill(&row, slot, found),
                            None => flow.pass(&row),
                        }
                    })
                });
            }
        };
        self.each(rows, |flow, row| {
            found.clear();
            graph.reach(flow.env, given.of(row), &mut found)?;
            match fill {
                Some(slot) => flow.fill(row, *slot, &found),
                None if found.is_empty() => Ok(()),
                None => flow.pass(row),
            }
        })
    }
}
