//! The projection: AST nodes as compact register code.
//!
//! A function is compiled when it is called for the first time. Its registers are a window of
//! 256 words; register 0 holds the function itself, then come its arguments, then what it binds
//! and computes. A call puts function and arguments into consecutive registers of the caller,
//! where the callee's window begins, so nothing is copied; the result comes back in the first.
//!
//! 1. Every instruction names the node it came from ([`Projection::site`]), and every safepoint
//!    which registers hold what the AST says is held there ([`Points`]): a machine's state can be
//!    told in terms of nodes and names, whatever projection runs it.
//! 2. Code is only appended, so a frame's return address stays good while the frame lives.
//! 3. Operators are evaluated before operands, operands from left to right, with one
//!    exception that no program can see: a global is read at the call itself if it is bound
//!    already and the operands contain nothing that could define it anew.

mod compile;
mod free;
mod instruction;
mod point;
mod shared;

use std::collections::HashMap;
use std::sync::Arc;

use datom::{Symbol, Value, Word};

use crate::ast::{Node, NodeId};
use crate::builtin;
use crate::error::{Call, Position};
use crate::heap::{FUNCTION, PRIMITIVE, UNBOUND, function_word, payload, sort};
use crate::program::{Places, Program};
use crate::stepper::Linked;

pub(crate) use compile::{BATCH, UPDATE_ARGS_MAX, Unfit};
pub(crate) use free::names as free_names;
pub(crate) use instruction::{Compare, Instruction};
pub(crate) use point::{AGAIN, Point, Points, Stand};
use shared::{Edit, Sharing};

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
#[derive(Clone, Default)]
pub(crate) struct Projection {
    pub(crate) code: Vec<Instruction>,
    sites: Vec<Site>,
    pub(crate) entries: Vec<Entry>,
    functions: Vec<Function>,
    /// Where the code of each compiled function begins, ascending.
    starts: Vec<(u32, u32)>,
    pub(crate) points: Points,
    programs: Vec<Arc<Program>>,
    places: Vec<Option<Arc<Places>>>,
    /// The function of a lambda, by its place and by what it captures there.
    known: HashMap<(Site, Vec<Symbol>), u32>,
    global_ids: HashMap<Symbol, u32>,
    globals: Vec<Global>,
    /// Literals that are words of their own.
    pub(crate) constants: Vec<Word>,
    /// Literals that need an object.
    pub(crate) literals: Vec<Value>,
    /// The objects of literals so far, [`UNBOUND`] for those that nobody wanted yet; roots for the
    /// collector. Whoever takes the heap away forgets them.
    pub(crate) objects: Vec<Word>,
    hashes: HashMap<[u8; 32], u32>,
    forms: HashMap<Site, u32>,
    /// The values of globals; roots for the collector.
    pub(crate) values: Vec<Word>,
    /// The machine's own names.
    pub(crate) builtins: Arc<HashMap<Symbol, Word>>,
    /// Programs as the stepper reads them, as far as it ran them.
    linked: Vec<Option<Arc<Linked>>>,
    /// The programs whose definitions are globals already, whatever is built in.
    shadowed: Vec<bool>,
    /// How it is shared with other machines.
    sharing: Sharing,
}

impl Projection {
    pub(crate) fn new() -> Self {
        let mut this = Self::default();
        // Address 0 means "not compiled" in an entry.
        this.code.push(Instruction::Halt);
        this.sites.push(Site { program: u32::MAX, node: NodeId::default() });
        this
    }

    /// The number of a program. The same program has the same number, and shares its code.
    pub(crate) fn add_program(&mut self, program: Arc<Program>) -> u32 {
        self.edit(|this| {
            let next = this.programs.len() as u32;
            let id = *this.hashes.entry(program.hash()).or_insert(next);
            if id == next {
                this.programs.push(program);
            }
            id
        })
    }

    /// The number of a program that was added before.
    pub(crate) fn program_of(&self, hash: &[u8; 32]) -> Option<u32> {
        self.hashes.get(hash).copied()
    }

    pub(crate) fn program(&self, id: u32) -> Option<&Arc<Program>> {
        self.programs.get(id as usize)
    }

    /// The places of a program, found out on first use.
    pub(crate) fn places(&mut self, id: u32) -> Option<Arc<Places>> {
        let program = self.programs.get(id as usize)?;
        if self.places.len() < self.programs.len() {
            self.places.resize(self.programs.len(), None);
        }
        let slot = self.places.get_mut(id as usize)?;
        Some(slot.get_or_insert_with(|| Arc::new(Places::of(program))).clone())
    }

    /// The places of a program, if they were found out.
    pub(crate) fn places_so_far(&self, id: u32) -> Option<Arc<Places>> {
        self.places.get(id as usize)?.clone()
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
        self.edit(|this| this.add_lambda(key, hint))
    }

    fn add_lambda(&mut self, key: (Site, Vec<Symbol>), hint: Option<&Symbol>) -> Option<u32> {
        if let Some(&id) = self.known.get(&key) {
            return Some(id);
        }
        let site = key.0;
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
        let site = Site { program, node };
        if let Some(&id) = self.forms.get(&site) {
            return id;
        }
        self.edit(|this| this.add_form(site, name))
    }

    fn add_form(&mut self, site: Site, name: &str) -> u32 {
        if let Some(&id) = self.forms.get(&site) {
            return id;
        }
        let Site { program, node } = site;
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
            is_form: true,
        };
        let id = self.add_function(function, 0);
        self.forms.insert(site, id);
        id
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

    /// Where the newest code of a function begins and ends.
    pub(crate) fn extent(&self, id: u32) -> (u32, u32) {
        let from = self.entries.get(id as usize).map_or(0, |entry| entry.pc);
        let after = self.starts.partition_point(|&(start, _)| start <= from);
        let to = self.starts.get(after).map_or(self.code.len() as u32, |&(start, _)| start);
        (from, to)
    }

    /// The node an instruction came from.
    pub(crate) fn site(&self, pc: u32) -> Option<Site> {
        self.sites.get(pc as usize).copied()
    }

    /// Where in its source an instruction came from. `None` for the machine's own code.
    pub(crate) fn position(&self, pc: u32) -> Option<Position> {
        let site = self.site(pc).filter(|site| !is_prelude(site.program))?;
        self.program(site.program)?.position(site.node)
    }

    /// The call that an instruction is part of.
    pub(crate) fn call(&self, pc: u32) -> Option<Call> {
        let function = self.function_at(pc)?.name.clone();
        Some(Call { function, position: self.position(pc) })
    }

    /// The cell of a global name, made on first sight.
    pub(crate) fn global(&mut self, name: &Symbol) -> u32 {
        if let Some(&id) = self.global_ids.get(name) {
            return id;
        }
        self.edit(|this| match this.global_ids.get(name) {
            Some(&id) => id,
            None => this.add_global(name),
        })
    }

    fn add_global(&mut self, name: &Symbol) -> u32 {
        let id = self.globals.len() as u32;
        if self.built_in(u32::MAX, name).is_some() {
            self.linked.clear();
        }
        self.globals.push(Global { name: name.clone() });
        self.values.push(self.unbound(name));
        self.global_ids.insert(name.clone(), id);
        id
    }

    /// What a global is before anything defines it: what the language calls so, or nothing.
    fn unbound(&self, name: &Symbol) -> Word {
        self.builtins.get(name).copied().unwrap_or(UNBOUND)
    }

    /// Forgets what globals are defined as.
    pub(crate) fn unbind(&mut self) {
        self.values.clear();
        self.complete();
    }

    /// Whoever knew fewer globals has not defined the others.
    pub(crate) fn complete(&mut self) {
        for at in self.values.len()..self.globals.len() {
            let word = self.globals.get(at).map_or(UNBOUND, |global| self.unbound(&global.name));
            self.values.push(word);
        }
    }

    /// Defines a name.
    pub(crate) fn bind(&mut self, name: &str, word: Word) {
        let id = match self.global_ids.get(name) {
            Some(&id) => id,
            None => {
                let name = name.into();
                self.shadow(&name);
                self.global(&name)
            }
        };
        if let Some(slot) = self.values.get_mut(id as usize) {
            *slot = word;
        }
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

    /// Forgets the code of a function. Its calls that run go on with it.
    pub(crate) fn drop_code(&mut self, function: u32) {
        self.edit(|this| this.note(Edit::Dropped(function)));
    }

    /// What a name is defined as.
    pub(crate) fn definition(&self, name: &Symbol) -> Option<Word> {
        let id = *self.global_ids.get(name)?;
        self.values.get(id as usize).copied().filter(|&word| word != UNBOUND)
    }

    /// A program as the stepper reads it, if it was linked since a built-in name was last defined anew.
    pub(crate) fn linked(&self, program: u32) -> Option<&Arc<Linked>> {
        self.linked.get(program as usize)?.as_ref()
    }

    /// Keeps a program as the stepper reads it.
    pub(crate) fn link(&mut self, program: u32, linked: &Arc<Linked>) {
        if self.linked.len() < self.programs.len() {
            self.linked.resize(self.programs.len(), None);
        }
        if let Some(slot) = self.linked.get_mut(program as usize) {
            *slot = Some(linked.clone());
        }
    }

    fn has_global(&self, name: &Symbol) -> bool {
        self.global_ids.contains_key(name)
    }

    /// Makes a global of a built-in name that a program is about to define. All code is compiled
    /// anew from the next call on, for it may have the old meaning built in.
    pub(crate) fn shadow(&mut self, name: &Symbol) {
        if !self.builtins.contains_key(name) || self.has_global(name) {
            return;
        }
        self.edit(|this| {
            if !this.has_global(name) {
                this.add_global(name);
                this.note(Edit::Shadowed);
            }
        });
    }

    /// The definitions of a program hide built-in names from now on. Cost: linear in its nodes the
    /// first time.
    pub(crate) fn shadow_all(&mut self, program: u32) {
        let at = program as usize;
        if is_prelude(program) || self.shadowed.get(at) == Some(&true) {
            return;
        }
        let Some(code) = self.program(program).cloned() else { return };
        for id in code.tree().ids() {
            if let Node::Definition { name, .. } = code.tree().node(id) {
                self.shadow(name);
            }
        }
        if self.shadowed.len() <= at {
            self.shadowed.resize(at + 1, false);
        }
        if let Some(slot) = self.shadowed.get_mut(at) {
            *slot = true;
        }
    }

    /// The built-in value of a name in a program, unless a program defined it. What begins with a
    /// percent sign is the prelude's own.
    pub(crate) fn built_in(&self, program: u32, name: &Symbol) -> Option<Word> {
        if !is_prelude(program) && (self.has_global(name) || name.as_str().starts_with('%')) {
            return None;
        }
        // `yin/x` is the built-in `x`, whatever a program calls `x`.
        let plain = || self.builtins.get(name.as_str().strip_prefix("yin/")?);
        self.builtins.get(name).or_else(plain).copied()
    }

    /// The primitive that a free name is.
    pub(crate) fn primitive(&self, program: u32, name: &Symbol) -> Option<u32> {
        let word = self.built_in(program, name)?;
        (sort(word) == PRIMITIVE).then_some(payload(word) as u32)
    }

    /// Whether a call of a free name stays in the trace even where it comes last: a fault inside
    /// one of the language's own functions is to be blamed on the place that called it.
    pub(crate) fn is_traced(&self, program: u32, name: &Symbol) -> bool {
        !is_prelude(program)
            && name.as_str() != "apply"
            && self.built_in(program, name).is_some_and(|word| sort(word) == FUNCTION)
    }

    /// The word a function without captures is.
    pub(crate) fn plain(id: u32) -> Word {
        function_word(id)
    }
}

/// Whether a program is one of those that define the part of the language that is written in itself.
/// Its names always mean the built-in ones. A machine has these programs before all others.
pub(crate) const fn is_prelude(program: u32) -> bool {
    (program as usize) < builtin::PRELUDE.len()
}
