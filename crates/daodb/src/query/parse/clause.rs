//! Clauses: patterns, functions, `not`, `or`, rule calls.

use std::collections::HashMap;
use std::sync::Arc;

use datom::{Keyword, Symbol, Value};

use super::super::ast::{Arg, Binding, Clause, ClauseKind, Names, SourceRef, Term, Var};
use super::super::callee::Callee;
use super::super::error::{Error, ErrorKind, Place, nearest};
use super::super::syntax::{Node, Syntax};

/// The variables that names mean at one point.
pub(super) struct Scope(HashMap<Arc<str>, Var>);

impl Scope {
    pub(super) fn top() -> Self {
        Self(HashMap::new())
    }

    pub(super) fn var(&mut self, name: &str, names: &mut Names) -> Var {
        match self.0.get(name) {
            Some(var) => *var,
            None => {
                let var = names.add(name);
                self.0.insert(name.into(), var);
                var
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Var> {
        self.0.get(name).copied()
    }
}

/// What parsing clauses needs besides the clauses.
pub(super) struct Parser<'p> {
    pub(super) names: Names,
    pub(super) sources: &'p [(Arc<str>, usize)],
    /// Whether `$` exists though no `:in` names it.
    pub(super) implicit: bool,
    pub(super) text: Option<&'p str>,
    /// Whether a clause reads `$`.
    pub(super) used_default: bool,
}

/// What stands first in a list that is no call of a rule.
pub(crate) const FORMS: [&str; 5] = ["not", "not-join", "or", "or-join", "and"];

/// Whether a symbol can name a rule.
pub(super) fn is_rule_name(name: &str) -> bool {
    !name.starts_with(['?', '$', '%', '_']) && !FORMS.contains(&name)
}

/// The attribute that `:a/_b` is the other way of.
fn forwards(name: &Keyword) -> Option<Keyword> {
    let bare = name.name().strip_prefix('_').filter(|bare| !bare.is_empty())?;
    Some(match name.namespace() {
        Some(namespace) => format!("{namespace}/{bare}").as_str().into(),
        None => bare.into(),
    })
}

fn is_var(name: &str) -> bool {
    name.starts_with('?')
}

impl Parser<'_> {
    pub(super) fn clauses(
        &mut self,
        items: &[&Syntax],
        scope: &mut Scope,
    ) -> Result<Vec<Clause>, Error> {
        let mut clauses = Vec::new();
        for item in items {
            self.clause(item, SourceRef::Default, scope, &mut clauses)?;
        }
        Ok(clauses)
    }

    fn clause(
        &mut self,
        item: &Syntax,
        source: SourceRef,
        scope: &mut Scope,
        into: &mut Vec<Clause>,
    ) -> Result<(), Error> {
        let place = item.place(self.text);
        let parsed = match &item.node {
            Node::Vector(items) => self.vector(items, source, scope, &place),
            Node::List(items) => return self.list(items, source, scope, &place, into),
            _ => Err(Error::syntax(
                "a clause is a vector, such as [?e :a ?v] or [(< ?v 3)], or a list, such as (not …)",
            )),
        };
        let kind = parsed.map_err(|error| error.at(&place))?;
        into.push(Clause { kind, place });
        Ok(())
    }

    fn vector(
        &mut self,
        items: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
        place: &Arc<Place>,
    ) -> Result<ClauseKind, Error> {
        if let Some(call) = items.first().and_then(Syntax::list) {
            return self.function(call, items, scope);
        }
        let (source, items) = self.source(source, items)?;
        if items.is_empty() {
            let message = "a pattern has at least one position: [entity attribute value tx added]";
            return Err(Error::syntax(message).at(place));
        }
        self.reads(source)?;
        let mut terms =
            items.iter().map(|item| self.term(item, scope)).collect::<Result<Vec<_>, _>>()?;
        if let Some(Term::Const(Value::Keyword(name))) = terms.get(1)
            && let Some(forward) = forwards(name)
        {
            // `[?x :a/_b ?y]` is `[?y :a/b ?x]`.
            terms.resize(terms.len().max(3), Term::Blank);
            terms.swap(0, 2);
            if let Some(attribute) = terms.get_mut(1) {
                *attribute = Term::Const(Value::Keyword(forward));
            }
        }
        Ok(ClauseKind::Pattern { source, terms })
    }

    /// Takes a leading source name off a clause.
    fn source<'i>(
        &self,
        inherited: SourceRef,
        items: &'i [Syntax],
    ) -> Result<(SourceRef, &'i [Syntax]), Error> {
        match items.split_first().and_then(|(first, rest)| Some((first.symbol()?, rest))) {
            Some((name, rest)) if name.starts_with('$') => Ok((self.source_named(name)?, rest)),
            _ => Ok((inherited, items)),
        }
    }

    fn source_named(&self, name: &str) -> Result<SourceRef, Error> {
        match self.sources.iter().find(|(known, _)| &**known == name) {
            Some((known, _)) if &**known == "$" => Ok(SourceRef::Default),
            Some((_, at)) => Ok(SourceRef::Named(*at)),
            None if name == "$" && self.implicit => Ok(SourceRef::Default),
            None => {
                let near = nearest(name, self.sources.iter().map(|(known, _)| &**known));
                let near = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
                Err(Error::syntax(format!("{name} is not in :in{near}")))
            }
        }
    }

    fn reads(&mut self, source: SourceRef) -> Result<(), Error> {
        if source == SourceRef::Default {
            self.used_default = true;
            if !self.implicit && !self.sources.iter().any(|(name, _)| &**name == "$") {
                return Err(Error::syntax("the clause reads $, which is not in :in"));
            }
        }
        Ok(())
    }

    pub(super) fn term(&mut self, item: &Syntax, scope: &mut Scope) -> Result<Term, Error> {
        Ok(match item.symbol() {
            Some("_") => Term::Blank,
            Some(name) if is_var(name) => Term::Var(scope.var(name, &mut self.names)),
            _ => Term::Const(item.to_value()),
        })
    }

    fn function(
        &mut self,
        call: &[Syntax],
        items: &[Syntax],
        scope: &mut Scope,
    ) -> Result<ClauseKind, Error> {
        let Some((name, args)) = call.split_first() else {
            return Err(Error::syntax("a call needs a function: [(function argument …)]"));
        };
        let function = Callee::parse(name)?;
        let mut parsed = Vec::new();
        match function.builtin() {
            Some(builtin) => builtin.check_arity(args.len())?,
            // The database that it is a function of: what `$` means here, if none is written.
            None if args
                .first()
                .and_then(Syntax::symbol)
                .is_none_or(|arg| !arg.starts_with('$')) =>
            {
                self.used_default = true;
                parsed.push(Arg::Source(SourceRef::Default));
            }
            None => {}
        }
        for arg in args {
            parsed.push(match arg.symbol() {
                Some(name) if is_var(name) => Arg::Var(scope.var(name, &mut self.names)),
                Some(name) if name.starts_with('$') => {
                    let source = self.source_named(name)?;
                    self.reads(source)?;
                    Arg::Source(source)
                }
                // A symbol that names a plain input, as pull patterns do.
                Some(name) if scope.get(name).is_some() => {
                    Arg::Var(scope.var(name, &mut self.names))
                }
                _ => Arg::Const(arg.to_value()),
            });
        }
        if function.reads_database() {
            // `$` may be left out: it is what is meant.
            if !matches!(parsed.first(), Some(Arg::Source(_))) {
                let name = name.to_value();
                let message = format!("{name} takes a source first, such as $");
                return Err(Error::syntax(message));
            }
        }
        let binding = match items {
            [_] => None,
            [_, binding] => Some(super::binding(binding, &mut self.names, scope, self.text)?),
            _ => return Err(Error::syntax("a call is followed by one binding at most")),
        };
        if let Some(Binding::Ignore) = binding {
            return Ok(ClauseKind::Function { function, args: parsed, binding: None });
        }
        Ok(ClauseKind::Function { function, args: parsed, binding })
    }

    fn list(
        &mut self,
        items: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
        place: &Arc<Place>,
        into: &mut Vec<Clause>,
    ) -> Result<(), Error> {
        let located = |error: Error| error.at(place);
        let (source, items) = self.source(source, items).map_err(located)?;
        let Some((name, rest)) = items.split_first() else {
            return Err(located(Error::syntax("an empty list is no clause")));
        };
        let Some(name) = name.symbol() else {
            return Err(located(Error::syntax("a clause in a list begins with a symbol")));
        };
        let kind = match name {
            "and" => {
                for item in rest {
                    self.clause(item, source, scope, into)?;
                }
                return Ok(());
            }
            "not" => self.not(rest, source, scope),
            "not-join" => self.not_join(rest, source, scope),
            "or" => self.or(rest, source, scope),
            "or-join" => self.or_join(rest, source, scope),
            name if is_rule_name(name) => self.call(name, rest, source, scope),
            _ => Err(Error::syntax(format!("{name} is no rule and no clause"))),
        };
        into.push(Clause { kind: kind.map_err(located)?, place: place.clone() });
        Ok(())
    }

    fn call(
        &mut self,
        name: &str,
        rest: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
    ) -> Result<ClauseKind, Error> {
        self.used_default |= source == SourceRef::Default;
        if rest.is_empty() {
            return Err(Error::syntax("a rule takes at least one argument"));
        }
        let terms = rest.iter().map(|item| self.term(item, scope)).collect::<Result<_, _>>()?;
        Ok(ClauseKind::Call { rule: Symbol::from(name), source, terms })
    }

    fn body(
        &mut self,
        items: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
    ) -> Result<Vec<Clause>, Error> {
        if items.is_empty() {
            return Err(Error::syntax("the clause holds no clauses"));
        }
        let mut clauses = Vec::new();
        for item in items {
            self.clause(item, source, scope, &mut clauses)?;
        }
        Ok(clauses)
    }

    fn not(
        &mut self,
        rest: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
    ) -> Result<ClauseKind, Error> {
        Ok(ClauseKind::Not { clauses: self.body(rest, source, scope)?, join: None })
    }

    fn not_join(
        &mut self,
        rest: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
    ) -> Result<ClauseKind, Error> {
        let Some((list, rest)) = rest.split_first() else {
            return Err(Error::syntax("not-join takes a vector of variables, then clauses"));
        };
        let (join, _, mut inner) = self.join_list(list, scope)?;
        Ok(ClauseKind::Not { clauses: self.body(rest, source, &mut inner)?, join: Some(join) })
    }

    fn or(
        &mut self,
        rest: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
    ) -> Result<ClauseKind, Error> {
        let mut branches = Vec::new();
        let mut join: Option<Vec<Var>> = None;
        for item in rest {
            let branch = self.body(std::slice::from_ref(item), source, scope)?;
            let mut vars: Vec<Var> = branch.iter().flat_map(Clause::vars).collect();
            vars.sort_unstable();
            vars.dedup();
            match &join {
                Some(join) if *join != vars => {
                    let shown = |vars: &[Var]| {
                        vars.iter().map(|v| self.names.get(*v)).collect::<Vec<_>>().join(" ")
                    };
                    let message = format!(
                        "all branches of an or use the same variables, but one has [{}] and one \
                         [{}]; use or-join to say which count",
                        shown(join),
                        shown(&vars)
                    );
                    return Err(Error::syntax(message));
                }
                _ => join = Some(vars),
            }
            branches.push(branch);
        }
        let join = join.ok_or_else(|| Error::syntax("or takes at least one branch"))?;
        Ok(ClauseKind::Or { branches, join, required: Vec::new() })
    }

    fn or_join(
        &mut self,
        rest: &[Syntax],
        source: SourceRef,
        scope: &mut Scope,
    ) -> Result<ClauseKind, Error> {
        let Some((list, rest)) = rest.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return Err(Error::syntax("or-join takes a vector of variables, then branches"));
        };
        let mut branches = Vec::new();
        let (join, required, _) = self.join_list(list, scope)?;
        for item in rest {
            // Each branch has local variables of its own.
            let (_, _, mut inner) = self.join_list(list, scope)?;
            branches.push(self.body(std::slice::from_ref(item), source, &mut inner)?);
        }
        Ok(ClauseKind::Or { branches, join, required })
    }

    /// `[?x ?y]` or `[[?required] ?x]`: the variables, the required ones, and the scope inside.
    fn join_list(
        &mut self,
        list: &Syntax,
        scope: &mut Scope,
    ) -> Result<(Vec<Var>, Vec<Var>, Scope), Error> {
        let refuse = || {
            Error::new(ErrorKind::Syntax(
                "the list of an or-join or not-join holds variables".to_owned(),
            ))
        };
        let (mut join, mut required, mut inner) = (Vec::new(), Vec::new(), Scope::top());
        let mut add = |name: Option<&str>, required: Option<&mut Vec<Var>>| {
            let name = name.filter(|name| is_var(name)).ok_or_else(refuse)?;
            let var = scope.var(name, &mut self.names);
            inner.0.insert(name.into(), var);
            join.push(var);
            if let Some(required) = required {
                required.push(var);
            }
            Ok::<(), Error>(())
        };
        for item in list.vector().ok_or_else(refuse)? {
            match item.vector() {
                Some(vars) => {
                    for var in vars {
                        add(var.symbol(), Some(&mut required))?;
                    }
                }
                None => add(item.symbol(), None)?,
            }
        }
        Ok((join, required, inner))
    }
}

impl Parser<'_> {
    /// A pull's source: `$` where none is written.
    pub(super) fn pull_source(&mut self, item: Option<&Syntax>) -> Result<SourceRef, Error> {
        let source = match item.and_then(Syntax::symbol) {
            Some(name) => self.source_named(name)?,
            None => SourceRef::Default,
        };
        self.reads(source)?;
        Ok(source)
    }

    pub(super) fn constant(item: &Syntax) -> Option<Value> {
        matches!(item.node, Node::Vector(_)).then(|| item.to_value())
    }
}
