//! From a state to a machine. What a state holds is not trusted: anybody may have written it.

use std::cmp::Ordering;
use std::sync::Arc;

use datom::{Tag, Word};

use super::pack::{CELL_SHIFT, Cell};
use super::{Frame, Standing, State};
use crate::ast::{Node, NodeId};
use crate::error::{Error, Kind, Trouble};
use crate::heap::{
    EMPTY, FUNCTION, MAP, MARK, OBJECT, PRIMITIVE, SET, Use, again_word, payload, primitive_word,
    sort,
};
use crate::machine::{Machine, Stack, Stance, Told};
use crate::program::Program;
use crate::projection::{Projection, Site};

type Result1<T> = Result<T, Trouble>;

fn damaged(what: &str) -> Trouble {
    Trouble::new(Kind::Code, format!("the state of a program is damaged: {what}"))
}

/// The lower 56 bits of a header or private word.
const PAYLOAD: u64 = (1 << CELL_SHIFT) - 1;

struct Unpacker<'m, 's> {
    machine: &'m mut Machine,
    state: &'s State,
    /// The machine's numbers of the state's programs.
    programs: Vec<u32>,
    /// Where objects begin in the state, ascending, and what they became.
    objects: Vec<(u64, Word)>,
    /// The machine's functions of the state's lambdas.
    lambdas: Vec<u32>,
    /// The call that was looked up last: many of a recursion stand at one place.
    last: Option<(Frame, Told)>,
}

impl Machine {
    /// Goes on with a program where its state was taken: the machine becomes the program's, and
    /// whatever an earlier program defined or holds is forgotten. Code that the machine has stays.
    /// `programs` is asked for programs that the machine does not know, by hash.
    ///
    /// Cost: linear in the state.
    ///
    /// # Errors
    /// [`Kind::State`] if another program is not done; [`Kind::Code`] if the state is damaged or
    /// a program is missing; [`Kind::Memory`] if it does not fit. The machine is then idle.
    pub fn restore(
        &mut self,
        state: &State,
        programs: impl FnMut(&[u8; 32]) -> Option<Program>,
    ) -> Result<(), Error> {
        if !self.is_idle() {
            return Err(Error::new(Kind::State, "another program is not done yet")
                .help("run it to its end, or abandon it"));
        }
        self.forget();
        let restored = self.put_state(state, programs);
        self.heap.take_work();
        restored.map_err(|trouble| {
            self.abandon();
            self.forget();
            self.plain_error(trouble)
        })
    }

    fn put_state(
        &mut self,
        state: &State,
        mut resolve: impl FnMut(&[u8; 32]) -> Option<Program>,
    ) -> Result1<()> {
        let mut programs = Vec::with_capacity(state.programs.len());
        for hash in &state.programs {
            let id = match self.projection.program_of(hash) {
                Some(id) => id,
                None => {
                    let program = resolve(hash).or_else(|| self.namespace_of(state, hash));
                    let program = program.filter(|program| program.hash() == *hash);
                    let hex = blake3::Hash::from_bytes(*hash).to_hex();
                    let program = program.ok_or_else(|| {
                        Trouble::new(Kind::Code, format!("the program {hex} is not known here"))
                            .help("store the program in the database, and restore from there")
                    })?;
                    self.projection.add_program(Arc::new(program))
                }
            };
            self.projection.shadow_all(id);
            programs.push(id);
        }
        let mut unpacker = Unpacker {
            machine: self,
            state,
            programs,
            objects: Vec::new(),
            lambdas: Vec::with_capacity(state.lambdas.len()),
            last: None,
        };
        unpacker.lambdas()?;
        unpacker.cells()?;
        unpacker.globals()?;
        let stack = unpacker.stack()?;
        let value = unpacker.word(state.value)?;
        let program = unpacker.program(state.program)?;
        self.heap.gensym = state.gensym;
        self.take_over((program, state.next_form), state.requests, value);
        match state.standing {
            Standing::Between if stack.frames.is_empty() => return Ok(()),
            Standing::Between => return Err(damaged("it stands between forms, with calls")),
            _ if stack.frames.is_empty() => return Err(damaged("it has no calls")),
            Standing::Parked => self.park_at(state.requests),
            Standing::Turn | Standing::Call => self.run_on(),
        }
        self.put_stack(&stack, 0)
    }
}

impl Machine {
    /// The program of a namespace that the state had loaded, by hash.
    fn namespace_of(&mut self, state: &State, hash: &[u8; 32]) -> Option<Program> {
        state.namespaces.iter().find_map(|&name| {
            let name = state.names.get(u64::from(name))?.into();
            let program = self.find_namespace(&name)?;
            (program.hash() == *hash).then_some(program)
        })
    }
}

impl<'s> Unpacker<'_, 's> {
    fn program(&self, index: u32) -> Result1<u32> {
        self.programs.get(index as usize).copied().ok_or_else(|| damaged("an unknown program"))
    }

    fn node(&mut self, program: u32, place: u32) -> Result1<(u32, NodeId)> {
        let id = self.program(program)?;
        let places = self.machine.projection.places(id);
        let node = places.and_then(|places| places.node(place));
        Ok((id, node.ok_or_else(|| damaged("a place outside of its program"))?))
    }

    fn lambdas(&mut self) -> Result1<()> {
        for lambda in &self.state.lambdas {
            let (program, node) = self.node(lambda.program, lambda.place)?;
            let site = Site { program, node };
            if !matches!(self.machine.projection.node(site), Some(Node::Lambda { .. })) {
                return Err(damaged("a function that is no lambda"));
            }
            let code = self.machine.code(program).ok_or_else(|| damaged("an unknown program"))?;
            let function = self.machine.function_at_lambda(&code, node);
            self.lambdas.push(function.ok_or_else(|| damaged("a function that is no lambda"))?);
        }
        Ok(())
    }

    fn name(&self, index: u64) -> Result1<&'s str> {
        self.state.names.get(index).ok_or_else(|| damaged("an unknown name"))
    }

    fn function(&self, index: u64) -> Result1<u32> {
        let found = usize::try_from(index).ok().and_then(|index| self.lambdas.get(index));
        found.copied().ok_or_else(|| damaged("an unknown function"))
    }

    fn word(&mut self, raw: u64) -> Result1<Word> {
        let word = Word::from_raw(raw);
        match word.tag() {
            Tag::Keyword => {
                let name = self.name(word.payload())?;
                self.machine.heap.keyword(name)
            }
            Tag::Symbol => {
                let name = self.name(word.payload())?;
                self.machine.heap.symbol(name)
            }
            Tag::Private => self.private(word),
            // Words of a store's own heap mean nothing here.
            Tag::Text
            | Tag::BigInt
            | Tag::BigFloat
            | Tag::Bytes
            | Tag::Uuid
            | Tag::Collection
            | Tag::Hash => Err(damaged("a word of another heap")),
            _ => Ok(word),
        }
    }

    fn private(&mut self, word: Word) -> Result1<Word> {
        match sort(word) {
            OBJECT => {
                let at = self.objects.binary_search_by_key(&payload(word), |&(at, _)| at);
                let found = at.ok().and_then(|at| self.objects.get(at));
                found.map(|&(_, word)| word).ok_or_else(|| damaged("a dangling reference"))
            }
            FUNCTION => {
                let function = self.function(payload(word))?;
                let captures = self.machine.projection.function(function).map(|f| f.captures.len());
                if captures != Some(0) {
                    return Err(damaged("a function without what it captured"));
                }
                Ok(Projection::plain(function))
            }
            PRIMITIVE => {
                let name = self.name(payload(word))?;
                let id = crate::builtin::find(name);
                id.map(primitive_word).ok_or_else(|| damaged("an unknown primitive"))
            }
            EMPTY if payload(word) < 4 => Ok(word),
            MARK if word == again_word() => Ok(word),
            _ => Err(damaged("an unknown word")),
        }
    }

    fn cells(&mut self) -> Result1<()> {
        let mut at = 0;
        while let Some(&header) = self.state.cells.get(at) {
            let cell = Cell::ALL.get((header >> CELL_SHIFT) as usize).copied();
            let cell = cell.ok_or_else(|| damaged("an unknown kind of object"))?;
            let length = usize::try_from(header & PAYLOAD).unwrap_or(usize::MAX);
            let content =
                at.checked_add(1 + length).and_then(|end| self.state.cells.get(at + 1..end));
            let content = content.ok_or_else(|| damaged("an object that ends behind the state"))?;
            let word = self.cell(cell, content)?;
            self.objects.push((at as u64, word));
            at += 1 + length;
        }
        Ok(())
    }

    fn cell(&mut self, cell: Cell, content: &[u64]) -> Result1<Word> {
        if let Some(form) = cell.leaf() {
            let word = self.machine.heap.opaque_object(form, content)?;
            return word.ok_or_else(|| damaged("an object that is not of its kind"));
        }
        match cell {
            Cell::Closure => self.closure(content),
            Cell::Continuation => self.continuation(content),
            _ => {
                let words =
                    content.iter().map(|&raw| self.word(raw)).collect::<Result1<Vec<_>>>()?;
                self.collection(cell, &words)
            }
        }
    }

    fn collection(&mut self, cell: Cell, words: &[Word]) -> Result1<Word> {
        if words.contains(&again_word()) {
            return Err(damaged("a value that is none"));
        }
        let heap = &mut self.machine.heap;
        match (cell, words) {
            (Cell::Vector, words) => heap.vector(words),
            (Cell::List, words) => heap.list(words),
            (Cell::Tagged, &[tag, value]) if tag.tag() == Tag::Symbol => heap.tagged(tag, value),
            (Cell::Map, words) if words.len().is_multiple_of(2) => {
                let pairs: Vec<(Word, Word)> =
                    words.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value)).collect();
                self.ascending(&pairs)?;
                self.machine.heap.tree_sorted(MAP, &pairs)
            }
            (Cell::Set, words) => {
                let pairs: Vec<(Word, Word)> = words.iter().map(|&key| (key, Word::NIL)).collect();
                self.ascending(&pairs)?;
                self.machine.heap.tree_sorted(SET, &pairs)
            }
            _ => Err(damaged("an object that is not of its kind")),
        }
    }

    fn ascending(&self, pairs: &[(Word, Word)]) -> Result1<()> {
        for pair in pairs.windows(2) {
            let &[(a, _), (b, _)] = pair else { continue };
            if self.machine.heap.compare(a, b)? != Ordering::Less {
                return Err(damaged("keys in disorder"));
            }
        }
        Ok(())
    }

    fn closure(&mut self, content: &[u64]) -> Result1<Word> {
        let (&lambda, captured) =
            content.split_first().ok_or_else(|| damaged("an empty closure"))?;
        let function = self.function(lambda)?;
        let wanted = self.machine.projection.function(function).map_or(0, |f| f.captures.len());
        if wanted != captured.len() || wanted == 0 {
            return Err(damaged("a closure over the wrong number of values"));
        }
        let words = captured.iter().map(|&raw| self.word(raw)).collect::<Result1<Vec<_>>>()?;
        self.machine.heap.closure(function, &words)
    }

    fn continuation(&mut self, content: &[u64]) -> Result1<Word> {
        let &[may, count, ref rest @ ..] = content else { return Err(damaged("a continuation")) };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (frames, words) =
            rest.split_at_checked(count).ok_or_else(|| damaged("a continuation"))?;
        let mut stack = Stack::default();
        for &frame in frames {
            let place = (frame >> 32) as u32;
            let (program, held) = ((frame >> 16) as u16, frame as u16);
            let frame = Frame { place, program, count: held };
            stack.frames.push(self.told(frame, Stance::Wait)?);
        }
        for &raw in words {
            let word = self.word(raw)?;
            stack.words.push(word);
        }
        self.machine.heap.told_continuation(Use::of(u32::try_from(may).unwrap_or(2)), &stack)
    }

    fn told(&mut self, frame: Frame, stance: Stance) -> Result1<Told> {
        if let Some((last, told)) = &self.last
            && *last == frame
        {
            return Ok(Told { stance, ..*told });
        }
        let (program, node) = self.node(u32::from(frame.program), frame.place)?;
        let told = Told { program, node, stance, count: u32::from(frame.count) };
        self.last = Some((frame, told));
        Ok(told)
    }

    fn globals(&mut self) -> Result1<()> {
        for global in &self.state.globals {
            let word = self.word(global.word)?;
            let name = self.name(u64::from(global.name))?;
            self.machine.projection.bind(name, word);
        }
        for &name in &self.state.namespaces {
            let name = self.name(u64::from(name))?.into();
            self.machine.namespaces.insert(name);
        }
        Ok(())
    }

    fn stack(&mut self) -> Result1<Stack> {
        let mut stack = Stack {
            frames: Vec::with_capacity(self.state.frames.len()),
            words: Vec::with_capacity(self.state.words.len()),
        };
        for (at, &frame) in self.state.frames.iter().enumerate() {
            let stance = match self.state.standing {
                _ if at + 1 < self.state.frames.len() => Stance::Wait,
                Standing::Turn => Stance::Turn,
                Standing::Call => Stance::Call,
                _ => Stance::Wait,
            };
            let told = self.told(frame, stance)?;
            stack.frames.push(told);
        }
        for &raw in &self.state.words {
            let word = self.word(raw)?;
            stack.words.push(word);
        }
        Ok(stack)
    }
}
