//! Which index answers a pattern, given what is bound.

use crate::attribute::Attribute;
use crate::index::Index;

use super::super::step::{Part, parts};

/// What the choice depends on.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) entity: bool,
    pub(super) attribute: bool,
    pub(super) value: bool,
    /// Whether the entity is the same for every row.
    pub(super) constant_entity: bool,
    /// The attribute, where it is a constant.
    pub(super) known: Option<&'a Attribute>,
}

impl Bound<'_> {
    fn has(&self, part: Part) -> bool {
        match part {
            Part::Entity => self.entity,
            Part::Attribute => self.attribute,
            Part::Value => self.value,
            Part::Tx | Part::Added | Part::Reason => false,
        }
    }

    /// The bound parts that an index has first.
    pub(super) fn prefix(&self, index: Index) -> usize {
        parts(index).iter().take_while(|part| self.has(**part)).count()
    }

    /// Whether an index holds every fact the pattern can match.
    fn holds(&self, index: Index) -> bool {
        match index {
            Index::Eavt | Index::Aevt => true,
            Index::Avet => self.known.is_some_and(Attribute::in_avet),
            Index::Vaet => match self.known {
                Some(attribute) => attribute.is_ref(),
                // A reference under an attribute that takes any value is in no VAET.
                None => false,
            },
        }
    }

    /// The index with the longest bound prefix. Of equals: the column of the attribute where many
    /// entities are looked up one after the other, the entity's own row where it is always the same.
    pub(super) fn choose(&self) -> Index {
        let order = if self.constant_entity {
            [Index::Eavt, Index::Aevt, Index::Avet, Index::Vaet]
        } else {
            [Index::Aevt, Index::Eavt, Index::Avet, Index::Vaet]
        };
        let mut best = (0, if self.attribute { Index::Aevt } else { Index::Eavt });
        for index in order {
            let prefix = self.prefix(index);
            if self.holds(index) && prefix > best.0 {
                best = (prefix, index);
            }
        }
        best.1
    }
}
