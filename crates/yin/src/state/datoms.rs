//! From a state to datoms: calls, what they hold, definitions and shared objects as entities.
//!
//! 1. It is the same state as the archive's, said in another way: [`State`] is walked once, and what is
//!    read back ([`State::load`]) goes on just as well. Stating it again states nothing.
//! 2. A value is stated as itself wherever that says everything. What holds functions, and what is
//!    shared and large, is an entity of its own, so a state never grows by being written.
//! 3. A reference to such an entity, a function, a primitive: these are tagged values (see [`Mark`]),
//!    understood only where a whole value stands, never inside of one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use datom::{Tag, Value, Word, edn};

use super::pack::{CELL_SHIFT, Cell};
use super::{Frame, Standing, State};
use crate::ast::Node;
use crate::error::{Error, Kind};
use crate::heap::{EMPTY, FUNCTION, Heap, MARK, OBJECT, PRIMITIVE, payload, sort};
use crate::machine::Code;
use crate::machine::prelude;
use crate::program::{Places, Program};

/// A value that is shared is stated twice if it has no more parts than this.
const SHARED_PARTS_MAX: usize = 16;
/// Values are nested no deeper than this; below begins another entity.
const NESTED_MAX: usize = 64;

/// The tags of values that stand for something else.
pub(super) struct Mark;

impl Mark {
    /// An entity of the same state, by its `:object/place`.
    pub(super) const OBJECT: &str = "yin/object";
    /// A function: hash of the program and place in it.
    pub(super) const LAMBDA: &str = "yin/lambda";
    /// A primitive, by name.
    pub(super) const PRIMITIVE: &str = "yin/primitive";
    /// An operand that is evaluated again where it is wanted.
    pub(super) const AGAIN: &str = "yin/again";

    pub(super) fn is(tag: &str) -> bool {
        [Self::OBJECT, Self::LAMBDA, Self::PRIMITIVE, Self::AGAIN].contains(&tag)
    }
}

const SCHEMA: &str = r#"
[{:db/ident :state/id :db/valueType :db.type/hash :db/cardinality :db.cardinality/one
  :db/unique :db.unique/identity :db/doc "BLAKE3 of a program's state."}
 {:db/ident :state/part :db/valueType :db.type/hash :db/cardinality :db.cardinality/one
  :db/unique :db.unique/identity :db/doc "BLAKE3 of a number, keyed by the hash of the state."}
 {:db/ident :state/standing :db/valueType :db.type/keyword :db/cardinality :db.cardinality/one
  :db/index true :db/doc "How a program stands: :state.standing/between, turn, call or parked."}
 {:db/ident :state/program :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The program whose forms are run."}
 {:db/ident :state/programs :db/valueType :db.type/any :db/cardinality :db.cardinality/one
  :db/doc "The hashes of all programs that a state has code of."}
 {:db/ident :state/next-form :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Which form of the program is next, from 0."}
 {:db/ident :state/value :db/valueType :db.type/any :db/cardinality :db.cardinality/one
  :db/doc "The value of the last form."}
 {:db/ident :state/requests :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many requests a program has made; the number of the one it is parked under."}
 {:db/ident :state/gensym :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many names a program has made up."}
 {:db/ident :state/namespaces :db/valueType :db.type/any :db/cardinality :db.cardinality/one
  :db/doc "The namespaces that are loaded."}
 {:db/ident :state/frames :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/isComponent true :db/doc "The calls that run and wait; of a continuation, those it holds."}
 {:db/ident :state/cells :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/isComponent true :db/doc "The store: what is defined."}
 {:db/ident :state/objects :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/isComponent true :db/doc "What is held in several places, or holds functions."}
 {:db/ident :frame/depth :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many calls wait for this one."}
 {:db/ident :frame/function :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/index true :db/doc "What the function is called."}
 {:db/ident :frame/node :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The node of the AST that a call stands at."}
 {:db/ident :frame/at :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/doc "Where that is in the source."}
 {:db/ident :frame/program :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The program that a call runs."}
 {:db/ident :frame/place :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "The number of the node in its program, in preorder."}
 {:db/ident :frame/bindings :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/isComponent true :db/doc "What a call holds: its environment and its operands so far."}
 {:db/ident :bind/place :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Where a call holds something, from 0."}
 {:db/ident :bind/name :db/valueType :db.type/symbol :db/cardinality :db.cardinality/one
  :db/index true :db/doc "The name in scope that has a value; operands and closures have none."}
 {:db/ident :bind/value :db/valueType :db.type/any :db/cardinality :db.cardinality/one
  :db/doc "What a call holds; nothing for nil."}
 {:db/ident :cell/name :db/valueType :db.type/symbol :db/cardinality :db.cardinality/one
  :db/index true :db/doc "What is defined."}
 {:db/ident :cell/value :db/valueType :db.type/any :db/cardinality :db.cardinality/one
  :db/doc "What it is defined as; nothing for nil."}
 {:db/ident :object/place :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "What #yin/object names an object by, within its state."}
 {:db/ident :object/kind :db/valueType :db.type/keyword :db/cardinality :db.cardinality/one
  :db/doc "What an object is, such as :object.kind/closure."}
 {:db/ident :object/parts :db/valueType :db.type/any :db/cardinality :db.cardinality/one
  :db/doc "What an object holds, in order."}
 {:db/ident :object/lambda :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The node of a closure's function."}]"#;

/// What a cell of the archive became.
#[derive(Clone)]
struct Stated {
    value: Value,
    /// Parts if it stands for itself, and how deep they are nested; `None` if it stands for an entity.
    plain: Option<(usize, usize)>,
}

type Result1<T> = Result<T, Error>;

pub(super) fn damaged(what: &str) -> Error {
    Error::new(Kind::Code, format!("the state of a program is damaged: {what}"))
}

impl State {
    /// The schema of states, as transaction data. Stating it again changes nothing. That of
    /// [programs](crate::schema) must be there as well.
    #[must_use]
    pub fn schema() -> Vec<Value> {
        // It is part of the crate, and tests transact it.
        edn::read(SCHEMA).ok().and_then(|data| Some(data.as_slice()?.to_vec())).unwrap_or_default()
    }

    /// The lookup ref of the state's entity: `[:state/id #hash "…"]`.
    #[must_use]
    pub fn entity(&self) -> Value {
        Value::Vector(vec![Value::keyword("state/id"), Value::Hash(self.hash())])
    }

    /// The transaction data that say where the program stands, and with what. The tempid of the
    /// state is `"yin/state"`. What belongs to it are its components, so `:db/retractEntity` removes it
    /// whole. `programs` is asked for the programs by hash, for names and positions; what it does not
    /// know is stated without.
    ///
    /// Cost: linear in the state, for each value it holds.
    ///
    /// # Errors
    /// [`Kind::Code`] if the state is damaged.
    pub fn transaction(
        &self,
        programs: impl FnMut(&[u8; 32]) -> Option<Program>,
    ) -> Result<Vec<Value>, Error> {
        let mut teller = Teller::new(self, programs);
        teller.cells()?;
        teller.root()?;
        Ok(teller.data)
    }
}

struct Teller<'s> {
    state: &'s State,
    programs: Vec<Option<Code>>,
    /// Where leaves are read.
    heap: Heap,
    /// How often each cell is referred to.
    uses: HashMap<u64, usize>,
    stated: HashMap<u64, Stated>,
    objects: Vec<Value>,
    /// Programs whose entities are named.
    named: HashSet<u32>,
    data: Vec<Value>,
    /// The hash of the state, and how many parts it has so far.
    hash: [u8; 32],
    parts: u64,
}

fn map(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::map(pairs.into_iter().map(|(key, value)| (Value::keyword(key), value)))
}

impl<'s> Teller<'s> {
    fn new(state: &'s State, mut programs: impl FnMut(&[u8; 32]) -> Option<Program>) -> Self {
        let built_in = |hash: &[u8; 32]| prelude().iter().find(|program| program.hash() == *hash);
        let mut known = |hash: &[u8; 32]| match built_in(hash) {
            Some(program) => Some(program.clone()),
            None => programs(hash).filter(|program| program.hash() == *hash).map(Arc::new),
        };
        let code = |(id, hash)| {
            let program = known(hash)?;
            let places = Arc::new(Places::of(&program));
            Some(Code { id, program, places })
        };
        Self {
            state,
            programs: (0..).zip(&state.programs).map(code).collect(),
            heap: Heap::new(usize::MAX, Arc::new(AtomicBool::new(false))),
            uses: HashMap::new(),
            stated: HashMap::new(),
            objects: Vec::new(),
            named: HashSet::new(),
            data: Vec::new(),
            hash: state.hash(),
            parts: 0,
        }
    }

    /// A new part of the state, known by the state's hash and a number, so that stating it again
    /// states nothing.
    fn part(&mut self, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        self.parts += 1;
        let id = Value::text(&format!("yin/state {}", self.parts));
        let mut hasher = blake3::Hasher::new_keyed(&self.hash);
        hasher.update(&self.parts.to_le_bytes());
        let part = Value::Hash(*hasher.finalize().as_bytes());
        let own = [("db/id", id.clone()), ("state/part", part)];
        self.data.push(map(own.into_iter().chain(fields)));
        id
    }

    /// States a value of an entity. A map form could take a collection for several values.
    fn state_value(&mut self, id: &Value, attribute: &str, value: Value) {
        if value != Value::Nil {
            let add = [Value::keyword("db/add"), id.clone(), Value::keyword(attribute), value];
            self.data.push(Value::Vector(add.to_vec()));
        }
    }

    fn name(&self, index: u64) -> Result1<&'s str> {
        self.state.names.get(index).ok_or_else(|| damaged("an unknown name"))
    }

    fn hash_of(&self, program: u32) -> Result1<[u8; 32]> {
        let hash = self.state.programs.get(program as usize);
        hash.copied().ok_or_else(|| damaged("an unknown program"))
    }

    /// The entity of a program, which is known by its hash alone if nobody stored it.
    fn program(&mut self, program: u32) -> Result1<Value> {
        let id = Value::text(&format!("yin/program {program}"));
        let hash = Value::Hash(self.hash_of(program)?);
        if self.named.insert(program) {
            self.data.push(map([("db/id", id.clone()), ("yin.program/hash", hash)]));
        }
        Ok(id)
    }

    /// The entity of a node by its hash.
    fn node(&mut self, hash: [u8; 32]) -> Value {
        let id = Value::text(&format!("yin/node {}", blake3::Hash::from_bytes(hash).to_hex()));
        self.data.push(map([("db/id", id.clone()), ("yin/hash", Value::Hash(hash))]));
        id
    }

    fn lambda(&self, index: u64) -> Result1<super::Lambda> {
        let lambda = usize::try_from(index).ok().and_then(|at| self.state.lambdas.get(at));
        lambda.copied().ok_or_else(|| damaged("an unknown function"))
    }

    fn lambda_value(&self, index: u64) -> Result1<Value> {
        let lambda = self.lambda(index)?;
        let place = Value::Int(i64::from(lambda.place));
        let parts = vec![Value::Hash(self.hash_of(lambda.program)?), place];
        Ok(Value::Tagged(Mark::LAMBDA.into(), Box::new(Value::Vector(parts))))
    }

    /// What a word says, and how large that is; `None` if it is no plain value.
    fn word(&mut self, raw: u64) -> Result1<Stated> {
        let word = Word::from_raw(raw);
        let marked = |tag: &str, value| Stated {
            value: Value::Tagged(tag.into(), Box::new(value)),
            plain: None,
        };
        let value = match word.tag() {
            Tag::Keyword => Value::keyword(self.name(word.payload())?),
            Tag::Symbol => Value::symbol(self.name(word.payload())?),
            Tag::Private => match (sort(word), payload(word)) {
                (OBJECT, at) => {
                    let found = match self.uses.get(&at) {
                        Some(1) => self.stated.remove(&at),
                        _ => self.stated.get(&at).cloned(),
                    };
                    return found.ok_or_else(|| damaged("a dangling reference"));
                }
                (FUNCTION, index) => {
                    return Ok(Stated { value: self.lambda_value(index)?, plain: None });
                }
                (PRIMITIVE, name) => {
                    return Ok(marked(Mark::PRIMITIVE, Value::symbol(self.name(name)?)));
                }
                (MARK, _) => return Ok(marked(Mark::AGAIN, Value::Nil)),
                (EMPTY, 0) => Value::Vector(Vec::new()),
                (EMPTY, 1) => Value::List(Vec::new()),
                (EMPTY, 2) => Value::Map(BTreeMap::new()),
                (EMPTY, 3) => Value::Set(BTreeSet::new()),
                _ => return Err(damaged("an unknown word")),
            },
            Tag::Text
            | Tag::BigInt
            | Tag::BigFloat
            | Tag::Bytes
            | Tag::Uuid
            | Tag::Collection
            | Tag::Hash => return Err(damaged("a word of another heap")),
            _ => self.leaf(word)?,
        };
        Ok(Stated { value, plain: Some((1, 0)) })
    }

    fn leaf(&self, word: Word) -> Result1<Value> {
        let value = self.heap.value(word, &|_| String::new());
        self.heap.take_work();
        value.map_err(|_| damaged("an object that is not of its kind"))
    }

    /// All cells, each behind those it refers to.
    fn cells(&mut self) -> Result1<()> {
        let state = self.state;
        let mut cells = Vec::new();
        let mut at = 0;
        while let Some(&header) = state.cells.get(at) {
            let cell = Cell::ALL.get((header >> CELL_SHIFT) as usize).copied();
            let cell = cell.ok_or_else(|| damaged("an unknown kind of object"))?;
            let length = usize::try_from(header & ((1 << CELL_SHIFT) - 1)).unwrap_or(usize::MAX);
            let end = at.checked_add(1).and_then(|from| from.checked_add(length));
            let content = end.and_then(|end| state.cells.get(at + 1..end));
            let content = content.ok_or_else(|| damaged("an object behind the state"))?;
            let (_, words) = parts(cell, content)?;
            self.count(words);
            cells.push((at as u64, cell, content));
            at += 1 + length;
        }
        self.count(&state.words);
        self.count(&[state.value]);
        state.globals.iter().for_each(|global| self.count(&[global.word]));
        for (at, cell, content) in cells {
            let stated = self.cell(at, cell, content)?;
            self.stated.insert(at, stated);
        }
        Ok(())
    }

    fn count(&mut self, words: &[u64]) {
        for &raw in words {
            let word = Word::from_raw(raw);
            if word.tag() == Tag::Private && sort(word) == OBJECT {
                *self.uses.entry(payload(word)).or_default() += 1;
            }
        }
    }

    fn cell(&mut self, at: u64, cell: Cell, content: &[u64]) -> Result1<Stated> {
        if let Some(form) = cell.leaf() {
            let word = self.heap.opaque_object(form, content);
            let word = word.ok().flatten().ok_or_else(|| damaged("an object of no kind"))?;
            let value = self.leaf(word)?;
            self.heap.forget();
            return Ok(Stated { value, plain: Some((1 + content.len() / 8, 0)) });
        }
        let (head, words) = parts(cell, content)?;
        if cell == Cell::Continuation {
            return self.object(at, cell, (head, words), Vec::new());
        }
        let stated = words.iter().map(|&raw| self.word(raw)).collect::<Result1<Vec<_>>>()?;
        let mut size = Some((1, 0));
        for part in &stated {
            size = match (size, part.plain) {
                (Some((parts, deep)), Some((more, deeper))) => {
                    Some((parts + more, deep.max(deeper + 1)))
                }
                _ => None,
            };
        }
        let values: Vec<Value> = stated.into_iter().map(|part| part.value).collect();
        let is_alone = self.uses.get(&at).is_none_or(|&uses| uses < 2);
        let fits = size
            .filter(|&(parts, deep)| deep < NESTED_MAX && (is_alone || parts <= SHARED_PARTS_MAX));
        if let (Some(plain), Some(value)) = (fits, collected(cell, &values)) {
            return Ok(Stated { value, plain: Some(plain) });
        }
        self.object(at, cell, (head, words), values)
    }

    /// An entity of its own.
    fn object(
        &mut self,
        at: u64,
        cell: Cell,
        (head, words): (&[u64], &[u64]),
        mut values: Vec<Value>,
    ) -> Result1<Stated> {
        let place = Value::Int(at as i64);
        let kind = Value::keyword(&format!("object.kind/{}", kind_name(cell)));
        let id = self.part([("object/place", place.clone()), ("object/kind", kind)]);
        match (cell, head) {
            (Cell::Closure, &[lambda]) => {
                values.insert(0, self.lambda_value(lambda)?);
                let lambda = self.lambda(lambda)?;
                let code = self.programs.get(lambda.program as usize).and_then(Option::as_ref);
                let node = code.and_then(|code| {
                    Some(code.program.tree().hash(code.places.node(lambda.place)?))
                });
                if let Some(hash) = node {
                    let node = self.node(hash);
                    self.state_value(&id, "object/lambda", node);
                }
            }
            (Cell::Continuation, &[may, _, ref frames @ ..]) => {
                let frames = frames.iter().map(|&frame| {
                    let (program, count) = ((frame >> 16) as u16, frame as u16);
                    Frame { place: (frame >> 32) as u32, program, count }
                });
                let frames: Vec<Frame> = frames.collect();
                self.frames(&id, &frames, words)?;
                values = vec![Value::Int(may as i64)];
            }
            _ => {}
        }
        self.state_value(&id, "object/parts", Value::Vector(values));
        self.objects.push(id);
        let value = Value::Tagged(Mark::OBJECT.into(), Box::new(place));
        Ok(Stated { value, plain: None })
    }

    /// The calls that a state or continuation holds.
    fn frames(&mut self, owner: &Value, frames: &[Frame], words: &[u64]) -> Result1<()> {
        let mut from = 0;
        for (depth, frame) in (0..).zip(frames) {
            let held = words.get(from..from + usize::from(frame.count));
            from += usize::from(frame.count);
            let id = self.frame(depth, frame, held.ok_or_else(|| damaged("it lacks values"))?)?;
            self.state_value(owner, "state/frames", id);
        }
        Ok(())
    }

    fn frame(&mut self, depth: i64, frame: &Frame, held: &[u64]) -> Result1<Value> {
        let program = self.program(u32::from(frame.program))?;
        let id = self.part([
            ("frame/depth", Value::Int(depth)),
            ("frame/program", program),
            ("frame/place", Value::Int(i64::from(frame.place))),
        ]);
        let code = self.programs.get(usize::from(frame.program)).and_then(Option::clone);
        let mut names = Vec::new();
        let mut closures = 0;
        if let Some(code) = code
            && let Some(node) = code.places.node(frame.place)
        {
            names = code.program.names_at(&code.places, node);
            let root = code.places.get(node).map_or(node, |place| place.function);
            closures = usize::from(!code.places.captures(root).is_empty());
            self.state_value(&id, "frame/function", Value::text(function_name(&code, root)));
            if prelude().iter().all(|prelude| prelude.hash() != code.program.hash()) {
                let at = code.program.position(node);
                let at = at.map_or(Value::Nil, |at| Value::text(&at.to_string()));
                self.state_value(&id, "frame/at", at);
                let node = self.node(code.program.tree().hash(node));
                self.state_value(&id, "frame/node", node);
            }
        }
        for (place, &raw) in held.iter().enumerate() {
            let name = place.checked_sub(closures).and_then(|at| names.get(at)).cloned();
            let name = name.map(|name| ("bind/name", Value::Symbol(name)));
            let place = ("bind/place", Value::Int(place as i64));
            let bind = self.part([place].into_iter().chain(name));
            let value = self.word(raw)?.value;
            self.state_value(&bind, "bind/value", value);
            self.state_value(&id, "frame/bindings", bind);
        }
        Ok(id)
    }

    fn root(&mut self) -> Result1<()> {
        let state = self.state;
        let id = Value::text("yin/state");
        let standing = match state.standing {
            Standing::Between => "state.standing/between",
            Standing::Turn => "state.standing/turn",
            Standing::Call => "state.standing/call",
            Standing::Parked => "state.standing/parked",
        };
        let program = self.program(state.program)?;
        self.data.push(map([
            ("db/id", id.clone()),
            ("state/id", Value::Hash(self.hash)),
            ("state/standing", Value::keyword(standing)),
            ("state/program", program),
            ("state/next-form", Value::Int(i64::from(state.next_form))),
            ("state/requests", Value::Int(state.requests as i64)),
            ("state/gensym", Value::Int(state.gensym as i64)),
        ]));
        let programs = state.programs.iter().map(|&hash| Value::Hash(hash)).collect();
        self.state_value(&id, "state/programs", Value::Vector(programs));
        let names = state.namespaces.iter().map(|&name| self.name(u64::from(name)));
        let names = names.map(|name| name.map(Value::symbol)).collect::<Result1<_>>()?;
        self.state_value(&id, "state/namespaces", Value::Vector(names));
        let value = self.word(state.value)?.value;
        self.state_value(&id, "state/value", value);
        for global in &state.globals {
            let name = Value::symbol(self.name(u64::from(global.name))?);
            let cell = self.part([("cell/name", name)]);
            let value = self.word(global.word)?.value;
            self.state_value(&cell, "cell/value", value);
            self.state_value(&id, "state/cells", cell);
        }
        for object in std::mem::take(&mut self.objects) {
            self.state_value(&id, "state/objects", object);
        }
        self.frames(&id, &state.frames, &state.words)
    }
}

/// What a function is called: by itself, by what it is bound to, or after its program.
fn function_name(code: &Code, root: crate::ast::NodeId) -> &str {
    match code.program.tree().node(root) {
        Node::Lambda { own, .. } => {
            own.as_ref().or_else(|| code.hint(root)).map_or("fn", |name| name.as_str())
        }
        _ => code.program.name(),
    }
}

/// What stands in front of a cell's words, and the words.
fn parts(cell: Cell, content: &[u64]) -> Result1<(&[u64], &[u64])> {
    let head = match (cell, content) {
        (Cell::Closure, _) => 1,
        (Cell::Continuation, &[_, frames, ..]) => {
            usize::try_from(frames).ok().and_then(|n| n.checked_add(2)).unwrap_or(usize::MAX)
        }
        (Cell::Continuation, _) => usize::MAX,
        (cell, _) if cell.leaf().is_some() => content.len(),
        _ => 0,
    };
    content.split_at_checked(head).ok_or_else(|| damaged("an object that ends early"))
}

pub(super) const fn kind_name(cell: Cell) -> &'static str {
    match cell {
        Cell::Vector => "vector",
        Cell::List => "list",
        Cell::Map => "map",
        Cell::Set => "set",
        Cell::Closure => "closure",
        Cell::Tagged => "tagged",
        Cell::Continuation => "continuation",
        _ => "leaf",
    }
}

/// The collection of its parts; `None` if no value says it.
fn collected(cell: Cell, parts: &[Value]) -> Option<Value> {
    Some(match (cell, parts) {
        (Cell::Vector, parts) => Value::Vector(parts.to_vec()),
        (Cell::List, parts) => Value::List(parts.to_vec()),
        (Cell::Map, parts) => {
            let pairs = parts.as_chunks::<2>().0.iter();
            Value::map(pairs.map(|[key, value]| (key.clone(), value.clone())))
        }
        (Cell::Set, parts) => Value::Set(parts.iter().cloned().collect()),
        (Cell::Tagged, [Value::Symbol(tag), value]) if !Mark::is(tag.as_str()) => {
            Value::Tagged(tag.clone(), Box::new(value.clone()))
        }
        _ => return None,
    })
}
