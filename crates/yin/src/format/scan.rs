//! Source text as a tree that keeps what a reader of forms drops: comments and blank lines.
//!
//! The text is EDN already, so scanning cannot fail, and is nested no deeper than EDN may be.

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Atom,
    /// From the semicolon to the end of the line.
    Comment,
    /// Items between an opening and a closing mark.
    Group(char),
    /// A mark in front of one item, such as a quote or a tag.
    Mark,
}

/// A part of the text.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    /// An atom, a comment or a mark as written; what a group opens with.
    pub(super) text: String,
    pub(super) items: Vec<Item>,
    /// Whether an empty line stands before it.
    pub(super) is_apart: bool,
    /// Whether it begins a line.
    pub(super) begins_line: bool,
}

struct Scanner<'t> {
    rest: &'t str,
}

/// The items of a text.
pub(super) fn scan(text: &str) -> Vec<Item> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut scanner = Scanner { rest: text };
    let mut items = scanner.items(true);
    if let Some(first) = items.first_mut() {
        first.is_apart = false;
    }
    items
}

fn is_blank(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn is_delimiter(c: char) -> bool {
    is_blank(c) || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '"' | ';' | '\\')
}

impl<'t> Scanner<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Everything up to a closing mark or the end.
    fn items(&mut self, at_start: bool) -> Vec<Item> {
        let mut items = Vec::new();
        let mut begins_line = at_start;
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches(is_blank).len();
            let newlines = self.take(blank).matches('\n').count();
            let Some(first) = self.rest.chars().next() else { return items };
            if matches!(first, ')' | ']' | '}') {
                self.take(1);
                return items;
            }
            let mut item = self.item(first);
            item.is_apart = newlines > 1;
            item.begins_line = newlines > 0 || begins_line;
            begins_line = false;
            items.push(item);
        }
    }

    fn item(&mut self, first: char) -> Item {
        let (kind, text, items) = match first {
            ';' => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                (Kind::Comment, self.take(end).trim_end(), Vec::new())
            }
            '(' | '[' | '{' => self.group(1),
            '"' => (Kind::Atom, self.text(), Vec::new()),
            '\\' => {
                let after = self.rest.chars().nth(1).map_or(0, char::len_utf8);
                let end = self.atom_end(1 + after);
                (Kind::Atom, self.take(end), Vec::new())
            }
            '\'' | '`' => self.mark(1),
            '~' if self.rest.starts_with("~@") => self.mark(2),
            '~' => self.mark(1),
            '#' if self.rest.starts_with("#{") => self.group(2),
            '#' if self.rest.starts_with("#_") => self.mark(2),
            '#' if !self.rest.starts_with("##") => {
                let end = self.atom_end(1);
                self.mark(end)
            }
            _ => {
                let end = self.atom_end(first.len_utf8());
                (Kind::Atom, self.take(end), Vec::new())
            }
        };
        Item { kind, text: text.to_owned(), items, is_apart: false, begins_line: false }
    }

    fn atom_end(&self, from: usize) -> usize {
        let rest = self.rest.get(from..).unwrap_or("");
        from + rest.find(is_delimiter).unwrap_or(rest.len())
    }

    fn text(&mut self) -> &'t str {
        let mut is_escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => return self.take(at + 1),
                _ => {}
            }
        }
        self.take(self.rest.len())
    }

    fn group(&mut self, bytes: usize) -> (Kind, &'t str, Vec<Item>) {
        let open = self.take(bytes);
        let close = match open {
            "(" => ')',
            "[" => ']',
            _ => '}',
        };
        (Kind::Group(close), open, self.items(false))
    }

    /// A mark with the comments and the item behind it.
    fn mark(&mut self, bytes: usize) -> (Kind, &'t str, Vec<Item>) {
        let text = self.take(bytes);
        let mut items = Vec::new();
        loop {
            let blank = self.rest.len() - self.rest.trim_start_matches(is_blank).len();
            self.take(blank);
            let Some(first) = self.rest.chars().next() else { break };
            let item = self.item(first);
            let is_done = item.kind != Kind::Comment && item.text != "#_";
            items.push(item);
            if is_done {
                break;
            }
        }
        (Kind::Mark, text, items)
    }
}
