//! Source text to AST: EDN forms, special forms, and the sugar over them.
//!
//! 1. Sugar becomes the core forms here, and each node keeps the place of the form it came from.
//! 2. Names the reader makes are in the namespace `yin`, which no program can bind, so sugar
//!    never captures a name of the program and the same source always reads to the same nodes.
//! 3. Depth is bounded by [`crate::ast::DEPTH_MAX`], so reading never overflows the stack.

mod binding;
mod build;
mod control;
mod function;
mod macros;
mod namespace;
mod pattern;
mod scope;
mod sugar;

use std::collections::BTreeMap;
use std::sync::Arc;

use datom::edn::{self, Form, Node as Edn, Span};
use datom::{Symbol, Value};

use crate::ast::{DEPTH_MAX, Node, NodeId, OPERANDS_MAX, Tree, check};
use crate::builtin;
use crate::error::{Error, Kind, Position};
use crate::library::Library;

#[cfg(feature = "python")]
pub(crate) use build::Build;
use macros::Macros;
use scope::Scope;

/// The forms that are no calls. None of these names can be bound.
pub(crate) const SPECIAL: &[&str] = &[
    "let",
    "if",
    "fn",
    "short-fn",
    "def",
    "defn",
    "do",
    "loop",
    "recur",
    "quote",
    "perform",
    "and",
    "or",
    "when",
    "when-not",
    "if-not",
    "if-let",
    "when-let",
    "if-some",
    "when-some",
    "cond",
    "condp",
    "->",
    "->>",
    "try",
    "prompt",
    "control",
    "control-once",
    "binding",
    "letfn",
    "letrec",
    "defmacro",
    "quasiquote",
    "unquote",
    "unquote-splicing",
    "ns",
    "case",
    "for",
    "doseq",
    "dotimes",
    "while",
    "as->",
    "some->",
    "some->>",
    "cond->",
    "cond->>",
    "assert",
    "comment",
    "yin/expansion",
];

/// What a collection in the text becomes; these take any number of operands.
const MAKERS: [&str; 3] = ["yin/vector", "yin/map", "yin/set"];

/// Names that a newcomer from a sister language will try, and what to write instead.
const UNKNOWN: &[(&str, &str)] = &[
    ("set!", "bind a new name with `let`, or pass the value on with `recur`"),
    ("lambda", "write (fn [x] ...)"),
    ("define", "write (def name value) or (defn name [x] ...)"),
    ("import", REQUIRE),
    ("require", REQUIRE),
    ("defn-", "write (defn name [x] ...)"),
    ("declare", "leave it out: definitions see each other"),
    ("println", PRINT),
    ("print", PRINT),
    ("prn", PRINT),
    ("atom", CHANGE),
    ("ref", CHANGE),
    ("swap!", CHANGE),
    ("reset!", CHANGE),
    ("lazy-seq", "nothing is lazy; take elements one by one from a stream, or with `control`"),
    ("ex-info", "write (error :kind \"message\" data)"),
    ("defrecord", "write a map, and say what is in it by a type: [:map :keyword :any]"),
    ("defmulti", "write `case` or `cond`, or keep the functions in a map"),
];
const REQUIRE: &str = "write (ns name (:require [other :as o]))";
const PRINT: &str = "write (perform :console/print value ...)";
const CHANGE: &str = "values never change: pass the new one on with `recur` or `reduce`, keep it in \
                      the store with `vm/store-put`, or state it as facts with `transact!`";

/// What a source text reads to.
pub(crate) struct Reading {
    pub(crate) tree: Tree,
    pub(crate) forms: Vec<NodeId>,
    /// What definitions say they are for.
    pub(crate) docs: BTreeMap<Symbol, Arc<str>>,
}

/// Reads all of a text. The library gives the macros of other namespaces.
pub(crate) fn read(
    program: &Arc<str>,
    source: &Arc<str>,
    library: &dyn Library,
) -> Result<Reading, Error> {
    read_behind(program, source, &[], library)
}

/// Reads all of a text that stands behind others: it sees their namespace, definitions and macros, and
/// they are no part of what is read.
pub(crate) fn read_behind(
    program: &Arc<str>,
    source: &Arc<str>,
    before: &[Arc<str>],
    library: &dyn Library,
) -> Result<Reading, Error> {
    let parse = |source: &Arc<str>| {
        edn::read_program(source).map_err(|error| Error::from_edn(program, source, error))
    };
    let before = before.iter().map(parse).collect::<Result<Vec<_>, _>>()?.concat();
    read_forms(program, source, (&before, &parse(source)?), library)
}

/// Reads forms that were made of a text, by whatever front end, behind others.
pub(crate) fn read_forms(
    program: &Arc<str>,
    source: &Arc<str>,
    (before, forms): (&[Form], &[Form]),
    library: &dyn Library,
) -> Result<Reading, Error> {
    let mut reader = Reader {
        program,
        source,
        library,
        tree: Tree::default(),
        depth: 0,
        scope: Scope::default(),
        macros: Macros::default(),
        docs: BTreeMap::new(),
        has_leftovers: !before.is_empty(),
    };
    reader.scope.note_definitions(before);
    for form in before {
        let root = reader.form(form)?;
        reader.note_form(root);
    }
    reader.scope.note_definitions(forms);
    let mut roots = Vec::with_capacity(forms.len());
    for form in forms {
        let root = reader.form(form)?;
        check(&reader.tree, root).map_err(|flaw| {
            let error = reader.error(reader.tree.span(flaw.node), flaw.message);
            match flaw.help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
        reader.note_form(root);
        roots.push(root);
    }
    let Reader { tree, docs, has_leftovers, .. } = reader;
    let (tree, forms) = if has_leftovers { tree.swept(&roots) } else { (tree, roots) };
    Ok(Reading { tree, forms, docs })
}

struct Reader<'s> {
    program: &'s Arc<str>,
    source: &'s Arc<str>,
    library: &'s dyn Library,
    tree: Tree,
    depth: usize,
    scope: Scope,
    macros: Macros,
    docs: BTreeMap<Symbol, Arc<str>>,
    /// Whether nodes were made that no form uses.
    has_leftovers: bool,
}

type Result1<T> = Result<T, Error>;

impl Reader<'_> {
    fn error(&self, span: Span, message: impl Into<String>) -> Error {
        Error::new(Kind::Syntax, message).at(Position::new(self.program, self.source, span))
    }

    fn add(&mut self, node: Node, span: Span) -> Result1<NodeId> {
        self.tree.add(node, span).ok_or_else(|| self.too_deep(span))
    }

    fn too_deep(&self, span: Span) -> Error {
        self.error(span, format!("forms are nested deeper than {DEPTH_MAX} levels"))
            .help("move the inner part into a function of its own")
    }

    fn literal(&mut self, value: Value, span: Span) -> Result1<NodeId> {
        self.add(Node::Literal(value), span)
    }

    fn int(&mut self, int: usize, span: Span) -> Result1<NodeId> {
        self.literal(Value::Int(int as i64), span)
    }

    fn variable(&mut self, name: &str, span: Span) -> Result1<NodeId> {
        self.add(Node::Variable(name.into()), span)
    }

    /// One form. All recursion of the reader goes through here.
    fn form(&mut self, form: &Form) -> Result1<NodeId> {
        if self.depth >= DEPTH_MAX {
            return Err(self.too_deep(form.span));
        }
        self.depth += 1;
        let node = self.form_inside(form);
        self.depth -= 1;
        node
    }

    fn form_inside(&mut self, form: &Form) -> Result1<NodeId> {
        match &form.node {
            Edn::Symbol(name) => self.name(name, form.span),
            Edn::List(items) => match items.split_first() {
                Some((head, rest)) => self.list(form, head, rest),
                None => self.literal(Value::List(Vec::new()), form.span),
            },
            _ if is_constant(form) => self.literal(form.to_value(), form.span),
            Edn::Vector(items) | Edn::Set(items) => {
                let maker = if matches!(form.node, Edn::Set(_)) { "yin/set" } else { "yin/vector" };
                let operands = self.forms(items)?;
                self.call(maker, operands, form.span)
            }
            Edn::Map(pairs) => {
                let mut operands = Vec::with_capacity(pairs.len() * 2);
                for (key, value) in pairs {
                    operands.push(self.form(key)?);
                    operands.push(self.form(value)?);
                }
                self.call("yin/map", operands, form.span)
            }
            _ => self.literal(form.to_value(), form.span),
        }
    }

    fn forms(&mut self, forms: &[Form]) -> Result1<Vec<NodeId>> {
        forms.iter().map(|form| self.form(form)).collect()
    }

    fn call(&mut self, name: &str, operands: Vec<NodeId>, span: Span) -> Result1<NodeId> {
        let operator = self.variable(name, span)?;
        self.add(Node::Application { operator, operands }, span)
    }

    fn name(&mut self, name: &Symbol, span: Span) -> Result1<NodeId> {
        if SPECIAL.contains(&name.as_str()) {
            let message = format!("`{name}` is a form, not a value");
            return Err(self.error(span, message).help(format!("write ({name} ...)")));
        }
        if self.scope.is_local(name) {
            return self.add(Node::Variable(name.clone()), span);
        }
        let name = self.scope.resolve(name);
        if self.macros.is(&name) {
            let message = format!("`{name}` is a macro, not a value");
            return Err(self.error(span, message).help(format!("write ({name} ...)")));
        }
        if control::is_dynamic(&name) {
            return self.dynamic(&name, span);
        }
        self.add(Node::Variable(name), span)
    }

    fn list(&mut self, form: &Form, head: &Form, rest: &[Form]) -> Result1<NodeId> {
        if let Some(name) = head.as_symbol()
            && !self.scope.is_local(name)
        {
            if SPECIAL.contains(&name.as_str()) {
                return self.special(name.as_str(), form, rest);
            }
            let full = self.scope.resolve(name);
            if self.macros.is(&full) {
                return self.expand(&full, form, rest);
            }
            if !self.scope.is_defined(&full)
                && let Some((_, help)) = UNKNOWN.iter().find(|(name, _)| *name == full.as_str())
            {
                let message = format!("there is no form `{name}` in this language");
                return Err(self.error(head.span, message).help(*help));
            }
        }
        let is_maker = head.as_symbol().is_some_and(|name| MAKERS.contains(&name.as_str()));
        if rest.len() > OPERANDS_MAX && !is_maker {
            let message =
                format!("a call with {} operands; at most {OPERANDS_MAX} are possible", rest.len());
            return Err(self.error(form.span, message).help("pass them as one vector"));
        }
        let operator = self.form(head)?;
        let operands = self.forms(rest)?;
        self.add(Node::Application { operator, operands }, form.span)
    }

    fn special(&mut self, name: &str, form: &Form, rest: &[Form]) -> Result1<NodeId> {
        let span = form.span;
        match name {
            "quote" => {
                let [datum] = self.exactly(span, rest, "(quote value)")?;
                self.literal(datum.to_value(), span)
            }
            "if" => self.conditional(span, rest),
            "do" => self.body(rest, span),
            "let" => self.let_(span, rest),
            "loop" => self.loop_(span, rest),
            "letfn" => self.letfn(span, rest),
            "letrec" => self.letrec(span, rest),
            "recur" => {
                let operands = self.forms(rest)?;
                self.add(Node::Recur { operands }, span)
            }
            "fn" => self.lambda(span, rest),
            "short-fn" => self.short_lambda(span, rest),
            "def" => self.definition(span, rest),
            "defn" => self.function_definition(span, rest),
            "perform" => self.perform(span, rest),
            "try" => self.try_(span, rest),
            "prompt" => self.prompt(span, rest),
            "control" | "control-once" => self.control(name, span, rest),
            "binding" => self.binding(span, rest),
            "ns" => self.namespace(span, rest),
            "defmacro" => self.macro_definition(span, rest),
            "yin/expansion" => self.expansion(span, rest),
            "quasiquote" => self.template(span, rest),
            "unquote" | "unquote-splicing" => Err(self
                .error(span, "`~` stands outside of a template")
                .help("write `(... ~x ...)")),
            _ => self.sugar(name, span, rest),
        }
    }

    /// Operands of a form that takes exactly so many.
    fn exactly<'f, const N: usize>(
        &self,
        span: Span,
        rest: &'f [Form],
        shape: &str,
    ) -> Result1<&'f [Form; N]> {
        rest.try_into().map_err(|_| self.misshapen(span, rest.len(), shape))
    }

    fn misshapen(&self, span: Span, found: usize, shape: &str) -> Error {
        let name = shape.trim_start_matches('(').split(' ').next().unwrap_or("").to_owned();
        let parts = if found == 1 { "1 part" } else { &format!("{found} parts") };
        self.error(span, format!("`{name}` has the wrong shape: {parts} after the name"))
            .help(format!("write {shape}"))
    }

    fn conditional(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let (test, consequent, alternate) = match rest {
            [test, consequent] => (test, consequent, None),
            [test, consequent, alternate] => (test, consequent, Some(alternate)),
            _ => return Err(self.misshapen(span, rest.len(), "(if test then else)")),
        };
        let test = self.form(test)?;
        let consequent = self.form(consequent)?;
        let alternate = match alternate {
            Some(form) => self.form(form)?,
            None => self.literal(Value::Nil, span)?,
        };
        self.add(Node::If { test, consequent, alternate }, span)
    }

    /// Any number of forms as one node.
    fn body(&mut self, forms: &[Form], span: Span) -> Result1<NodeId> {
        match forms {
            [] => self.literal(Value::Nil, span),
            [only] => self.form(only),
            _ => {
                let operands = self.forms(forms)?;
                self.add(Node::Do { operands }, span)
            }
        }
    }

    fn perform(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        const SHAPE: &str = "(perform :namespace/operation operand ...)";
        let Some((op, operands)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, SHAPE));
        };
        let Edn::Keyword(name) = &op.node else {
            return Err(self.error(op.span, "the operation of `perform` must be a keyword").help(
                format!("write {SHAPE}; what a program may ask for is visible in its text"),
            ));
        };
        if operands.len() > OPERANDS_MAX {
            return Err(self.error(span, "too many operands").help("pass them as one vector"));
        }
        let operands = self.forms(operands)?;
        self.add(Node::Perform { op: name.clone(), operands }, span)
    }
}

/// Whether a name can stand for a value where it is written.
pub(crate) fn is_plain(name: &Symbol) -> bool {
    !SPECIAL.contains(&name.as_str()) && name.as_str() != "&" && !control::is_dynamic(name)
}

/// Whether a name can be local. Those in the namespace `yin` are the reader's, and a program that
/// was printed may bind them again, but not the language's own functions.
pub(crate) fn is_bindable(name: &Symbol) -> bool {
    let is_ours = || name.namespace() == Some("yin") && !builtin::is_own(name);
    is_plain(name) && (name.namespace().is_none() || is_ours())
}

/// Whether a name can be defined.
pub(crate) fn is_definable(name: &Symbol) -> bool {
    (is_plain(name) || control::is_dynamic(name)) && name.namespace() != Some("yin")
}

/// Whether a form means the value that is written.
fn is_constant(form: &Form) -> bool {
    match &form.node {
        Edn::Symbol(_) => false,
        Edn::List(items) => items.is_empty(),
        Edn::Vector(items) | Edn::Set(items) => items.iter().all(is_constant),
        Edn::Map(pairs) => pairs.iter().all(|(key, value)| is_constant(key) && is_constant(value)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
