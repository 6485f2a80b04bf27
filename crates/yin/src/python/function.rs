//! Functions of Python and statements outside of them.

use std::collections::BTreeSet;

use datom::edn::Form;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};
use ruff_text_size::Ranged;

use super::block::{Next, method};
use super::{Result1, Translator, span};
use crate::reader::Build;

impl Translator<'_> {
    /// A statement of the module: its names are global.
    pub(super) fn global_statement(&mut self, statement: &Stmt) -> Result1<Form> {
        self.deeper(statement, |this| this.global_inside(statement))
    }

    fn global_inside(&mut self, statement: &Stmt) -> Result1<Form> {
        let build = Build(span(statement.range()));
        match statement {
            Stmt::FunctionDef(function) => {
                let form = self.function(function, false)?;
                Ok(build.call("def", vec![build.name(function.name.as_str()), form]))
            }
            Stmt::Pass(_) => Ok(build.form(datom::edn::Node::Nil)),
            Stmt::Expr(expression) if method(&expression.value).is_none() => {
                self.expression(&expression.value)
            }
            Stmt::If(_) | Stmt::While(_) | Stmt::For(_) => {
                // As in a function, then every name it assigned becomes global.
                let names = assigned(std::slice::from_ref(statement));
                let next = Next::Values(names.clone());
                let block = self.block(std::slice::from_ref(statement), &next, None, build)?;
                Ok(self.defined(build, &names, block))
            }
            _ => {
                let names = assigned(std::slice::from_ref(statement));
                let (target, value) = self.simple(statement)?;
                match names.as_slice() {
                    [_] if target.as_symbol().is_some() => {
                        Ok(build.call("def", vec![target, value]))
                    }
                    [] => Ok(value),
                    _ => {
                        let vector = names.iter().map(|name| build.name(name)).collect();
                        let all = build.call("yin/vector", vector);
                        Ok(self.defined(
                            build,
                            &names,
                            build.binds("let", vec![target, value], &[all]),
                        ))
                    }
                }
            }
        }
    }

    /// Definitions of names by the value that a block has for them.
    fn defined(&mut self, build: Build, names: &[String], block: Form) -> Form {
        let whole = self.new_name("names");
        let mut body = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let part = match names.len() {
                1 => build.name(&whole),
                _ => build.call("yin/nth", vec![build.name(&whole), build.int(at)]),
            };
            body.push(build.call("def", vec![build.name(name), part]));
        }
        build.binds("let", vec![build.name(&whole), block], &body)
    }

    /// `(fn name [x] ...)`. Names that are assigned somewhere in the body begin as nil, unless they
    /// are parameters.
    pub(super) fn function(&mut self, function: &StmtFunctionDef, inner: bool) -> Result1<Form> {
        if function.is_async || !function.decorator_list.is_empty() {
            return self.unknown(function, "an async or decorated function");
        }
        let build = Build(span(function.range()));
        self.check_captures(function)?;
        let params = self.parameters(Some(&function.parameters))?;
        let outer = std::mem::replace(&mut self.is_leaving, false);
        let body = self.block(&function.body, &Next::End, None, build);
        self.is_leaving = outer;
        let body = body?;
        let known: BTreeSet<&str> = params
            .names
            .iter()
            .filter_map(|form| form.as_symbol().map(|name| name.as_str()))
            .collect();
        let unset: Vec<Form> = assigned(&function.body)
            .iter()
            .filter(|name| !known.contains(name.as_str()))
            .flat_map(|name| [build.name(name), build.form(datom::edn::Node::Nil)])
            .collect();
        let body = if unset.is_empty() || !needs_names(&function.body) {
            body
        } else {
            build.binds("let", unset, &[body])
        };
        Ok(params.function(build, function.name.as_str(), inner, body))
    }

    /// An inner function keeps values, not variables.
    fn check_captures(&self, function: &StmtFunctionDef) -> Result1<()> {
        let mut finder = Captures::default();
        finder.visit_body(&function.body);
        let assigned = assignments(&function.body);
        for (name, expression) in finder.used {
            let times = assigned.iter().filter(|other| **other == name).count();
            if times > 1 || times == 1 && finder.in_loop {
                return Err(self
                    .error(
                        expression,
                        format!(
                            "`{name}` is used by an inner function and assigned more than once"
                        ),
                    )
                    .help("give the value that the inner function needs a name of its own"));
            }
        }
        Ok(())
    }
}

/// Whether a block joins names that may not be bound before it.
fn needs_names(statements: &[Stmt]) -> bool {
    statements.iter().any(|s| matches!(s, Stmt::If(_) | Stmt::While(_) | Stmt::For(_)))
}

/// Names that inner functions use.
#[derive(Default)]
struct Captures<'a> {
    used: Vec<(String, &'a Expr)>,
    inside: usize,
    loops: usize,
    in_loop: bool,
}

impl<'a> Visitor<'a> for Captures<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let is_function = usize::from(matches!(statement, Stmt::FunctionDef(_)));
        let is_loop = usize::from(matches!(statement, Stmt::While(_) | Stmt::For(_)));
        self.loops += is_loop;
        self.in_loop |= is_function > 0 && self.loops > 0;
        self.inside += is_function;
        walk_stmt(self, statement);
        self.inside -= is_function;
        self.loops -= is_loop;
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        let is_function = usize::from(matches!(expression, Expr::Lambda(_)));
        self.in_loop |= is_function > 0 && self.loops > 0;
        self.inside += is_function;
        if let Expr::Name(name) = expression
            && self.inside > 0
        {
            self.used.push((name.id.to_string(), expression));
        }
        walk_expr(self, expression);
        self.inside -= is_function;
    }
}

/// The names that statements assign, each once, in order.
pub(super) fn assigned(statements: &[Stmt]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    assignments(statements).into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// Every assignment of a name, but not those of inner functions.
fn assignments(statements: &[Stmt]) -> Vec<String> {
    let mut finder = Assignments(Vec::new());
    finder.visit_body(statements);
    finder.0
}

struct Assignments(Vec<String>);

impl Assignments {
    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => self.0.push(name.id.to_string()),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|element| self.target(element)),
            Expr::List(list) => list.elts.iter().for_each(|element| self.target(element)),
            Expr::Subscript(part) => self.target(&part.value),
            _ => {}
        }
    }
}

impl<'a> Visitor<'a> for Assignments {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.target(target)),
            Stmt::AugAssign(assign) => self.target(&assign.target),
            Stmt::AnnAssign(assign) if assign.value.is_some() => self.target(&assign.target),
            Stmt::FunctionDef(function) => self.0.push(function.name.to_string()),
            Stmt::Expr(expression) => {
                if let Some((object, "append" | "extend", _)) = method(&expression.value) {
                    self.target(object);
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Whether a statement may leave its block: by `return`, or by `break` or `continue` of a loop
/// around it.
pub(super) fn leaves(statement: &Stmt) -> bool {
    let mut finder = Leaves { found: false, loops: 0 };
    finder.visit_stmt(statement);
    finder.found
}

struct Leaves {
    found: bool,
    loops: usize,
}

impl<'a> Visitor<'a> for Leaves {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Return(_) => self.found = true,
            Stmt::Break(_) | Stmt::Continue(_) => self.found |= self.loops == 0,
            Stmt::FunctionDef(_) => {}
            Stmt::While(_) | Stmt::For(_) => {
                self.loops += 1;
                walk_stmt(self, statement);
                self.loops -= 1;
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}
