//! The Universal AST in map form, as other implementations write it: `{:type :if, :test …}`.
//!
//! What those call node types of their own for streams, the store and continuations are calls of functions
//! here, of the same names (`stream/put`, `vm/park`); in a database they have the types of the
//! original again, with its attributes beside those of a call: see [`parts`].

use datom::edn::Span;
use datom::{Keyword, Symbol, Value};

use super::Program;
use crate::ast::{DEPTH_MAX, Node, NodeId, Tree, check};
use crate::error::{Error, Kind, excerpt};

/// A node type that is a call: its name, and for each operand the key in map form and the attribute.
type Call = (&'static str, &'static [(&'static str, &'static str)]);

/// The calls that have types of their own. An operand whose attribute is no reference is a constant.
const CALLS: &[Call] = &[
    ("stream/make", &[("buffer", "yin/buffer")]),
    ("stream/put", &[("target", "yin/target"), ("val", "yin/val-node")]),
    ("stream/cursor", &[("source", "yin/source")]),
    ("stream/next", &[("source", "yin/source")]),
    ("stream/close", &[("source", "yin/source")]),
    ("vm/gensym", &[("prefix", "yin/prefix")]),
    ("vm/store-get", &[("key", "yin/key")]),
    ("vm/store-put", &[("key", "yin/key"), ("val", "yin/value")]),
    ("vm/park", &[]),
    ("vm/resume", &[("parked-id", "yin/parked-id"), ("val", "yin/val-node")]),
    ("vm/current-continuation", &[]),
];

/// The attributes of operands that are values and not nodes.
const CONSTANTS: [&str; 5] = ["yin/buffer", "yin/prefix", "yin/key", "yin/value", "yin/parked-id"];

/// The node type of a call of a name, if it has one of its own.
pub(super) fn type_of_call(name: &Symbol) -> Option<&'static str> {
    call(name.as_str()).map(|(kind, _)| kind)
}

/// Whether a node type is that of a call.
pub(super) fn is_call(kind: &str) -> bool {
    call(kind).is_some()
}

fn call(name: &str) -> Option<Call> {
    CALLS.iter().copied().find(|(kind, _)| *kind == name)
}

/// What the original states of such a call: attributes with nodes, or with values.
pub(super) fn parts(
    tree: &Tree,
    name: &Symbol,
    operands: &[NodeId],
) -> Vec<(&'static str, Result<NodeId, Value>)> {
    let Some((_, parts)) = call(name.as_str()) else { return Vec::new() };
    let stated = parts.iter().zip(operands).filter_map(|(&(_, attribute), &operand)| {
        match (CONSTANTS.contains(&attribute), tree.node(operand)) {
            (false, _) => Some((attribute, Ok(operand))),
            (true, Node::Literal(value)) => Some((attribute, Err(value.clone()))),
            // It is computed, which the original has no word for.
            (true, _) => None,
        }
    });
    stated.collect()
}

impl Program {
    /// The program of one expression in map form, the form in which AST travels between
    /// implementations.
    ///
    /// ```
    /// let ast = datom::edn::read(
    ///     "{:type :application, :operator {:type :variable, :name +},
    ///       :operands [{:type :literal, :value 1} {:type :vm/park}]}",
    /// );
    /// let program = yin::Program::from_ast("sum", &ast.unwrap()).unwrap();
    /// assert_eq!(program.print(), "(+ 1 (vm/park))\n");
    /// ```
    ///
    /// # Errors
    /// [`Kind::Syntax`] if it is none, with the node that is wrong.
    pub fn from_ast(name: &str, ast: &Value) -> Result<Self, Error> {
        let mut reader = Reader { tree: Tree::default() };
        let root = reader.node(ast, 0)?;
        check(&reader.tree, root)
            .map_err(|flaw| wrong(&reader.tree.form(flaw.node), &flaw.message))?;
        // Reading what it prints as gives every node a place to be blamed by.
        Self::read(name, &reader.tree.form(root).to_string())
    }
}

fn wrong(node: &Value, message: &str) -> Error {
    Error::new(Kind::Syntax, format!("{message}: {}", excerpt(node.to_string())))
}

struct Reader {
    tree: Tree,
}

type Result1<T> = Result<T, Error>;

impl Reader {
    fn add(&mut self, node: Node) -> Result1<NodeId> {
        let node = self.tree.add(node, Span::default());
        node.ok_or_else(|| Error::new(Kind::Syntax, format!("nested deeper than {DEPTH_MAX}")))
    }

    /// Recursion is as deep as a tree may be.
    fn node(&mut self, ast: &Value, depth: usize) -> Result1<NodeId> {
        if depth >= DEPTH_MAX {
            return Err(wrong(ast, &format!("nodes are nested deeper than {DEPTH_MAX} levels")));
        }
        let kind = ast.get("type").and_then(Value::as_keyword);
        let kind = kind.ok_or_else(|| wrong(ast, "a node is a map with a keyword as :type"))?;
        let node = match kind.as_str() {
            "literal" => Node::Literal(ast.get("value").cloned().unwrap_or(Value::Nil)),
            "variable" => Node::Variable(symbol(ast, "name")?),
            "lambda" => {
                if ast.get("macro?") == Some(&Value::Bool(true)) {
                    return Err(wrong(ast, "a macro is expanded before its AST travels"));
                }
                let (params, rest) = params(ast)?;
                let body = self.child(ast, "body", depth)?;
                Node::Lambda { own: None, params, rest, body }
            }
            "if" => Node::If {
                test: self.child(ast, "test", depth)?,
                consequent: self.child(ast, "consequent", depth)?,
                alternate: match ast.get("alternate") {
                    None | Some(Value::Nil) => self.add(Node::Literal(Value::Nil))?,
                    Some(node) => self.node(node, depth + 1)?,
                },
            },
            "application" => return self.application(ast, depth),
            "dao.stream.apply/call" => {
                let op = ast.get("op").and_then(Value::as_keyword).cloned();
                let op = op.ok_or_else(|| wrong(ast, ":op must be a keyword"))?;
                Node::Perform { op, operands: self.operands(ast, depth)? }
            }
            "vm/store-update" => return self.update(ast, depth),
            _ => return self.call(ast, kind, depth),
        };
        self.add(node)
    }

    fn child(&mut self, ast: &Value, key: &str, depth: usize) -> Result1<NodeId> {
        match ast.get(key) {
            Some(node) => self.node(node, depth + 1),
            None => Err(wrong(ast, &format!("this node has no :{key}"))),
        }
    }

    fn operands(&mut self, ast: &Value, depth: usize) -> Result1<Vec<NodeId>> {
        let operands = match ast.get("operands") {
            None | Some(Value::Nil) => &[],
            Some(operands) => {
                operands.as_slice().ok_or_else(|| wrong(ast, ":operands must be a vector"))?
            }
        };
        operands.iter().map(|operand| self.node(operand, depth + 1)).collect()
    }

    /// A call of `yin/def` with a literal name is a definition.
    fn application(&mut self, ast: &Value, depth: usize) -> Result1<NodeId> {
        let is_definition = ast.get("operator").and_then(|node| node.get("name"))
            == Some(&Value::symbol("yin/def"));
        if is_definition {
            return match ast.get("operands").and_then(Value::as_slice) {
                Some([name, value]) => {
                    let name = symbol(name, "value")?;
                    let value = self.node(value, depth + 1)?;
                    self.add(Node::Definition { name, value })
                }
                _ => Err(wrong(ast, "a definition has a name and a value")),
            };
        }
        let operator = self.child(ast, "operator", depth)?;
        let operands = self.operands(ast, depth)?;
        self.add(Node::Application { operator, operands })
    }

    /// A node type that is a call here. Constants become literals; so does what is no node.
    fn call(&mut self, ast: &Value, kind: &Keyword, depth: usize) -> Result1<NodeId> {
        let Some((name, parts)) = call(kind.as_str()) else {
            return Err(wrong(ast, &format!("there is no node type {kind}")));
        };
        let operator = self.add(Node::Variable(name.into()))?;
        let mut operands = Vec::with_capacity(parts.len());
        for &(key, attribute) in parts {
            operands.extend(match ast.get(key) {
                None => None,
                Some(constant) if CONSTANTS.contains(&attribute) => {
                    Some(self.add(Node::Literal(constant.clone()))?)
                }
                Some(node) => Some(self.node(node, depth + 1)?),
            });
        }
        self.add(Node::Application { operator, operands })
    }

    fn update(&mut self, ast: &Value, depth: usize) -> Result1<NodeId> {
        let operator = self.add(Node::Variable("vm/store-update".into()))?;
        let key = self.add(Node::Literal(ast.get("key").cloned().unwrap_or(Value::Nil)))?;
        let mut operands = vec![key, self.child(ast, "fn", depth)?];
        let args = ast.get("args").and_then(Value::as_slice).unwrap_or(&[]);
        for arg in args {
            operands.push(self.add(Node::Literal(arg.clone()))?);
        }
        self.add(Node::Application { operator, operands })
    }
}

fn symbol(ast: &Value, key: &str) -> Result1<Symbol> {
    let name = ast.get(key).and_then(Value::as_symbol).cloned();
    name.ok_or_else(|| wrong(ast, &format!(":{key} must be a symbol")))
}

/// The parameters, and the name behind `&`.
fn params(ast: &Value) -> Result1<(Vec<Symbol>, Option<Symbol>)> {
    let names = ast.get("params").and_then(Value::as_slice);
    let names =
        names.and_then(|names| names.iter().map(|name| name.as_symbol().cloned()).collect());
    let names: Vec<Symbol> =
        names.ok_or_else(|| wrong(ast, ":params must be a vector of symbols"))?;
    match names.iter().position(|name| name.as_str() == "&") {
        None => Ok((names, None)),
        Some(at) if at + 2 == names.len() => {
            Ok((names.iter().take(at).cloned().collect(), names.last().cloned()))
        }
        Some(_) => Err(wrong(ast, "one name stands behind `&`")),
    }
}
