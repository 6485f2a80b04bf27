//! Query text and query values as one tree: the form the parser reads.
//!
//! A tree made from text keeps where each part stands; a tree made from a [`Value`] cannot.

use std::sync::Arc;

use datom::Value;
use datom::edn::{Form, Node as EdnNode, Span};

use super::error::{Error, ErrorKind, Place};

/// The deepest nesting of a query.
const DEPTH_MAX: usize = 64;

/// One part of a query.
#[derive(Clone, Debug)]
pub(crate) struct Syntax {
    pub(crate) node: Node,
    span: Option<Span>,
}

/// What the part is. Whatever the parser never looks into is a leaf.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Leaf(Value),
    Vector(Vec<Syntax>),
    List(Vec<Syntax>),
    Map(Vec<(Syntax, Syntax)>),
}

impl Syntax {
    pub(crate) fn from_value(value: &Value) -> Result<Self, Error> {
        Self::value_at(value, 0)
    }

    fn value_at(value: &Value, depth: usize) -> Result<Self, Error> {
        check_depth(depth)?;
        let many = |items: &[Value]| -> Result<Vec<Self>, Error> {
            items.iter().map(|item| Self::value_at(item, depth + 1)).collect()
        };
        let node = match value {
            Value::Vector(items) => Node::Vector(many(items)?),
            Value::List(items) => Node::List(many(items)?),
            Value::Map(map) => Node::Map(
                map.iter()
                    .map(|(k, v)| {
                        Ok((Self::value_at(k, depth + 1)?, Self::value_at(v, depth + 1)?))
                    })
                    .collect::<Result<_, Error>>()?,
            ),
            leaf => Node::Leaf(leaf.clone()),
        };
        Ok(Self { node, span: None })
    }

    pub(crate) fn from_form(form: &Form) -> Result<Self, Error> {
        Self::form_at(form, 0)
    }

    fn form_at(form: &Form, depth: usize) -> Result<Self, Error> {
        check_depth(depth)?;
        let many = |items: &[Form]| -> Result<Vec<Self>, Error> {
            items.iter().map(|item| Self::form_at(item, depth + 1)).collect()
        };
        let node = match &form.node {
            EdnNode::Vector(items) => Node::Vector(many(items)?),
            EdnNode::List(items) => Node::List(many(items)?),
            EdnNode::Map(pairs) => Node::Map(
                pairs
                    .iter()
                    .map(|(k, v)| Ok((Self::form_at(k, depth + 1)?, Self::form_at(v, depth + 1)?)))
                    .collect::<Result<_, Error>>()?,
            ),
            _ => Node::Leaf(form.to_value()),
        };
        Ok(Self { node, span: Some(form.span) })
    }

    /// The value this part spells.
    pub(crate) fn to_value(&self) -> Value {
        match &self.node {
            Node::Leaf(value) => value.clone(),
            Node::Vector(items) => Value::Vector(items.iter().map(Self::to_value).collect()),
            Node::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
            Node::Map(pairs) => {
                Value::Map(pairs.iter().map(|(k, v)| (k.to_value(), v.to_value())).collect())
            }
        }
    }

    pub(crate) fn symbol(&self) -> Option<&str> {
        match &self.node {
            Node::Leaf(Value::Symbol(symbol)) => Some(symbol.as_str()),
            _ => None,
        }
    }

    pub(crate) fn keyword(&self) -> Option<&str> {
        match &self.node {
            Node::Leaf(Value::Keyword(keyword)) => Some(keyword.as_str()),
            _ => None,
        }
    }

    pub(crate) fn vector(&self) -> Option<&[Syntax]> {
        match &self.node {
            Node::Vector(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Syntax]> {
        match &self.node {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// The first part of this one that spells a value which prints so.
    fn find(&self, printed: &str) -> Option<&Syntax> {
        if self.to_value().to_string() == printed {
            return Some(self);
        }
        match &self.node {
            Node::Leaf(_) => None,
            Node::Vector(items) | Node::List(items) => {
                items.iter().find_map(|item| item.find(printed))
            }
            Node::Map(pairs) => pairs
                .iter()
                .find_map(|(key, value)| key.find(printed).or_else(|| value.find(printed))),
        }
    }

    /// Where this part stands in `text`, the text it was read from.
    pub(crate) fn place(&self, text: Option<&str>) -> Arc<Place> {
        if let (Some(text), Some(span)) = (text, self.span)
            && let Some(clause) = span.of(text)
        {
            let clause = clause.split_whitespace().collect::<Vec<_>>().join(" ");
            return Arc::new(Place { clause, position: Some(span.line_and_column(text)) });
        }
        Arc::new(Place { clause: self.to_value().to_string(), position: None })
    }
}

/// A part of a query as it was written, kept to say where in it something is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    part: Syntax,
    text: Option<Arc<str>>,
}

impl Written {
    pub(crate) fn new(part: &Syntax, text: Option<&str>) -> Self {
        Self { part: part.clone(), text: text.map(Into::into) }
    }

    /// An error about a form in the part, with where that form stands; about the part where it names none.
    pub(crate) fn locate(&self, error: Error) -> Error {
        error.placed(|about| {
            let text = self.text.as_deref();
            let found = match &about {
                Some(Place { clause, position: None }) => self.part.find(clause),
                Some(Place { position: Some(_), .. }) => None,
                None => Some(&self.part),
            };
            match (found, about) {
                (Some(found), _) => Place::clone(&found.place(text)),
                (None, Some(about)) => about,
                (None, None) => Place::clone(&self.part.place(text)),
            }
        })
    }
}

fn check_depth(depth: usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        let message = format!("the query nests deeper than {DEPTH_MAX} levels");
        return Err(Error::new(ErrorKind::Syntax(message)));
    }
    Ok(())
}
