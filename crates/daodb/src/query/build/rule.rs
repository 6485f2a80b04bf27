//! Rules: names for clauses, which may name themselves.

use datom::Value;

use super::clause::{Clause, RuleCall};
use super::term::{Many, Term, Var};

/// One way in which a rule holds. Several of one name are alternatives.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it says something only among the rules of a query"]
pub struct Rule {
    name: String,
    required: Vec<Value>,
    parameters: Vec<Value>,
    clauses: Vec<Value>,
}

/// A rule of this name with these parameters; what it takes to hold is said by [`Rule::clause`].
///
/// ```
/// use daodb::build::{Rule, define, fact, find, rules, var};
/// # use daodb::Database;
/// # use datom::{Value, edn};
/// # let db = Database::memory()?;
/// # db.transact(&edn::read_all("{:db/ident :parent :db/valueType :db.type/ref}")?)?;
/// # db.transact(&edn::read_all("[:db/add 5001 :parent 5002] [:db/add 5002 :parent 5003]")?)?;
/// let (x, y, z) = (var("x"), var("y"), var("z"));
/// let ancestor = [
///     define("ancestor", (x, y)).clause(fact(x, "parent", y)),
///     define("ancestor", (x, y))
///         .clause(fact(x, "parent", z))
///         .clause(Rule::call("ancestor", (z, y))),
/// ];
/// let all = find([x, y]).rules().clause(Rule::call("ancestor", (x, y))).query()?;
/// let pairs = db.db()?.query(&all, &[rules(ancestor).into()])?;
/// assert_eq!(pairs.to_value().to_string(), "#{[5001 5002] [5001 5003] [5002 5003]}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn define<'v>(name: &str, parameters: impl Many<Var<'v>>) -> Rule {
    let parameters = parameters.many().into_iter().map(Value::from).collect();
    Rule { name: name.to_owned(), required: Vec::new(), parameters, clauses: Vec::new() }
}

impl Rule {
    /// A call of the rule of this name, as a clause.
    pub fn call(name: &str, arguments: impl Many<Term>) -> RuleCall {
        RuleCall::new(name, arguments.many())
    }

    /// Parameters before the others that every caller has to give a value.
    pub fn required<'v>(mut self, parameters: impl Many<Var<'v>>) -> Rule {
        self.required.extend(parameters.many().into_iter().map(Value::from));
        self
    }

    /// Something more that has to hold.
    pub fn clause(mut self, clause: impl Into<Clause>) -> Rule {
        self.clauses.push(clause.into().0);
        self
    }
}

impl From<Rule> for Value {
    fn from(rule: Rule) -> Value {
        let required = (!rule.required.is_empty()).then_some(Value::Vector(rule.required));
        let name = Value::symbol(&rule.name);
        let head = std::iter::once(name).chain(required).chain(rule.parameters).collect();
        Value::Vector(std::iter::once(Value::List(head)).chain(rule.clauses).collect())
    }
}

/// Rules as the input that [`Find::rules`](super::Find::rules) takes.
#[must_use]
pub fn rules(rules: impl Many<Rule>) -> Value {
    Value::Vector(rules.many().into_iter().map(Value::from).collect())
}
