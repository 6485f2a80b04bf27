//! Pull patterns: what to show of an entity.

use datom::Value;

use crate::query::{Callable, QueryError, Source, nearest, unknown_attribute};

use super::LIMIT;

/// Deepest nesting of a pattern.
const DEPTH_MAX: usize = 64;

/// A pattern whose attributes are known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    /// `*`: every attribute, and the id.
    pub(super) wildcard: bool,
    /// `:db/id`, and the key it is shown under.
    pub(super) id: Option<Value>,
    pub(super) specs: Vec<Spec>,
}

/// One attribute, and how it is shown.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) attribute: u64,
    /// `:a/_b`: the entities that refer to this one.
    pub(super) reverse: bool,
    pub(super) many: bool,
    pub(super) component: bool,
    pub(super) is_ref: bool,
    /// The key it is shown under.
    pub(super) key: Value,
    pub(super) limit: Option<usize>,
    pub(super) default: Option<Value>,
    /// What is made of what would be shown; a default is shown as it is.
    pub(super) xform: Option<Callable>,
    pub(super) inside: Inside,
}

/// What is shown of the entities an attribute refers to.
#[derive(Clone, Debug)]
pub(super) enum Inside {
    Nothing,
    Pattern(Pattern),
    /// The same pattern again: so many times, or as long as there is something.
    Recur(Option<usize>),
}

impl Pattern {
    /// `[*]`.
    pub(super) fn everything() -> Self {
        Self { wildcard: true, ..Self::default() }
    }

    /// Reads a pattern, resolving its attributes.
    pub(crate) fn parse(pattern: &Value, source: &dyn Source) -> Result<Self, QueryError> {
        Self::parse_at(pattern, source, 0)
    }

    fn parse_at(pattern: &Value, source: &dyn Source, depth: usize) -> Result<Self, QueryError> {
        if depth > DEPTH_MAX {
            return Err(
                QueryError::pull(format!("nests deeper than {DEPTH_MAX} levels")).about(pattern)
            );
        }
        let Some(items) = pattern.as_slice().filter(|items| !items.is_empty()) else {
            return Err(
                QueryError::pull(format!("{pattern} is no vector with elements")).about(pattern)
            );
        };
        let mut parsed = Self::default();
        for item in items {
            match item {
                Value::Symbol(name) if name.as_str() == "*" => parsed.wildcard = true,
                Value::Text(name) if &**name == "*" => parsed.wildcard = true,
                Value::Keyword(name) if name.as_str() == "*" => parsed.wildcard = true,
                id @ Value::Keyword(name) if name.as_str() == "db/id" => {
                    parsed.id = Some(id.clone())
                }
                Value::Vector(parts) | Value::List(parts) if names_id(parts) => {
                    parsed.id = parts.get(2).cloned();
                }
                Value::Map(map) => {
                    for (key, inner) in map {
                        let mut spec =
                            attribute_spec(key, source).map_err(|error| error.about(key))?;
                        if !spec.is_ref && !spec.reverse {
                            let message = format!("{key} is no reference, so {inner} has no place");
                            return Err(QueryError::pull(message).about(key));
                        }
                        spec.inside =
                            inside(inner, source, depth).map_err(|error| error.about(inner))?;
                        parsed.add(spec);
                    }
                }
                item => {
                    let spec = attribute_spec(item, source).map_err(|error| error.about(item))?;
                    parsed.add(spec);
                }
            }
        }
        Ok(parsed)
    }

    /// A later spec of a key takes the place of an earlier one.
    fn add(&mut self, spec: Spec) {
        self.specs.retain(|known| known.key != spec.key);
        self.specs.push(spec);
    }
}

/// `(:db/id :as key)`.
fn names_id(parts: &[Value]) -> bool {
    let is = |at: usize, name| parts.get(at) == Some(&Value::keyword(name));
    parts.len() == 3 && is(0, "db/id") && is(1, "as")
}

fn inside(value: &Value, source: &dyn Source, depth: usize) -> Result<Inside, QueryError> {
    match value {
        Value::Symbol(dots) if dots.as_str() == "..." => Ok(Inside::Recur(None)),
        Value::Int(n) => match usize::try_from(*n) {
            Ok(n) if n > 0 => Ok(Inside::Recur(Some(n))),
            _ => Err(QueryError::pull(format!("a recursion goes 1 or more levels, not {n}"))),
        },
        pattern => Pattern::parse_at(pattern, source, depth + 1).map(Inside::Pattern),
    }
}

/// `:a`, `:a/_b`, `(:a :as k)`, `[:a :limit 3]`, `(limit :a 3)`, `(default :a "x")`.
fn attribute_spec(item: &Value, source: &dyn Source) -> Result<Spec, QueryError> {
    let refuse = || {
        let message = format!("{item} is no attribute, * or map of an attribute to a pattern");
        QueryError::pull(message)
    };
    if let Value::Keyword(_) = item {
        return named(item, source);
    }
    match item.as_slice().ok_or_else(refuse)? {
        [Value::Symbol(option), attribute, value] => {
            let mut spec = attribute_spec(attribute, source)?;
            set_option(&mut spec, option.as_str(), value, source)?;
            Ok(spec)
        }
        [attribute @ Value::Keyword(_), options @ ..] => {
            let mut spec = named(attribute, source)?;
            let (pairs, rest) = options.as_chunks::<2>();
            if !rest.is_empty() {
                return Err(QueryError::pull(format!("{item} has an option without a value")));
            }
            for [option, value] in pairs {
                let Value::Keyword(option) = option else { return Err(refuse()) };
                set_option(&mut spec, option.as_str(), value, source)?;
            }
            Ok(spec)
        }
        _ => Err(refuse()),
    }
}

/// What can be said of an attribute besides its name.
pub(crate) const OPTIONS: [&str; 4] = ["as", "limit", "default", "xform"];

fn set_option(
    spec: &mut Spec,
    option: &str,
    value: &Value,
    source: &dyn Source,
) -> Result<(), QueryError> {
    match (option, value) {
        ("as", key) => spec.key = key.clone(),
        ("default", value) => spec.default = Some(value.clone()),
        ("limit", Value::Nil) => spec.limit = None,
        ("limit", Value::Int(n)) if *n > 0 => {
            spec.limit = Some(usize::try_from(*n).unwrap_or(usize::MAX));
        }
        ("limit", other) => {
            let message = format!("a limit is a number above 0 or nil, not {other}");
            return Err(QueryError::pull(message));
        }
        ("xform", name) => spec.xform = Some(Callable::of_name(name, source)?),
        (other, _) => {
            let near = nearest(other, OPTIONS).map(|name| format!("did you mean {name}? "));
            let near = near.unwrap_or_default();
            let message = format!(
                "there is no option {other}; {near}there are :as, :limit, :default and :xform"
            );
            return Err(QueryError::pull(message));
        }
    }
    Ok(())
}

fn named(item: &Value, source: &dyn Source) -> Result<Spec, QueryError> {
    let Value::Keyword(keyword) = item else {
        return Err(QueryError::pull(format!("{item} is no attribute")));
    };
    let bare = keyword.name().strip_prefix('_');
    let forward = match (bare, keyword.namespace()) {
        (Some(name), Some(namespace)) => Some(format!("{namespace}/{name}")),
        (Some(name), None) => Some(name.to_owned()),
        (None, _) => None,
    };
    let reverse = forward.is_some();
    let name = forward.as_deref().map_or_else(|| keyword.clone(), Into::into);
    let attribute = source
        .attribute_named(&name)
        .ok_or_else(|| unknown_attribute(&Value::Keyword(name.clone()), source))?;
    if reverse && !attribute.is_ref() {
        return Err(QueryError::pull(format!("{item}: {name} is no reference")));
    }
    Ok(Spec {
        attribute: attribute.id,
        reverse,
        many: attribute.is_many(),
        component: attribute.component,
        is_ref: attribute.is_ref(),
        key: item.clone(),
        limit: Some(LIMIT),
        default: None,
        xform: None,
        inside: Inside::Nothing,
    })
}
