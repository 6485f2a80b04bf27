//! Repetition and choice as other forms: `for`, `doseq`, `dotimes`, `while`, `case`, `condp`.

use datom::edn::{Form, Node as Edn, Span};

use super::super::build::Build;
use super::super::{Reader, Result1};
use crate::ast::NodeId;

/// What `case` and the threading forms call the value they hold, and `dotimes` its bound.
const CASE: &str = "yin/case";
const STEP: &str = "yin/step";
const BOUND: &str = "yin/bound";
/// What `condp` calls its test.
const TEST: &str = "yin/test";

const FOR: &str = "(for [x xs :when test :let [y value]] value)";

impl Reader<'_> {
    pub(super) fn repetition(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let build = Build(span);
        match name {
            "while" => {
                let Some((test, body)) = rest.split_first() else {
                    return Err(self.misshapen(span, 0, "(while test body ...)"));
                };
                let mut parts = vec![test.clone()];
                parts.extend_from_slice(body);
                parts.push(build.call("recur", Vec::new()));
                let turn = build.call("when", parts);
                self.form(&build.binds("loop", Vec::new(), &[turn]))
            }
            "dotimes" => self.dotimes(span, rest),
            _ => {
                let (pairs, body) = self.pairs(span, rest, name)?;
                let is_value = name == "for";
                if is_value && body.len() != 1 {
                    return Err(self.misshapen(span, rest.len(), FOR));
                }
                let form = self.comprehension(build, pairs, body, is_value)?;
                self.form(&form)
            }
        }
    }

    fn dotimes(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let build = Build(span);
        let ([[name, bound]], body) = self.pairs(span, rest, "dotimes")? else {
            return Err(self.misshapen(span, rest.len(), "(dotimes [i n] body ...)"));
        };
        let next = build.call("recur", vec![build.call("yin/inc", vec![name.clone()])]);
        let mut turn = vec![build.call("yin/<", vec![name.clone(), build.name(BOUND)])];
        turn.extend_from_slice(body);
        turn.push(next);
        let turning =
            build.binds("loop", vec![name.clone(), build.int(0)], &[build.call("when", turn)]);
        self.form(&build.binds("let", vec![build.name(BOUND), bound.clone()], &[turning]))
    }

    /// `for` is `map` and `mapcat`, `doseq` is `run!`. Recursion is as deep as there are clauses.
    fn comprehension(
        &self,
        build: Build,
        pairs: &[[Form; 2]],
        body: &[Form],
        is_value: bool,
    ) -> Result1<Form> {
        let Some(([name, value], more)) = pairs.split_first() else {
            return Ok(match is_value {
                true => build.vector(body.to_vec()),
                false => build.call("do", body.to_vec()),
            });
        };
        if let Edn::Keyword(option) = &name.node {
            let inner = self.comprehension(build, more, body, is_value)?;
            return match option.as_str() {
                "when" if is_value => {
                    let none = build.vector(Vec::new());
                    Ok(build.call("if", vec![value.clone(), inner, none]))
                }
                "when" => Ok(build.call("when", vec![value.clone(), inner])),
                "let" => Ok(build.call("let", vec![value.clone(), inner])),
                other => Err(self
                    .error(name.span, format!("there is no option :{other} here"))
                    .help(FOR)),
            };
        }
        let (inner, walk) = match (is_value, more.is_empty()) {
            (true, true) => (build.call("do", body.to_vec()), "yin/mapv"),
            (true, false) => (self.comprehension(build, more, body, true)?, "yin/mapcat"),
            (false, _) => (self.comprehension(build, more, body, false)?, "yin/run!"),
        };
        let function = build.binds("fn", vec![name.clone()], &[inner]);
        Ok(build.call(walk, vec![function, value.clone()]))
    }

    /// `(case x 1 :a (2 3) :b :else)`: the values are written, not computed.
    pub(super) fn case(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        const SHAPE: &str = "(case x value result (value value) result ... otherwise)";
        let build = Build(span);
        let Some((subject, clauses)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, SHAPE));
        };
        let (pairs, otherwise) = clauses.as_chunks::<2>();
        let mut node = match otherwise.first() {
            Some(form) => form.clone(),
            None => {
                let message = build.form(Edn::Text("no clause of this `case` fits".into()));
                build.call("yin/fail", vec![message])
            }
        };
        for [values, result] in pairs.iter().rev() {
            let values = match &values.node {
                Edn::List(values) => values.as_slice(),
                _ => std::slice::from_ref(values),
            };
            let tests = values.iter().map(|value| {
                let build = Build(value.span);
                build.call("yin/=", vec![build.name(CASE), build.quoted(value.clone())])
            });
            let mut tests: Vec<Form> = tests.collect();
            let test = match tests.len() {
                1 => tests.swap_remove(0),
                _ => build.call("or", tests),
            };
            node = Build(result.span).call("if", vec![test, result.clone(), node]);
        }
        self.form(&build.binds("let", vec![build.name(CASE), subject.clone()], &[node]))
    }

    /// `(as-> x name step ...)`: the name is the value so far.
    pub(super) fn thread_as(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let [value, name, steps @ ..] = rest else {
            return Err(self.misshapen(span, rest.len(), "(as-> value name step ...)"));
        };
        let mut bindings = vec![name.clone(), value.clone()];
        bindings.extend(steps.iter().flat_map(|step| [name.clone(), step.clone()]));
        self.form(&Build(span).binds("let", bindings, std::slice::from_ref(name)))
    }

    /// `(condp f x v a w b else)`: the first of `(f v x)`, `(f w x)` that holds.
    pub(super) fn cond_by(&mut self, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let [test, subject, clauses @ ..] = rest else {
            let shape = "(condp test x value result ... otherwise)";
            return Err(self.misshapen(span, rest.len(), shape));
        };
        let build = Build(span);
        let (pairs, otherwise) = clauses.as_chunks::<2>();
        let mut node = match otherwise.first() {
            Some(form) => form.clone(),
            None => {
                let message = build.form(Edn::Text("no clause of this `condp` fits".into()));
                build.call("yin/fail", vec![message])
            }
        };
        for [value, result] in pairs.iter().rev() {
            let build = Build(value.span);
            let fits = build.list(vec![build.name(TEST), value.clone(), build.name(CASE)]);
            node = Build(result.span).call("if", vec![fits, result.clone(), node]);
        }
        let names = vec![build.name(TEST), test.clone(), build.name(CASE), subject.clone()];
        self.form(&build.binds("let", names, &[node]))
    }

    /// `(some-> x (f a) ...)`: stops at nil. `some->>` puts the value last.
    pub(super) fn thread_some(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let Some((value, steps)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, &format!("({name} value (f a) ...)")));
        };
        let build = Build(span);
        let step_name = build.name(STEP);
        let mut bindings = vec![step_name.clone(), value.clone()];
        for step in steps {
            let build = Build(step.span);
            let go = build.call(thread_of(name), vec![build.name(STEP), step.clone()]);
            let is_nil = build.call("yin/nil?", vec![build.name(STEP)]);
            bindings.push(step_name.clone());
            bindings.push(build.call("if", vec![is_nil, build.form(Edn::Nil), go]));
        }
        self.form(&build.binds("let", bindings, &[step_name]))
    }

    /// `(cond-> x test (f a) ...)`: takes the steps whose tests hold. `cond->>` puts the value last.
    pub(super) fn thread_if(&mut self, name: &str, span: Span, rest: &[Form]) -> Result1<NodeId> {
        let Some((value, clauses)) = rest.split_first() else {
            return Err(self.misshapen(span, 0, &format!("({name} value test (f a) ...)")));
        };
        let (pairs, odd) = clauses.as_chunks::<2>();
        if let [lonely] = odd {
            return Err(self.error(lonely.span, format!("this test of `{name}` has no step")));
        }
        let build = Build(span);
        let step_name = build.name(STEP);
        let mut bindings = vec![step_name.clone(), value.clone()];
        for [test, step] in pairs {
            let build = Build(step.span);
            let go = build.call(thread_of(name), vec![build.name(STEP), step.clone()]);
            bindings.push(step_name.clone());
            bindings.push(build.call("if", vec![test.clone(), go, build.name(STEP)]));
        }
        self.form(&build.binds("let", bindings, &[step_name]))
    }
}

/// Whether a threading form puts the value first or last.
fn thread_of(name: &str) -> &'static str {
    if name.ends_with("->>") { "->>" } else { "->" }
}
