//! Destructuring: a pattern where a name could stand becomes names for the parts of a value.
//!
//! A vector takes elements by place, a map takes values by key. What a part is called on the way is
//! `yin/part` and a number that grows with the depth, so a pattern never hides a name it still needs.

use datom::edn::{Form, Node as Edn};
use datom::{Keyword, Symbol};

use super::build::Build;
use super::{Reader, Result1};

/// Names and the forms of their values, in order.
pub(super) type Bindings = Vec<(Symbol, Form)>;

/// Whether a form is a pattern and no name.
pub(super) fn is_pattern(form: &Form) -> bool {
    matches!(form.node, Edn::Vector(_) | Edn::Map(_))
}

impl Reader<'_> {
    /// What a pattern binds when it meets a value.
    pub(super) fn pattern(&self, pattern: &Form, value: Form) -> Result1<Bindings> {
        let mut bindings = Vec::new();
        self.take_apart(pattern, value, 0, &mut bindings)?;
        Ok(bindings)
    }

    /// Recursion is as deep as the pattern, which the EDN reader bounds.
    fn take_apart(
        &self,
        pattern: &Form,
        value: Form,
        depth: usize,
        out: &mut Bindings,
    ) -> Result1<()> {
        let (Edn::Vector(items) | Edn::Set(items)) = &pattern.node else {
            return match &pattern.node {
                Edn::Map(pairs) => self.take_keys(pattern, pairs, value, depth, out),
                _ => {
                    out.push((self.local(pattern)?, value));
                    Ok(())
                }
            };
        };
        let build = Build(pattern.span);
        let whole = self.whole(pattern, value, depth, out);
        let mut place = 0;
        let mut left = items.iter();
        while let Some(item) = left.next() {
            let is = |name: &str| item.as_symbol().is_some_and(|symbol| symbol.as_str() == name);
            if is("&") {
                let rest = left.next().ok_or_else(|| {
                    self.error(item.span, "a name for the rest must follow `&`")
                        .help("write [a b & more]")
                })?;
                let more = build.call("yin/drop", vec![build.int(place), whole.clone()]);
                self.take_apart(rest, more, depth + 1, out)?;
            } else if item.as_keyword().is_some_and(|keyword| keyword.as_str() == "as") {
                let name = left.next().ok_or_else(|| {
                    self.error(item.span, "a name for the whole must follow `:as`")
                })?;
                out.push((self.local(name)?, whole.clone()));
            } else {
                let nil = build.form(Edn::Nil);
                let at = Build(item.span);
                let part = at.call("yin/nth", vec![whole.clone(), build.int(place), nil]);
                self.take_apart(item, part, depth + 1, out)?;
                place += 1;
            }
        }
        Ok(())
    }

    /// The value under a name, so that it is evaluated once.
    fn whole(&self, pattern: &Form, value: Form, depth: usize, out: &mut Bindings) -> Form {
        if value.as_symbol().is_some_and(|name| name.namespace() == Some("yin")) {
            return value;
        }
        let name = format!("yin/part{depth}");
        out.push((name.as_str().into(), value));
        Build(pattern.span).name(&name)
    }

    /// `{name :key}`, `{:keys [a b] :strs [c] :or {a 1} :as whole}`.
    fn take_keys(
        &self,
        pattern: &Form,
        pairs: &[(Form, Form)],
        value: Form,
        depth: usize,
        out: &mut Bindings,
    ) -> Result1<()> {
        let option = |name: &str| {
            pairs.iter().find(|(key, _)| key.as_keyword().is_some_and(|k| k.as_str() == name))
        };
        let defaults: &[(Form, Form)] = match option("or").map(|(_, map)| &map.node) {
            Some(Edn::Map(pairs)) => pairs,
            _ => &[],
        };
        let whole = self.whole(pattern, value, depth, out);
        if let Some((_, name)) = option("as") {
            out.push((self.local(name)?, whole.clone()));
        }
        for (left, right) in pairs {
            match left.as_keyword().map(|keyword| keyword.as_str().to_owned()).as_deref() {
                Some("or" | "as") => {}
                Some(many @ ("keys" | "strs")) => {
                    for name in right.as_slice().unwrap_or(&[]) {
                        let build = Build(name.span);
                        let symbol = self.local(name)?;
                        let key = match many {
                            "keys" => Edn::Keyword(Keyword::from(symbol.as_str())),
                            _ => Edn::Text(symbol.as_str().into()),
                        };
                        let part = looked_up(build, &whole, build.form(key), &symbol, defaults);
                        out.push((symbol, part));
                    }
                }
                Some(other) => {
                    return Err(self
                        .error(left.span, format!("a pattern has no option :{other}"))
                        .help("write {name :key}, {:keys [a b]}, :strs, :or or :as"));
                }
                None => {
                    let build = Build(left.span);
                    let name = left.as_symbol().cloned().unwrap_or_else(|| "_".into());
                    let part = looked_up(build, &whole, right.clone(), &name, defaults);
                    self.take_apart(left, part, depth + 1, out)?;
                }
            }
        }
        Ok(())
    }
}

/// The value of a map under a key, with the default of a name if it has one.
fn looked_up(
    build: Build,
    whole: &Form,
    key: Form,
    name: &Symbol,
    defaults: &[(Form, Form)],
) -> Form {
    let found = build.call("yin/get", vec![whole.clone(), key.clone()]);
    match defaults.iter().find(|(default, _)| default.as_symbol() == Some(name)) {
        Some((_, default)) => {
            let test = build.call("yin/contains?", vec![whole.clone(), key]);
            build.call("if", vec![test, found, default.clone()])
        }
        None => found,
    }
}
