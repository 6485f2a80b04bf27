//! Forms that the reader makes out of forms: all have the place of what they came from.

use datom::edn::{Form, Node as Edn, Span};

/// Makes forms at one place.
#[derive(Clone, Copy)]
pub(super) struct Build(pub(super) Span);

impl Build {
    pub(super) fn form(self, node: Edn) -> Form {
        Form { node, span: self.0 }
    }

    pub(super) fn name(self, name: &str) -> Form {
        self.form(Edn::Symbol(name.into()))
    }

    pub(super) fn int(self, int: usize) -> Form {
        self.form(Edn::Int(int as i64))
    }

    pub(super) fn list(self, items: Vec<Form>) -> Form {
        self.form(Edn::List(items))
    }

    pub(super) fn vector(self, items: Vec<Form>) -> Form {
        self.form(Edn::Vector(items))
    }

    /// `(head operand ...)`.
    pub(super) fn call(self, head: &str, operands: Vec<Form>) -> Form {
        let mut items = vec![self.name(head)];
        items.extend(operands);
        self.list(items)
    }

    /// `(head [binding ...] body ...)`.
    pub(super) fn binds(self, head: &str, bindings: Vec<Form>, body: &[Form]) -> Form {
        let mut operands = vec![self.vector(bindings)];
        operands.extend_from_slice(body);
        self.call(head, operands)
    }

    pub(super) fn quoted(self, form: Form) -> Form {
        self.call("quote", vec![form])
    }
}
