//! `:find` and `:order-by`.

use std::sync::Arc;

use datom::Value;

use super::super::aggregate::Aggregate;
use super::super::ast::{Find, Names, OrderBy, PatternRef, Shape};
use super::super::error::{Error, Place, nearest};
use super::super::syntax::{Node, Syntax, Written};
use super::clause::{Parser, Scope};

/// Which of the four forms `:find` has, and its elements.
pub(super) fn shape<'s>(
    items: &[&'s Syntax],
    text: Option<&str>,
) -> Result<(Shape, Vec<&'s Syntax>), Error> {
    if let &[one] = items
        && let Some(inner) = one.vector()
    {
        return match inner {
            [] => Err(Error::syntax(":find has no element").at(&one.place(text))),
            [element, dots] if dots.symbol() == Some("...") => {
                Ok((Shape::Collection, vec![element]))
            }
            elements => Ok((Shape::Tuple, elements.iter().collect())),
        };
    }
    if let [element, dot] = items
        && dot.symbol() == Some(".")
    {
        return Ok((Shape::Scalar, vec![element]));
    }
    Ok((Shape::Relation, items.to_vec()))
}

/// One element, and where it stands.
pub(super) fn element(
    item: &Syntax,
    parser: &mut Parser<'_>,
    scope: &mut Scope,
) -> Result<(Find, Arc<Place>), Error> {
    let place = item.place(parser.text);
    let parsed = match (item.symbol(), item.list()) {
        (Some(name), _) if name.starts_with('?') => {
            Ok(Find::Var(scope.var(name, &mut parser.names)))
        }
        (_, Some([name, rest @ ..])) => match name.symbol() {
            Some("pull") => pull(rest, parser, scope),
            Some(name) => aggregate(name, rest, parser, scope),
            None => Err(Error::syntax("a find expression begins with a symbol")),
        },
        _ => Err(Error::syntax(
            ":find takes variables, aggregates such as (count ?x), and (pull ?e pattern)",
        )),
    };
    match parsed {
        Ok(find) => Ok((find, place)),
        Err(error) => Err(error.at(&place)),
    }
}

fn pull(rest: &[Syntax], parser: &mut Parser<'_>, scope: &mut Scope) -> Result<Find, Error> {
    let (source, var, pattern) = match rest {
        [source, var, pattern] => (parser.pull_source(Some(source))?, var, pattern),
        [var, pattern] => (parser.pull_source(None)?, var, pattern),
        _ => return Err(Error::syntax("pull takes an entity variable and a pattern")),
    };
    let var = match var.symbol().filter(|name| name.starts_with('?')) {
        Some(name) => scope.var(name, &mut parser.names),
        None => {
            let error = Error::syntax("pull takes an entity variable, such as ?e");
            return Err(error.at(&var.place(parser.text)));
        }
    };
    let written = Arc::new(Written::new(pattern, parser.text));
    let pattern = match (Parser::constant(pattern), pattern.symbol()) {
        (Some(pattern), _) => PatternRef::Const(pattern),
        (None, Some(name)) => match scope.get(name) {
            Some(var) => PatternRef::Input(var),
            None => {
                let error = Error::syntax(format!("the pattern {name} is not in :in"));
                return Err(written.locate(error));
            }
        },
        _ => {
            let error = Error::syntax("a pull pattern is a vector, such as [:a {:b [:c]}]");
            return Err(written.locate(error));
        }
    };
    Ok(Find::Pull { source, var, pattern, written })
}

fn aggregate(
    name: &str,
    rest: &[Syntax],
    parser: &mut Parser<'_>,
    scope: &mut Scope,
) -> Result<Find, Error> {
    let Some((var, args)) = rest.split_last() else {
        return Err(Error::syntax(format!("({name} …) takes a variable")));
    };
    let args: Vec<Value> = args.iter().map(Syntax::to_value).collect();
    let aggregate = Aggregate::named(name, &args)?;
    parser.used_default |= aggregate.is_stored();
    match var.symbol().filter(|name| name.starts_with('?')) {
        Some(name) => Ok(Find::Aggregate { aggregate, var: scope.var(name, &mut parser.names) }),
        None => {
            let error = Error::syntax(format!("({name} …) takes a variable last"));
            Err(error.at(&var.place(parser.text)))
        }
    }
}

/// `:order-by ?n :desc 0`: variables of `:find` or positions in it, each maybe with a direction.
pub(super) fn order(
    items: &[&Syntax],
    find: &[Find],
    (scope, names): (&Scope, &Names),
    text: Option<&str>,
) -> Result<Vec<OrderBy>, Error> {
    let mut keys: Vec<OrderBy> = Vec::new();
    let mut directed = true;
    // One vector around all of it is the same.
    let inner: Vec<&Syntax>;
    let items = match items {
        [one] if one.vector().is_some() => {
            inner = one.vector().into_iter().flatten().collect();
            &inner
        }
        items => items,
    };
    for item in items {
        let place = item.place(text);
        if let (Some(direction @ ("asc" | "desc")), Some(key)) = (item.keyword(), keys.last_mut()) {
            if directed {
                return Err(Error::syntax("a direction follows a column").at(&place));
            }
            key.descending = direction == "desc";
            directed = true;
            continue;
        }
        let column = match (&item.node, item.symbol()) {
            (_, Some(name)) => {
                let var = scope.get(name);
                find.iter().position(|f| matches!(f, Find::Var(v) if Some(*v) == var))
            }
            (Node::Leaf(Value::Int(n)), _) => {
                usize::try_from(*n).ok().filter(|column| *column < find.len())
            }
            _ => None,
        };
        let Some(column) = column else {
            let shown = find.iter().filter_map(|find| match find {
                Find::Var(var) => Some(names.get(*var)),
                _ => None,
            });
            let near = item.symbol().and_then(|name| nearest(name, shown));
            let message = format!(
                ":order-by takes variables of :find or positions in it, from 0{}",
                near.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
            );
            return Err(Error::syntax(message).at(&place));
        };
        keys.push(OrderBy { column, descending: false });
        directed = false;
    }
    Ok(keys)
}
