//! Printing a tree gives source that reads to the same tree.

use datom::edn::Span;
use datom::{Symbol, Value};
use proptest::prelude::*;

use super::*;
use crate::Program;

/// What a node will be, before it is known what stands around it.
#[derive(Clone, Debug)]
enum Shape {
    Literal(Value),
    Variable(usize),
    Lambda(bool, usize, bool, Box<Shape>),
    Call(Box<Shape>, Vec<Shape>),
    Make(usize, Vec<Shape>),
    If(Box<[Shape; 3]>),
    Bind(bool, Vec<(usize, Shape)>, Box<Shape>),
    Recur(Vec<Shape>),
    Do(Vec<Shape>),
    Define(usize, Box<Shape>),
    Expand(Value, Box<Shape>),
    Perform(Vec<Shape>),
}

const NAMES: [&str; 6] = ["a", "long-name?", "yin/part0", "*", "x'", "ns.of/name"];

fn name(at: usize) -> Symbol {
    match NAMES[at % NAMES.len()] {
        "x'" => "é".into(),
        name => name.into(),
    }
}

/// A name that can be local.
fn local(at: usize) -> Symbol {
    name(at % 5)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("a number", |x| !x.is_nan()).prop_map(|x| Value::Float(x + 0.0)),
        "[a-z\\n\"\\\\é]{0,6}".prop_map(|text| Value::text(&text)),
        Just(Value::symbol("if")),
        Just(Value::symbol("a/b")),
        Just(Value::keyword("k/w")),
        Just(Value::Char(' ')),
        Just(Value::Instant(5)),
        Just(Value::Uuid([7; 16])),
        Just(Value::Bytes([1, 2][..].into())),
        Just(Value::Hash([9; 32])),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let many = prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            many.clone().prop_map(Value::Vector),
            many.clone().prop_map(Value::List),
            many.prop_map(|items| Value::Set(items.into_iter().collect())),
            (inner.clone(), inner.clone()).prop_map(|pair| Value::map([pair])),
            inner.prop_map(|inner| Value::Tagged("my/tag".into(), Box::new(inner))),
        ]
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let leaf =
        prop_oneof![value().prop_map(Shape::Literal), any::<usize>().prop_map(Shape::Variable)];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let many = || prop::collection::vec(inner.clone(), 0..4);
        let boxed = || inner.clone().prop_map(Box::new);
        let binds = prop::collection::vec((any::<usize>(), inner.clone()), 0..3);
        prop_oneof![
            (any::<bool>(), 0..3usize, any::<bool>(), boxed())
                .prop_map(|(own, n, rest, body)| Shape::Lambda(own, n, rest, body)),
            (boxed(), many()).prop_map(|(f, xs)| Shape::Call(f, xs)),
            (0..3usize, many()).prop_map(|(maker, xs)| Shape::Make(maker, xs)),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| Shape::If(Box::new([a, b, c]))),
            (any::<bool>(), binds, boxed())
                .prop_map(|(turns, names, body)| Shape::Bind(turns, names, body)),
            many().prop_map(Shape::Recur),
            many().prop_map(Shape::Do),
            (any::<usize>(), boxed()).prop_map(|(name, value)| Shape::Define(name, value)),
            (value(), boxed()).prop_map(|(call, body)| Shape::Expand(call, body)),
            many().prop_map(Shape::Perform),
        ]
    })
}

/// Builds a tree that obeys the rules: `wanted` is how many names `recur` binds here.
struct Builder(Tree);

impl Builder {
    fn add(&mut self, node: Node) -> NodeId {
        self.0.add(node, Span::default()).unwrap()
    }

    fn all(&mut self, shapes: &[Shape]) -> Vec<NodeId> {
        shapes.iter().map(|shape| self.node(shape, None)).collect()
    }

    fn node(&mut self, shape: &Shape, wanted: Option<usize>) -> NodeId {
        let node = match shape {
            Shape::Literal(value) => Node::Literal(value.clone()),
            Shape::Variable(at) => Node::Variable(name(*at)),
            Shape::Lambda(own, n, rest, body) => {
                let body = self.node(body, Some(n + usize::from(*rest)));
                let own = own.then(|| "self".into());
                let rest = rest.then(|| "more".into());
                Node::Lambda { own, params: (0..*n).map(local).collect(), rest, body }
            }
            Shape::Call(operator, operands) => {
                let operator = self.node(operator, None);
                Node::Application { operator, operands: self.all(operands) }
            }
            Shape::Make(maker, operands) => {
                let maker = ["yin/vector", "yin/map", "yin/set"][*maker];
                let operator = self.add(Node::Variable(maker.into()));
                Node::Application { operator, operands: self.all(operands) }
            }
            Shape::If(parts) => {
                let test = self.node(&parts[0], None);
                let consequent = self.node(&parts[1], wanted);
                Node::If { test, consequent, alternate: self.node(&parts[2], wanted) }
            }
            Shape::Bind(true, bindings, body) => {
                let names = (0..bindings.len()).map(local).collect();
                let values = bindings.iter().map(|(_, value)| self.node(value, None)).collect();
                Node::Loop { names, values, body: self.node(body, Some(bindings.len())) }
            }
            Shape::Bind(false, bindings, body) => {
                let names = bindings.iter().map(|(at, _)| local(*at)).collect();
                let values = bindings.iter().map(|(_, value)| self.node(value, None)).collect();
                Node::Let { names, values, body: self.node(body, wanted) }
            }
            Shape::Recur(operands) if wanted == Some(operands.len()) => {
                Node::Recur { operands: self.all(operands) }
            }
            Shape::Do(operands) if operands.len() > 1 => {
                let (last, before) = operands.split_last().unwrap();
                let mut operands = self.all(before);
                operands.push(self.node(last, wanted));
                Node::Do { operands }
            }
            Shape::Recur(operands) | Shape::Do(operands) | Shape::Perform(operands) => {
                Node::Perform { op: "fs/read".into(), operands: self.all(operands) }
            }
            Shape::Define(at, value) => {
                let name = [name(0), name(5), "*dynamic*".into()][at % 3].clone();
                Node::Definition { name, value: self.node(value, None) }
            }
            Shape::Expand(call, body) => {
                let body = self.node(body, wanted);
                Node::Expansion { name: "m".into(), call: call.clone(), body }
            }
        };
        self.add(node)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn printed_source_reads_to_the_same_tree(shape in shape()) {
        let mut builder = Builder(Tree::default());
        let root = builder.node(&shape, None);
        let tree = builder.0;
        prop_assert!(check(&tree, root).is_ok(), "{:?}", check(&tree, root));
        let source = tree.form(root).to_string();
        let read = |source: &str| match Program::read("t", source) {
            Ok(program) => Ok(program.tree().hash(program.forms()[0])),
            Err(error) => Err(TestCaseError::fail(format!("{source}: {error}"))),
        };
        prop_assert_eq!(read(&source)?, tree.hash(root), "{}", source);
        let formatted = crate::format("t", &source).unwrap();
        prop_assert_eq!(read(&formatted)?, tree.hash(root), "{}", formatted);
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut tree = Tree::default();
    let mut flawed = |node| {
        let id = tree.add(node, Span::default()).unwrap();
        check(&tree, id).is_err()
    };
    assert!(flawed(Node::Variable("if".into())));
    assert!(flawed(Node::Variable("*dynamic*".into())));
    assert!(flawed(Node::Do { operands: Vec::new() }));
    let nil = tree.add(Node::Literal(Value::Nil), Span::default()).unwrap();
    let mut flawed = |node| {
        let id = tree.add(node, Span::default()).unwrap();
        check(&tree, id).is_err()
    };
    assert!(flawed(Node::Definition { name: "yin/vector".into(), value: nil }));
    for name in ["let", "a/b", "yin/nth", "*d*", "&"] {
        let names = vec![name.into()];
        assert!(flawed(Node::Let { names, values: vec![nil], body: nil }), "{name}");
    }
}
