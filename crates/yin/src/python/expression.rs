//! Expressions of Python as forms.

use datom::edn::{Form, Node as Edn};
use ruff_python_ast::{
    BoolOp, CmpOp, Comprehension, Expr, ExprCall, ExprCompare, InterpolatedStringElement, Number,
    Operator, UnaryOp,
};
use ruff_text_size::Ranged;

use super::{Result1, Translator, span};
use crate::reader::Build;

/// Functions of Python that are functions of the language under another name.
const FUNCTIONS: [(&str, &str); 12] = [
    ("len", "yin/count"),
    ("range", "yin/range"),
    ("str", "yin/str"),
    ("int", "yin/int"),
    ("float", "yin/float"),
    ("abs", "yin/abs"),
    ("min", "yin/min"),
    ("max", "yin/max"),
    ("sorted", "yin/sort"),
    ("list", "yin/vec"),
    ("set", "yin/set-of"),
    ("reversed", "yin/reverse"),
];

/// Methods that are functions of the object.
const METHODS: [(&str, &str); 11] = [
    ("get", "yin/get"),
    ("keys", "yin/keys"),
    ("values", "yin/vals"),
    ("items", "yin/vec"),
    ("upper", "yin/upper-case"),
    ("lower", "yin/lower-case"),
    ("strip", "yin/trim"),
    ("split", "yin/split"),
    ("startswith", "yin/starts-with?"),
    ("endswith", "yin/ends-with?"),
    ("replace", "yin/replace"),
];

impl Translator<'_> {
    pub(super) fn expression(&mut self, expression: &Expr) -> Result1<Form> {
        self.deeper(expression, |this| this.expression_inside(expression))
    }

    fn expressions(&mut self, expressions: &[Expr]) -> Result1<Vec<Form>> {
        expressions.iter().map(|expression| self.expression(expression)).collect()
    }

    fn expression_inside(&mut self, expression: &Expr) -> Result1<Form> {
        let build = Build(span(expression.range()));
        Ok(match expression {
            Expr::NoneLiteral(_) => build.form(Edn::Nil),
            Expr::BooleanLiteral(literal) => build.form(Edn::Bool(literal.value)),
            Expr::StringLiteral(literal) => build.form(Edn::Text(literal.value.to_str().into())),
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(int) => match int.to_string().parse::<num_bigint::BigInt>() {
                    Ok(int) => build.integer(int),
                    Err(_) => return self.unknown(expression, "this number"),
                },
                Number::Float(float) => build.form(Edn::Float(*float)),
                Number::Complex { .. } => return self.unknown(expression, "a complex number"),
            },
            Expr::Name(name) => build.name(name.id.as_str()),
            Expr::List(list) => build.call("yin/vector", self.expressions(&list.elts)?),
            Expr::Tuple(tuple) => build.call("yin/vector", self.expressions(&tuple.elts)?),
            Expr::Set(set) => build.call("yin/set", self.expressions(&set.elts)?),
            Expr::Dict(dict) => {
                let mut operands = Vec::with_capacity(dict.items.len() * 2);
                for item in &dict.items {
                    let Some(key) = &item.key else {
                        return self.unknown(&item.value, "`**` in a dict");
                    };
                    operands.extend([self.expression(key)?, self.expression(&item.value)?]);
                }
                build.call("yin/map", operands)
            }
            Expr::UnaryOp(unary) => match unary.op {
                UnaryOp::Not => build.call("yin/not", vec![self.truth(&unary.operand)?]),
                UnaryOp::USub => build.call("yin/-", vec![self.expression(&unary.operand)?]),
                UnaryOp::UAdd => build.call("yin/+", vec![self.expression(&unary.operand)?]),
                UnaryOp::Invert => return self.unknown(expression, "`~`"),
            },
            Expr::BinOp(binary) => {
                let is_text = is_text(&binary.left) || is_text(&binary.right);
                let operands =
                    vec![self.expression(&binary.left)?, self.expression(&binary.right)?];
                return self.operation(expression, binary.op, is_text, operands);
            }
            Expr::BoolOp(both) => return self.logic(build, both.op, &both.values),
            Expr::Compare(compare) => return self.comparison(build, compare),
            Expr::If(choice) => build.call(
                "if",
                vec![
                    self.truth(&choice.test)?,
                    self.expression(&choice.body)?,
                    self.expression(&choice.orelse)?,
                ],
            ),
            Expr::Lambda(lambda) => {
                let params = self.parameters(lambda.parameters.as_deref())?;
                let body = self.expression(&lambda.body)?;
                match params.defaults.is_empty() {
                    true => build.binds("fn", params.names, &[body]),
                    false => {
                        let own = self.new_name("lambda");
                        params.function(build, &own, true, body)
                    }
                }
            }
            Expr::Call(call) => return self.call(build, call),
            Expr::Subscript(subscript) => {
                let value = self.expression(&subscript.value)?;
                match &*subscript.slice {
                    Expr::Slice(slice) => {
                        if let Some(step) = &slice.step {
                            return self.unknown(&**step, "a slice with a step");
                        }
                        let mut operands = vec![value];
                        for bound in [&slice.lower, &slice.upper] {
                            operands.push(match bound {
                                Some(bound) => self.expression(bound)?,
                                None => build.form(Edn::Nil),
                            });
                        }
                        build.call("yin/slice", operands)
                    }
                    index => {
                        let index = self.expression(index)?;
                        build.call("yin/item", vec![value, index])
                    }
                }
            }
            Expr::ListComp(list) => return self.comprehension(&list.elt, &list.generators),
            Expr::Generator(list) => return self.comprehension(&list.elt, &list.generators),
            Expr::FString(text) => {
                let mut parts = Vec::new();
                for element in text.value.elements() {
                    parts.push(match element {
                        InterpolatedStringElement::Literal(literal) => {
                            build.form(Edn::Text((&*literal.value).into()))
                        }
                        InterpolatedStringElement::Interpolation(part)
                            if part.format_spec.is_none() =>
                        {
                            self.expression(&part.expression)?
                        }
                        InterpolatedStringElement::Interpolation(part) => {
                            return self.unknown(part, "a format");
                        }
                    });
                }
                build.call("yin/str", parts)
            }
            _ => return self.unknown(expression, "this expression"),
        })
    }

    /// `+` adds numbers, and puts texts together where one side is written as a text.
    pub(super) fn operation(
        &mut self,
        at: impl Ranged + Copy,
        operator: Operator,
        is_text: bool,
        operands: Vec<Form>,
    ) -> Result1<Form> {
        let build = Build(span(at.range()));
        Ok(match operator {
            Operator::Add if is_text => build.call("yin/str", operands),
            Operator::Add => build.call("+", operands),
            Operator::Sub => build.call("-", operands),
            Operator::Mult => build.call("*", operands),
            Operator::Div => build.call("yin/float", vec![build.call("yin//", operands)]),
            Operator::FloorDiv => build.call("yin/floor-div", operands),
            Operator::Mod => build.call("yin/mod", operands),
            Operator::Pow => build.call("yin/pow", operands),
            _ => return self.unknown(at, "this operator"),
        })
    }

    /// A condition: what is a boolean by its form needs no test.
    pub(super) fn truth(&mut self, expression: &Expr) -> Result1<Form> {
        let form = self.expression(expression)?;
        let is_boolean = match expression {
            Expr::Compare(_) | Expr::BooleanLiteral(_) => true,
            Expr::UnaryOp(unary) => unary.op == UnaryOp::Not,
            _ => false,
        };
        let build = Build(span(expression.range()));
        Ok(if is_boolean { form } else { build.call("yin/truthy?", vec![form]) })
    }

    /// `a and b` is b if a is true, else a.
    fn logic(&mut self, build: Build, operator: BoolOp, values: &[Expr]) -> Result1<Form> {
        let Some((last, before)) = values.split_last() else { return Ok(build.form(Edn::Nil)) };
        let mut form = self.expression(last)?;
        for value in before.iter().rev() {
            let name = self.new_name("logic");
            let test = build.call("yin/truthy?", vec![build.name(&name)]);
            let choices = match operator {
                BoolOp::And => vec![test, form, build.name(&name)],
                BoolOp::Or => vec![test, build.name(&name), form],
            };
            let choice = build.call("if", choices);
            form = build.binds("let", vec![build.name(&name), self.expression(value)?], &[choice]);
        }
        Ok(form)
    }

    /// `a < b < c` evaluates b once.
    fn comparison(&mut self, build: Build, compare: &ExprCompare) -> Result1<Form> {
        let mut left = self.expression(&compare.left)?;
        let mut bindings = Vec::new();
        let mut tests = Vec::new();
        let last = compare.ops.len().saturating_sub(1);
        for (at, (operator, right)) in compare.ops.iter().zip(&compare.comparators).enumerate() {
            let mut right = self.expression(right)?;
            if at < last {
                let name = self.new_name("middle");
                bindings.extend([build.name(&name), right]);
                right = build.name(&name);
            }
            let next = right.clone();
            tests.push(match operator {
                CmpOp::Eq | CmpOp::Is => build.call("=", vec![left, right]),
                CmpOp::NotEq | CmpOp::IsNot => build.call("not=", vec![left, right]),
                CmpOp::Lt => build.call("<", vec![left, right]),
                CmpOp::LtE => build.call("<=", vec![left, right]),
                CmpOp::Gt => build.call(">", vec![left, right]),
                CmpOp::GtE => build.call(">=", vec![left, right]),
                CmpOp::In => build.call("yin/in?", vec![left, right]),
                CmpOp::NotIn => {
                    build.call("yin/not", vec![build.call("yin/in?", vec![left, right])])
                }
            });
            left = next;
        }
        let test = match tests.len() {
            1 => tests.swap_remove(0),
            _ => build.call("and", tests),
        };
        Ok(if bindings.is_empty() { test } else { build.binds("let", bindings, &[test]) })
    }

    fn call(&mut self, build: Build, call: &ExprCall) -> Result1<Form> {
        if let Some(keyword) = call.arguments.keywords.first() {
            return match &*call.func {
                Expr::Name(name) => self.named_call(build, call, name.id.as_str()),
                _ => self.unknown(keyword, "an argument with a name here"),
            };
        }
        let mut operands = self.expressions(&call.arguments.args)?;
        match &*call.func {
            Expr::Name(name) => {
                let known = FUNCTIONS.iter().find(|(python, _)| *python == name.id.as_str());
                Ok(match known {
                    // A program may define a function of that name itself.
                    Some((_, ours)) if !self.source.contains(&format!("def {}(", name.id)) => {
                        build.call(ours, operands)
                    }
                    _ if name.id.as_str() == "print" && !self.signatures.contains_key("print") => {
                        print(build, operands)
                    }
                    _ if name.id.as_str() == "sum" => {
                        operands.splice(0..0, [build.name("yin/+"), build.int(0)]);
                        build.call("yin/reduce", operands)
                    }
                    _ => build.call(name.id.as_str(), operands),
                })
            }
            Expr::Attribute(attribute) => {
                let object = self.expression(&attribute.value)?;
                if attribute.attr.as_str() == "join" {
                    operands.insert(0, object);
                    return Ok(build.call("yin/join", operands));
                }
                match METHODS.iter().find(|(python, _)| *python == attribute.attr.as_str()) {
                    Some((_, ours)) => {
                        operands.insert(0, object);
                        Ok(build.call(ours, operands))
                    }
                    None => self.unknown(&attribute.attr, "this method as a value"),
                }
            }
            other => {
                let mut items = vec![self.expression(other)?];
                items.append(&mut operands);
                Ok(build.list(items))
            }
        }
    }

    /// `[e for x in xs if c]` is `(for [x xs :when c] e)`.
    fn comprehension(&mut self, value: &Expr, generators: &[Comprehension]) -> Result1<Form> {
        let build = Build(span(value.range()));
        let mut bindings = Vec::new();
        for generator in generators {
            bindings.extend([self.target(&generator.target)?, self.expression(&generator.iter)?]);
            for test in &generator.ifs {
                let when = build.form(Edn::Keyword("when".into()));
                bindings.extend([when, self.truth(test)?]);
            }
        }
        let value = self.expression(value)?;
        Ok(build.binds("for", bindings, &[value]))
    }

    /// A name, or a pattern of names.
    pub(super) fn target(&mut self, target: &Expr) -> Result1<Form> {
        let build = Build(span(target.range()));
        match target {
            Expr::Name(name) => Ok(build.name(name.id.as_str())),
            Expr::Tuple(tuple) => {
                let names = tuple.elts.iter().map(|element| self.target(element));
                Ok(build.vector(names.collect::<Result1<_>>()?))
            }
            Expr::List(list) => {
                let names = list.elts.iter().map(|element| self.target(element));
                Ok(build.vector(names.collect::<Result1<_>>()?))
            }
            _ => self.unknown(target, "this target"),
        }
    }
}

/// `print(a, b)` asks the world to print a text: what it is given, with blanks between.
fn print(build: Build, operands: Vec<Form>) -> Form {
    let parts = build.call("yin/vector", operands);
    let text = build.call("yin/join", vec![build.form(Edn::Text(" ".into())), parts]);
    let op = build.form(Edn::Keyword("console/print".into()));
    build.call("perform", vec![op, text])
}

/// Whether an expression is a text by its form.
pub(super) fn is_text(expression: &Expr) -> bool {
    match expression {
        Expr::StringLiteral(_) | Expr::FString(_) => true,
        Expr::BinOp(binary) => {
            binary.op == Operator::Add && (is_text(&binary.left) || is_text(&binary.right))
        }
        Expr::Call(call) => {
            matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "str")
        }
        _ => false,
    }
}
