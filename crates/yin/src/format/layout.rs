//! Where lines are broken and how far they are indented.
//!
//! A form that fits on the line stays there. Else a call breaks behind its first operand and the others
//! stand below it; a form with a body keeps its head on the line and indents the body by two;
//! maps, bindings and clauses go in pairs.

use super::WIDTH;
use super::scan::{Item, Kind};

/// How the parts of a list are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Operands below each other.
    Call,
    /// So many parts on the first line, the others are a body.
    Body(usize),
    /// So many parts on the first line, then pairs.
    Pairs(usize),
}

/// Forms whose first vector holds names and values in turn.
const BINDING: [&str; 12] = [
    "let",
    "letrec",
    "loop",
    "binding",
    "for",
    "doseq",
    "dotimes",
    "if-let",
    "when-let",
    "if-some",
    "when-some",
    "with",
];

fn style(items: &[Item]) -> Style {
    let Some(Item { kind: Kind::Atom, text, .. }) = items.first() else { return Style::Call };
    let starts = |at: usize, open: char| items.get(at).is_some_and(|i| i.text.starts_with(open));
    match text.as_str() {
        "defn" | "defmacro" if starts(2, '[') => Style::Body(2),
        "fn" if items.get(1).is_some_and(|item| item.kind == Kind::Atom) && starts(2, '[') => {
            Style::Body(2)
        }
        "control" | "control-once" => Style::Body(2),
        "catch" if starts(1, ':') => Style::Body(2),
        "def" | "defn" | "defmacro" | "ns" | "if" | "if-not" | "when" | "when-not" | "while"
        | "prompt" | "catch" | "fn" | "letfn" => Style::Body(1),
        name if BINDING.contains(&name) => Style::Body(1),
        "do" | "try" | "finally" | "comment" => Style::Body(0),
        "cond" => Style::Pairs(0),
        "case" | "cond->" | "cond->>" => Style::Pairs(1),
        "condp" => Style::Pairs(2),
        _ => Style::Call,
    }
}

struct Page {
    out: String,
    column: usize,
}

/// The text of all items.
pub(super) fn lay_out(items: &[Item]) -> String {
    let mut page = Page { out: String::new(), column: 0 };
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            page.between(item, 0, true);
        }
        page.item(item, 0, false);
    }
    if !page.out.is_empty() {
        page.out.push('\n');
    }
    page.out
}

impl Page {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn line(&mut self, indent: usize) {
        self.out.push('\n');
        let indent = indent.min(WIDTH);
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// What separates an item from the one before it.
    fn between(&mut self, item: &Item, indent: usize, breaks: bool) {
        if item.kind == Kind::Comment && !item.begins_line {
            self.put(" ");
        } else if breaks || item.kind == Kind::Comment || item.is_apart {
            if item.is_apart {
                self.out.push('\n');
            }
            self.line(indent);
        } else {
            self.put(" ");
        }
    }

    /// An item, behind which so many closing marks follow on the line.
    fn item(&mut self, item: &Item, behind: usize, is_bindings: bool) {
        if let Some(flat) = flat(item, WIDTH.saturating_sub(self.column + behind)) {
            return self.put(&flat);
        }
        match item.kind {
            Kind::Atom | Kind::Comment => self.put(&item.text),
            Kind::Mark => self.mark(item, behind),
            Kind::Group(close) => {
                self.put(&item.text);
                let ends_in_comment = match item.text.as_str() {
                    "(" => self.list(&item.items, behind + 1),
                    "{" => self.pairs(&item.items, behind + 1),
                    "[" if is_bindings => self.pairs(&item.items, behind + 1),
                    "[" if is_query(&item.items) => self.query(&item.items, behind + 1),
                    _ => self.sequence(&item.items, behind + 1),
                };
                if let Some(indent) = ends_in_comment {
                    self.line(indent);
                }
                self.put(close.encode_utf8(&mut [0; 4]));
            }
        }
    }

    fn mark(&mut self, item: &Item, behind: usize) {
        let indent = self.column;
        self.put(&item.text);
        let mut before_comment = false;
        for (at, inner) in item.items.iter().enumerate() {
            match inner.kind {
                Kind::Comment => {
                    self.put(" ");
                    before_comment = true;
                }
                _ if before_comment => {
                    self.line(indent);
                    before_comment = false;
                }
                _ if at == 0 && !is_spaced(item, inner) => {}
                _ => self.put(" "),
            }
            self.item(inner, behind, false);
        }
    }

    /// Items below each other; answers with the indentation if the last one is a comment.
    fn column_of(&mut self, items: &[Item], indent: usize, behind: usize) -> Option<usize> {
        let mut after_comment = false;
        for (at, item) in items.iter().enumerate() {
            if at > 0 || after_comment {
                self.between(item, indent, true);
            }
            let last = at + 1 == items.len();
            self.item(item, if last { behind } else { 0 }, false);
            after_comment = item.kind == Kind::Comment;
        }
        after_comment.then_some(indent)
    }

    /// Atoms fill lines, anything else stands below each other.
    fn sequence(&mut self, items: &[Item], behind: usize) -> Option<usize> {
        let indent = self.column;
        let is_broken =
            |(at, item): (usize, &Item)| item.kind != Kind::Atom || at > 0 && item.is_apart;
        if items.iter().enumerate().any(is_broken) {
            return self.column_of(items, indent, behind);
        }
        for (at, item) in items.iter().enumerate() {
            let width = item.text.chars().count();
            if at > 0 {
                let fits = self.column + 1 + width + behind <= WIDTH;
                self.between(item, indent, !fits);
            }
            self.put(&item.text);
        }
        None
    }

    /// Each part of a query begins a line. Its clauses stand below each other, all else fills lines.
    fn query(&mut self, items: &[Item], behind: usize) -> Option<usize> {
        let start = self.column;
        let (mut indent, mut begins_part, mut is_where) = (start, false, false);
        let mut after_comment = false;
        for (at, item) in items.iter().enumerate() {
            let behind = if at + 1 == items.len() { behind } else { 0 };
            let is_part = item.kind == Kind::Atom && item.text.starts_with(':');
            if at > 0 && is_part {
                self.between(item, start, true);
            } else if at > 0 {
                let room = WIDTH.saturating_sub(self.column + 1 + behind);
                let fits = begins_part || !is_where && flat(item, room).is_some();
                self.between(item, indent, after_comment || !fits);
            }
            self.item(item, behind, false);
            if is_part {
                indent = self.column + 1;
                is_where = item.text == ":where";
            }
            begins_part = is_part;
            after_comment = item.kind == Kind::Comment;
        }
        after_comment.then_some(start)
    }

    /// Items two by two, each pair on a line of its own.
    fn pairs(&mut self, items: &[Item], behind: usize) -> Option<usize> {
        let indent = self.column;
        let mut is_key = true;
        let mut after_comment = false;
        for (at, item) in items.iter().enumerate() {
            let is_comment = item.kind == Kind::Comment;
            if at > 0 {
                let breaks = is_key || after_comment;
                let room = WIDTH.saturating_sub(self.column + 1 + behind);
                let hangs = !breaks
                    && !is_comment
                    && flat(item, room).is_none()
                    && self.column > indent + WIDTH / 2;
                let by = if hangs || !is_key && after_comment { indent + 2 } else { indent };
                self.between(item, by, breaks || hangs);
            }
            let last = at + 1 == items.len();
            self.item(item, if last { behind } else { 0 }, false);
            after_comment = is_comment;
            if !is_comment && item.text != "#_" {
                is_key = !is_key;
            }
        }
        after_comment.then_some(indent)
    }

    fn list(&mut self, items: &[Item], behind: usize) -> Option<usize> {
        let start = self.column;
        let style = style(items);
        let is_binding = items.first().is_some_and(|head| BINDING.contains(&head.text.as_str()));
        let on_line = match style {
            Style::Call => 1,
            Style::Body(n) | Style::Pairs(n) => n,
        };
        let (head, rest) = items.split_first()?;
        self.item(head, if rest.is_empty() { behind } else { 0 }, false);
        let mut after_comment = head.kind == Kind::Comment;
        let mut indent = if style == Style::Call { start } else { start + 1 };
        let mut at = 0;
        while let Some(item) = rest.get(at).filter(|_| at < on_line) {
            if after_comment || item.kind == Kind::Comment || item.is_apart {
                break;
            }
            self.put(" ");
            if style == Style::Call && head.kind == Kind::Atom {
                indent = self.column;
            }
            let last = at + 1 == rest.len();
            self.item(item, if last { behind } else { 0 }, is_binding);
            after_comment = false;
            at += 1;
        }
        let left = rest.get(at..).unwrap_or(&[]);
        let Some(first) = left.first() else { return after_comment.then_some(indent) };
        self.between(first, indent, true);
        match style {
            Style::Pairs(_) => self.pairs(left, behind),
            _ => self.column_of(left, indent, behind),
        }
    }
}

fn is_query(items: &[Item]) -> bool {
    items.first().is_some_and(|first| first.kind == Kind::Atom && first.text == ":find")
}

/// Whether a blank stands between a mark and its item: tags need one, quotes have none.
fn is_spaced(mark: &Item, inner: &Item) -> bool {
    match mark.text.as_str() {
        "'" | "`" | "~" | "~@" | "#_" | "#" => false,
        text if text.starts_with("#:") => false,
        _ => inner.kind != Kind::Comment,
    }
}

/// Whether a definition says what it is for, in a text that has a line of its own.
fn is_told(item: &Item) -> bool {
    let [head, _, text, ..] = item.items.as_slice() else { return false };
    matches!(head.text.as_str(), "defn" | "defmacro" | "ns") && text.text.starts_with('"')
}

/// The text of an item on one line of at most so many characters, if it can be.
fn flat(item: &Item, width: usize) -> Option<String> {
    let mut out = String::new();
    write_flat(item, width, &mut out).then_some(out)
}

fn write_flat(item: &Item, width: usize, out: &mut String) -> bool {
    match item.kind {
        Kind::Comment => return false,
        Kind::Atom => out.push_str(&item.text),
        Kind::Mark => {
            out.push_str(&item.text);
            for (at, inner) in item.items.iter().enumerate() {
                if at > 0 || is_spaced(item, inner) {
                    out.push(' ');
                }
                if !write_flat(inner, width, out) {
                    return false;
                }
            }
        }
        Kind::Group(_) if is_told(item) => return false,
        Kind::Group(close) => {
            out.push_str(&item.text);
            for (at, inner) in item.items.iter().enumerate() {
                // What stands before the first item does not stay.
                if at > 0 && inner.is_apart {
                    return false;
                }
                if at > 0 {
                    out.push(' ');
                }
                if !write_flat(inner, width, out) {
                    return false;
                }
            }
            out.push(close);
        }
    }
    // What is longer than the line in bytes may still fit in characters.
    !out.contains('\n') && (out.len() <= width || out.chars().count() <= width)
}
