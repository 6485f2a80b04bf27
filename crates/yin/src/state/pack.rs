//! From a machine to a state.

use std::collections::{BTreeMap, HashMap};

use datom::{Tag, Word};

use super::names::Names;
use super::{Frame, Global, Lambda, Standing, State};
use crate::builtin;
use crate::error::{Kind, Trouble};
use crate::heap::{Form, MARK, OBJECT, PRIMITIVE, Sort, payload, private, sort};
use crate::machine::{Machine, Stack, Stance, Told};
use crate::projection::Site;

/// What an object of a state is: the upper byte of its header. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cell {
    Text,
    Bytes,
    Uuid,
    Hash,
    Big,
    Float,
    Instant,
    Vector,
    List,
    Map,
    Set,
    Closure,
    Tagged,
    Continuation,
}

impl Cell {
    pub(super) const ALL: [Cell; 14] = [
        Cell::Text,
        Cell::Bytes,
        Cell::Uuid,
        Cell::Hash,
        Cell::Big,
        Cell::Float,
        Cell::Instant,
        Cell::Vector,
        Cell::List,
        Cell::Map,
        Cell::Set,
        Cell::Closure,
        Cell::Tagged,
        Cell::Continuation,
    ];

    /// The form in the heap of what holds no words.
    pub(super) const fn leaf(self) -> Option<Form> {
        Some(match self {
            Cell::Text => Form::Text,
            Cell::Bytes => Form::Bytes,
            Cell::Uuid => Form::Uuid,
            Cell::Hash => Form::Hash,
            Cell::Big => Form::Big,
            Cell::Float => Form::Float,
            Cell::Instant => Form::Instant,
            _ => return None,
        })
    }

    /// What a leaf of the heap becomes.
    pub(super) fn of_leaf(form: Form) -> Option<Self> {
        Cell::ALL.into_iter().find(|cell| cell.leaf() == Some(form))
    }
}

/// Where the kind of a cell stands in its header.
pub(super) const CELL_SHIFT: u32 = 56;

/// An object on its way: what is written in front of its words, and how many are looked at.
struct Parcel {
    at: u64,
    cell: Cell,
    head: Vec<u64>,
    words: Vec<Word>,
    looked: usize,
}

struct Packer<'m> {
    machine: &'m mut Machine,
    state: State,
    /// Where the objects of the heap went.
    places: HashMap<u64, u64>,
    names: Names,
    programs: BTreeMap<u32, u32>,
    lambdas: BTreeMap<u32, u32>,
    /// The call that was looked up last: many of a recursion stand at one place.
    last: Option<(Told, Frame)>,
}

type Result1<T> = Result<T, Trouble>;

impl State {
    /// The state of a machine whose program stands still.
    pub(crate) fn of(
        machine: &mut Machine,
        standing: Standing,
        stack: &Stack,
        queue: (u32, u32),
    ) -> Result1<Self> {
        let value = machine.result_word();
        let (requests, gensym) = (machine.requests(), machine.heap.gensym);
        let state = State {
            frames: Vec::with_capacity(stack.frames.len()),
            words: Vec::with_capacity(stack.words.len()),
            next_form: queue.1,
            requests,
            gensym,
            ..State::empty(standing)
        };
        let mut packer = Packer {
            machine,
            state,
            places: HashMap::new(),
            names: Names::default(),
            programs: BTreeMap::new(),
            lambdas: BTreeMap::new(),
            last: None,
        };
        packer.state.program = packer.program(queue.0)?;
        packer.state.value = packer.word(value)?;
        for told in &stack.frames {
            let frame = packer.frame(told)?;
            packer.state.frames.push(frame);
        }
        for &word in &stack.words {
            let word = packer.word(word)?;
            packer.state.words.push(word);
        }
        packer.globals()?;
        Ok(packer.state)
    }
}

fn too_many(what: &str) -> Trouble {
    Trouble::new(Kind::Limit, format!("the program holds too many {what} to be taken"))
}

impl Packer<'_> {
    fn globals(&mut self) -> Result1<()> {
        let defined = self.machine.projection.defined();
        let mut defined: Vec<_> = defined.map(|(name, word)| (name.clone(), word)).collect();
        defined.sort();
        for (name, word) in defined {
            let name = self.name(name.as_str());
            let word = self.word(word)?;
            self.state.globals.push(Global { name, word });
        }
        for name in self.machine.namespaces.clone() {
            let name = self.name(name.as_str());
            self.state.namespaces.push(name);
        }
        Ok(())
    }

    fn name(&mut self, name: &str) -> u32 {
        self.names.number(name, &mut self.state.names)
    }

    fn program(&mut self, id: u32) -> Result1<u32> {
        if let Some(&index) = self.programs.get(&id) {
            return Ok(index);
        }
        let program = self.machine.projection.program(id);
        let hash = program.ok_or_else(|| too_many("programs"))?.hash();
        let index = self.state.programs.len() as u32;
        self.state.programs.push(hash);
        self.programs.insert(id, index);
        Ok(index)
    }

    fn place(&mut self, site: Site) -> Result1<(u32, u32)> {
        let program = self.program(site.program)?;
        let places = self.machine.projection.places(site.program);
        let place = places.and_then(|places| places.get(site.node).map(|place| place.ordinal));
        let place = place.ok_or_else(|| Trouble::new(Kind::State, "a call stands nowhere"))?;
        Ok((program, place))
    }

    fn frame(&mut self, told: &Told) -> Result1<Frame> {
        if let Some((last, frame)) = &self.last
            && last == told
        {
            return Ok(*frame);
        }
        let (program, place) = self.place(Site { program: told.program, node: told.node })?;
        let program = u16::try_from(program).map_err(|_| too_many("programs"))?;
        let count = u16::try_from(told.count).map_err(|_| too_many("values in one call"))?;
        let frame = Frame { place, program, count };
        self.last = Some((*told, frame));
        Ok(frame)
    }

    fn lambda(&mut self, function: u32) -> Result1<u32> {
        if let Some(&index) = self.lambdas.get(&function) {
            return Ok(index);
        }
        let found = self.machine.projection.function(function);
        let site = found.map(|found| Site { program: found.program, node: found.node });
        let site = site.ok_or_else(|| Trouble::new(Kind::State, "an unknown function"))?;
        let (program, place) = self.place(site)?;
        let index = self.state.lambdas.len() as u32;
        self.state.lambdas.push(Lambda { program, place });
        self.lambdas.insert(function, index);
        Ok(index)
    }

    /// The word that stands for a word of the machine.
    fn word(&mut self, word: Word) -> Result1<u64> {
        match word.tag() {
            Tag::Keyword | Tag::Symbol => {
                let name = self.machine.heap.name(word).unwrap_or_default();
                let index = self.names.number(name, &mut self.state.names);
                Ok(Word::new(word.tag(), u64::from(index)).raw())
            }
            Tag::Private => self.private(word),
            _ => Ok(word.raw()),
        }
    }

    fn private(&mut self, word: Word) -> Result1<u64> {
        match sort(word) {
            OBJECT => {
                let at = payload(word);
                if !self.places.contains_key(&at) {
                    self.object(word)?;
                }
                Ok(private(OBJECT, self.places.get(&at).copied().unwrap_or(0)).raw())
            }
            PRIMITIVE => {
                let name = builtin::primitive(payload(word) as u32).map_or("", |p| p.name);
                Ok(private(PRIMITIVE, u64::from(self.name(name))).raw())
            }
            MARK => Ok(word.raw()),
            place => match self.machine.heap.function(word) {
                Some(function) => Ok(private(place, u64::from(self.lambda(function)?)).raw()),
                // The empty collections.
                None => Ok(word.raw()),
            },
        }
    }

    /// Copies an object, and before it whatever it refers to. A stack of its own, for values may be
    /// nested deeply.
    fn object(&mut self, word: Word) -> Result1<()> {
        let mut open = vec![self.parcel(word)?];
        while let Some(parcel) = open.last_mut() {
            let next = parcel.words.get(parcel.looked).copied();
            let Some(word) = next else {
                if let Some(parcel) = open.pop() {
                    self.close(parcel)?;
                }
                continue;
            };
            parcel.looked += 1;
            if sort(word) == OBJECT && !self.places.contains_key(&payload(word)) {
                let parcel = self.parcel(word)?;
                open.push(parcel);
            }
        }
        Ok(())
    }

    fn parcel(&mut self, word: Word) -> Result1<Parcel> {
        let heap = &self.machine.heap;
        let mut head = Vec::new();
        let mut words = Vec::new();
        let cell = match heap.sort(word) {
            Sort::Vector => {
                words = heap.vector_words(word);
                Cell::Vector
            }
            Sort::List => {
                words = heap.vector_words(word);
                Cell::List
            }
            Sort::Map => {
                words = heap.entries(word).flat_map(|(key, value)| [key, value]).collect();
                Cell::Map
            }
            Sort::Set => {
                words = heap.entries(word).map(|(element, _)| element).collect();
                Cell::Set
            }
            Sort::Tagged => {
                words.extend(
                    heap.untagged(word).map(|(tag, value)| [tag, value]).into_iter().flatten(),
                );
                Cell::Tagged
            }
            Sort::Function => return self.function_parcel(word),
            other => {
                head = heap.opaque(word).to_vec();
                match other {
                    Sort::Text => Cell::Text,
                    Sort::Bytes => Cell::Bytes,
                    Sort::Uuid => Cell::Uuid,
                    Sort::Hash => Cell::Hash,
                    Sort::Int => Cell::Big,
                    Sort::Float => Cell::Float,
                    Sort::Instant => Cell::Instant,
                    _ => return Err(Trouble::new(Kind::State, "an unknown object")),
                }
            }
        };
        heap.charge((head.len() + words.len()) as u64)?;
        Ok(Parcel { at: payload(word), cell, head, words, looked: 0 })
    }

    fn function_parcel(&mut self, word: Word) -> Result1<Parcel> {
        let at = payload(word);
        if let Some(function) = self.machine.heap.function(word) {
            let words = self.machine.heap.all_captured(word);
            let head = vec![u64::from(self.lambda(function)?)];
            return Ok(Parcel { at, cell: Cell::Closure, head, words, looked: 0 });
        }
        let Some((may, stack)) = self.machine.told_of(word)? else {
            return Err(Trouble::new(Kind::State, "an unknown object"));
        };
        let mut head = vec![may as u64, stack.frames.len() as u64];
        for told in &stack.frames {
            let Frame { place, program, count } = self.frame(told)?;
            head.push(u64::from(place) << 32 | u64::from(program) << 16 | u64::from(count));
        }
        Ok(Parcel { at, cell: Cell::Continuation, head, words: stack.words, looked: 0 })
    }

    /// Everything an object refers to is in the state already.
    fn close(&mut self, parcel: Parcel) -> Result1<()> {
        if self.places.contains_key(&parcel.at) {
            return Ok(());
        }
        let place = self.state.cells.len() as u64;
        let length = (parcel.head.len() + parcel.words.len()) as u64;
        self.state.cells.push(u64::from(parcel.cell as u8) << CELL_SHIFT | length);
        self.state.cells.extend_from_slice(&parcel.head);
        for word in parcel.words {
            let word = self.word(word)?;
            self.state.cells.push(word);
        }
        self.places.insert(parcel.at, place);
        Ok(())
    }
}

impl Machine {
    /// Takes the state of the program, which goes on standing where it stands: between two runs,
    /// out of fuel, or parked. Cost: linear in what the program holds, not in its code.
    ///
    /// # Errors
    /// [`Kind::State`] if there is no program, [`Kind::Limit`] if it holds too much.
    pub fn capture(&mut self) -> Result<State, crate::Error> {
        self.take_state().map_err(|trouble| self.plain_error(trouble))
    }

    fn take_state(&mut self) -> Result1<State> {
        let (standing, queue) = self.standing()?;
        let stack = match standing {
            Standing::Between => Stack::default(),
            _ => self.stack()?,
        };
        let standing = match (standing, stack.frames.last().map(|told| told.stance)) {
            (Standing::Turn, Some(Stance::Call)) => Standing::Call,
            (standing, _) => standing,
        };
        let state = State::of(self, standing, &stack, queue);
        self.heap.take_work();
        state
    }
}
