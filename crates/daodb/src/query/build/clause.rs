//! Clauses: facts, calls, `not`, `or`, rules.

use datom::Value;

use super::term::{Attribute, Binding, Many, Source, Term, Var, any};

/// Something that has to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause(pub(super) Value);

fn list(name: &str, rest: impl IntoIterator<Item = Value>) -> Value {
    Value::List(std::iter::once(Value::symbol(name)).chain(rest).collect())
}

fn vector(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Vector(items.into_iter().collect())
}

fn values(clauses: impl Many<Clause>) -> impl Iterator<Item = Value> {
    clauses.many().into_iter().map(|clause| clause.0)
}

/// `[?e :a ?v ?tx ?m ?added]`: a fact of a database.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it says something only as a clause"]
pub struct Fact {
    source: Option<Source>,
    /// Entity, attribute, value, transaction, metadata, whether it was added.
    places: [Term; 6],
    named: usize,
}

/// A fact: an entity, an attribute, which may be `ns/_name` to go the other way, and a value.
///
/// ```
/// use daodb::build::{any, fact, find, source, var};
///
/// let (e, old, tx) = (var("e"), var("old"), var("tx"));
/// let query = find((old, tx))
///     .input(source("then"))
///     .clause(fact(e, "person/name", any()))
///     .clause(fact(e, "person/name", old).tx(tx).of(source("then")));
/// assert_eq!(
///     query.to_string(),
///     "{:find [?old ?tx], :in [$ $then], \
///      :where [[?e :person/name _] [$then ?e :person/name ?old ?tx]]}"
/// );
/// ```
pub fn fact(
    entity: impl Into<Term>,
    attribute: impl Into<Attribute>,
    value: impl Into<Term>,
) -> Fact {
    let attribute = Term(attribute.into().0);
    let places = [entity.into(), attribute, value.into(), any(), any(), any()];
    Fact { source: None, places, named: 3 }
}

impl Fact {
    fn with(mut self, place: usize, term: Term) -> Fact {
        self.places[place] = term;
        self.named = self.named.max(place + 1);
        self
    }

    /// The transaction that it is of.
    pub fn tx(self, tx: impl Into<Term>) -> Fact {
        self.with(3, tx.into())
    }

    /// What it says about itself: the entity of its metadata.
    pub fn meta(self, m: impl Into<Term>) -> Fact {
        self.with(4, m.into())
    }

    /// Whether it was added, or retracted; of a view of history.
    pub fn added(self, added: impl Into<Term>) -> Fact {
        self.with(5, added.into())
    }

    /// The database or relation that it is in, instead of the default one.
    pub fn of(self, source: Source) -> Fact {
        Fact { source: Some(source), ..self }
    }
}

impl From<Fact> for Clause {
    fn from(fact: Fact) -> Clause {
        let places = fact.places.into_iter().take(fact.named).map(|term| term.0);
        Clause(vector(fact.source.map(Value::from).into_iter().chain(places)))
    }
}

/// A call of a function: a condition, or by [`Call::bind`] a way to get values.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it says something only as a clause"]
pub struct Call {
    call: Value,
    binding: Option<Binding>,
}

/// `[(f ?x …)]`: a function of the language or a stored one, by its name.
///
/// ```
/// use daodb::build::{call, each, fact, find, var};
///
/// let (p, skills, skill) = (var("p"), var("skills"), var("skill"));
/// let query = find([skill])
///     .clause(fact(p, "person/skills", skills))
///     .clause(call("str", ("can ", skills)).bind(skill))
///     .clause(call("!=", (skill, "can sing")));
/// assert_eq!(
///     query.to_string(),
///     r#"{:find [?skill], :where [[?p :person/skills ?skills] [(str "can " ?skills) ?skill] [(!= ?skill "can sing")]]}"#
/// );
/// ```
pub fn call(function: &str, arguments: impl Many<Term>) -> Call {
    let arguments = arguments.many().into_iter().map(|term| term.0);
    Call { call: list(function, arguments), binding: None }
}

/// As [`call`], of a function that is no name of the language: a stored one's keyword or entity.
pub fn invoke(function: impl Into<Value>, arguments: impl Many<Term>) -> Call {
    let arguments = arguments.many().into_iter().map(|term| term.0);
    Call {
        call: Value::List(std::iter::once(function.into()).chain(arguments).collect()),
        binding: None,
    }
}

impl Call {
    /// Gives what the function answers to variables.
    pub fn bind(self, binding: impl Into<Binding>) -> Call {
        Call { binding: Some(binding.into()), ..self }
    }
}

impl From<Call> for Clause {
    fn from(call: Call) -> Clause {
        let binding = call.binding.map(|binding| binding.0);
        Clause(vector(std::iter::once(call.call).chain(binding)))
    }
}

/// A call of a rule.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it says something only as a clause"]
pub struct RuleCall {
    source: Option<Source>,
    name: Value,
    arguments: Vec<Term>,
}

impl RuleCall {
    pub(super) fn new(name: &str, arguments: Vec<Term>) -> RuleCall {
        RuleCall { source: None, name: Value::symbol(name), arguments }
    }

    /// The database that the rule's clauses read, instead of the default one.
    pub fn of(self, source: Source) -> RuleCall {
        RuleCall { source: Some(source), ..self }
    }
}

impl From<RuleCall> for Clause {
    fn from(call: RuleCall) -> Clause {
        let arguments = call.arguments.into_iter().map(|term| term.0);
        let source = call.source.map(Value::from).into_iter();
        Clause(Value::List(source.chain([call.name]).chain(arguments).collect()))
    }
}

/// `(not …)`: the clauses do not all hold, whatever the variables that only they have may be.
#[must_use]
pub fn not(clauses: impl Many<Clause>) -> Clause {
    Clause(list("not", values(clauses)))
}

/// `(not-join [?x …] …)`: the same, of these variables; others that the clauses use are their own.
#[must_use]
pub fn not_join<'v>(vars: impl Many<Var<'v>>, clauses: impl Many<Clause>) -> Clause {
    Clause(list("not-join", [shared(vars)].into_iter().chain(values(clauses))))
}

/// `(or …)`: one of the branches holds, which all use the same variables. A branch of several clauses
/// is made by [`all`].
#[must_use]
pub fn or(branches: impl Many<Clause>) -> Clause {
    Clause(list("or", values(branches)))
}

/// `(or-join [?x …] …)`: the same, of these variables; others that a branch uses are its own.
#[must_use]
pub fn or_join<'v>(vars: impl Many<Var<'v>>, branches: impl Many<Clause>) -> Clause {
    Clause(list("or-join", [shared(vars)].into_iter().chain(values(branches))))
}

/// `(and …)`: all of the clauses hold.
#[must_use]
pub fn all(clauses: impl Many<Clause>) -> Clause {
    Clause(list("and", values(clauses)))
}

fn shared<'v>(vars: impl Many<Var<'v>>) -> Value {
    vector(vars.many().into_iter().map(Value::from))
}
