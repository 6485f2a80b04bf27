//! Datoms to AST. What comes from a database is not trusted: anybody may have written it.
//!
//! 1. A node is accepted only if the hash it has is the hash of its content, so an AST that was
//!    edited in place, or made by hand and wrongly, is refused with the node's name.
//! 2. Cycles, dangling references, wrong types, depth and size all end in an error.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use datom::edn::Span;
use datom::{Keyword, Symbol, Value};

use super::Program;
use super::positions::Positions;
use super::universal::is_call;
use crate::ast::{DEPTH_MAX, Node, NodeId, Tree, check};
use crate::error::{Error, Kind};

/// A program has at most so many nodes, counted once for each place in the source.
const NODES_MAX: usize = 1 << 20;

/// Where programs are loaded from: a database at one moment.
pub trait Code {
    /// What is known of an entity, as a map from attributes to values with `:db/id`; `None` if
    /// there is no such entity. It is named by a [`Value::Ref`], a lookup ref or an ident.
    ///
    /// # Errors
    /// Why the database cannot tell.
    fn entity(&self, name: &Value) -> Result<Option<Value>, String>;
}

type Result1<T> = Result<T, Error>;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Code, message).help(
        "store programs with `Program::transaction`; an edit is new nodes, never changed ones",
    )
}

impl Program {
    /// Loads a program from its datoms.
    ///
    /// # Errors
    /// [`Kind::Code`] if there is no such program or its AST is damaged, naming the node;
    /// [`Kind::Database`] if the database fails.
    pub fn load(code: &(impl Code + ?Sized), entity: &Value) -> Result<Self, Error> {
        let mut loader = Loader {
            code,
            known: BTreeMap::new(),
            tree: Tree::default(),
            path: Vec::new(),
            positions: None,
        };
        let root = loader.fetch(entity)?;
        let text = |attribute| match root.get(attribute) {
            Some(Value::Text(text)) => Ok(text.clone()),
            _ => Err(wrong(format!("entity {entity} is no program: it has no text :{attribute}"))),
        };
        let (name, source) = (text("yin.program/name")?, text("yin.program/source")?);
        let order = root.hashes("yin.program/order")?;
        if let Some(Value::Bytes(bytes)) = root.get("yin.program/positions") {
            loader.positions = Some((bytes.clone(), source.len()));
        }
        let forms = loader.forms(&order)?;
        let docs = docs(root.get("yin.program/docs"));
        let program = Self { name, source, tree: loader.tree, forms, docs, hash: OnceLock::new() };
        for &form in &program.forms {
            check(&program.tree, form).map_err(|flaw| {
                let error = wrong(flaw.message);
                match program.position(flaw.node) {
                    Some(position) => error.at(position),
                    None => error,
                }
            })?;
        }
        match root.get("yin.program/hash") {
            Some(Value::Hash(hash)) if *hash == program.hash() => Ok(program),
            _ => Err(wrong(format!("program {entity} is not what its :yin.program/hash says"))),
        }
    }
}

/// What is no text under a symbol is left out.
fn docs(value: Option<&Value>) -> BTreeMap<Symbol, Arc<str>> {
    let Some(Value::Map(map)) = value else { return BTreeMap::new() };
    let known = map.iter().filter_map(|(name, text)| match (name, text) {
        (Value::Symbol(name), Value::Text(text)) => Some((name.clone(), text.clone())),
        _ => None,
    });
    known.collect()
}

/// What is known of an entity.
struct Facts {
    map: BTreeMap<Value, Value>,
    name: Value,
}

impl Facts {
    fn get(&self, attribute: &str) -> Option<&Value> {
        self.map.get(&Value::keyword(attribute))
    }

    fn id(&self) -> &Value {
        self.get("db/id").unwrap_or(&self.name)
    }

    fn missing(&self, attribute: &str, wanted: &str) -> Error {
        let found = match self.get(attribute) {
            Some(value) => value.kind(),
            None => "nothing",
        };
        wrong(format!("node {} wants {wanted} as :{attribute}, not {found}", self.id()))
    }

    fn symbol(&self, attribute: &str) -> Result1<Option<Symbol>> {
        match self.get(attribute) {
            None => Ok(None),
            Some(Value::Symbol(name)) => Ok(Some(name.clone())),
            Some(_) => Err(self.missing(attribute, "a symbol")),
        }
    }

    fn name(&self) -> Result1<Symbol> {
        self.symbol("yin/name")?.ok_or_else(|| self.missing("yin/name", "a symbol"))
    }

    fn keyword(&self, attribute: &str) -> Result1<Keyword> {
        match self.get(attribute) {
            Some(Value::Keyword(name)) => Ok(name.clone()),
            _ => Err(self.missing(attribute, "a keyword")),
        }
    }

    fn tuple(&self, attribute: &str) -> Result1<&[Value]> {
        match self.get(attribute).and_then(Value::as_slice) {
            Some(items) => Ok(items),
            None => Err(self.missing(attribute, "a tuple")),
        }
    }

    fn symbols(&self, attribute: &str) -> Result1<Vec<Symbol>> {
        self.tuple(attribute)?
            .iter()
            .map(|item| item.as_symbol().cloned())
            .collect::<Option<_>>()
            .ok_or_else(|| self.missing(attribute, "a tuple of symbols"))
    }

    /// A tuple of hashes, as the lookup refs of their nodes.
    fn hashes(&self, attribute: &str) -> Result1<Vec<Value>> {
        let lookup = |hash: &Value| match hash {
            Value::Hash(_) => Some(Value::Vector(vec![Value::keyword("yin/hash"), hash.clone()])),
            _ => None,
        };
        self.tuple(attribute)?
            .iter()
            .map(lookup)
            .collect::<Option<_>>()
            .ok_or_else(|| self.missing(attribute, "a tuple of hashes"))
    }

    fn reference(&self, attribute: &str) -> Result1<Value> {
        match self.get(attribute) {
            Some(Value::Ref(id)) => Ok(Value::Ref(*id)),
            Some(map @ Value::Map(_)) => {
                map.get("db/id").cloned().ok_or_else(|| self.missing(attribute, "a reference"))
            }
            _ => Err(self.missing(attribute, "a reference")),
        }
    }
}

struct Loader<'c, C: Code + ?Sized> {
    code: &'c C,
    known: BTreeMap<Value, Arc<Facts>>,
    tree: Tree,
    /// The nodes that are being loaded, outermost first.
    path: Vec<Value>,
    /// The bytes of the positions and the length of the source.
    positions: Option<(Arc<[u8]>, usize)>,
}

impl<C: Code + ?Sized> Loader<'_, C> {
    fn fetch(&mut self, name: &Value) -> Result1<Arc<Facts>> {
        if let Some(facts) = self.known.get(name) {
            return Ok(facts.clone());
        }
        let found =
            self.code.entity(name).map_err(|message| Error::new(Kind::Database, message))?;
        let Some(Value::Map(map)) = found else {
            return Err(wrong(format!("there is no node {name}")));
        };
        let facts = Arc::new(Facts { map, name: name.clone() });
        self.known.insert(name.clone(), facts.clone());
        Ok(facts)
    }

    fn forms(&mut self, order: &[Value]) -> Result1<Vec<NodeId>> {
        let positions = self.positions.take();
        let mut spans =
            positions.as_ref().map(|(bytes, source_bytes)| Positions::new(bytes, *source_bytes));
        order.iter().map(|form| self.node(form, &mut spans)).collect()
    }

    /// A node and all below it, in the order of their positions.
    fn node(&mut self, name: &Value, spans: &mut Option<Positions<'_>>) -> Result1<NodeId> {
        let facts = self.fetch(name)?;
        let id = facts.id().clone();
        if self.path.contains(&id) {
            return Err(wrong(format!("node {id} contains itself")));
        }
        if self.path.len() >= DEPTH_MAX {
            return Err(wrong(format!("node {id} is nested deeper than {DEPTH_MAX} levels")));
        }
        if self.tree.len() >= NODES_MAX {
            return Err(wrong(format!("the program has more than {NODES_MAX} nodes")));
        }
        let span = spans.as_mut().and_then(Positions::next).unwrap_or_default();
        self.path.push(id);
        let node = self.content(&facts, spans)?;
        self.path.pop();
        self.add(&facts, node, span)
    }

    fn add(&mut self, facts: &Facts, node: Node, span: Span) -> Result1<NodeId> {
        let id = self
            .tree
            .add(node, span)
            .ok_or_else(|| wrong(format!("node {} is nested too deeply", facts.id())))?;
        match facts.get("yin/hash") {
            Some(Value::Hash(hash)) if *hash == self.tree.hash(id) => Ok(id),
            Some(Value::Hash(_)) => {
                Err(wrong(format!("node {} is not what its :yin/hash says", facts.id())))
            }
            _ => Err(facts.missing("yin/hash", "the hash of its content")),
        }
    }

    fn child(
        &mut self,
        facts: &Facts,
        attribute: &str,
        spans: &mut Option<Positions<'_>>,
    ) -> Result1<NodeId> {
        let name = facts.reference(attribute)?;
        self.node(&name, spans)
    }

    fn operands(
        &mut self,
        facts: &Facts,
        spans: &mut Option<Positions<'_>>,
    ) -> Result1<Vec<NodeId>> {
        let order = facts.hashes("yin/order")?;
        order.iter().map(|name| self.node(name, spans)).collect()
    }

    fn content(&mut self, facts: &Facts, spans: &mut Option<Positions<'_>>) -> Result1<Node> {
        let kind = facts.keyword("yin/type")?;
        let name = match kind.namespace() {
            Some("yin.type") => kind.name(),
            _ if is_call(kind.as_str()) => "application",
            _ => "",
        };
        Ok(match name {
            "literal" => Node::Literal(facts.get("yin/value").cloned().unwrap_or(Value::Nil)),
            "variable" => Node::Variable(facts.name()?),
            "lambda" => Node::Lambda {
                own: facts.symbol("yin/own")?,
                params: facts.symbols("yin/params")?,
                rest: facts.symbol("yin/rest")?,
                body: self.child(facts, "yin/body", spans)?,
            },
            "application" => Node::Application {
                operator: self.child(facts, "yin/operator", spans)?,
                operands: self.operands(facts, spans)?,
            },
            "if" => Node::If {
                test: self.child(facts, "yin/test", spans)?,
                consequent: self.child(facts, "yin/consequent", spans)?,
                alternate: self.child(facts, "yin/alternate", spans)?,
            },
            "let" | "loop" => {
                let names = facts.symbols("yin/params")?;
                let values = self.operands(facts, spans)?;
                let body = self.child(facts, "yin/body", spans)?;
                match name {
                    "let" => Node::Let { names, values, body },
                    _ => Node::Loop { names, values, body },
                }
            }
            "recur" => Node::Recur { operands: self.operands(facts, spans)? },
            "do" => Node::Do { operands: self.operands(facts, spans)? },
            "definition" => Node::Definition {
                name: facts.name()?,
                value: self.child(facts, "yin/definition-of", spans)?,
            },
            "expansion" => Node::Expansion {
                name: facts
                    .symbol("yin/macro")?
                    .ok_or_else(|| facts.missing("yin/macro", "the name of a macro"))?,
                call: facts.get("yin/value").cloned().unwrap_or(Value::Nil),
                body: self.child(facts, "yin/body", spans)?,
            },
            "perform" => Node::Perform {
                op: facts.keyword("yin/op")?,
                operands: self.operands(facts, spans)?,
            },
            _ => {
                return Err(wrong(format!("node {} has the unknown :yin/type {kind}", facts.id())));
            }
        })
    }
}
