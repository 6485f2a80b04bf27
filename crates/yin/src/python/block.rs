//! Statements of Python as forms: assignment without change.
//!
//! A block is a `let` of what it assigns, in order. A branch or a loop in it is an expression whose
//! value is what the names it assigns come to be; one that may leave the function early stands at the
//! end instead, with the rest of the block inside of it.

use datom::edn::{Form, Node as Edn};
use ruff_python_ast::{Expr, Stmt, StmtFor, StmtIf, StmtWhile};
use ruff_text_size::Ranged;

use super::function::{assigned, leaves};
use super::{Result1, Translator, span};
use crate::reader::Build;

/// Bindings of one `let`.
const BINDINGS_MAX: usize = 60;

/// What comes behind a block.
#[derive(Clone)]
pub(super) enum Next {
    /// The function ends: its value is nil.
    End,
    /// The block is an expression for these names.
    Values(Vec<String>),
    /// The next turn of the loop over these names, a counter in front if there is one.
    Turn { names: Vec<String>, counter: Option<String> },
}

/// What `break` and `continue` do here.
#[derive(Clone)]
pub(super) struct Turns {
    pub(super) names: Vec<String>,
    pub(super) counter: Option<String>,
}

/// Names as the value of an expression: one alone, several as a vector.
fn values(build: Build, names: &[String]) -> Form {
    match names {
        [one] => build.name(one),
        _ => build.call("yin/vector", names.iter().map(|name| build.name(name)).collect()),
    }
}

fn pattern(build: Build, names: &[String]) -> Form {
    match names {
        [] => build.name("_"),
        [one] => build.name(one),
        _ => build.vector(names.iter().map(|name| build.name(name)).collect()),
    }
}

fn turn(build: Build, names: &[String], counter: Option<&String>) -> Form {
    let count = counter.map(|counter| build.call("yin/inc", vec![build.name(counter)]));
    let names = names.iter().map(|name| build.name(name));
    build.call("recur", count.into_iter().chain(names).collect())
}

impl Translator<'_> {
    fn ended(&self, build: Build, next: &Next) -> Form {
        match next {
            Next::End => build.form(Edn::Nil),
            Next::Values(names) => values(build, names),
            Next::Turn { names, counter } => turn(build, names, counter.as_ref()),
        }
    }

    /// Statements of a function, and what comes behind them.
    pub(super) fn block(
        &mut self,
        statements: &[Stmt],
        next: &Next,
        turns: Option<&Turns>,
        at: Build,
    ) -> Result1<Form> {
        let mut bindings = Vec::new();
        for (place, statement) in statements.iter().enumerate() {
            let build = Build(span(statement.range()));
            let rest = statements.get(place + 1..).unwrap_or(&[]);
            let last = match statement {
                Stmt::Return(value) => {
                    let value = match &value.value {
                        Some(value) => self.expression(value)?,
                        None => build.form(Edn::Nil),
                    };
                    self.returned(build, value)
                }
                Stmt::Break(_) | Stmt::Continue(_) => {
                    let Some(turns) = turns else {
                        return self.unknown(statement, "a `break` that leaves two things at once");
                    };
                    match statement {
                        Stmt::Break(_) => self.left(build, &turns.names),
                        _ => turn(build, &turns.names, turns.counter.as_ref()),
                    }
                }
                Stmt::If(branch) if leaves(statement) => {
                    self.deeper(statement, |this| this.branch(branch, rest, next, turns))?
                }
                Stmt::While(_) | Stmt::For(_) if leaves(statement) => {
                    let (left, value) = (self.new_name("left"), self.new_name("value"));
                    let leaving = Some([left.as_str(), value.as_str()]);
                    self.deeper(statement, |this| this.turn_(statement, leaving, &mut bindings))?;
                    let value = self.returned(build, build.name(&value));
                    let rest = self.deeper(statement, |this| this.block(rest, next, turns, at))?;
                    build.call("if", vec![build.name(&left), value, rest])
                }
                _ => {
                    self.deeper(statement, |this| this.bind(statement, &mut bindings))?;
                    if bindings.len() < BINDINGS_MAX {
                        continue;
                    }
                    self.deeper(statement, |this| this.block(rest, next, turns, at))?
                }
            };
            return Ok(wrapped(at, bindings, last));
        }
        let last = self.ended(at, next);
        Ok(wrapped(at, bindings, last))
    }

    /// A branch of which a side may leave: the rest of the block is inside of the sides that stay.
    fn branch(
        &mut self,
        branch: &StmtIf,
        rest: &[Stmt],
        next: &Next,
        turns: Option<&Turns>,
    ) -> Result1<Form> {
        let build = Build(span(branch.range()));
        let side = |this: &mut Self, body: &[Stmt]| {
            let all: Vec<Stmt> = body.iter().chain(rest).cloned().collect();
            this.block(&all, next, turns, build)
        };
        let mut form = match branch.elif_else_clauses.last().filter(|clause| clause.test.is_none())
        {
            Some(clause) => side(self, &clause.body)?,
            None => side(self, &[])?,
        };
        for clause in branch.elif_else_clauses.iter().rev() {
            if let Some(test) = &clause.test {
                form = build.call("if", vec![self.truth(test)?, side(self, &clause.body)?, form]);
            }
        }
        Ok(build.call("if", vec![self.truth(&branch.test)?, side(self, &branch.body)?, form]))
    }

    /// A statement that the function goes on behind: names for values.
    fn bind(&mut self, statement: &Stmt, bindings: &mut Vec<Form>) -> Result1<()> {
        let build = Build(span(statement.range()));
        match statement {
            Stmt::Pass(_) => {}
            Stmt::If(branch) => {
                let names = assigned(std::slice::from_ref(statement));
                let form = self.choice(branch, &names)?;
                bindings.extend([pattern(build, &names), form]);
            }
            Stmt::While(_) | Stmt::For(_) => self.turn_(statement, None, bindings)?,
            Stmt::FunctionDef(function) => {
                let form = self.function(function, true)?;
                bindings.extend([build.name(function.name.as_str()), form]);
            }
            _ => {
                let (target, value) = self.simple(statement)?;
                bindings.extend([target, value]);
            }
        }
        Ok(())
    }

    /// A branch as an expression for the names that it assigns.
    fn choice(&mut self, branch: &StmtIf, names: &[String]) -> Result1<Form> {
        let build = Build(span(branch.range()));
        let next = Next::Values(names.to_vec());
        let side = |this: &mut Self, body: &[Stmt]| this.block(body, &next, None, build);
        let mut form = match branch.elif_else_clauses.last().filter(|clause| clause.test.is_none())
        {
            Some(clause) => side(self, &clause.body)?,
            None => values(build, names),
        };
        for clause in branch.elif_else_clauses.iter().rev() {
            if let Some(test) = &clause.test {
                form = build.call("if", vec![self.truth(test)?, side(self, &clause.body)?, form]);
            }
        }
        Ok(build.call("if", vec![self.truth(&branch.test)?, side(self, &branch.body)?, form]))
    }

    /// The value of the function, or of the loop around that hands it on.
    fn returned(&self, build: Build, value: Form) -> Form {
        match self.is_leaving {
            true => build.call("yin/vector", vec![build.form(Edn::Bool(true)), value]),
            false => value,
        }
    }

    /// The value of a loop that ends: its names, behind a mark if it may return instead.
    fn left(&self, build: Build, names: &[String]) -> Form {
        if !self.is_leaving {
            return values(build, names);
        }
        let mut parts = vec![build.form(Edn::Bool(false)), build.form(Edn::Nil)];
        parts.extend(names.iter().map(|name| build.name(name)));
        build.call("yin/vector", parts)
    }

    /// A loop. `leaving` names whether it returned and what, if it can.
    fn turn_(
        &mut self,
        statement: &Stmt,
        leaving: Option<[&str; 2]>,
        bindings: &mut Vec<Form>,
    ) -> Result1<()> {
        let build = Build(span(statement.range()));
        let outer = std::mem::replace(&mut self.is_leaving, leaving.is_some());
        let read = match statement {
            Stmt::While(turning) => self.while_(turning),
            Stmt::For(turning) => self.for_(turning, bindings),
            _ => return self.unknown(statement, "this loop"),
        };
        self.is_leaving = outer;
        let (names, form) = read?;
        let pattern = match leaving {
            None => pattern(build, &names),
            Some(marks) => {
                let names = names.iter().map(String::as_str);
                build.vector(marks.into_iter().chain(names).map(|name| build.name(name)).collect())
            }
        };
        bindings.extend([pattern, form]);
        Ok(())
    }

    fn while_(&mut self, turning: &StmtWhile) -> Result1<(Vec<String>, Form)> {
        if !turning.orelse.is_empty() {
            return self.unknown(turning, "`else` of a loop");
        }
        let build = Build(span(turning.range()));
        let names = assigned(&turning.body);
        let next = Next::Turn { names: names.clone(), counter: None };
        let turns = Turns { names: names.clone(), counter: None };
        let body = self.block(&turning.body, &next, Some(&turns), build)?;
        let test = self.truth(&turning.test)?;
        let choice = build.call("if", vec![test, body, self.left(build, &names)]);
        let same = names.iter().flat_map(|name| [build.name(name), build.name(name)]).collect();
        Ok((names, build.binds("loop", same, &[choice])))
    }

    /// Over a range the counter is the value; over anything else it counts elements.
    fn for_(
        &mut self,
        turning: &StmtFor,
        bindings: &mut Vec<Form>,
    ) -> Result1<(Vec<String>, Form)> {
        if !turning.orelse.is_empty() || turning.is_async {
            return self.unknown(turning, "`else` of a loop");
        }
        let build = Build(span(turning.range()));
        let names: Vec<String> = assigned(&turning.body);
        let counter = self.new_name("turn");
        let bound = self.new_name("bound");
        let target = self.target(&turning.target)?;
        let (start, element) = match range(&turning.iter) {
            Some(operands) => {
                let (start, end) = match operands {
                    [end] => (build.int(0), self.expression(end)?),
                    [start, end, ..] => (self.expression(start)?, self.expression(end)?),
                    [] => return self.unknown(&*turning.iter, "a range without an end"),
                };
                let start_name = self.new_name("start");
                bindings.extend([build.name(&start_name), start, build.name(&bound), end]);
                (build.name(&start_name), build.name(&counter))
            }
            None => {
                let all = self.new_name("all");
                let elements = build.call("yin/vec", vec![self.expression(&turning.iter)?]);
                let count = build.call("yin/count", vec![build.name(&all)]);
                bindings.extend([build.name(&all), elements, build.name(&bound), count]);
                let at = vec![build.name(&all), build.name(&counter)];
                (build.int(0), build.call("yin/nth", at))
            }
        };
        let next = Next::Turn { names: names.clone(), counter: Some(counter.clone()) };
        let turns = Turns { names: names.clone(), counter: Some(counter.clone()) };
        let body = self.block(&turning.body, &next, Some(&turns), build)?;
        let body = build.binds("let", vec![target, element], &[body]);
        let test = build.call("<", vec![build.name(&counter), build.name(&bound)]);
        let choice = build.call("if", vec![test, body, self.left(build, &names)]);
        let mut starts = vec![build.name(&counter), start];
        starts.extend(names.iter().flat_map(|name| [build.name(name), build.name(name)]));
        Ok((names, build.binds("loop", starts, &[choice])))
    }

    /// An assignment or an expression: what gets a value, and the value.
    pub(super) fn simple(&mut self, statement: &Stmt) -> Result1<(Form, Form)> {
        let build = Build(span(statement.range()));
        match statement {
            Stmt::Assign(assign) => match assign.targets.as_slice() {
                [target] => {
                    let value = self.expression(&assign.value)?;
                    self.assignment(target, value)
                }
                _ => self.unknown(statement, "an assignment to several targets"),
            },
            Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => {
                    let value = self.expression(value)?;
                    self.assignment(&assign.target, value)
                }
                None => Ok((build.name("_"), build.form(Edn::Nil))),
            },
            Stmt::AugAssign(assign) => {
                let old = self.expression(&assign.target)?;
                let new = self.expression(&assign.value)?;
                let is_text = super::expression::is_text(&assign.value);
                let value = self.operation(statement, assign.op, is_text, vec![old, new])?;
                self.assignment(&assign.target, value)
            }
            Stmt::Expr(expression) => match method(&expression.value) {
                Some((object, "append", [element])) => {
                    let operands = vec![self.expression(object)?, self.expression(element)?];
                    self.assignment(object, build.call("yin/conj", operands))
                }
                Some((object, "extend", [more])) => {
                    let operands = vec![self.expression(object)?, self.expression(more)?];
                    self.assignment(object, build.call("yin/into", operands))
                }
                _ => Ok((build.name("_"), self.expression(&expression.value)?)),
            },
            _ => self.unknown(statement, "this statement"),
        }
    }

    /// `xs[i] = v` is `xs = (assoc xs i v)`.
    fn assignment(&mut self, target: &Expr, value: Form) -> Result1<(Form, Form)> {
        let build = Build(span(target.range()));
        match target {
            Expr::Subscript(part) => {
                let operands =
                    vec![self.expression(&part.value)?, self.expression(&part.slice)?, value];
                self.deeper(target, |this| {
                    this.assignment(&part.value, build.call("yin/assoc", operands))
                })
            }
            _ => Ok((self.target(target)?, value)),
        }
    }
}

/// The operands of a call of `range` that counts up by one.
fn range(expression: &Expr) -> Option<&[Expr]> {
    let Expr::Call(call) = expression else { return None };
    let is_range = matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "range");
    let operands: &[Expr] = &call.arguments.args;
    (is_range && operands.len() <= 2).then_some(operands)
}

/// The object, the name and the operands of a call of a method.
pub(super) fn method(expression: &Expr) -> Option<(&Expr, &str, &[Expr])> {
    let Expr::Call(call) = expression else { return None };
    let Expr::Attribute(attribute) = &*call.func else { return None };
    Some((&attribute.value, attribute.attr.as_str(), &call.arguments.args))
}

fn wrapped(build: Build, bindings: Vec<Form>, last: Form) -> Form {
    match bindings.is_empty() {
        true => last,
        false => build.binds("let", bindings, &[last]),
    }
}
