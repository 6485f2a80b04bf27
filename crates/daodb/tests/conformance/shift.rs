//! Which integers of a case are entities, and the case with them shifted.

use std::collections::{BTreeMap, BTreeSet};

use datom::Value;

/// Added to every entity id of a fixture.
pub(crate) const SHIFT: i64 = 1_000_000;

/// Variables that are entities, by name; and the same for the arguments of rules.
#[derive(Default)]
pub(crate) struct Entities {
    vars: BTreeSet<String>,
    rules: BTreeMap<String, BTreeSet<usize>>,
}

fn symbol(value: &Value) -> Option<&str> {
    value.as_symbol().map(|symbol| symbol.as_str())
}

fn var(value: &Value) -> Option<&str> {
    symbol(value).filter(|name| name.starts_with('?'))
}

/// `refs`: the attributes whose values are entities.
pub(crate) struct Shifter<'r> {
    pub(crate) refs: &'r BTreeSet<String>,
}

impl Shifter<'_> {
    fn is_ref(&self, attribute: Option<&Value>) -> bool {
        matches!(attribute, Some(Value::Keyword(name)) if self.refs.contains(name.as_str()))
    }

    /// The entity variables of a rule set's arguments: a fixpoint, for rules call rules.
    pub(crate) fn rules(&self, rules: &Value) -> Entities {
        let mut found = Entities::default();
        for _ in 0..8 {
            for rule in rules.as_slice().unwrap_or_default() {
                let Some([head, body @ ..]) = rule.as_slice() else { continue };
                let mut inner = Entities { vars: BTreeSet::new(), rules: found.rules.clone() };
                body.iter().for_each(|clause| self.clause(clause, &mut inner));
                let Some([name, params @ ..]) = head.as_slice() else { continue };
                let flat: Vec<&Value> = params
                    .iter()
                    .flat_map(|p| match p {
                        Value::Vector(required) => required.iter().collect(),
                        other => vec![other],
                    })
                    .collect();
                for (at, param) in flat.into_iter().enumerate() {
                    if var(param).is_some_and(|name| inner.vars.contains(name)) {
                        let name = symbol(name).unwrap_or_default().to_owned();
                        found.rules.entry(name).or_default().insert(at);
                    }
                }
            }
        }
        found
    }

    pub(crate) fn query(&self, clauses: &[Value], rules: Entities) -> Entities {
        let mut found = rules;
        clauses.iter().for_each(|clause| self.clause(clause, &mut found));
        found
    }

    fn clause(&self, clause: &Value, found: &mut Entities) {
        match clause {
            Value::Vector(terms) => {
                let terms = match terms.first() {
                    Some(Value::List(_)) | None => return,
                    Some(first) if symbol(first).is_some_and(|s| s.starts_with('$')) => return,
                    Some(_) => terms.as_slice(),
                };
                let mut note = |term: Option<&Value>| {
                    found.vars.extend(term.and_then(var).map(str::to_owned));
                };
                note(terms.first());
                if self.is_ref(terms.get(1)) {
                    note(terms.get(2));
                }
            }
            Value::List(items) => {
                let Some((first, rest)) = items.split_first() else { return };
                let name = symbol(first).unwrap_or_default();
                if let Some(places) = found.rules.get(name).cloned() {
                    for (at, term) in rest.iter().enumerate() {
                        if places.contains(&at) {
                            found.vars.extend(var(term).map(str::to_owned));
                        }
                    }
                } else if !name.starts_with('$') {
                    rest.iter().for_each(|item| self.clause(item, found));
                }
            }
            _ => {}
        }
    }

    /// A clause with its entities shifted.
    pub(crate) fn shifted(&self, clause: &Value, entities: &Entities) -> Value {
        match clause {
            Value::Vector(terms) => match terms.split_first() {
                Some((Value::List(call), rest)) => {
                    let about = call.iter().filter_map(var).any(|v| entities.vars.contains(v));
                    let call = call.iter().map(|arg| if about { shift(arg) } else { arg.clone() });
                    let mut all = vec![Value::List(call.collect())];
                    all.extend_from_slice(rest);
                    Value::Vector(all)
                }
                Some((first, _)) if symbol(first).is_some_and(|s| s.starts_with('$')) => {
                    clause.clone()
                }
                _ => {
                    let is_ref = self.is_ref(terms.get(1));
                    let moved = terms.iter().enumerate().map(|(at, term)| {
                        if at == 0 || (at == 2 && is_ref) { shift(term) } else { term.clone() }
                    });
                    Value::Vector(moved.collect())
                }
            },
            Value::List(items) => {
                let Some((first, rest)) = items.split_first() else { return clause.clone() };
                let name = symbol(first).unwrap_or_default();
                let mut all = vec![first.clone()];
                match entities.rules.get(name) {
                    Some(places) => all.extend(rest.iter().enumerate().map(|(at, term)| {
                        if places.contains(&at) { shift(term) } else { term.clone() }
                    })),
                    None if name.starts_with('$') => all.extend_from_slice(rest),
                    None => all.extend(rest.iter().map(|item| self.shifted(item, entities))),
                }
                Value::List(all)
            }
            other => other.clone(),
        }
    }

    /// An input with its entities shifted.
    pub(crate) fn input(&self, binding: &Value, input: &Value, entities: &Entities) -> Value {
        match (binding, input) {
            (Value::Symbol(name), input) if entities.vars.contains(name.as_str()) => shift(input),
            (Value::Vector(parts), Value::Vector(items)) => {
                let dots = |v: &Value| symbol(v) == Some("...");
                let moved = match parts.as_slice() {
                    [one, end] if dots(end) => {
                        items.iter().map(|item| self.input(one, item, entities)).collect()
                    }
                    [one @ Value::Vector(_)] => {
                        items.iter().map(|item| self.input(one, item, entities)).collect()
                    }
                    parts => {
                        let mut moved: Vec<Value> = items.clone();
                        for (item, part) in moved.iter_mut().zip(parts) {
                            *item = self.input(part, item, entities);
                        }
                        moved
                    }
                };
                Value::Vector(moved)
            }
            (_, input) => input.clone(),
        }
    }
}

/// An integer as the shifted entity id; anything else as it is.
pub(crate) fn shift(value: &Value) -> Value {
    match value {
        Value::Int(id) if *id >= 0 => Value::Int(id + SHIFT),
        other => other.clone(),
    }
}
