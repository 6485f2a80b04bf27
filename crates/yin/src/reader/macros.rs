//! Macros: functions from forms to forms, run while a source is read.
//!
//! 1. A call of a macro becomes an expansion node: it holds the call as it was written, the name of
//!    the macro and what came out, so provenance is a query and nothing that was written is lost.
//! 2. Macros run on a machine of their own, without a database and without effects, within
//!    [`FUEL`] and [`HEAP_WORDS`]: reading ends, and reads the same everywhere.
//! 3. What a macro makes has the place of the part of the call it is equal to, else of the call.
//! 4. A name that ends in `#` inside of a template is new at each expansion.

use std::collections::BTreeMap;

use datom::edn::{Form, Node as Edn, Span};
use datom::{Symbol, Value};

use super::{Reader, Result1, SPECIAL};
use crate::ast::{Node, NodeId, Tree};
use crate::builtin;
use crate::error::{Error, Kind};
use crate::facts::NoFacts;
use crate::machine::{Limits, Machine, Outcome};
use crate::program::Program;

/// What one expansion may cost.
const FUEL: u64 = 1 << 20;
/// What all macros of a source may hold.
const HEAP_WORDS: usize = 1 << 20;
/// Expansions of one source.
const EXPANSIONS_MAX: usize = 1 << 14;

/// The macros of a source, and the machine that runs them.
#[derive(Default)]
pub(super) struct Macros {
    names: BTreeMap<Symbol, Symbol>,
    /// Definitions that macros may use and that the machine does not know yet.
    pending: Vec<NodeId>,
    machine: Option<Box<Machine>>,
    expansions: usize,
}

impl Macros {
    pub(super) fn is(&self, name: &Symbol) -> bool {
        self.names.contains_key(name)
    }
}

impl Reader<'_> {
    /// `(defmacro name [x] body)` is `(def name (yin/macro (fn [x] body)))`.
    pub(super) fn macro_definition(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let node = self.function_definition(span, rest)?;
        let Node::Definition { name, value } = self.tree.node(node).clone() else {
            return Ok(node);
        };
        self.has_leftovers = true;
        let marked = self.call(builtin::MACRO, vec![value], span)?;
        self.macros.names.insert(name.clone(), name.clone());
        self.add(Node::Definition { name, value: marked }, span)
    }

    /// Notes a form of the source that is done: macros behind it may use what it defines.
    pub(super) fn note_form(&mut self, id: NodeId) {
        if let Node::Definition { value, .. } = self.tree.node(id)
            && is_still(&self.tree, *value)
        {
            self.macros.pending.push(id);
        }
    }

    /// Makes the macros of another program known here.
    pub(super) fn import_macros(&mut self, program: &Program, referred: &dyn Fn(&Symbol) -> bool) {
        let mut found = Vec::new();
        for &form in program.forms() {
            let Node::Definition { name, value } = program.tree().node(form) else { continue };
            if is_macro(program.tree(), *value) {
                self.macros.names.insert(name.clone(), name.clone());
                let plain: Symbol = name.name().into();
                if referred(&plain) {
                    self.macros.names.insert(plain, name.clone());
                }
            }
            if is_still(program.tree(), *value) {
                found.push(self.tree.graft(program.tree(), form));
            }
        }
        self.has_leftovers = true;
        self.macros.pending.extend(found.into_iter().flatten());
    }

    fn expander(&mut self, span: Span) -> Result1<Box<Machine>> {
        let machine = self.macros.machine.take();
        let mut machine = machine.unwrap_or_else(|| {
            Box::new(Machine::new(NoFacts, Limits::default().heap_words(HEAP_WORDS)))
        });
        let pending = std::mem::take(&mut self.macros.pending);
        let program = Program::of_parts(self.program, self.source, &self.tree, &pending);
        let failed = |reader: &Self, error: Error| {
            reader.error(span, format!("a definition before this macro fails: {}", error.message))
        };
        machine.start(&program).map_err(|error| failed(self, error))?;
        match machine.run(FUEL) {
            Outcome::Done(_) => Ok(machine),
            Outcome::Failed(error) => Err(failed(self, error)),
            _ => Err(self.error(span, "the definitions before this macro take too long")),
        }
    }

    /// Expands a call and reads what comes out.
    pub(super) fn expand(&mut self, name: &Symbol, form: &Form, rest: &[Form]) -> Result1<NodeId> {
        let name = self.macros.names.get(name).unwrap_or(name).clone();
        let expanded = self.expanded(&name, form, rest)?;
        let body = self.form(&expanded)?;
        self.add(Node::Expansion { name, call: form.to_value(), body }, form.span)
    }

    /// The form that a call becomes. Apart from [`Reader::expand`], which is part of the recursion
    /// of the reader and must not take much of the stack.
    #[inline(never)]
    fn expanded(&mut self, name: &Symbol, form: &Form, rest: &[Form]) -> Result1<Form> {
        self.macros.expansions += 1;
        if self.macros.expansions > EXPANSIONS_MAX {
            return Err(self
                .error(form.span, format!("more than {EXPANSIONS_MAX} macros are expanded here"))
                .help("a macro must not expand to itself for ever"));
        }
        let mut machine = self.expander(form.span)?;
        let arguments = rest.iter().map(Form::to_value).collect();
        let expanded = called(&mut machine, name, arguments);
        machine.abandon();
        self.macros.machine = Some(machine);
        let value = expanded.map_err(|error| {
            let place = error.position.map(|place| format!(" at {place}")).unwrap_or_default();
            self.error(form.span, format!("the macro `{name}` fails{place}: {}", error.message))
        })?;
        let mut places = BTreeMap::new();
        rest.iter().for_each(|form| note_places(form, &mut places));
        placed(&value, form.span, &places)
            .map_err(|what| self.error(form.span, format!("the macro `{name}` makes {what}")))
    }

    /// `(yin/expansion name call body)`: how an expansion is written when it is printed.
    pub(super) fn expansion(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let [name, call, body] = rest else {
            return Err(self.misshapen(span, rest.len(), "(yin/expansion name call body)"));
        };
        let Some(name) = name.as_symbol().cloned() else {
            return Err(self.error(name.span, "the name of a macro is wanted here"));
        };
        let call = call.to_value();
        let body = self.form(body)?;
        self.add(Node::Expansion { name, call, body }, span)
    }

    /// A template: everything is quoted but what `~` and `~@` mark.
    pub(super) fn template(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let [form] = rest else {
            return Err(self.misshapen(span, rest.len(), "(quasiquote form)"));
        };
        let mut fresh = BTreeMap::new();
        let node = self.part(form, &mut fresh)?;
        if fresh.is_empty() {
            return Ok(node);
        }
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (written, name) in fresh {
            let stem = written.as_str().trim_end_matches('#');
            let stem = self.literal(Value::text(stem), span)?;
            values.push(self.call(builtin::FRESH, vec![stem], span)?);
            names.push(name);
        }
        self.add(Node::Let { names, values, body: node }, span)
    }

    /// Recursion is as deep as the form, which the EDN reader bounds; what it makes is bounded by
    /// the tree.
    fn part(&mut self, form: &Form, fresh: &mut BTreeMap<Symbol, Symbol>) -> Result1<NodeId> {
        let span = form.span;
        match &form.node {
            Edn::Symbol(name) if name.as_str().ends_with('#') => {
                let new = Symbol::from(format!("yin/new{}", fresh.len()).as_str());
                let new = fresh.entry(name.clone()).or_insert(new).clone();
                self.add(Node::Variable(new), span)
            }
            Edn::Symbol(name) => {
                let is_special = SPECIAL.contains(&name.as_str());
                let name = if is_special { name.clone() } else { self.scope.resolve(name) };
                self.literal(Value::Symbol(name), span)
            }
            Edn::List(items) => match items.as_slice() {
                [] => self.literal(Value::List(Vec::new()), span),
                [head, inner] if is_mark(head, "unquote") => self.form(inner),
                _ => self.spliced(items, fresh, span),
            },
            Edn::Vector(items) => {
                let list = self.spliced(items, fresh, span)?;
                self.call("yin/vec", vec![list], span)
            }
            Edn::Set(items) => {
                let list = self.spliced(items, fresh, span)?;
                self.call("yin/set-of", vec![list], span)
            }
            Edn::Map(pairs) => {
                let items: Vec<Form> =
                    pairs.iter().flat_map(|(k, v)| [k.clone(), v.clone()]).collect();
                let list = self.spliced(&items, fresh, span)?;
                self.call("yin/map-of", vec![list], span)
            }
            _ => self.literal(form.to_value(), span),
        }
    }

    fn spliced(
        &mut self,
        items: &[Form],
        fresh: &mut BTreeMap<Symbol, Symbol>,
        span: Span,
    ) -> Result1<NodeId> {
        let mut parts = Vec::new();
        for item in items {
            parts.push(match item.as_slice() {
                Some([head, inner])
                    if matches!(item.node, Edn::List(_)) && is_mark(head, "unquote-splicing") =>
                {
                    self.form(inner)?
                }
                _ => {
                    let part = self.part(item, fresh)?;
                    self.call("yin/vector", vec![part], item.span)?
                }
            });
        }
        self.call("yin/list-of", parts, span)
    }
}

/// What a macro answers with.
fn called(machine: &mut Machine, name: &Symbol, arguments: Vec<Value>) -> Result<Value, Error> {
    let failed = |message: &str| Error::new(Kind::Limit, message);
    let program = Program::of_macro_call(name, arguments)
        .ok_or_else(|| failed("its operands are too many"))?;
    machine.start(&program)?;
    match machine.run(FUEL) {
        Outcome::Done(value) => Ok(value),
        Outcome::Failed(error) => Err(error),
        Outcome::OutOfFuel => Err(failed("it takes too long")),
        _ => Err(failed("it asks for something of the world")),
    }
}

fn is_mark(form: &Form, name: &str) -> bool {
    form.as_symbol().is_some_and(|symbol| symbol.as_str() == name)
}

/// Whether a value is marked as a macro.
fn is_macro(tree: &Tree, value: NodeId) -> bool {
    let Node::Application { operator, .. } = tree.node(value) else { return false };
    matches!(tree.node(*operator), Node::Variable(name) if name.as_str() == builtin::MACRO)
}

/// Whether a definition's value can be made without running code of the program.
fn is_still(tree: &Tree, value: NodeId) -> bool {
    matches!(tree.node(value), Node::Lambda { .. } | Node::Literal(_)) || is_macro(tree, value)
}

/// Where each part of a call stands that could come out of the macro again.
fn note_places(form: &Form, places: &mut BTreeMap<Value, Span>) {
    if let Some(items) = form.as_slice() {
        places.entry(form.to_value()).or_insert(form.span);
        items.iter().for_each(|item| note_places(item, places));
    } else if let Edn::Map(pairs) = &form.node {
        places.entry(form.to_value()).or_insert(form.span);
        pairs.iter().flat_map(|(k, v)| [k, v]).for_each(|item| note_places(item, places));
    } else if form.as_symbol().is_some() {
        places.entry(form.to_value()).or_insert(form.span);
    }
}

/// A value as a form. Recursion is as deep as the value, which the machine bounds.
fn placed(value: &Value, outer: Span, places: &BTreeMap<Value, Span>) -> Result<Form, String> {
    let span = places.get(value).copied().unwrap_or(outer);
    let all = |items: &[Value]| -> Result<Vec<Form>, String> {
        items.iter().map(|item| placed(item, span, places)).collect()
    };
    let node = match value {
        Value::Nil => Edn::Nil,
        Value::Bool(x) => Edn::Bool(*x),
        Value::Char(x) => Edn::Char(*x),
        Value::Int(x) => Edn::Int(*x),
        Value::BigInt(x) => Edn::BigInt(x.clone()),
        Value::Float(x) => Edn::Float(*x),
        Value::Keyword(x) => Edn::Keyword(x.clone()),
        Value::Symbol(x) => Edn::Symbol(x.clone()),
        Value::Instant(x) => Edn::Instant(*x),
        Value::Text(x) => Edn::Text(x.clone()),
        Value::Bytes(x) => Edn::Bytes(x.clone()),
        Value::Uuid(x) => Edn::Uuid(*x),
        Value::Hash(x) => Edn::Hash(*x),
        Value::Vector(items) => Edn::Vector(all(items)?),
        Value::List(items) => Edn::List(all(items)?),
        Value::Set(items) => Edn::Set(all(&items.iter().cloned().collect::<Vec<_>>())?),
        Value::Map(map) => Edn::Map(
            map.iter()
                .map(|(k, v)| Ok((placed(k, span, places)?, placed(v, span, places)?)))
                .collect::<Result<_, String>>()?,
        ),
        Value::Ref(_) => return Err("an entity, which no source can name".to_owned()),
        Value::Tagged(tag, _) if tag.as_str().starts_with("yin/") => {
            return Err("a function or an error, which is no form".to_owned());
        }
        Value::Tagged(tag, inner) => {
            Edn::Tagged(tag.clone(), Box::new(placed(inner, span, places)?))
        }
    };
    Ok(Form { node, span })
}
