//! The projection: AST nodes as compact register code.
//!
//! A function is compiled when it is called for the first time. Its registers are a window of
//! 256 words; register 0 holds the function itself, then come its arguments, then what it binds
//! and computes. A call puts function and arguments into consecutive registers of the caller,
//! where the callee's window begins, so nothing is copied; the result comes back in the first.
//!
//! 1. Every instruction names the node it came from ([`Projection::site`]), and every function
//!    which register holds which name where ([`Function::slots`]): a machine's state can be told
//!    in terms of nodes and names, whatever projection runs it.
//! 2. Code is only appended, so a frame's return address stays good while the frame lives.
//! 3. Operators are evaluated before operands, operands from left to right, with one
//!    exception that no program can see: a global is read at the call itself if it is bound
//!    already and the operands contain nothing that could define it anew.

mod compile;
mod free;
mod instruction;

use std::collections::HashMap;
use std::sync::Arc;

use datom::{Symbol, Word};

use crate::ast::{Node, NodeId};
use crate::error::{Call, Position};
use crate::heap::{FUNCTION, UNBOUND, function_word, payload, sort};
use crate::program::Program;

pub(crate) use compile::{UPDATE_ARGS_MAX, Unfit};
pub(crate) use free::names as free_names;
pub(crate) use instruction::{Compare, Instruction};

/// Registers in the window of a call.
pub(crate) const WINDOW: usize = 256;
/// The arity of a function that must be called the slow way.
pub(crate) const ARITY_OTHER: u8 = u8::MAX;

/// What a call needs to know, 8 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Where the code begins; 0 before it is compiled.
    pub(crate) pc: u32,
    /// How many arguments it takes, or [`ARITY_OTHER`].
    pub(crate) arity: u8,
}

/// A name in a register, from one instruction to another.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) name: Symbol,
    pub(crate) register: u8,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// One function of one program: a lambda, or a whole form.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) program: u32,
    pub(crate) node: NodeId,
    /// What error messages call it.
    pub(crate) name: Arc<str>,
    pub(crate) own: Option<Symbol>,
    pub(crate) params: Vec<Symbol>,
    pub(crate) rest: Option<Symbol>,
    pub(crate) body: NodeId,
    /// The names it finds in its closure, in order.
    pub(crate) captures: Vec<Symbol>,
    /// Registers in use, once compiled.
    pub(crate) registers: u16,
    pub(crate) slots: Vec<Slot>,
    /// Whether it is a whole form, which stays in the trace of what it calls last.
    pub(crate) is_form: bool,
}

/// A node of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    pub(crate) program: u32,
    pub(crate) node: NodeId,
}

/// A global name.
#[derive(Clone, Debug)]
pub(crate) struct Global {
    pub(crate) name: Symbol,
}

/// All code of one machine.
#[derive(Default)]
pub(crate) struct Projection {
    pub(crate) code: Vec<Instruction>,
    sites: Vec<Site>,
    pub(crate) entries: Vec<Entry>,
    functions: Vec<Function>,
    /// Where the code of each compiled function begins, ascending.
    starts: Vec<(u32, u32)>,
    programs: Vec<Arc<Program>>,
    /// The function of a lambda, by its place and by what it captures there.
    known: HashMap<(Site, Vec<Symbol>), u32>,
    global_ids: HashMap<Symbol, u32>,
    globals: Vec<Global>,
    /// The words of literals; roots for the collector.
    pub(crate) constants: Vec<Word>,
    /// The values of globals; roots for the collector.
    pub(crate) values: Vec<Word>,
    /// The machine's own names.
    pub(crate) builtins: HashMap<Symbol, Word>,
}

impl Projection {
    pub(crate) fn new() -> Self {
        let mut this = Self::default();
        // Address 0 means "not compiled" in an entry.
        this.code.push(Instruction::Halt);
        this.sites.push(Site { program: u32::MAX, node: NodeId::default() });
        this
    }

    pub(crate) fn add_program(&mut self, program: Arc<Program>) -> u32 {
        self.programs.push(program);
        self.programs.len() as u32 - 1
    }

    pub(crate) fn program(&self, id: u32) -> Option<&Arc<Program>> {
        self.programs.get(id as usize)
    }

    pub(crate) fn node(&self, site: Site) -> Option<&Node> {
        Some(self.program(site.program)?.tree().node(site.node))
    }

    /// The function of a lambda node. Its code comes with its first call.
    pub(crate) fn lambda(
        &mut self,
        site: Site,
        captures: Vec<Symbol>,
        hint: Option<&Symbol>,
    ) -> Option<u32> {
        let key = (site, captures);
        if let Some(&id) = self.known.get(&key) {
            return Some(id);
        }
        let Node::Lambda { own, params, rest, body } = self.node(site)?.clone() else {
            return None;
        };
        let name = own.as_ref().or(hint).map_or("fn", Symbol::as_str).into();
        let captures = key.1.clone();
        let (program, node) = (site.program, site.node);
        let arity = match rest {
            None => params.len() as u8,
            Some(_) => ARITY_OTHER,
        };
        let function = Function {
            program,
            node,
            name,
            own,
            params,
            rest,
            body,
            captures,
            registers: 0,
            slots: Vec::new(),
            is_form: false,
        };
        let id = self.add_function(function, arity);
        self.known.insert(key, id);
        Some(id)
    }

    /// The function of the prelude that has a name.
    pub(crate) fn prelude_function(&self, name: &str) -> Option<u32> {
        let word = *self.builtins.get(name)?;
        (sort(word) == FUNCTION).then_some(payload(word) as u32)
    }

    /// A whole form as a function of no arguments.
    pub(crate) fn form(&mut self, program: u32, node: NodeId, name: &str) -> u32 {
        let function = Function {
            program,
            node,
            name: name.into(),
            own: None,
            params: Vec::new(),
            rest: None,
            body: node,
            captures: Vec::new(),
            registers: 0,
            slots: Vec::new(),
            is_form: true,
        };
        self.add_function(function, 0)
    }

    fn add_function(&mut self, function: Function, arity: u8) -> u32 {
        self.functions.push(function);
        self.entries.push(Entry { pc: 0, arity });
        self.functions.len() as u32 - 1
    }

    pub(crate) fn function(&self, id: u32) -> Option<&Function> {
        self.functions.get(id as usize)
    }

    /// The function whose code an address lies in.
    pub(crate) fn function_at(&self, pc: u32) -> Option<&Function> {
        let after = self.starts.partition_point(|&(start, _)| start <= pc);
        let &(_, id) = self.starts.get(after.checked_sub(1)?)?;
        self.function(id)
    }

    /// The node an instruction came from.
    pub(crate) fn site(&self, pc: u32) -> Option<Site> {
        self.sites.get(pc as usize).copied()
    }

    /// Where in its source an instruction came from. `None` for the machine's own code.
    pub(crate) fn position(&self, pc: u32) -> Option<Position> {
        let site = self.site(pc).filter(|site| site.program != PRELUDE)?;
        self.program(site.program)?.position(site.node)
    }

    /// The call that an instruction is part of.
    pub(crate) fn call(&self, pc: u32) -> Option<Call> {
        let function = self.function_at(pc)?.name.clone();
        Some(Call { function, position: self.position(pc) })
    }

    /// The names that registers hold at an address: with [`Projection::site`] this is what says
    /// in terms of the AST where a frame waits, and with what.
    pub(crate) fn slots_at(&self, pc: u32) -> impl Iterator<Item = (&Symbol, u8)> {
        self.function_at(pc)
            .into_iter()
            .flat_map(|function| &function.slots)
            .filter(move |slot| (slot.from..slot.to).contains(&pc))
            .map(|slot| (&slot.name, slot.register))
    }

    /// The cell of a global name, made on first sight.
    pub(crate) fn global(&mut self, name: &Symbol) -> u32 {
        if let Some(&id) = self.global_ids.get(name) {
            return id;
        }
        let id = self.globals.len() as u32;
        self.globals.push(Global { name: name.clone() });
        self.values.push(UNBOUND);
        self.global_ids.insert(name.clone(), id);
        id
    }

    pub(crate) fn global_name(&self, id: u32) -> Option<&Symbol> {
        self.globals.get(id as usize).map(|global| &global.name)
    }

    /// The names that programs have defined, with their cells.
    pub(crate) fn defined(&self) -> impl Iterator<Item = (&Symbol, Word)> {
        self.globals
            .iter()
            .zip(&self.values)
            .filter(|(_, value)| **value != UNBOUND)
            .map(|(global, value)| (&global.name, *value))
    }

    fn has_global(&self, name: &Symbol) -> bool {
        self.global_ids.contains_key(name)
    }

    /// Makes a global of a built-in name that a program is about to define. All code is compiled
    /// anew from the next call on, for it may have the old meaning built in.
    pub(crate) fn shadow(&mut self, name: &Symbol) {
        let Some(&word) = self.builtins.get(name) else { return };
        if self.has_global(name) {
            return;
        }
        let id = self.global(name);
        if let Some(value) = self.values.get_mut(id as usize) {
            *value = word;
        }
        for (entry, function) in self.entries.iter_mut().zip(&self.functions) {
            if function.program != PRELUDE {
                entry.pc = 0;
            }
        }
    }

    /// The word a function without captures is.
    pub(crate) fn plain(id: u32) -> Word {
        function_word(id)
    }
}

/// The program that defines the part of the language that is written in itself. Its names always
/// mean the built-in ones.
pub(crate) const PRELUDE: u32 = 0;
