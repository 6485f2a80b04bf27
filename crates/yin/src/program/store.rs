//! AST to datoms: the schema, and the transaction that stores a program.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Symbol, Value};

use super::types::{declared, param_id, type_id};
use super::universal::{parts, type_of_call};
use super::{Program, positions};
use crate::ast::{Node, NodeId, Tree};

/// An attribute of the schema: name, type, whether many, whether unique, what for.
struct Attribute(&'static str, &'static str, bool, bool, &'static str);

const SCHEMA: &[Attribute] = &[
    Attribute(
        "yin/hash",
        "hash",
        false,
        true,
        "BLAKE3 of a node's content; equal code is one entity.",
    ),
    Attribute("yin/type", "keyword", false, false, "What a node is, such as :yin.type/lambda."),
    Attribute(
        "yin/value",
        "any",
        false,
        false,
        "The value of a literal; of an expansion, the call as it was written.",
    ),
    Attribute("yin/macro", "symbol", false, false, "The macro that made an expansion."),
    Attribute("yin/name", "symbol", false, false, "The name of a variable or definition."),
    Attribute("yin/own", "symbol", false, false, "What a lambda calls itself."),
    Attribute(
        "yin/params",
        "tuple",
        false,
        false,
        "The names that a lambda, let or loop binds, in order.",
    ),
    Attribute("yin/rest", "symbol", false, false, "The name of a lambda's further arguments."),
    Attribute("yin/body", "ref", false, false, "What a lambda, let or loop computes."),
    Attribute("yin/operator", "ref", false, false, "What an application calls."),
    Attribute(
        "yin/operands",
        "ref",
        true,
        false,
        "The operands of a node, as a set; :yin/order orders them.",
    ),
    Attribute(
        "yin/order",
        "tuple",
        false,
        false,
        "The hashes of the operands, in order of evaluation.",
    ),
    Attribute("yin/test", "ref", false, false, "What decides an if."),
    Attribute("yin/consequent", "ref", false, false, "What follows a true test."),
    Attribute("yin/alternate", "ref", false, false, "What follows a false test."),
    Attribute(
        "yin/definition-of",
        "ref",
        false,
        false,
        "The node that a definition gives its :yin/name to.",
    ),
    Attribute("yin/op", "keyword", false, false, "What a perform node asks for."),
    Attribute("yin/target", "ref", false, false, "The stream that a :stream/put puts into."),
    Attribute("yin/val-node", "ref", false, false, "What is put into a stream, or resumes."),
    Attribute("yin/source", "ref", false, false, "The stream or cursor that a node reads."),
    Attribute("yin/buffer", "any", false, false, "How much a :stream/make makes room for."),
    Attribute("yin/prefix", "any", false, false, "What a :vm/gensym begins its names with."),
    Attribute("yin/key", "any", false, false, "The cell of the store that a node is about."),
    Attribute("yin/parked-id", "any", false, false, "What a :vm/resume resumes."),
    Attribute("function/name", "symbol", false, true, "A name whose meaning can change."),
    Attribute(
        "function/program",
        "ref",
        false,
        false,
        "The program that defines what a name means now.",
    ),
    Attribute("fn/param", "ref", true, false, "The parameters of a function that declares types."),
    Attribute("fn/returns", "ref", false, false, "The type that a function declares to return."),
    Attribute("param/id", "hash", false, true, "BLAKE3 of a function's hash and a place."),
    Attribute("param/name", "symbol", false, false, "What a parameter is called."),
    Attribute("param/place", "long", false, false, "Where a parameter stands, from 0."),
    Attribute("param/type", "ref", false, false, "The type that a parameter declares."),
    Attribute("type/id", "hash", false, true, "BLAKE3 of a type; equal types are one entity."),
    Attribute("type/name", "keyword", false, false, "What a type is called, or is made by."),
    Attribute("type/form", "any", false, false, "A type as it is written."),
    Attribute(
        "yin.program/hash",
        "hash",
        false,
        true,
        "BLAKE3 of a program's name, source and code.",
    ),
    Attribute(
        "yin.program/name",
        "string",
        false,
        false,
        "What a program is called, such as its path.",
    ),
    Attribute(
        "yin.program/namespace",
        "symbol",
        false,
        false,
        "The namespace of a program's definitions.",
    ),
    Attribute(
        "yin.program/docs",
        "any",
        false,
        false,
        "What a program's definitions are for: a map from names to texts.",
    ),
    Attribute("yin.program/source", "string", false, false, "The text of a program."),
    Attribute("yin.program/forms", "ref", true, false, "The forms of a program, as a set."),
    Attribute("yin.program/order", "tuple", false, false, "The hashes of the forms, in order."),
    Attribute("yin.program/definitions", "ref", true, false, "Every definition in a program."),
    Attribute(
        "yin.program/positions",
        "bytes",
        false,
        false,
        "Where the nodes stand in the source.",
    ),
];

/// The schema of programs, as transaction data. Stating it again changes nothing.
///
/// The names of a program's functions are found by
///
/// ```text
/// [:find ?name :where [?d :yin/name ?name] [?d :yin/definition-of ?f] [?f :yin/type :yin.type/lambda]]
/// ```
#[must_use]
pub fn schema() -> Vec<Value> {
    SCHEMA
        .iter()
        .map(|Attribute(name, value_type, many, unique, doc)| {
            let cardinality = if *many { "db.cardinality/many" } else { "db.cardinality/one" };
            let mut map = Entity::new();
            map.put("db/ident", Value::keyword(name));
            map.put("db/valueType", Value::keyword(&format!("db.type/{value_type}")));
            map.put("db/cardinality", Value::keyword(cardinality));
            map.put("db/doc", Value::text(doc));
            if *unique {
                map.put("db/unique", Value::keyword("db.unique/identity"));
            }
            if matches!(
                *name,
                "yin/type"
                    | "yin/name"
                    | "yin/macro"
                    | "yin.program/namespace"
                    | "yin.program/name"
                    | "yin/op"
            ) {
                map.put("db/index", Value::Bool(true));
            }
            map.value()
        })
        .collect()
}

/// A map form of a transaction.
struct Entity(BTreeMap<Value, Value>);

impl Entity {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn put(&mut self, attribute: &str, value: Value) {
        self.0.insert(Value::keyword(attribute), value);
    }

    fn put_name(&mut self, attribute: &str, name: Option<&Symbol>) {
        if let Some(name) = name {
            self.put(attribute, Value::Symbol(name.clone()));
        }
    }

    fn put_names(&mut self, attribute: &str, names: &[Symbol]) {
        self.put(attribute, Value::Vector(names.iter().cloned().map(Value::Symbol).collect()));
    }

    /// References to nodes, as a set, and their order.
    fn put_nodes(&mut self, tree: &Tree, attributes: (&str, &str), nodes: &[NodeId]) {
        let distinct: BTreeSet<[u8; 32]> = nodes.iter().map(|&id| tree.hash(id)).collect();
        if !distinct.is_empty() {
            let set = distinct.iter().map(tempid).collect();
            self.put(attributes.0, Value::Vector(set));
        }
        let order = nodes.iter().map(|&id| Value::Hash(tree.hash(id))).collect();
        self.put(attributes.1, Value::Vector(order));
    }

    fn value(self) -> Value {
        Value::Map(self.0)
    }
}

/// The tempid of a node: text, so that it means the node throughout the transaction.
fn tempid(hash: &[u8; 32]) -> Value {
    Value::text(&blake3::Hash::from_bytes(*hash).to_hex())
}

const OPERANDS: (&str, &str) = ("yin/operands", "yin/order");

/// The value of `:yin/type`. A call that the original has a node type for has that type.
fn type_of(tree: &Tree, node: &Node) -> String {
    match called(tree, node).and_then(|(name, _)| type_of_call(name)) {
        Some(kind) => kind.to_owned(),
        None => format!("yin.type/{}", node.type_name()),
    }
}

/// The name that is called, and with what.
fn called<'t>(tree: &'t Tree, node: &'t Node) -> Option<(&'t Symbol, &'t [NodeId])> {
    match node {
        Node::Application { operator, operands } => match tree.node(*operator) {
            Node::Variable(name) => Some((name, operands)),
            _ => None,
        },
        _ => None,
    }
}

fn node(tree: &Tree, id: NodeId) -> Value {
    let hash = tree.hash(id);
    let child = |id| tempid(&tree.hash(id));
    let mut map = Entity::new();
    map.put("db/id", tempid(&hash));
    map.put("yin/hash", Value::Hash(hash));
    let content = tree.node(id);
    map.put("yin/type", Value::keyword(&type_of(tree, content)));
    match content {
        // It is stated apart from the map: there, a collection could mean several values.
        Node::Literal(_) => {}
        Node::Variable(name) => map.put_name("yin/name", Some(name)),
        Node::Lambda { own, params, rest, body } => {
            map.put_name("yin/own", own.as_ref());
            map.put_names("yin/params", params);
            map.put_name("yin/rest", rest.as_ref());
            map.put("yin/body", child(*body));
        }
        Node::Application { operator, operands } => {
            map.put("yin/operator", child(*operator));
            map.put_nodes(tree, OPERANDS, operands);
            for (attribute, part) in original_parts(tree, content) {
                if let Ok(node) = part {
                    map.put(attribute, child(node));
                }
            }
        }
        Node::If { test, consequent, alternate } => {
            map.put("yin/test", child(*test));
            map.put("yin/consequent", child(*consequent));
            map.put("yin/alternate", child(*alternate));
        }
        Node::Let { names, values, body } | Node::Loop { names, values, body } => {
            map.put_names("yin/params", names);
            map.put_nodes(tree, OPERANDS, values);
            map.put("yin/body", child(*body));
        }
        Node::Recur { operands } | Node::Do { operands } => {
            map.put_nodes(tree, OPERANDS, operands);
        }
        Node::Definition { name, value } => {
            map.put_name("yin/name", Some(name));
            map.put("yin/definition-of", child(*value));
        }
        Node::Expansion { name, body, .. } => {
            map.put_name("yin/macro", Some(name));
            map.put("yin/body", child(*body));
        }
        Node::Perform { op, operands } => {
            map.put("yin/op", Value::Keyword(op.clone()));
            map.put_nodes(tree, OPERANDS, operands);
        }
    }
    map.value()
}

fn original_parts(tree: &Tree, node: &Node) -> Vec<(&'static str, Result<NodeId, Value>)> {
    called(tree, node).map_or_else(Vec::new, |(name, operands)| parts(tree, name, operands))
}

/// The constants that the original states of a call with a type of its own.
fn constants(tree: &Tree, id: NodeId, data: &mut Vec<Value>) {
    for (attribute, part) in original_parts(tree, tree.node(id)) {
        if let Err(value) = part {
            let (add, id) = (Value::keyword("db/add"), tempid(&tree.hash(id)));
            data.push(Value::Vector(vec![add, id, Value::keyword(attribute), value]));
        }
    }
}

/// The value of a literal, and the call of an expansion. One without it has nil.
fn literal(tree: &Tree, id: NodeId) -> Option<Value> {
    match tree.node(id) {
        Node::Literal(Value::Nil) | Node::Expansion { call: Value::Nil, .. } => None,
        Node::Literal(value) | Node::Expansion { call: value, .. } => Some(Value::Vector(vec![
            Value::keyword("db/add"),
            tempid(&tree.hash(id)),
            Value::keyword("yin/value"),
            value.clone(),
        ])),
        _ => None,
    }
}

/// What a function declares, as facts about its parameters and their types.
fn types(tree: &Tree, id: NodeId, data: &mut Vec<Value>) {
    let Some(declared) = declared(tree, id) else { return };
    let function = tree.hash(id);
    let mut of_function = Entity::new();
    of_function.put("db/id", tempid(&function));
    let mut stated = |kind: &Value| {
        let id = type_id(kind);
        let name = kind.as_slice().and_then(<[Value]>::first).unwrap_or(kind);
        let mut map = Entity::new();
        map.put("db/id", tempid(&id));
        map.put("type/id", Value::Hash(id));
        map.put("type/name", name.clone());
        data.push(map.value());
        let form = Value::keyword("type/form");
        data.push(Value::Vector(vec![Value::keyword("db/add"), tempid(&id), form, kind.clone()]));
        tempid(&id)
    };
    if let Some(kind) = &declared.returns {
        of_function.put("fn/returns", stated(kind));
    }
    let mut params = Vec::with_capacity(declared.params.len());
    for (place, (name, kind)) in declared.params.iter().enumerate() {
        let id = param_id(&function, place);
        let mut map = Entity::new();
        map.put("db/id", tempid(&id));
        map.put("param/id", Value::Hash(id));
        map.put_name("param/name", Some(name));
        map.put("param/place", Value::Int(place as i64));
        if let Some(kind) = kind {
            map.put("param/type", stated(kind));
        }
        params.push((tempid(&id), map.value()));
    }
    if !params.is_empty() {
        let (ids, maps): (Vec<_>, Vec<_>) = params.into_iter().unzip();
        of_function.put("fn/param", Value::Vector(ids));
        data.extend(maps);
    }
    data.push(of_function.value());
}

impl Program {
    /// What names the program within its [transaction](Program::transaction).
    #[must_use]
    pub fn tempid(&self) -> Value {
        tempid(&self.hash())
    }

    /// The transaction data that store the program: every distinct node once, and the program.
    /// The schema must be there already. Cost: linear in the program.
    #[must_use]
    pub fn transaction(&self) -> Vec<Value> {
        let tree = &self.tree;
        let mut seen = BTreeSet::new();
        let mut data = Vec::new();
        let mut definitions = Vec::new();
        for id in tree.ids() {
            if seen.insert(tree.hash(id)) {
                data.push(node(tree, id));
                data.extend(literal(tree, id));
                constants(tree, id, &mut data);
                types(tree, id, &mut data);
                if matches!(tree.node(id), Node::Definition { .. }) {
                    definitions.push(tempid(&tree.hash(id)));
                }
            }
        }
        let mut program = Entity::new();
        program.put("db/id", tempid(&self.hash()));
        program.put("yin.program/hash", Value::Hash(self.hash()));
        program.put("yin.program/name", Value::text(&self.name));
        program.put("yin.program/source", Value::text(&self.source));
        program.put_nodes(tree, ("yin.program/forms", "yin.program/order"), &self.forms);
        program.put_name("yin.program/namespace", self.namespace());
        if !self.docs.is_empty() {
            let docs = self
                .docs
                .iter()
                .map(|(name, text)| (Value::Symbol(name.clone()), Value::Text(text.clone())));
            data.push(Value::Vector(vec![
                Value::keyword("db/add"),
                tempid(&self.hash()),
                Value::keyword("yin.program/docs"),
                Value::map(docs),
            ]));
        }
        if !definitions.is_empty() {
            program.put("yin.program/definitions", Value::Vector(definitions));
        }
        let positions = positions::encode(tree, &self.forms);
        program.put("yin.program/positions", Value::Bytes(positions.into()));
        data.push(program.value());
        data
    }
}
