//! The registry: which handler answers for which operation, and by what right.
//!
//! 1. A handler is registered only with a verified token that grants exactly its operation and no
//!    other, and with its holder's proof. A wider token is cut down first: that costs its holder
//!    one signature and no question, and then the audit names what was really used.
//! 2. An operation has one handler at a time.
//! 3. A demand is used once.

use std::collections::BTreeMap;

use datom::Keyword;
use shibi::{
    Demand, Expiry, Keypair, Proof, ProofError, PublicKey, Refused, Rights, Token, TokenId, Trust,
};

use crate::handler::Handler;

/// The most demands that wait for their proof at a time.
pub const DEMANDS_MAX: usize = 1024;
/// How long a demand waits.
const DEMAND_MICROS_MAX: i64 = 60_000_000;

/// An operation: its entity, which requests name, and its keyword, which tokens name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// The entity whose ident is the name.
    pub entity: u64,
    /// The name.
    pub name: Keyword,
}

impl Operation {
    /// An operation by its entity and its keyword's name without the colon.
    #[must_use]
    pub fn new(entity: u64, name: impl Into<Keyword>) -> Self {
        Self { entity, name: name.into() }
    }
}

/// Why a handler was not registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The token grants nothing here and now.
    #[error("no handler for {operation}: {source}")]
    Token {
        /// For what.
        operation: Keyword,
        /// Why.
        source: Refused,
    },
    /// The token is for something else.
    #[error("no handler for {operation}: the token {token} does not grant it")]
    OtherOperation {
        /// For what.
        operation: Keyword,
        /// Which token.
        token: TokenId,
    },
    /// The token is for more.
    #[error(
        "no handler for {operation}: the token {token} grants {count} operations; attenuate it to this one"
    )]
    TooWide {
        /// For what.
        operation: Keyword,
        /// Which token.
        token: TokenId,
        /// How many operations it grants.
        count: usize,
    },
    /// Possession is not proven.
    #[error("no handler for {operation}: {source}")]
    Proof {
        /// For what.
        operation: Keyword,
        /// Why.
        source: ProofError,
    },
    /// Nobody asked for that proof, or it was used already.
    #[error("no handler for {operation}: no demand waits for a proof; ask for one with `demand`")]
    NoDemand {
        /// For what.
        operation: Keyword,
    },
    /// Somebody answers already.
    #[error("{operation} has a handler already; unregister it first")]
    Taken {
        /// For what.
        operation: Keyword,
    },
    /// Too many demands wait.
    #[error("{DEMANDS_MAX} demands wait for their proofs; answer some")]
    TooManyDemands,
    /// The system gives no randomness.
    #[error("no randomness from the system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A handler and the right to it.
pub(crate) struct Registration {
    pub(crate) name: Keyword,
    pub(crate) rights: Rights,
    pub(crate) handler: Box<dyn Handler>,
    /// Whether the token holds at any time, so that no clock need be read.
    pub(crate) timeless: bool,
}

/// All handlers, and the demands that wait.
pub(crate) struct Registry {
    trust: Trust,
    node: PublicKey,
    registrations: BTreeMap<u64, Registration>,
    /// Names of operations that were declared, with a handler or without.
    names: BTreeMap<u64, Keyword>,
    demands: BTreeMap<Keyword, Demand>,
}

impl Registry {
    pub(crate) fn new(trust: Trust, node: PublicKey) -> Self {
        Self {
            trust,
            node,
            registrations: BTreeMap::new(),
            names: BTreeMap::new(),
            demands: BTreeMap::new(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, entity: u64) -> Option<&Registration> {
        self.registrations.get(&entity)
    }

    pub(crate) fn declare(&mut self, operation: Operation) {
        self.names.insert(operation.entity, operation.name);
    }

    pub(crate) fn name(&self, entity: u64) -> Option<&Keyword> {
        self.names.get(&entity)
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = (Operation, TokenId)> {
        self.registrations.iter().map(|(entity, registration)| {
            let operation = Operation { entity: *entity, name: registration.name.clone() };
            (operation, registration.rights.token_id())
        })
    }

    pub(crate) fn demand(
        &mut self,
        operation: &Keyword,
        now_micros: i64,
    ) -> Result<Demand, Refusal> {
        if self.demands.len() >= DEMANDS_MAX && !self.demands.contains_key(operation) {
            return Err(Refusal::TooManyDemands);
        }
        let late = now_micros.saturating_add(DEMAND_MICROS_MAX);
        let demand = Demand::new(operation.clone(), self.node, late)?;
        self.demands.insert(operation.clone(), demand.clone());
        Ok(demand)
    }

    pub(crate) fn register(
        &mut self,
        operation: Operation,
        handler: Box<dyn Handler>,
        token: &Token,
        proof: &Proof,
        now_micros: i64,
    ) -> Result<(), Refusal> {
        let Operation { entity, name } = operation;
        let rights = token
            .verify(&self.trust, now_micros)
            .map_err(|source| Refusal::Token { operation: name.clone(), source })?;
        exactly(&name, &rights)?;
        let demand = self
            .demands
            .remove(&name)
            .ok_or_else(|| Refusal::NoDemand { operation: name.clone() })?;
        rights
            .verify_proof(proof, &demand, now_micros)
            .map_err(|source| Refusal::Proof { operation: name.clone(), source })?;
        if self.registrations.contains_key(&entity) {
            return Err(Refusal::Taken { operation: name });
        }
        let timeless = rights.expires() == Expiry::Never && rights.holds_at(i64::MIN).is_ok();
        self.registrations.insert(entity, Registration { name, rights, handler, timeless });
        Ok(())
    }

    pub(crate) fn install(
        &mut self,
        operation: Operation,
        handler: Box<dyn Handler>,
        token: &Token,
        holder: &Keypair,
        now_micros: i64,
    ) -> Result<(), Refusal> {
        let demand = self.demand(&operation.name, now_micros)?;
        let proof = token
            .prove(holder, &demand)
            .map_err(|source| Refusal::Proof { operation: operation.name.clone(), source })?;
        self.register(operation, handler, token, &proof, now_micros)
    }

    pub(crate) fn unregister(&mut self, entity: u64) -> bool {
        self.registrations.remove(&entity).is_some()
    }

    /// What a revoked block installed is uninstalled with it.
    pub(crate) fn revoke(&mut self, id: TokenId) -> usize {
        let before = self.registrations.len();
        self.trust.revoke(id);
        self.registrations.retain(|_, r| !r.rights.token().path().contains(&id));
        before - self.registrations.len()
    }
}

/// Invariant 1.
fn exactly(name: &Keyword, rights: &Rights) -> Result<(), Refusal> {
    let (operation, token) = (name.clone(), rights.token_id());
    let count = rights.operations().len();
    if !rights.operations().any(|granted| granted == name) {
        return Err(Refusal::OtherOperation { operation, token });
    }
    if count > 1 {
        return Err(Refusal::TooWide { operation, token, count });
    }
    Ok(())
}
