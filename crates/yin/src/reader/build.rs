//! Forms that the reader makes out of forms: all have the place of what they came from.

use datom::edn::{Form, Node as Edn, Span};

/// Makes forms at one place.
#[derive(Clone, Copy)]
pub(crate) struct Build(pub(crate) Span);

impl Build {
    pub(crate) fn form(self, node: Edn) -> Form {
        Form { node, span: self.0 }
    }

    pub(crate) fn name(self, name: &str) -> Form {
        self.form(Edn::Symbol(name.into()))
    }

    pub(crate) fn int(self, int: usize) -> Form {
        self.form(Edn::Int(int as i64))
    }

    /// An integer of any size.
    #[cfg(feature = "python")]
    pub(crate) fn integer(self, int: num_bigint::BigInt) -> Form {
        self.form(match i64::try_from(&int) {
            Ok(int) => Edn::Int(int),
            Err(_) => Edn::BigInt(int),
        })
    }

    pub(crate) fn list(self, items: Vec<Form>) -> Form {
        self.form(Edn::List(items))
    }

    pub(crate) fn vector(self, items: Vec<Form>) -> Form {
        self.form(Edn::Vector(items))
    }

    /// `(head operand ...)`.
    pub(crate) fn call(self, head: &str, operands: Vec<Form>) -> Form {
        let mut items = vec![self.name(head)];
        items.extend(operands);
        self.list(items)
    }

    /// `(head [binding ...] body ...)`.
    pub(crate) fn binds(self, head: &str, bindings: Vec<Form>, body: &[Form]) -> Form {
        let mut operands = vec![self.vector(bindings)];
        operands.extend_from_slice(body);
        self.call(head, operands)
    }

    pub(crate) fn quoted(self, form: Form) -> Form {
        self.call("quote", vec![form])
    }
}
