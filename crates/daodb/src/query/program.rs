//! The rules of a run: grouped by name, checked, and ordered by what depends on what.
//!
//! 1. All rules of a name take the same number of arguments.
//! 2. Rules that depend on each other form a *component*; a component uses only itself and
//!    components before it, and never its own negation (refused with the cycle named).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datom::Symbol;

use super::ast::{Clause, ClauseKind, Names, Rule, Term, walk};
use super::env::Env;
use super::error::{Error, ErrorKind, nearest};
use super::function::Builtin;
use super::inline::{self, Inlining};
use super::limits::Watch;
use super::parse::FORMS;
use super::relation::ARITY_MAX;

/// Most clauses in one query or rule.
pub(crate) const CLAUSES_MAX: usize = 512;
/// Most rules in one set.
const RULES_MAX: usize = 4096;

/// A checked set of rules.
#[derive(Debug, Default)]
pub(crate) struct Program {
    rules: BTreeMap<Symbol, Vec<Rule>>,
    /// Whether calls of a rule can be replaced by its clauses.
    plain: BTreeMap<Symbol, bool>,
    /// The component of each rule.
    component: HashMap<Symbol, usize>,
    /// Which arguments are entities, by rule and the source it is called on.
    entity: HashMap<(Symbol, usize), Vec<Option<usize>>>,
}

pub(crate) fn check_size(clauses: &[Clause]) -> Result<(), Error> {
    let mut count = 0;
    walk(clauses, &mut |_| count += 1);
    if count > CLAUSES_MAX {
        return Err(Error::syntax(format!("{count} clauses; at most {CLAUSES_MAX} are allowed")));
    }
    Ok(())
}

/// A rule that another one uses, and whether under a `not`.
type Uses<'r> = BTreeMap<&'r Symbol, bool>;

impl Program {
    pub(crate) fn new(rules: Vec<Rule>, watch: &Watch) -> Result<Self, Error> {
        if rules.len() > RULES_MAX {
            return Err(Error::syntax(format!("more than {RULES_MAX} rules")));
        }
        let mut program = Self::default();
        for rule in rules {
            check_size(&rule.body).map_err(|error| error.at(&rule.place))?;
            if rule.head.len() > ARITY_MAX {
                let message = format!("a rule takes at most {ARITY_MAX} arguments");
                return Err(Error::syntax(message).at(&rule.place));
            }
            program.rules.entry(rule.name.clone()).or_default().push(rule);
        }
        for rules in program.rules.values() {
            let arity = rules.first().map_or(0, |rule| rule.head.len());
            for rule in rules {
                if rule.head.len() != arity {
                    return Err(arity_error(&rule.name, arity, rule.head.len()).at(&rule.place));
                }
                program.check_calls(&rule.body)?;
            }
        }
        program.stratify(watch)?;
        program.inline();
        Ok(program)
    }

    /// Replaces calls by clauses in every body.
    fn inline(&mut self) {
        let inlining = Inlining { rules: &self.rules, plain: &self.plain };
        let expanded = |rule: &Rule| {
            let mut rule = rule.clone();
            rule.body = inlining.expand(&rule.body, &mut rule.names);
            rule
        };
        let rules = self
            .rules
            .iter()
            .map(|(name, rules)| (name.clone(), rules.iter().map(expanded).collect()))
            .collect();
        self.rules = rules;
    }

    /// Clauses with the calls replaced that can be.
    pub(crate) fn expand(&self, clauses: &[Clause], names: &mut Names) -> Vec<Clause> {
        Inlining { rules: &self.rules, plain: &self.plain }.expand(clauses, names)
    }

    /// Whether no other rule depends on this one while this one depends on it.
    pub(crate) fn is_alone(&self, name: &Symbol) -> bool {
        let number = self.component.get(name);
        self.component.iter().all(|(other, component)| other == name || Some(component) != number)
    }

    pub(crate) fn rules(&self, name: &Symbol) -> &[Rule] {
        self.rules.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn arity(&self, name: &Symbol) -> usize {
        self.rules(name).first().map_or(0, |rule| rule.head.len())
    }

    pub(crate) fn component(&self, name: &Symbol) -> Option<usize> {
        self.component.get(name).copied()
    }

    /// Every call names a rule and gives it as many arguments as it takes.
    pub(crate) fn check_calls(&self, clauses: &[Clause]) -> Result<(), Error> {
        let mut wrong = None;
        walk(clauses, &mut |clause| {
            let ClauseKind::Call { rule, terms, .. } = &clause.kind else { return };
            let error = match self.rules.get(rule) {
                None => {
                    let names = self.rules.keys().map(Symbol::as_str);
                    // What is meant as a condition stands in a vector.
                    let nearest = match Builtin::named(rule.as_str()) {
                        Ok(_) => Some(format!("[({rule} …)]")),
                        Err(_) => nearest(rule.as_str(), names.chain(FORMS)).map(str::to_owned),
                    };
                    let name = rule.to_string();
                    Error::new(ErrorKind::UnknownRule { name, nearest })
                }
                Some(_) if self.arity(rule) != terms.len() => {
                    arity_error(rule, self.arity(rule), terms.len())
                }
                Some(_) => return,
            };
            wrong.get_or_insert_with(|| error.at(&clause.place));
        });
        wrong.map_or(Ok(()), Err)
    }

    fn uses(&self) -> BTreeMap<&Symbol, Uses<'_>> {
        let mut all: BTreeMap<&Symbol, Uses<'_>> = BTreeMap::new();
        for (name, rules) in &self.rules {
            let uses = all.entry(name).or_default();
            for rule in rules {
                collect_uses(&rule.body, false, uses);
            }
        }
        all
    }

    fn stratify(&mut self, watch: &Watch) -> Result<(), Error> {
        let uses = self.uses();
        let mut reached: BTreeMap<&Symbol, BTreeSet<&Symbol>> = BTreeMap::new();
        for name in uses.keys() {
            reached.insert(name, reach(name, &uses, watch)?);
        }
        let reaches =
            |from: &Symbol, to: &Symbol| reached.get(from).is_some_and(|set| set.contains(to));
        for (name, used) in &uses {
            for (other, negated) in used {
                if *negated && (other == name || reaches(other, name)) {
                    let cycle = cycle(name, other, &uses);
                    let place = self.rules(name).first().map(|rule| rule.place.clone());
                    let error = Error::new(ErrorKind::Unstratified { cycle });
                    return Err(place.map_or(error.clone(), |place| error.at(&place)));
                }
            }
        }
        let plain = |name: &Symbol| inline::is_plain(self.rules(name)) && !reaches(name, name);
        let plain = uses.keys().map(|name| ((*name).clone(), plain(name))).collect();
        let mut component: HashMap<Symbol, usize> = HashMap::new();
        for name in uses.keys() {
            if component.contains_key(*name) {
                continue;
            }
            let number = component.len();
            for other in uses.keys() {
                watch.tick()?;
                if other == name || (reaches(name, other) && reaches(other, name)) {
                    component.insert((*other).clone(), number);
                }
            }
        }
        (self.component, self.plain) = (component, plain);
        Ok(())
    }

    /// The source of which argument `place` of `rule`, called on source `at`, is an entity.
    pub(crate) fn entity_param(&self, rule: &Symbol, at: usize, place: usize) -> Option<usize> {
        *self.entity.get(&(rule.clone(), at))?.get(place)?
    }
}

impl Env<'_> {
    /// Finds which arguments of rules are entities: the least fixpoint over all rules and sources.
    ///
    /// The program must be of this run alone.
    pub(crate) fn type_rules(&mut self) -> Result<(), Error> {
        let names: Vec<Symbol> = self.program.rules.keys().cloned().collect();
        let sources: Vec<usize> =
            (0..self.data.len()).filter(|at| self.data[*at].is_some()).collect();
        let mut changed = !names.is_empty();
        while changed {
            changed = false;
            for (name, at) in
                names.iter().flat_map(|name| sources.iter().map(move |at| (name, *at)))
            {
                let key = (name.clone(), at);
                let known = self.program.entity.get(&key).cloned();
                // What was found stays found, so that this ends.
                let mut params = known.unwrap_or_else(|| vec![None; self.program.arity(name)]);
                for rule in self.program.rules(name) {
                    self.watch.tick()?;
                    let entities = self.entities(&rule.body, at);
                    for (param, term) in params.iter_mut().zip(&rule.head) {
                        if let Term::Var(var) = term
                            && param.is_none()
                        {
                            *param = entities.get(var).copied();
                        }
                    }
                }
                if self.program.entity.get(&key) != Some(&params)
                    && let Some(program) = Arc::get_mut(&mut self.program)
                {
                    program.entity.insert(key, params);
                    changed = true;
                }
            }
        }
        Ok(())
    }
}

fn arity_error(name: &Symbol, arity: usize, given: usize) -> Error {
    let expected = format!("{arity} argument(s)");
    Error::new(ErrorKind::Arity { name: format!("the rule {name}"), expected, given })
}

fn collect_uses<'r>(clauses: &'r [Clause], negated: bool, into: &mut Uses<'r>) {
    for clause in clauses {
        match &clause.kind {
            ClauseKind::Call { rule, .. } => *into.entry(rule).or_insert(false) |= negated,
            ClauseKind::Not { clauses, .. } => collect_uses(clauses, true, into),
            ClauseKind::Or { branches, .. } => {
                branches.iter().for_each(|branch| collect_uses(branch, negated, into));
            }
            _ => {}
        }
    }
}

fn reach<'r>(
    from: &Symbol,
    uses: &BTreeMap<&'r Symbol, Uses<'r>>,
    watch: &Watch,
) -> Result<BTreeSet<&'r Symbol>, Error> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(name) = waiting.pop() {
        for other in uses.get(name).into_iter().flat_map(|used| used.keys().copied()) {
            watch.tick()?;
            if found.insert(other) {
                waiting.push(other);
            }
        }
    }
    Ok(found)
}

/// A shortest way from `name` over `other` back to `name`.
fn cycle<'r>(
    name: &'r Symbol,
    other: &'r Symbol,
    uses: &BTreeMap<&'r Symbol, Uses<'r>>,
) -> Vec<String> {
    let mut before: BTreeMap<&Symbol, &Symbol> = BTreeMap::new();
    let mut waiting = std::collections::VecDeque::from([other]);
    while let Some(at) = waiting.pop_front() {
        if at == name {
            break;
        }
        for next in uses.get(at).into_iter().flat_map(|used| used.keys().copied()) {
            if next != other && !before.contains_key(next) {
                before.insert(next, at);
                waiting.push_back(next);
            }
        }
    }
    let mut back = vec![name.to_string()];
    let mut at = name;
    while at != other
        && let Some(previous) = before.get(at)
    {
        at = previous;
        back.push(at.to_string());
    }
    back.push(name.to_string());
    back.reverse();
    back.dedup();
    if back.len() == 1 {
        back.push(name.to_string());
    }
    back
}
