//! A naive evaluator: what queries mean, without regard for time.
//!
//! Every variable takes every value of the database in turn, and a row is an answer when every
//! clause holds. Rules are sets that grow until nothing is new. No index, no plan, no words.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Keyword, Symbol, Value};

use super::ast::{Arg, Clause, ClauseKind, Find, Rule, Term, Var};
use super::function::truthy;
use super::parse::Parsed;

/// A fact: entity, attribute, value, transaction.
pub(super) type Fact = (u64, String, Value, u64);

/// What is known, and what follows from it.
pub(super) struct World {
    facts: Vec<Fact>,
    domain: Vec<Value>,
    rules: Vec<Rule>,
    holds: BTreeMap<Symbol, BTreeSet<Vec<Value>>>,
}

type Words = BTreeMap<Var, Value>;

impl World {
    /// `nodes`: entities that rules may name though no fact does. `layers`: names of rules; a rule may negate rules of earlier layers only.
    pub(super) fn new(facts: &[Fact], nodes: u64, rules: Vec<Rule>, layers: &[&[&str]]) -> Self {
        let mut domain: BTreeSet<Value> = (1..=nodes).map(Value::Ref).collect();
        for (e, _, v, _) in facts {
            domain.insert(Value::Ref(*e));
            domain.insert(v.clone());
        }
        let domain = domain.into_iter().collect();
        let mut world = Self { facts: facts.to_vec(), domain, rules, holds: BTreeMap::new() };
        for layer in layers {
            while world.grow(layer) {}
        }
        world
    }

    /// One round over the rules of a layer; says whether something was new.
    fn grow(&mut self, layer: &[&str]) -> bool {
        let mut new = Vec::new();
        for rule in self.rules.iter().filter(|rule| layer.contains(&rule.name.as_str())) {
            self.solve(&rule.body, &Words::new(), &mut |words| {
                let row =
                    rule.head.iter().map(|term| value_of(term, words)).collect::<Option<Vec<_>>>();
                new.extend(row.map(|row| (rule.name.clone(), row)));
                false
            });
        }
        let insert = |(name, row)| self.holds.entry(name).or_default().insert(row);
        new.into_iter().map(insert).fold(false, |any, one| any | one)
    }

    /// The distinct rows of a query's `:find` variables.
    pub(super) fn answer(&self, query: &Parsed) -> BTreeSet<Vec<Value>> {
        let mut rows = BTreeSet::new();
        self.solve(&query.clauses, &Words::new(), &mut |words| {
            let row = query.find.iter().map(Find::var).map(|var| words.get(&var).cloned());
            rows.extend(row.collect::<Option<Vec<_>>>());
            false
        });
        rows
    }

    /// Calls `found` for every way to make all clauses hold, until it returns true.
    fn solve(
        &self,
        clauses: &[Clause],
        known: &Words,
        found: &mut dyn FnMut(&Words) -> bool,
    ) -> bool {
        let mut open: Vec<Var> = clauses.iter().flat_map(Clause::produces).collect();
        open.retain(|var| !known.contains_key(var));
        open.sort_unstable();
        open.dedup();
        self.assign(clauses, &open, &mut known.clone(), found)
    }

    fn assign(
        &self,
        clauses: &[Clause],
        open: &[Var],
        words: &mut Words,
        found: &mut dyn FnMut(&Words) -> bool,
    ) -> bool {
        // A clause is looked at as soon as all its variables have values.
        let decided = |clause: &Clause| match &clause.kind {
            ClauseKind::Not { .. } => open.is_empty(),
            _ => clause.vars().iter().all(|var| words.contains_key(var)),
        };
        if !clauses.iter().filter(|clause| decided(clause)).all(|clause| self.holds(clause, words))
        {
            return false;
        }
        let Some((var, rest)) = open.split_first() else { return found(words) };
        for value in &self.domain {
            words.insert(*var, value.clone());
            if self.assign(clauses, rest, words, found) {
                return true;
            }
        }
        words.remove(var);
        false
    }

    fn exists(&self, clauses: &[Clause], words: &Words) -> bool {
        self.solve(clauses, words, &mut |_| true)
    }

    fn holds(&self, clause: &Clause, words: &Words) -> bool {
        match &clause.kind {
            ClauseKind::Pattern { terms, .. } => {
                self.facts.iter().any(|fact| matches(fact, terms, words))
            }
            ClauseKind::Function { function, args, binding } => {
                assert!(binding.is_none(), "functions that bind are not generated");
                let value = |arg: &Arg| match arg {
                    Arg::Var(var) => words[var].clone(),
                    Arg::Const(value) => value.clone(),
                    Arg::Source(_) => Value::Nil,
                };
                let args: Vec<Value> = args.iter().map(value).collect();
                truthy(&function.builtin().unwrap().call(&args).unwrap())
            }
            ClauseKind::Not { clauses, join } => {
                let mut inner = words.clone();
                if let Some(join) = join {
                    inner.retain(|var, _| join.contains(var));
                }
                !self.exists(clauses, &inner)
            }
            ClauseKind::Or { branches, join, .. } => {
                let mut inner = words.clone();
                inner.retain(|var, _| join.contains(var));
                branches.iter().any(|branch| self.exists(branch, &inner))
            }
            ClauseKind::Call { rule, terms, .. } => {
                let fits = |row: &Vec<Value>| {
                    row.iter().zip(terms).all(|(value, term)| match term {
                        Term::Blank => true,
                        // All arguments of generated rules are entities.
                        Term::Const(Value::Int(id)) => *value == Value::Ref(id.unsigned_abs()),
                        Term::Const(other) => value == other,
                        Term::Var(var) => words.get(var) == Some(value),
                    })
                };
                self.holds.get(rule).is_some_and(|rows| rows.iter().any(fits))
            }
            ClauseKind::Rows { .. } | ClauseKind::Derived { .. } => unreachable!("never written"),
        }
    }
}

fn value_of(term: &Term, words: &Words) -> Option<Value> {
    match term {
        Term::Var(var) => words.get(var).cloned(),
        Term::Const(Value::Int(id)) => Some(Value::Ref(id.unsigned_abs())),
        Term::Const(other) => Some(other.clone()),
        Term::Blank => None,
    }
}

fn matches((e, a, v, _): &Fact, terms: &[Term], words: &Words) -> bool {
    let parts = [Value::Ref(*e), Value::Keyword(Keyword::from(a.as_str())), v.clone()];
    parts.iter().zip(terms).enumerate().all(|(at, (value, term))| match term {
        Term::Blank => true,
        Term::Var(var) => words.get(var) == Some(value),
        Term::Const(Value::Int(id)) if at == 0 => *value == Value::Ref(id.unsigned_abs()),
        Term::Const(Value::Int(id)) if matches!(value, Value::Ref(_)) => {
            *value == Value::Ref(id.unsigned_abs())
        }
        Term::Const(other) => value == other,
    })
}
