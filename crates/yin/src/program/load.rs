//! Datoms to AST. What comes from a database is not trusted: anybody may have written it.
//!
//! 1. A node is accepted only if the hash it has is the hash of its content, so an AST that was
//!    edited in place, or made by hand and wrongly, is refused with the node's name.
//! 2. Cycles, dangling references, wrong types, depth and size all end in an error.
//! 3. An entity is read and hashed once, however many places of the program it stands at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use datom::{Keyword, Symbol, Value};

use super::Program;
use super::positions::Positions;
use super::universal::is_call;
use crate::ast::{DEPTH_MAX, Node, NodeId, Tree, check};
use crate::error::{Error, Kind, Position};

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

    /// The same as facts one by one, in any order, without `:db/id`: of an attribute of cardinality many each
    /// value by itself or all in a set, references as [`Value::Ref`] or as maps with `:db/id`. Databases
    /// that need not make a map of an entity are read faster so.
    ///
    /// # Errors
    /// As [`Code::entity`].
    fn facts(&self, name: &Value) -> Result<Option<(Value, AttributeValues)>, String> {
        let Some(Value::Map(map)) = self.entity(name)? else { return Ok(None) };
        let mut id = name.clone();
        let mut facts = Vec::with_capacity(map.len());
        for (attribute, value) in map {
            match attribute {
                Value::Keyword(attribute) if attribute.as_str() == "db/id" => id = value,
                Value::Keyword(attribute) => facts.push((attribute, value)),
                _ => {}
            }
        }
        Ok(Some((id, facts)))
    }
}

/// Attributes of an entity with their values.
pub type AttributeValues = Vec<(Keyword, Value)>;

type Result1<T> = Result<T, Error>;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Kind::Code, message).help(
        "store programs with `Program::transaction`; an edit is new nodes, never changed ones",
    )
}

fn nobody() -> Error {
    wrong("there is no node")
}

fn too_deep(id: &Value) -> Error {
    wrong(format!("node {id} is nested deeper than {DEPTH_MAX} levels"))
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
            names: HashMap::new(),
            known: Vec::new(),
            met: 0,
            tree: Tree::default(),
        };
        let root = loader.fetch(entity, String::new)?;
        let text = |attribute| match root.get(attribute) {
            Some(Value::Text(text)) => Ok(text.clone()),
            _ => Err(wrong(format!("entity {entity} is no program: it has no text :{attribute}"))),
        };
        let (name, source) = (text("yin.program/name")?, text("yin.program/source")?);
        let order = root.hashes("yin.program/order")?;
        let spans = match root.get("yin.program/positions") {
            Some(Value::Bytes(bytes)) => Some(Positions::new(bytes, source.len())),
            _ => None,
        };
        let mut left = spans.clone();
        let forms = order.iter().map(|form| {
            loader.form(*form, &mut left).map_err(|error| {
                match spans.clone().and_then(|mut spans| spans.nth(loader.met)) {
                    Some(span) => error.at(Position::new(&name, &source, span)),
                    None => error,
                }
            })
        });
        let forms = forms.collect::<Result1<_>>()?;
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
    id: Value,
    facts: AttributeValues,
}

impl Facts {
    fn get(&self, attribute: &str) -> Option<&Value> {
        let mut facts = self.facts.iter();
        facts.find(|(known, _)| known.as_str() == attribute).map(|(_, value)| value)
    }

    fn missing(&self, attribute: &str, wanted: &str) -> Error {
        let found = match self.get(attribute) {
            Some(value) => value.kind(),
            None => "nothing",
        };
        wrong(format!("node {} wants {wanted} as :{attribute}, not {found}", self.id))
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

    fn hashes(&self, attribute: &str) -> Result1<Vec<[u8; 32]>> {
        let hash = |hash: &Value| match hash {
            Value::Hash(hash) => Some(*hash),
            _ => None,
        };
        self.tuple(attribute)?
            .iter()
            .map(hash)
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

/// What a node is asked for as.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Hash([u8; 32]),
    Entity(Value),
}

impl Name {
    fn value(&self) -> Value {
        match self {
            Name::Hash(hash) => Value::Vector(vec![Value::keyword("yin/hash"), Value::Hash(*hash)]),
            Name::Entity(entity) => entity.clone(),
        }
    }
}

/// An entity that is a node.
struct Known {
    id: Value,
    /// The node, its children not yet places of the tree.
    node: Node,
    /// The children among what is known, in the order of [`Node::children`].
    children: Vec<usize>,
    /// How many levels of nodes it is.
    depth: usize,
    /// How many places of the program it and what is below it take.
    places: usize,
    hash: [u8; 32],
    /// Whether the hash is that of its content.
    is_proven: bool,
}

/// A node whose children are being read.
struct Open {
    name: Name,
    id: Value,
    node: Node,
    wanted: Vec<Name>,
    children: Vec<usize>,
    hash: [u8; 32],
}

struct Loader<'c, C: Code + ?Sized> {
    code: &'c C,
    names: HashMap<Name, usize>,
    known: Vec<Known>,
    /// How many places stand, in their order, before the one that is looked at.
    met: usize,
    tree: Tree,
}

impl<C: Code + ?Sized> Loader<'_, C> {
    fn fetch(&self, name: &Value, above: impl Fn() -> String) -> Result1<Facts> {
        let found = self.code.facts(name).map_err(|error| Error::new(Kind::Database, error))?;
        let missing = || wrong(format!("{}there is no node {name}", above()));
        found.map(|(id, facts)| Facts { id, facts }).ok_or_else(missing)
    }

    /// A form with all below it. After an error, what was met last is where it is.
    fn form(&mut self, hash: [u8; 32], spans: &mut Option<Positions<'_>>) -> Result1<NodeId> {
        let at = self.resolve(Name::Hash(hash))?;
        self.met = self.tree.len();
        self.place(at, spans)
    }

    /// Reads a node and all below it, each once. The way down is a list, so that depth takes no stack.
    fn resolve(&mut self, name: Name) -> Result1<usize> {
        // The nodes that are being read, outermost first.
        let mut path: Vec<Open> = Vec::new();
        let mut wanted = name;
        loop {
            let mut found = match self.names.get(&wanted) {
                Some(&at) => Some(at),
                None => self.open(wanted, &mut path)?,
            };
            let known = found.and_then(|at| self.known.get(at));
            self.met = self.met.saturating_add(known.map_or(1, |known| known.places));
            // What is complete is a child of the one that waits for it.
            wanted = loop {
                let Some(open) = path.last_mut() else { return found.ok_or_else(nobody) };
                open.children.extend(found.take());
                match open.wanted.get(open.children.len()) {
                    Some(next) => break next.clone(),
                    None => found = path.pop().map(|open| self.close(open)).transpose()?,
                }
            };
        }
    }

    /// Begins to read a node; it is known already if it was read under another name.
    fn open(&mut self, name: Name, path: &mut Vec<Open>) -> Result1<Option<usize>> {
        let above = || {
            let above = path.last().map(|open| format!("node {} refers to it, and ", open.id));
            above.unwrap_or_default()
        };
        let facts = self.fetch(&name.value(), above)?;
        let id = facts.id.clone();
        if path.iter().any(|open| open.id == id) {
            return Err(wrong(format!("node {id} contains itself")));
        }
        if path.len() >= DEPTH_MAX {
            return Err(too_deep(&id));
        }
        let entity = Name::Entity(id.clone());
        if let Some(&at) = self.names.get(&entity) {
            self.names.insert(name, at);
            return Ok(Some(at));
        }
        let mut wanted = Vec::new();
        let node = facts.content(&mut wanted)?;
        let Some(&Value::Hash(hash)) = facts.get("yin/hash") else {
            return Err(facts.missing("yin/hash", "the hash of its content"));
        };
        path.push(Open { name, id, node, wanted, children: Vec::new(), hash });
        Ok(None)
    }

    /// All below a node is known.
    fn close(&mut self, open: Open) -> Result1<usize> {
        let Open { name, id, node, children, hash, .. } = open;
        let (mut depth, mut places) = (1, 1_usize);
        for child in children.iter().filter_map(|&child| self.known.get(child)) {
            depth = depth.max(child.depth + 1);
            places = places.saturating_add(child.places);
        }
        if depth > DEPTH_MAX {
            return Err(too_deep(&id));
        }
        let at = self.known.len();
        self.names.insert(Name::Entity(id.clone()), at);
        self.names.insert(name, at);
        self.known.push(Known { id, node, children, depth, places, hash, is_proven: false });
        Ok(at)
    }

    /// A place of the tree for a node, behind places for all below it; positions come in their order.
    fn place(&mut self, at: usize, spans: &mut Option<Positions<'_>>) -> Result1<NodeId> {
        if self.tree.len() >= NODES_MAX {
            return Err(wrong(format!("the program has more than {NODES_MAX} nodes")));
        }
        let span = spans.as_mut().and_then(Positions::next).unwrap_or_default();
        let (here, mut children) = (self.met, Vec::new());
        self.met += 1;
        while let Some(&child) =
            self.known.get(at).and_then(|known| known.children.get(children.len()))
        {
            children.push(self.place(child, spans)?);
        }
        let Some(known) = self.known.get_mut(at) else { return Err(nobody()) };
        let mut node = known.node.clone();
        node.adopt(&children);
        let proven = known.is_proven.then_some(known.hash);
        let id = self.tree.add_hashed(node, span, proven).ok_or_else(|| too_deep(&known.id))?;
        if self.tree.hash(id) != known.hash {
            self.met = here;
            return Err(wrong(format!("node {} is not what its :yin/hash says", known.id)));
        }
        known.is_proven = true;
        Ok(id)
    }
}

impl Facts {
    fn child(&self, attribute: &str, children: &mut Vec<Name>) -> Result1<NodeId> {
        children.push(Name::Entity(self.reference(attribute)?));
        Ok(NodeId::default())
    }

    fn operands(&self, children: &mut Vec<Name>) -> Result1<Vec<NodeId>> {
        let order = self.hashes("yin/order")?;
        let operands = vec![NodeId::default(); order.len()];
        children.extend(order.into_iter().map(Name::Hash));
        Ok(operands)
    }

    /// What a node is; what its children are called goes to `children` in their order, and they are filled in
    /// by its places.
    fn content(&self, children: &mut Vec<Name>) -> Result1<Node> {
        let kind = self.keyword("yin/type")?;
        let name = match kind.namespace() {
            Some("yin.type") => kind.name(),
            _ if is_call(kind.as_str()) => "application",
            _ => "",
        };
        Ok(match name {
            "literal" => Node::Literal(self.get("yin/value").cloned().unwrap_or(Value::Nil)),
            "variable" => Node::Variable(self.name()?),
            "lambda" => Node::Lambda {
                own: self.symbol("yin/own")?,
                params: self.symbols("yin/params")?,
                rest: self.symbol("yin/rest")?,
                body: self.child("yin/body", children)?,
            },
            "application" => Node::Application {
                operator: self.child("yin/operator", children)?,
                operands: self.operands(children)?,
            },
            "if" => Node::If {
                test: self.child("yin/test", children)?,
                consequent: self.child("yin/consequent", children)?,
                alternate: self.child("yin/alternate", children)?,
            },
            "let" | "loop" => {
                let names = self.symbols("yin/params")?;
                let values = self.operands(children)?;
                let body = self.child("yin/body", children)?;
                match name {
                    "let" => Node::Let { names, values, body },
                    _ => Node::Loop { names, values, body },
                }
            }
            "recur" => Node::Recur { operands: self.operands(children)? },
            "do" => Node::Do { operands: self.operands(children)? },
            "definition" => Node::Definition {
                name: self.name()?,
                value: self.child("yin/definition-of", children)?,
            },
            "expansion" => Node::Expansion {
                name: self
                    .symbol("yin/macro")?
                    .ok_or_else(|| self.missing("yin/macro", "the name of a macro"))?,
                call: self.get("yin/value").cloned().unwrap_or(Value::Nil),
                body: self.child("yin/body", children)?,
            },
            "perform" => {
                Node::Perform { op: self.keyword("yin/op")?, operands: self.operands(children)? }
            }
            _ => {
                return Err(wrong(format!("node {} has the unknown :yin/type {kind}", self.id)));
            }
        })
    }
}
