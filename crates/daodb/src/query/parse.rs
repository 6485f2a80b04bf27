//! From the tree of a query to what it says.
//!
//! Queries are vectors (`[:find ?e :where …]`) or maps (`{:find [?e] :where […]}`). Every error
//! names the clause and, where the query came from text, its line and column.

mod clause;
mod find;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use datom::Value;

pub(crate) use self::clause::FORMS;
use self::clause::Scope;
use super::ast::{Binding, Clause, Find, Input, Names, OrderBy, Rule, Shape, SourceRef, Var};
use super::error::{Error, Place, nearest};
use super::syntax::{Node, Syntax};

/// A query as parsed.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) shape: Shape,
    pub(crate) find: Vec<Find>,
    /// Where each of them stands.
    pub(crate) find_places: Vec<Arc<Place>>,
    /// Keys of the maps that rows are returned as.
    pub(crate) keys: Option<Vec<Value>>,
    pub(crate) with: Vec<Var>,
    pub(crate) inputs: Vec<Input>,
    /// Where each of them stands.
    pub(crate) input_places: Vec<Arc<Place>>,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) order: Vec<OrderBy>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_rows: Option<u64>,
    pub(crate) names: Names,
    pub(crate) place: Arc<Place>,
}

impl Parsed {
    /// Inputs, and where they stand.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&Input, &Arc<Place>)> {
        self.inputs.iter().zip(&self.input_places)
    }

    /// Whether not all rows are shown.
    pub(crate) fn is_cut(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// Which of so many rows are shown.
    pub(crate) fn window(&self, rows: usize) -> Range<usize> {
        let start = self.offset.min(rows);
        start..start.saturating_add(self.limit.unwrap_or(rows)).min(rows)
    }

    /// The place in `:in` of `$`; where there is none, no place.
    pub(crate) fn default_source(&self) -> usize {
        let is_default = |input: &Input| matches!(input, Input::Source(name) if &**name == "$");
        self.inputs.iter().position(is_default).unwrap_or(usize::MAX)
    }
}

/// The parts of a query.
pub(crate) const SECTIONS: [&str; 12] = [
    "find", "with", "in", "where", "keys", "strs", "syms", "order-by", "limit", "offset",
    "timeout", "max-rows",
];

/// The parts of a query by their keyword. A part of a map form that is no vector is one item.
struct Sections<'s> {
    parts: HashMap<&'static str, Vec<&'s Syntax>>,
}

impl<'s> Sections<'s> {
    fn new(query: &'s Syntax, text: Option<&str>) -> Result<Self, Error> {
        let mut parts: HashMap<&'static str, Vec<&'s Syntax>> = HashMap::new();
        let mut section = |key: &Syntax| -> Result<&'static str, Error> {
            let name = key.keyword().and_then(|k| SECTIONS.iter().find(|s| **s == k));
            let Some(name) = name else {
                let near = key.keyword().and_then(|name| nearest(name, SECTIONS));
                let message = format!(
                    "{} is no part of a query; {}the parts are {}",
                    key.to_value(),
                    near.map(|name| format!("did you mean :{name}? ")).unwrap_or_default(),
                    SECTIONS.map(|s| format!(":{s}")).join(" ")
                );
                return Err(Error::syntax(message).at(&key.place(text)));
            };
            if parts.insert(name, Vec::new()).is_some() {
                return Err(Error::syntax(format!(":{name} comes twice")).at(&key.place(text)));
            }
            Ok(name)
        };
        let mut filled: Vec<(&'static str, Vec<&'s Syntax>)> = Vec::new();
        match &query.node {
            Node::Vector(items) | Node::List(items) => {
                for item in items {
                    // Only keywords that name parts divide; `:asc` and `:desc` belong to :order-by.
                    let ordering = matches!(item.keyword(), Some("asc" | "desc"));
                    if item.keyword().is_some() && !ordering {
                        filled.push((section(item)?, Vec::new()));
                    } else if let Some((_, part)) = filled.last_mut() {
                        part.push(item);
                    } else {
                        let message = "a query begins with :find";
                        return Err(Error::syntax(message).at(&item.place(text)));
                    }
                }
            }
            Node::Map(pairs) => {
                for (key, value) in pairs {
                    let items = match &value.node {
                        Node::Vector(items) | Node::List(items) => items.iter().collect(),
                        _ => vec![value],
                    };
                    filled.push((section(key)?, items));
                }
            }
            Node::Leaf(_) => {
                let message = "a query is a vector or a map, such as [:find ?e :where [?e :name]]";
                return Err(Error::syntax(message).at(&query.place(text)));
            }
        }
        parts.extend(filled);
        Ok(Self { parts })
    }

    fn get(&self, name: &str) -> &[&'s Syntax] {
        self.parts.get(name).map_or(&[], Vec::as_slice)
    }

    /// Where a part stands: what is first in it, or the query where there is nothing in it.
    fn place(&self, name: &str, query: &Syntax, text: Option<&str>) -> Arc<Place> {
        self.get(name).first().map_or_else(|| query.place(text), |first| first.place(text))
    }

    fn has(&self, name: &str) -> bool {
        self.parts.contains_key(name)
    }
}

pub(crate) fn parse(query: &Syntax, text: Option<&str>) -> Result<Parsed, Error> {
    let place = query.place(text);
    let sections = Sections::new(query, text)?;
    if sections.get("find").is_empty() {
        return Err(Error::syntax("a query needs :find with what to return").at(&place));
    }
    let mut names = Names::default();
    let mut sources: Vec<(Arc<str>, usize)> = Vec::new();
    let mut scope = Scope::top();
    let (mut inputs, mut input_places) = (Vec::new(), Vec::new());
    for (position, item) in sections.get("in").iter().enumerate() {
        let input = input(item, &mut names, &mut scope, text)?;
        if let Input::Source(name) = &input {
            if sources.iter().any(|(known, _)| known == name) {
                return Err(Error::syntax(format!("{name} comes twice")).at(&item.place(text)));
            }
            sources.push((name.clone(), position));
        }
        inputs.push(input);
        input_places.push(item.place(text));
    }
    let implicit = !sections.has("in");
    let (shape, found) = find::shape(sections.get("find"), text)?;
    let mut parser =
        clause::Parser { names, sources: &sources, implicit, text, used_default: false };
    let clauses = parser.clauses(sections.get("where"), &mut scope)?;
    let (mut find, mut find_places) = (Vec::new(), Vec::new());
    for item in found {
        let (element, place) = find::element(item, &mut parser, &mut scope)?;
        find.push(element);
        find_places.push(place);
    }
    let mut with = Vec::new();
    for item in sections.get("with") {
        match item.symbol().filter(|name| name.starts_with('?')) {
            Some(name) => with.push(scope.var(name, &mut parser.names)),
            None => return Err(Error::syntax(":with takes variables").at(&item.place(text))),
        }
    }
    if implicit && parser.used_default {
        inputs.push(Input::Source("$".into()));
        input_places.push(place.clone());
    }
    let keys = keys(&sections, find.len(), shape, text, &|name| sections.place(name, query, text))?;
    let order = find::order(sections.get("order-by"), &find, (&scope, &parser.names), text)?;
    let number = |name| {
        number(&sections, name, text).map_err(|error| error.at(&sections.place(name, query, text)))
    };
    Ok(Parsed {
        shape,
        keys,
        with,
        inputs,
        input_places,
        clauses,
        order,
        limit: number("limit")?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        offset: number("offset")?.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        timeout: number("timeout")?.map(Duration::from_millis),
        max_rows: number("max-rows")?,
        find,
        find_places,
        names: parser.names,
        place,
    })
}

/// A part that is one whole number, or nil for none.
fn number(sections: &Sections<'_>, name: &str, text: Option<&str>) -> Result<Option<u64>, Error> {
    match sections.get(name) {
        [] if !sections.has(name) => Ok(None),
        [one] => match &one.node {
            Node::Leaf(Value::Nil) => Ok(None),
            Node::Leaf(Value::Int(n)) if *n >= 0 => Ok(Some(n.unsigned_abs())),
            _ => Err(Error::syntax(format!(":{name} takes a whole number")).at(&one.place(text))),
        },
        _ => Err(Error::syntax(format!(":{name} takes one whole number"))),
    }
}

fn keys(
    sections: &Sections<'_>,
    columns: usize,
    shape: Shape,
    text: Option<&str>,
    place: &dyn Fn(&str) -> Arc<Place>,
) -> Result<Option<Vec<Value>>, Error> {
    let given: Vec<_> = ["keys", "strs", "syms"].into_iter().filter(|s| sections.has(s)).collect();
    let &[kind] = given.as_slice() else {
        return match given.as_slice() {
            [] => Ok(None),
            [.., last] => {
                let error = Error::syntax("only one of :keys, :strs and :syms can be given");
                Err(error.at(&place(last)))
            }
        };
    };
    if !matches!(shape, Shape::Relation | Shape::Tuple) {
        let error = Error::syntax(format!(":{kind} needs a :find of rows or of one row"));
        return Err(error.at(&place(kind)));
    }
    let items = sections.get(kind);
    if items.len() != columns {
        let message = format!(":{kind} has {} names for {columns} columns", items.len());
        return Err(Error::syntax(message).at(&place(kind)));
    }
    let key = |item: &&Syntax| {
        let name = item
            .symbol()
            .or_else(|| item.keyword())
            .ok_or_else(|| Error::syntax(format!(":{kind} takes symbols")).at(&item.place(text)))?;
        Ok(match kind {
            "keys" => Value::keyword(name),
            "strs" => Value::text(name),
            _ => Value::symbol(name),
        })
    };
    items.iter().map(key).collect::<Result<_, _>>().map(Some)
}

fn input(
    item: &Syntax,
    names: &mut Names,
    scope: &mut Scope,
    text: Option<&str>,
) -> Result<Input, Error> {
    Ok(match item.symbol() {
        Some("%") => Input::Rules,
        Some(name) if name.starts_with('$') => Input::Source(name.into()),
        _ => Input::Binding(binding(item, names, scope, text)?),
    })
}

/// `?x`, `_`, `[?x ?y]`, `[?x ...]`, `[[?x ?y]]` and nestings of them.
fn binding(
    item: &Syntax,
    names: &mut Names,
    scope: &mut Scope,
    text: Option<&str>,
) -> Result<Binding, Error> {
    let refuse = || {
        let message = "a binding is ?x, _, [?x ?y], [?x ...] or [[?x ?y]]";
        Error::syntax(message).at(&item.place(text))
    };
    if let Some(name) = item.symbol() {
        return Ok(match name {
            "_" => Binding::Ignore,
            "..." | "." => return Err(refuse()),
            name => Binding::Scalar(scope.var(name, names)),
        });
    }
    let mut inner = |item| binding(item, names, scope, text);
    match item.vector().ok_or_else(refuse)? {
        [] => Err(refuse()),
        [one, dots] if dots.symbol() == Some("...") => {
            Ok(Binding::Collection(Box::new(inner(one)?)))
        }
        [one] if one.vector().is_some() => Ok(Binding::Collection(Box::new(inner(one)?))),
        parts => parts.iter().map(inner).collect::<Result<_, _>>().map(Binding::Tuple),
    }
}

/// A rule set: a vector of rules, each `[(name ?x [?required]) clause …]`.
pub(crate) fn rules(
    rules: &Syntax,
    text: Option<&str>,
    sources: &[(Arc<str>, usize)],
) -> Result<Vec<Rule>, Error> {
    let (Node::Vector(items) | Node::List(items)) = &rules.node else {
        let message = "rules are a vector of rules, such as [[(path ?x ?y) [?x :edge ?y]]]";
        return Err(Error::syntax(message).at(&rules.place(text)));
    };
    items.iter().map(|item| rule(item, text, sources)).collect()
}

fn rule(item: &Syntax, text: Option<&str>, sources: &[(Arc<str>, usize)]) -> Result<Rule, Error> {
    let place = item.place(text);
    let refuse = |message: &str| Error::syntax(message).at(&place);
    let Some([head, body @ ..]) = item.vector() else {
        return Err(refuse("a rule is a vector: [(name ?x ?y) clause …]"));
    };
    let Some([name, params @ ..]) = head.list() else {
        return Err(refuse("a rule begins with its head: (name ?x ?y)"));
    };
    let name = match &name.node {
        Node::Leaf(Value::Symbol(name)) if clause::is_rule_name(name.as_str()) => name.clone(),
        _ => return Err(refuse("a rule's name is a symbol that has no other meaning")),
    };
    if params.is_empty() {
        return Err(refuse("a rule takes at least one argument"));
    }
    let mut scope = Scope::top();
    let mut parser = clause::Parser {
        names: Names::default(),
        sources,
        implicit: true,
        text,
        used_default: false,
    };
    let mut head = Vec::new();
    let mut required = Vec::new();
    for param in params {
        match param.vector() {
            Some(vars) => {
                for var in vars {
                    required.push(head.len());
                    head.push(parser.term(var, &mut scope)?);
                }
            }
            None => head.push(parser.term(param, &mut scope)?),
        }
    }
    let body: Vec<&Syntax> = body.iter().collect();
    let body = parser.clauses(&body, &mut scope)?;
    Ok(Rule { name, head, required, body, names: parser.names, place })
}

impl SourceRef {
    /// The place in `:in` this means where `$` stands at `default`.
    pub(crate) fn resolve(self, default: usize) -> usize {
        match self {
            SourceRef::Default => default,
            SourceRef::Named(at) => at,
        }
    }
}
