//! From datoms to a state. What a database holds is not trusted: whether it makes sense is found out
//! here as far as a state alone can tell, and by [`Machine::restore`](crate::Machine::restore).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use daodb::{Db, Entity};
use datom::{Symbol, Value, Word};

use super::datoms::{Mark, damaged, kind_name};
use super::names::Names;
use super::pack::{CELL_SHIFT, Cell};
use super::{Frame, Global, Lambda, Standing, State};
use crate::error::{Error, Kind};
use crate::heap::{
    EMPTY_LIST, EMPTY_MAP, EMPTY_SET, EMPTY_VECTOR, FUNCTION, Heap, OBJECT, PRIMITIVE, again_word,
    private,
};

/// Values are nested no deeper than this.
const NESTED_MAX: usize = 256;

type Result1<T> = Result<T, Error>;

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Database, error.to_string())
}

impl State {
    /// Reads a state that [`State::transaction`] stated, named by its entity or [`State::entity`].
    ///
    /// # Errors
    /// [`Kind::Code`] if it is none or damaged, [`Kind::Database`] if the database fails.
    pub fn load(db: &Db, entity: &Value) -> Result<Self, Error> {
        let root = db.entity(entity).map_err(failed)?;
        let root = root.ok_or_else(|| damaged("there is no such entity"))?;
        Loader::new()?.state(&root)
    }
}

struct Loader {
    state: State,
    names: Names,
    lambdas: HashMap<(u32, u32), u32>,
    programs: HashMap<[u8; 32], u32>,
    /// Where the objects went, by their places.
    objects: BTreeMap<i64, u64>,
    /// Where leaves are made.
    heap: Heap,
}

fn get(entity: &Entity, attribute: &str) -> Result1<Option<Value>> {
    entity.get(attribute).map_err(failed)
}

fn value(entity: &Entity, attribute: &str) -> Result1<Value> {
    Ok(get(entity, attribute)?.unwrap_or(Value::Nil))
}

fn number<T: TryFrom<i64>>(entity: &Entity, attribute: &str) -> Result1<T> {
    let number = match value(entity, attribute)? {
        Value::Int(number) => T::try_from(number).ok(),
        _ => None,
    };
    number.ok_or_else(|| damaged(&format!("entity {} has no fitting :{attribute}", entity.id())))
}

fn items(entity: &Entity, attribute: &str) -> Result1<Vec<Value>> {
    match value(entity, attribute)? {
        Value::Vector(items) => Ok(items),
        _ => Err(damaged(&format!("entity {} has no vector as :{attribute}", entity.id()))),
    }
}

/// The entities that an attribute refers to, in the order of their numbers.
fn ordered(owner: &Entity, attribute: &str, by: &str) -> Result1<Vec<(i64, Entity)>> {
    let mut found = BTreeMap::new();
    for entity in owner.follow(attribute).map_err(failed)? {
        if found.insert(number::<i64>(&entity, by)?, entity).is_some() {
            return Err(damaged(&format!("two of :{attribute} have the same :{by}")));
        }
    }
    Ok(found.into_iter().collect())
}

impl Loader {
    fn new() -> Result1<Self> {
        Ok(Self {
            state: State::empty(Standing::Between),
            names: Names::default(),
            lambdas: HashMap::new(),
            programs: HashMap::new(),
            objects: BTreeMap::new(),
            heap: Heap::new(usize::MAX, Arc::new(AtomicBool::new(false))),
        })
    }

    fn state(mut self, root: &Entity) -> Result1<State> {
        self.state.standing = match get(root, "state/standing")? {
            Some(Value::Keyword(standing)) => match standing.as_str() {
                "state.standing/between" => Standing::Between,
                "state.standing/turn" => Standing::Turn,
                "state.standing/call" => Standing::Call,
                "state.standing/parked" => Standing::Parked,
                _ => return Err(damaged("it stands in no known way")),
            },
            _ => return Err(damaged("the entity is no state")),
        };
        for (index, hash) in (0..).zip(items(root, "state/programs")?) {
            let Value::Hash(hash) = hash else { return Err(damaged("a program without hash")) };
            self.state.programs.push(hash);
            self.programs.insert(hash, index);
        }
        self.state.program = self.program(root, "state/program")?;
        self.state.next_form = number(root, "state/next-form")?;
        self.state.requests = number(root, "state/requests")?;
        self.state.gensym = number(root, "state/gensym")?;
        for (place, object) in ordered(root, "state/objects", "object/place")? {
            let at = self.object(&object)?;
            self.objects.insert(place, at);
        }
        for name in items(root, "state/namespaces")? {
            let Value::Symbol(name) = name else { return Err(damaged("a namespace of no name")) };
            let name = self.name(name.as_str());
            self.state.namespaces.push(name);
        }
        self.state.value = self.whole(&value(root, "state/value")?)?;
        self.globals(root)?;
        (self.state.frames, self.state.words) = self.frames(root)?;
        Ok(self.state)
    }

    fn globals(&mut self, root: &Entity) -> Result1<()> {
        let mut cells = BTreeMap::new();
        for cell in root.follow("state/cells").map_err(failed)? {
            let Some(Value::Symbol(name)) = get(&cell, "cell/name")? else {
                return Err(damaged("a cell without name"));
            };
            cells.insert(name, value(&cell, "cell/value")?);
        }
        for (name, value) in cells {
            let name = self.name(name.as_str());
            let word = self.whole(&value)?;
            self.state.globals.push(Global { name, word });
        }
        Ok(())
    }

    fn name(&mut self, name: &str) -> u32 {
        self.names.number(name, &mut self.state.names)
    }

    fn program(&self, entity: &Entity, attribute: &str) -> Result1<u32> {
        let program = entity.follow(attribute).map_err(failed)?;
        let program = program.first().ok_or_else(|| damaged("a program is missing"))?;
        self.program_of(get(program, "yin.program/hash")?.as_ref())
    }

    fn program_of(&self, hash: Option<&Value>) -> Result1<u32> {
        let Some(Value::Hash(hash)) = hash else { return Err(damaged("a program without hash")) };
        self.programs.get(hash).copied().ok_or_else(|| damaged("an unknown program"))
    }

    fn frames(&mut self, owner: &Entity) -> Result1<(Vec<Frame>, Vec<u64>)> {
        let (mut frames, mut words) = (Vec::new(), Vec::new());
        for (_, frame) in ordered(owner, "state/frames", "frame/depth")? {
            let program = self.program(&frame, "frame/program")?;
            let program = u16::try_from(program).map_err(|_| damaged("too many programs"))?;
            let held = ordered(&frame, "frame/bindings", "bind/place")?;
            let count = u16::try_from(held.len()).map_err(|_| damaged("a call of too much"))?;
            for (_, bind) in held {
                words.push(self.whole(&value(&bind, "bind/value")?)?);
            }
            frames.push(Frame { place: number(&frame, "frame/place")?, program, count });
        }
        Ok((frames, words))
    }

    fn object(&mut self, object: &Entity) -> Result1<u64> {
        let kind = get(object, "object/kind")?;
        let kind = kind.as_ref().and_then(Value::as_keyword).map_or("", |kind| kind.name());
        let cell = Cell::ALL.into_iter().find(|&cell| kind_name(cell) == kind);
        let cell = cell.ok_or_else(|| damaged("an object of an unknown kind"))?;
        let parts = items(object, "object/parts")?;
        let content = match (cell, parts.as_slice()) {
            (Cell::Closure, [lambda, captured @ ..]) => {
                let lambda = self.lambda(lambda)?;
                let mut content = vec![u64::from(lambda)];
                for value in captured {
                    content.push(self.whole(value)?);
                }
                content
            }
            (Cell::Continuation, &[Value::Int(may)]) => {
                let (frames, words) = self.frames(object)?;
                let mut content = vec![may as u64, frames.len() as u64];
                content.extend(frames.iter().map(|frame| {
                    u64::from(frame.place) << 32
                        | u64::from(frame.program) << 16
                        | u64::from(frame.count)
                }));
                content.extend(words);
                content
            }
            (Cell::Vector | Cell::List | Cell::Map | Cell::Set | Cell::Tagged, parts) => {
                parts.iter().map(|part| self.whole(part)).collect::<Result1<_>>()?
            }
            _ => return Err(damaged("an object that is not of its kind")),
        };
        Ok(self.push(cell, &content))
    }

    fn push(&mut self, cell: Cell, content: &[u64]) -> u64 {
        let at = self.state.cells.len() as u64;
        self.state.cells.push(u64::from(cell as u8) << CELL_SHIFT | content.len() as u64);
        self.state.cells.extend_from_slice(content);
        at
    }

    fn lambda(&mut self, value: &Value) -> Result1<u32> {
        let parts = match value {
            Value::Tagged(tag, parts) if tag.as_str() == Mark::LAMBDA => parts.as_slice(),
            _ => None,
        };
        let Some([hash, Value::Int(place)]) = parts else { return Err(damaged("no function")) };
        let program = self.program_of(Some(hash))?;
        let place = u32::try_from(*place).map_err(|_| damaged("a function of no place"))?;
        let next = self.state.lambdas.len() as u32;
        let index = *self.lambdas.entry((program, place)).or_insert(next);
        if index == next {
            self.state.lambdas.push(Lambda { program, place });
        }
        Ok(index)
    }

    /// The word of a whole value, which may be a mark.
    fn whole(&mut self, value: &Value) -> Result1<u64> {
        let Value::Tagged(tag, inner) = value else { return self.plain(value, 0) };
        let word = match (tag.as_str(), inner.as_ref()) {
            (Mark::OBJECT, Value::Int(place)) => {
                let at = self.objects.get(place).copied();
                private(OBJECT, at.ok_or_else(|| damaged("a dangling reference"))?)
            }
            (Mark::LAMBDA, _) => private(FUNCTION, u64::from(self.lambda(value)?)),
            (Mark::PRIMITIVE, Value::Symbol(name)) => {
                private(PRIMITIVE, u64::from(self.name(name.as_str())))
            }
            (Mark::AGAIN, Value::Nil) => again_word(),
            (tag, _) if Mark::is(tag) => return Err(damaged("a mark that marks nothing")),
            _ => return self.plain(value, 0),
        };
        Ok(word.raw())
    }

    /// The word of a value that stands for itself.
    fn plain(&mut self, value: &Value, depth: usize) -> Result1<u64> {
        if depth > NESTED_MAX {
            return Err(damaged("a value is nested too deeply"));
        }
        let word = match value {
            Value::Keyword(name) => {
                Word::new(datom::Tag::Keyword, u64::from(self.name(name.as_str())))
            }
            Value::Symbol(name) => self.symbol(name),
            Value::Vector(items) if items.is_empty() => EMPTY_VECTOR,
            Value::List(items) if items.is_empty() => EMPTY_LIST,
            Value::Map(map) if map.is_empty() => EMPTY_MAP,
            Value::Set(set) if set.is_empty() => EMPTY_SET,
            Value::Vector(items) => return self.collection(Cell::Vector, items, depth),
            Value::List(items) => return self.collection(Cell::List, items, depth),
            Value::Set(set) => return self.collection(Cell::Set, set, depth),
            Value::Map(map) => {
                let parts = map.iter().flat_map(|(key, value)| [key, value]);
                return self.collection(Cell::Map, parts, depth);
            }
            Value::Tagged(tag, inner) => {
                let (tag, inner) = (self.symbol(tag).raw(), self.plain(inner, depth + 1)?);
                private(OBJECT, self.push(Cell::Tagged, &[tag, inner]))
            }
            leaf => return self.leaf(leaf),
        };
        Ok(word.raw())
    }

    fn symbol(&mut self, name: &Symbol) -> Word {
        Word::new(datom::Tag::Symbol, u64::from(self.name(name.as_str())))
    }

    fn collection<'v>(
        &mut self,
        cell: Cell,
        parts: impl IntoIterator<Item = &'v Value>,
        depth: usize,
    ) -> Result1<u64> {
        let parts = parts.into_iter().map(|part| self.plain(part, depth + 1));
        let parts = parts.collect::<Result1<Vec<_>>>()?;
        Ok(private(OBJECT, self.push(cell, &parts)).raw())
    }

    fn leaf(&mut self, value: &Value) -> Result1<u64> {
        let word = self.heap.word(value).map_err(|_| damaged("a value too large"))?;
        self.heap.take_work();
        let Some(form) = self.heap.form(word) else { return Ok(word.raw()) };
        let cell = Cell::of_leaf(form).ok_or_else(|| damaged("a value of no known kind"))?;
        let units = self.heap.opaque(word).to_vec();
        self.heap.forget();
        Ok(private(OBJECT, self.push(cell, &units)).raw())
    }
}
