//! The reader: text to forms, without recursion.
//!
//! 1. Open collections, tags and discards stand on an explicit stack of at most [`OPEN_MAX`], so
//!    that no text can overflow the machine's; forms nested deeper than [`Value::DEPTH_MAX`] are
//!    refused, so that what recurses over forms and values cannot overflow it either.
//! 2. Every byte is looked at a bounded number of times; an error costs one more pass.
//! 3. Memory grows with forms that were read, never with a number in the text.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::{Error, Form, Node, Span, excerpt, name, number, tag, text};
use crate::{Keyword, Symbol, Value};

/// Most collections, tags and discards that are open at once. One level of a value can take two:
/// `#tagged ["a tag" …]`; and the deepest value can be a tagged text.
const OPEN_MAX: usize = 2 * Value::DEPTH_MAX + 1;

/// What some editors put in front of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads forms one after the other, for texts with more of them than one wants to hold.
///
/// After an error it ends.
///
/// ```
/// let mut reader = datom::edn::Reader::new("1 [2 3] ]");
/// assert_eq!(reader.next().unwrap().unwrap().to_value().to_string(), "1");
/// assert_eq!(reader.next().unwrap().unwrap().to_value().to_string(), "[2 3]");
/// assert!(reader.next().unwrap().is_err());
/// assert!(reader.next().is_none());
/// ```
#[derive(Debug)]
pub struct Reader<'t> {
    text: &'t str,
    /// The part that is not read yet.
    rest: &'t str,
    /// Whether `'x` is `(quote x)`, and its like.
    quotes: bool,
    open: Vec<Open>,
}

/// Something that waits for forms.
#[derive(Debug)]
struct Open {
    kind: Kind,
    start: usize,
    items: Vec<Form>,
    /// Depth of the deepest item.
    depth: usize,
}

/// A complete form and how deep it is nested: 0 for what has no parts.
struct Done {
    form: Form,
    depth: usize,
}

#[derive(Debug)]
enum Kind {
    List,
    Vector,
    Set,
    Map,
    NamespacedMap(String),
    Tag(Symbol),
    /// A mark in front of a form: the name that the list of both begins with, and its bytes.
    Mark(&'static str, usize),
    Discard,
}

impl Kind {
    /// The character that closes it; `None` for what ends by itself after one form.
    fn closer(&self) -> Option<char> {
        match self {
            Kind::List => Some(')'),
            Kind::Vector => Some(']'),
            Kind::Set | Kind::Map | Kind::NamespacedMap(..) => Some('}'),
            Kind::Tag(_) | Kind::Mark(..) | Kind::Discard => None,
        }
    }
}

impl<'t> Reader<'t> {
    /// A reader of plain EDN.
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        Self { text, rest, quotes: false, open: Vec::new() }
    }

    /// A reader of programs: EDN in which `'x` stands for `(quote x)`, `` `x `` for
    /// `(quasiquote x)`, `~x` for `(unquote x)`, `~@x` for `(unquote-splicing x)` and `#(x)` for
    /// `(short-fn (x))`.
    ///
    /// ```
    /// let form = datom::edn::Reader::program("'[a b]").next().unwrap().unwrap();
    /// assert_eq!(form.to_value().to_string(), "(quote [a b])");
    /// ```
    #[must_use]
    pub fn program(text: &'t str) -> Self {
        Self { quotes: true, ..Self::new(text) }
    }

    /// Offset of the first byte that is not read yet.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// The next form, and the value that it denotes, for that must be made to find duplicates.
    pub(super) fn next_both(&mut self) -> Option<Result<(Form, Value), Error>> {
        let read = self.read().and_then(|form| match form {
            Some(form) => checked(self.text, &form).map(|value| Some((form, value))),
            None => Ok(None),
        });
        if read.is_err() {
            self.rest = "";
            self.open.clear();
        }
        read.transpose()
    }

    fn read(&mut self) -> Result<Option<Form>, Error> {
        loop {
            self.skip_blanks();
            let start = self.offset();
            let Some(first) = self.rest.chars().next() else { return self.end() };
            let done = match first {
                '(' => self.enter(Kind::List, 1)?,
                '[' => self.enter(Kind::Vector, 1)?,
                '{' => self.enter(Kind::Map, 1)?,
                ')' | ']' | '}' => Some(self.close(first)?),
                '"' => Some(self.text_literal()?),
                '\\' => Some(self.char_literal()?),
                '#' if self.quotes && self.rest.starts_with("#(") => self.mark()?,
                '#' => self.dispatch()?,
                '\'' | '`' | '~' if self.quotes => self.mark()?,
                _ => Some(self.token()?),
            };
            if let Some(done) = done
                && let Some(form) = self.deliver(done)?
            {
                return Ok(Some(form));
            }
            debug_assert!(self.offset() > start, "each turn reads something");
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches(name::is_blank);
            if !self.rest.starts_with(';') {
                return;
            }
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.advance(end);
        }
    }

    /// Steps over bytes; never past the end nor into a character.
    fn advance(&mut self, bytes: usize) -> &'t str {
        let (read, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        read
    }

    /// Steps over the token that begins after `skip` bytes, and gives it without them.
    fn take_token(&mut self, skip: usize) -> &'t str {
        self.advance(skip);
        let end = self.rest.find(name::is_delimiter).unwrap_or(self.rest.len());
        self.advance(end)
    }

    fn span_from(&self, start: usize) -> Span {
        Span { start, end: self.offset() }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Error {
        Error::new(self.text, span, message.into())
    }

    fn atom(&self, start: usize, node: Result<Node, String>) -> Result<Done, Error> {
        let span = self.span_from(start);
        match node {
            Ok(node) => Ok(Done { form: Form { node, span }, depth: 0 }),
            Err(message) => Err(self.error(span, message)),
        }
    }

    fn mark(&mut self) -> Result<Option<Done>, Error> {
        let (name, bytes) = match self.rest.as_bytes() {
            [b'`', ..] => ("quasiquote", 1),
            [b'~', b'@', ..] => ("unquote-splicing", 2),
            [b'~', ..] => ("unquote", 1),
            [b'#', ..] => ("short-fn", 1),
            _ => ("quote", 1),
        };
        self.enter(Kind::Mark(name, bytes), bytes)
    }

    fn enter(&mut self, kind: Kind, bytes: usize) -> Result<Option<Done>, Error> {
        let start = self.offset();
        self.advance(bytes);
        self.push(kind, start)
    }

    fn push(&mut self, kind: Kind, start: usize) -> Result<Option<Done>, Error> {
        if self.open.len() >= OPEN_MAX {
            return Err(self.too_deep(self.span_from(start)));
        }
        self.open.push(Open { kind, start, items: Vec::new(), depth: 0 });
        Ok(None)
    }

    fn too_deep(&self, span: Span) -> Error {
        let message = format!(
            "nested deeper than {}; flatten the data, or keep the parts apart and refer to them",
            Value::DEPTH_MAX
        );
        self.error(span, message)
    }

    /// The end of the text: fine between two forms, an error within one.
    fn end(&self) -> Result<Option<Form>, Error> {
        let Some(open) = self.open.last() else { return Ok(None) };
        let message = match &open.kind {
            Kind::Tag(tag) => {
                let tag = excerpt(tag.as_str());
                format!("the text ends where the form of the tag #{tag} should stand")
            }
            Kind::Discard => "the text ends where the form to discard with #_ should stand".into(),
            Kind::Mark(..) => "the text ends where the quoted form should stand".into(),
            kind => format!(
                "the text ends inside this {}; `{}` is missing",
                kind_name(kind),
                kind.closer().unwrap_or(')')
            ),
        };
        let end = self.text.len().min(open.start + 1);
        Err(Error::unfinished(self.text, Span { start: open.start, end }, message))
    }

    fn close(&mut self, closer: char) -> Result<Done, Error> {
        let at = self.offset();
        self.advance(closer.len_utf8());
        let here = self.span_from(at);
        let Some(open) = self.open.pop() else {
            return Err(
                self.error(here, format!("nothing is open that this `{closer}` could close"))
            );
        };
        match open.kind.closer() {
            Some(expected) if expected == closer => {}
            Some(expected) => {
                let (line, column) = Span { start: open.start, end: at }.line_and_column(self.text);
                let message = format!(
                    "`{closer}` where `{expected}` should close the {} \
                     of line {line}, column {column}",
                    kind_name(&open.kind)
                );
                return Err(self.error(here, message));
            }
            None => {
                let what = kind_name(&open.kind);
                let span = Span { start: open.start, end: at };
                return Err(self.error(span, format!("no form follows this {what}")));
            }
        }
        let node = match open.kind {
            Kind::Vector => Node::Vector(open.items),
            Kind::Set => Node::Set(open.items),
            Kind::Map => self.pairs(open.items, |key| key)?,
            Kind::NamespacedMap(namespace) => {
                self.pairs(open.items, |key| qualify(key, &namespace))?
            }
            _ => Node::List(open.items),
        };
        let form = Form { node, span: self.span_from(open.start) };
        Ok(Done { form, depth: open.depth + 1 })
    }

    fn pairs(&self, items: Vec<Form>, key: impl Fn(Form) -> Form) -> Result<Node, Error> {
        let mut pairs = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let Some(first) = items.next() {
            let Some(second) = items.next() else {
                let message = format!("the key `{}` of this map has no value", shown(&first));
                return Err(self.error(first.span, message));
            };
            pairs.push((key(first), second));
        }
        Ok(Node::Map(pairs))
    }

    /// Hands a complete form to what waits for it; gives it back if nothing does.
    fn deliver(&mut self, done: Done) -> Result<Option<Form>, Error> {
        let Done { mut form, mut depth } = done;
        loop {
            if depth > Value::DEPTH_MAX {
                return Err(self.too_deep(Span { end: form.span.start + 1, ..form.span }));
            }
            if let Some(open) = self.open.last_mut()
                && open.kind.closer().is_some()
            {
                open.items.push(form);
                open.depth = open.depth.max(depth);
                return Ok(None);
            }
            let Some(Open { kind, start, .. }) = self.open.pop() else { return Ok(Some(form)) };
            let span = Span { start, end: form.span.end };
            let node = match kind {
                Kind::Discard => return Ok(None),
                Kind::Tag(symbol) => {
                    // The vector of `#tagged` goes, and the level of the tag comes.
                    depth += usize::from(!tag::is_ours(symbol.as_str()));
                    tag::apply(symbol, form).map_err(|message| self.error(span, message))?
                }
                kind => {
                    depth += 1;
                    let Kind::Mark(name, bytes) = kind else { return Ok(Some(form)) };
                    let quote = Node::Symbol(name.into());
                    let mark = Span { start, end: start + bytes };
                    Node::List(vec![Form { node: quote, span: mark }, form])
                }
            };
            form = Form { node, span };
        }
    }

    fn text_literal(&mut self) -> Result<Done, Error> {
        let start = self.offset();
        self.advance(1);
        let body = self.offset();
        match text::read(self.rest) {
            Ok(Some((text, bytes))) => {
                self.advance(bytes);
                self.atom(start, Ok(Node::Text(text.into())))
            }
            Ok(None) => {
                let span = Span { start, end: body };
                let message = "this text is never closed; `\"` is missing".into();
                Err(Error::unfinished(self.text, span, message))
            }
            Err((message, Span { start, end })) => {
                Err(self.error(Span { start: body + start, end: body + end }, message))
            }
        }
    }

    fn char_literal(&mut self) -> Result<Done, Error> {
        let start = self.offset();
        self.advance(1);
        let rest = self.rest;
        let first = rest.chars().next().filter(|c| !c.is_whitespace());
        let Some(first) = first else {
            let message = "a character must follow the `\\`; a blank is written \\space";
            return Err(self.error(self.span_from(start), message));
        };
        // The first character may be a delimiter, as in `\(`.
        let more = self.take_token(first.len_utf8());
        let token = rest.get(..first.len_utf8() + more.len()).unwrap_or(rest);
        self.atom(start, text::read_char(token).map(Node::Char))
    }

    fn dispatch(&mut self) -> Result<Option<Done>, Error> {
        let start = self.offset();
        match self.rest.chars().nth(1) {
            Some('{') => self.enter(Kind::Set, 2),
            Some('_') => self.enter(Kind::Discard, 2),
            Some('#') => self.symbolic().map(Some),
            Some(':') => self.namespaced_map(),
            Some(c) if c.is_alphabetic() => {
                let token = self.take_token(1);
                if name::is_tag(token) {
                    return self.push(Kind::Tag(token.into()), start);
                }
                Err(self.error(self.span_from(start), format!("`#{}` is no tag", excerpt(token))))
            }
            Some('"' | '(' | '\'' | '?' | '=' | '^') => {
                let span = Span { start, end: start + 2 };
                let message = "this is Clojure and not EDN: `#` begins a set #{…}, a tag #inst, \
                               a discard #_, ##Inf or a namespaced map #:a{…}";
                Err(self.error(span, message))
            }
            _ => {
                let span = Span { start, end: start + 1 };
                Err(self.error(span, "a tag, `{`, `_`, `:` or `#` must follow this `#`"))
            }
        }
    }

    fn symbolic(&mut self) -> Result<Done, Error> {
        let start = self.offset();
        let node = match self.take_token(2) {
            "Inf" => Ok(Node::Float(f64::INFINITY)),
            "-Inf" => Ok(Node::Float(f64::NEG_INFINITY)),
            "NaN" => Ok(Node::Float(f64::NAN)),
            other => Err(format!(
                "`##{}` is no number; there are ##Inf, ##-Inf and ##NaN",
                excerpt(other)
            )),
        };
        self.atom(start, node)
    }

    fn namespaced_map(&mut self) -> Result<Option<Done>, Error> {
        let start = self.offset();
        let namespace = self.take_token(2);
        let span = self.span_from(start);
        if !name::is_namespace(namespace) {
            let message = if namespace.starts_with(':') {
                "`#::` needs the namespace of a program, and data have none; \
                 write it out as #:name{…}"
            } else {
                "a namespace without `/` must follow `#:`, as in #:person{:name \"Ada\"}"
            };
            return Err(self.error(span, message));
        }
        self.skip_blanks();
        if self.rest.is_empty() {
            let namespace = excerpt(namespace);
            let message = format!("the text ends where the map of `#:{namespace}` should stand");
            return Err(Error::unfinished(self.text, span, message));
        }
        if !self.rest.starts_with('{') {
            return Err(self.error(span, format!("a map must follow `#:{}`", excerpt(namespace))));
        }
        self.advance(1);
        self.push(Kind::NamespacedMap(namespace.to_string()), start)
    }

    /// A number, keyword, symbol or one of nil, true and false.
    fn token(&mut self) -> Result<Done, Error> {
        let start = self.offset();
        let token = self.take_token(0);
        let node = match token {
            "nil" => Ok(Node::Nil),
            "true" => Ok(Node::Bool(true)),
            "false" => Ok(Node::Bool(false)),
            _ => match token.strip_prefix(':') {
                Some(keyword) => self::keyword(keyword),
                None if number::is_meant(token) => number::read(token),
                None => symbol(token),
            },
        };
        self.atom(start, node)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Form, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_both().map(|read| read.map(|(form, _)| form))
    }
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::List => "list `(`",
        Kind::Vector => "vector `[`",
        Kind::Set => "set `#{`",
        Kind::Map => "map `{`",
        Kind::NamespacedMap(..) => "namespaced map",
        Kind::Tag(_) => "tag",
        Kind::Mark(name, _) => name,
        Kind::Discard => "discard #_",
    }
}

fn keyword(name: &str) -> Result<Node, String> {
    if name::is_keyword(name) {
        return Ok(Node::Keyword(name.into()));
    }
    let shown = excerpt(name);
    if name.starts_with(':') {
        return Err(format!(
            "`:{shown}` needs the namespace of a program, and data have none; \
             write it out as :namespace/name"
        ));
    }
    Err(format!(
        "`:{shown}` is no keyword; write it like :name or :namespace/name, or as #keyword \"…\""
    ))
}

fn symbol(name: &str) -> Result<Node, String> {
    if name::is_symbol(name) {
        return Ok(Node::Symbol(name.into()));
    }
    let shown = excerpt(name);
    match name.chars().next() {
        Some('\'') => {
            Err(format!("`{shown}`: the quote is for programs, EDN data have none; drop it"))
        }
        Some(c @ ('@' | '`' | '~' | '^')) => Err(format!("`{c}` is Clojure and not EDN")),
        _ => Err(format!(
            "`{shown}` is no symbol: letters, digits, one `/` \
             and . * + ! - _ ? $ % & = < > : # make one"
        )),
    }
}

/// Gives a key of a namespaced map its namespace, unless it has one; `_` stands for none.
fn qualify(key: Form, namespace: &str) -> Form {
    let Form { node, span } = key;
    let full = |name: &str| match name.split_once('/') {
        None => format!("{namespace}/{name}"),
        Some(("_", plain)) => plain.to_string(),
        Some(_) => name.to_string(),
    };
    let node = match node {
        Node::Keyword(key) => Node::Keyword(Keyword::from(full(key.as_str()).as_str())),
        Node::Symbol(key) => Node::Symbol(Symbol::from(full(key.as_str()).as_str())),
        other => other,
    };
    Form { node, span }
}

/// The value of a form, unless it has duplicate keys or elements.
fn checked(text: &str, form: &Form) -> Result<Value, Error> {
    let mut repeated = None;
    let value = form.value(&mut repeated);
    let Some(again) = repeated else { return Ok(value) };
    let message = format!(
        "`{}` is here twice; a map has each key once and a set each element once",
        shown(again)
    );
    Err(Error::new(text, again.span, message))
}

fn shown(form: &Form) -> String {
    excerpt(&form.to_value().to_string())
}
