//! Constants that a store has its own word for, taken out of a query.
//!
//! A long text, an ident or a lookup ref is another word in each store, and may get one by the next
//! commit. Where such a constant stands in a clause, a variable comes in its place that is bound before
//! the query runs; so a plan holds no word of any store, and serves every state of a schema.
//!
//! 1. The variables are in no list of a `not-join` or `or-join`: a plan inside another one knows them, for
//!    they are bound throughout (see [`Planner`](super::plan::Planner)).
//! 2. What names nothing is a word that no fact holds.

use std::sync::Arc;

use datom::{Symbol, Tag, Value, Word};

use super::ast::{Arg, Clause, ClauseKind, Names, Term, Var};
use super::callee::Callee;
use super::env::{Data, Env};
use super::error::{Brief, Error, ErrorKind, Place};
use super::function::Lookup;
use crate::attribute::Attribute;

/// The word of an entity that does not exist.
const NOBODY: u64 = Word::new(Tag::Private, Word::PAYLOAD_LIMIT - 1).raw();

/// A constant that was taken out.
#[derive(Debug)]
pub(crate) struct Lifted {
    /// The variable in its place.
    pub(crate) var: Var,
    value: Value,
    role: Role,
    place: Arc<Place>,
}

#[derive(Debug)]
enum Role {
    /// The value itself.
    Value,
    /// An entity of the source that the value names.
    Entity(usize),
    /// An argument of a rule that is called on a source.
    Argument { rule: Symbol, at: usize, place: usize },
}

impl Lifted {
    /// The word of the constant in this run.
    ///
    /// # Errors
    /// For a lookup ref that finds nothing.
    pub(crate) fn word(&self, env: &Env<'_>) -> Result<u64, Error> {
        self.found(env).map_err(|error| error.at(&self.place))
    }

    fn found(&self, env: &Env<'_>) -> Result<u64, Error> {
        match &self.role {
            Role::Value => env.space.word(&self.value),
            Role::Entity(at) => {
                let source = env.facts(*at).ok_or_else(|| Error::syntax("needs a database"))?;
                match (source.entity_id(&self.value)?, &self.value) {
                    (Some(id), _) => Ok(Word::entity(id).raw()),
                    (None, Value::Keyword(_)) => Ok(NOBODY),
                    (None, value) => Err(Error::new(ErrorKind::NoEntity(Brief(value).to_string()))),
                }
            }
            Role::Argument { rule, at, place } => {
                let word = env.space.word(&self.value)?;
                match env.program.entity_param(rule, *at, *place) {
                    Some(of) => env.entity(of, word),
                    None => Ok(word),
                }
            }
        }
    }
}

/// Takes the constants out of clauses.
pub(crate) struct Lift<'e, 's> {
    pub(crate) env: &'e Env<'s>,
    pub(crate) names: &'e mut Names,
    pub(crate) default: usize,
    pub(crate) lifted: Vec<Lifted>,
}

impl Lift<'_, '_> {
    pub(crate) fn clauses(&mut self, clauses: &mut [Clause]) {
        clauses.iter_mut().for_each(|clause| self.clause(clause));
    }

    fn clause(&mut self, clause: &mut Clause) {
        let place = clause.place.clone();
        match &mut clause.kind {
            ClauseKind::Pattern { source, terms } => {
                let at = source.resolve(self.default);
                if matches!(self.env.data(at), Ok(Data::Facts { .. })) {
                    self.pattern(at, terms, &place);
                }
            }
            ClauseKind::Call { rule, source, terms } => {
                let at = source.resolve(self.default);
                for (number, term) in terms.iter_mut().enumerate() {
                    let role = Role::Argument { rule: rule.clone(), at, place: number };
                    self.term(term, role, &place);
                }
            }
            ClauseKind::Function { function: Callee::Builtin(function), args, binding: None }
                if function.comparison().is_some() =>
            {
                args.iter_mut().for_each(|arg| self.arg(arg, &place));
            }
            ClauseKind::Function { function: Callee::Builtin(function), args, .. }
                if function.lookup() == Some(Lookup::GetElse) =>
            {
                if let Some(default) = args.get_mut(3) {
                    self.arg(default, &place);
                }
            }
            ClauseKind::Not { clauses, .. } => self.clauses(clauses),
            ClauseKind::Or { branches, .. } => {
                branches.iter_mut().for_each(|branch| self.clauses(branch));
            }
            ClauseKind::Function { .. } | ClauseKind::Rows { .. } | ClauseKind::Derived { .. } => {}
        }
    }

    fn pattern(&mut self, at: usize, terms: &mut [Term], place: &Arc<Place>) {
        let attribute = match terms.get(1) {
            Some(Term::Const(name)) => self.env.attribute(at, name),
            _ => None,
        };
        let names = |term: &Term| {
            matches!(term, Term::Const(Value::Keyword(_) | Value::Vector(_) | Value::List(_)))
        };
        if let Some(entity) = terms.first_mut().filter(|term| names(term)) {
            self.term(entity, Role::Entity(at), place);
        }
        match (terms.get_mut(2), attribute.map(Attribute::is_ref)) {
            (Some(value), Some(true)) if names(value) => {
                self.term(value, Role::Entity(at), place);
            }
            (Some(value), Some(false)) => self.term(value, Role::Value, place),
            _ => {}
        }
    }

    fn term(&mut self, term: &mut Term, role: Role, place: &Arc<Place>) {
        if let Term::Const(value) = term
            && value.to_inline().is_none()
        {
            *term = Term::Var(self.take(value.clone(), role, place));
        }
    }

    fn arg(&mut self, arg: &mut Arg, place: &Arc<Place>) {
        if let Arg::Const(value) = arg
            && value.to_inline().is_none()
        {
            *arg = Arg::Var(self.take(value.clone(), Role::Value, place));
        }
    }

    fn take(&mut self, value: Value, role: Role, place: &Arc<Place>) -> Var {
        let var = self.names.add(&value.to_string());
        self.lifted.push(Lifted { var, value, role, place: place.clone() });
        var
    }
}
