//! Parameters with defaults, and arguments with names.
//!
//! 1. A default is a constant, so it does not matter when it is evaluated.
//! 2. An argument can be named where the file says what parameters the function has: it has one `def` of
//!    that name and no other meaning for it. Such a call becomes one by place.
//! 3. Arguments are evaluated in the order they are written.

use std::collections::{BTreeMap, BTreeSet};

use datom::edn::Form;
use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Parameters, Stmt, UnaryOp};
use ruff_text_size::Ranged;

use super::{Result1, Translator, span};
use crate::reader::Build;

/// The parameters of a function as forms.
pub(super) struct Params {
    /// Names, and `&` with one more name for all further arguments.
    pub(super) names: Vec<Form>,
    /// The defaults of the last names.
    pub(super) defaults: Vec<Form>,
}

impl Params {
    /// `(fn name ([a] (name a 1)) ([a b] body))`: an arity for each number of arguments. Without defaults
    /// it is one function.
    pub(super) fn function(self, build: Build, name: &str, inner: bool, body: Form) -> Form {
        let own = inner.then(|| build.name(name));
        if self.defaults.is_empty() {
            let parts = own.into_iter().chain([build.vector(self.names), body]);
            return build.call("fn", parts.collect());
        }
        let mut arities: Vec<Form> = own.into_iter().collect();
        let needed = self.names.len() - self.defaults.len();
        for given in needed..self.names.len() {
            let names: Vec<Form> = self.names.iter().take(given).cloned().collect();
            let missing = self.defaults.iter().skip(given - needed).cloned();
            let call = build.call(name, names.iter().cloned().chain(missing).collect());
            arities.push(build.list(vec![build.vector(names), call]));
        }
        arities.push(build.list(vec![build.vector(self.names), body]));
        build.call("fn", arities)
    }
}

/// What the file says of a function.
#[derive(Clone)]
pub(super) struct Signature {
    names: Vec<String>,
    /// How many of them have no default.
    needed: usize,
    defaults: Vec<Expr>,
}

/// The functions of a file that mean one thing throughout.
pub(super) fn signatures(body: &[Stmt]) -> BTreeMap<String, Signature> {
    let mut finder = Finder::default();
    finder.visit_body(body);
    for name in finder.other {
        finder.found.remove(&name);
    }
    finder.found
}

#[derive(Default)]
struct Finder {
    found: BTreeMap<String, Signature>,
    /// Names with more than one meaning.
    other: BTreeSet<String>,
}

impl<'a> Visitor<'a> for Finder {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::FunctionDef(function) = statement {
            let parameters = &function.parameters;
            let all = || parameters.posonlyargs.iter().chain(&parameters.args);
            let names: Vec<String> = all().map(|p| p.parameter.name.to_string()).collect();
            let defaults: Vec<Expr> = all().filter_map(|p| p.default.as_deref().cloned()).collect();
            self.other.extend(names.iter().cloned());
            let needed = names.len() - defaults.len();
            let name = function.name.to_string();
            let signature = Signature { names, needed, defaults };
            if self.found.insert(name.clone(), signature).is_some() {
                self.other.insert(name);
            }
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && name.ctx.is_store()
        {
            self.other.insert(name.id.to_string());
        }
        ruff_python_ast::visitor::walk_expr(self, expression);
    }
}

/// Whether an expression is a constant: values never change, so that all calls may share it.
fn is_constant(expression: &Expr) -> bool {
    match expression {
        Expr::NoneLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::NumberLiteral(_) => true,
        Expr::UnaryOp(unary) => unary.op == UnaryOp::USub && is_constant(&unary.operand),
        Expr::List(list) => list.elts.iter().all(is_constant),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_constant),
        Expr::Dict(dict) => dict
            .items
            .iter()
            .all(|item| item.key.as_ref().is_some_and(is_constant) && is_constant(&item.value)),
        _ => false,
    }
}

impl Translator<'_> {
    pub(super) fn parameters(&mut self, parameters: Option<&Parameters>) -> Result1<Params> {
        let mut params = Params { names: Vec::new(), defaults: Vec::new() };
        let Some(parameters) = parameters else { return Ok(params) };
        if parameters.kwarg.is_some() || !parameters.kwonlyargs.is_empty() {
            return self.unknown(parameters, "a parameter that must be named");
        }
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            if let Some(default) = &parameter.default {
                if !is_constant(default) {
                    return self.unknown(&**default, "a default that is no constant");
                }
                params.defaults.push(self.expression(default)?);
            }
            let name = &parameter.parameter.name;
            params.names.push(Build(span(name.range())).name(name.as_str()));
        }
        if let Some(rest) = &parameters.vararg {
            if !params.defaults.is_empty() {
                return self.unknown(&**rest, "`*` behind a default");
            }
            let build = Build(span(rest.range()));
            params.names.extend([build.name("&"), build.name(rest.name.as_str())]);
        }
        Ok(params)
    }

    /// A call with named arguments, as one by place.
    pub(super) fn named_call(
        &mut self,
        build: Build,
        call: &ExprCall,
        function: &str,
    ) -> Result1<Form> {
        let Some(signature) = self.signatures.get(function).cloned() else {
            return Err(self
                .error(call, format!("what parameters `{function}` has is not clear here"))
                .help("give the arguments by place"));
        };
        let mut given: Vec<Option<Form>> = vec![None; signature.names.len()];
        let mut bindings = Vec::new();
        let by_place = call.arguments.args.iter().map(|value| (None, value));
        let by_name = call.arguments.keywords.iter().map(|k| (Some(k), &k.value));
        for (at, (keyword, value)) in by_place.chain(by_name).enumerate() {
            let place = match keyword {
                None => at,
                Some(keyword) => {
                    let Some(name) = &keyword.arg else {
                        return self.unknown(keyword, "`**` in a call");
                    };
                    let place = signature.names.iter().position(|known| known == name.as_str());
                    place.ok_or_else(|| {
                        self.error(keyword, format!("`{function}` has no parameter `{name}`"))
                    })?
                }
            };
            let Some(slot) = given.get_mut(place) else {
                return Err(self.error(value, format!("`{function}` takes fewer arguments")));
            };
            let temporary = format!("yin/argument{}", self.made + 1);
            self.made += 1;
            if slot.replace(build.name(&temporary)).is_some() {
                return Err(self.error(value, "this parameter is given twice"));
            }
            bindings.extend([build.name(&temporary), self.expression(value)?]);
        }
        let mut operands = Vec::with_capacity(given.len());
        for (at, slot) in given.into_iter().enumerate() {
            let default =
                at.checked_sub(signature.needed).and_then(|at| signature.defaults.get(at));
            operands.push(match (slot, default) {
                (Some(form), _) => form,
                (None, Some(default)) => self.expression(default)?,
                (None, None) => {
                    let name = signature.names.get(at).map_or("", String::as_str);
                    return Err(self.error(call, format!("`{function}` also needs `{name}`")));
                }
            });
        }
        Ok(build.binds("let", bindings, &[build.call(function, operands)]))
    }
}
