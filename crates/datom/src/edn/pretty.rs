//! The pretty printer: what fits a line stays on it, the rest is broken and aligned.

use alloc::string::String;
use core::fmt;

use super::print;
use crate::Value;

/// Prints EDN on lines of at most `width` characters where it can be helped; without a newline at
/// the end. It reads back as [`Display`](Value#impl-Display-for-Value) does.
///
/// Costs time in the size of the output.
///
/// ```
/// let value = datom::edn::read("{:name \"Ada\" :langs [:analytical :engine]}").unwrap();
/// assert_eq!(datom::edn::pretty(&value, 80), "{:langs [:analytical :engine], :name \"Ada\"}");
/// assert_eq!(
///     datom::edn::pretty(&value, 24),
///     "{:langs [:analytical\n         :engine]\n :name \"Ada\"}"
/// );
/// ```
#[must_use]
pub fn pretty(value: &Value, width: usize) -> String {
    let mut page = Page { out: String::new(), width, column: 0 };
    page.value(value, 0);
    page.out
}

struct Page {
    out: String,
    width: usize,
    /// Characters on the line so far.
    column: usize,
}

impl Page {
    /// Prints a value behind which `behind` closing characters must still fit.
    fn value(&mut self, value: &Value, behind: usize) {
        if let Some(chars) = flat(value, self.width.saturating_sub(self.column + behind)) {
            // Writing to a string does not fail.
            let _ = print::write(value, &mut self.out);
            self.column += chars;
            return;
        }
        match value {
            Value::Vector(items) => self.sequence("[", items.iter(), "]", behind),
            Value::List(items) => self.sequence("(", items.iter(), ")", behind),
            Value::Set(items) => self.sequence("#{", items.iter(), "}", behind),
            Value::Map(pairs) => self.map(pairs.iter(), behind),
            Value::Tagged(symbol, value) if print::is_plain_tag(symbol) => {
                self.put("#");
                self.put(symbol.as_str());
                self.put(" ");
                self.value(value, behind);
            }
            atom => {
                let _ = print::write(atom, &mut self.out);
            }
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// Begins a line. Beyond the width alignment helps nobody, and would multiply what is deep.
    fn line(&mut self, indent: usize) {
        let indent = indent.min(self.width);
        self.out.push('\n');
        self.out.extend(core::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn sequence<'v>(
        &mut self,
        open: &str,
        items: impl ExactSizeIterator<Item = &'v Value>,
        close: &str,
        behind: usize,
    ) {
        self.put(open);
        let indent = self.column;
        let last = items.len().saturating_sub(1);
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.line(indent);
            }
            self.value(item, if at == last { behind + 1 } else { 0 });
        }
        self.put(close);
    }

    fn map<'v>(
        &mut self,
        pairs: impl ExactSizeIterator<Item = (&'v Value, &'v Value)>,
        behind: usize,
    ) {
        self.put("{");
        let indent = self.column;
        let last = pairs.len().saturating_sub(1);
        for (at, (key, value)) in pairs.enumerate() {
            if at > 0 {
                self.line(indent);
            }
            self.value(key, 0);
            self.put(" ");
            self.value(value, if at == last { behind + 1 } else { 0 });
        }
        self.put("}");
    }
}

/// The characters of a value on one line, unless they are more than `limit`. Costs at most
/// the limit.
fn flat(value: &Value, limit: usize) -> Option<usize> {
    let mut ruler = Ruler { left: limit };
    print::write(value, &mut ruler).ok()?;
    Some(limit - ruler.left)
}

/// Counts characters and fails when there are too many.
struct Ruler {
    left: usize,
}

impl fmt::Write for Ruler {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // At least a character for every four bytes: a long text need not be counted.
        if text.len() / 4 > self.left {
            return Err(fmt::Error);
        }
        self.left = self.left.checked_sub(text.chars().count()).ok_or(fmt::Error)?;
        Ok(())
    }
}
