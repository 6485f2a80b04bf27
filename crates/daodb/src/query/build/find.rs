//! The query itself: what to return, of what, in which order.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use datom::Value;

use super::super::Query;
use super::super::error::QueryError;
use super::clause::Clause;
use super::term::{Binding, Many, Source, Var, source};

/// What a column of the answer shows: a variable, an aggregate, or a [`pull`].
#[derive(Clone, Debug, PartialEq)]
pub struct Element(Value);

impl From<Var<'_>> for Element {
    fn from(var: Var<'_>) -> Element {
        Element(var.into())
    }
}

/// An aggregate by its name, with its arguments before the variable: `(min 3 ?x)`. Those of the language
/// have functions of their own here; this is for those with arguments, and for stored functions.
///
/// ```
/// use daodb::build::{aggregate, fact, find_one, var};
///
/// let youngest = find_one(aggregate("min", [2], var("age"))).clause(fact(var("p"), "age", var("age")));
/// assert_eq!(youngest.to_string(), "{:find [(min 2 ?age) .], :where [[?p :age ?age]]}");
/// ```
#[must_use]
pub fn aggregate(name: &str, arguments: impl Many<Value>, var: Var<'_>) -> Element {
    let name = Value::symbol(name);
    Element(Value::List([name].into_iter().chain(arguments.many()).chain([var.into()]).collect()))
}

macro_rules! aggregates {
    ($($(#[doc = $doc:literal])+ $function:ident $name:literal;)+) => {
        $($(#[doc = $doc])+
        #[must_use]
        pub fn $function(var: Var<'_>) -> Element {
            aggregate($name, Vec::<Value>::new(), var)
        })+
    };
}

aggregates! {
    /// How many rows.
    count "count";
    /// How many different values.
    count_distinct "count-distinct";
    /// Their sum.
    sum "sum";
    /// Their mean, a float.
    avg "avg";
    /// The least.
    min "min";
    /// The greatest.
    max "max";
    /// The one in the middle, or the mean of the two there.
    median "median";
    /// Their variance, as the whole population.
    variance "variance";
    /// The square root of it.
    stddev "stddev";
    /// The set of them.
    distinct "distinct";
}

/// What a pull pattern finds about the entity that a variable is.
///
/// ```
/// use daodb::build::{fact, find_all, pull, var};
/// use datom::edn;
///
/// let people = find_all(pull(var("p"), edn::read("[:person/name {:person/boss [:person/name]}]")?))
///     .clause(fact(var("p"), "person/age", 25));
/// assert!(people.query().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn pull(entity: Var<'_>, pattern: Value) -> Element {
    Element(Value::List(vec![Value::symbol("pull"), entity.into(), pattern]))
}

/// A key that rows are ordered by.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    column: Value,
    descending: bool,
}

/// The least first.
#[must_use]
pub fn asc(var: Var<'_>) -> Order {
    Order { column: var.into(), descending: false }
}

/// The greatest first.
#[must_use]
pub fn desc(var: Var<'_>) -> Order {
    Order { column: var.into(), descending: true }
}

/// By the column with this number, from 0: for columns that are no variable.
impl From<usize> for Order {
    fn from(column: usize) -> Order {
        let column = i64::try_from(column).unwrap_or(i64::MAX);
        Order { column: Value::Int(column), descending: false }
    }
}

impl From<Var<'_>> for Order {
    fn from(var: Var<'_>) -> Order {
        asc(var)
    }
}

impl Order {
    /// The greatest first.
    #[must_use]
    pub fn descending(self) -> Order {
        Order { descending: true, ..self }
    }
}

/// A query in the making. See the [module](super).
#[derive(Clone, Debug, PartialEq)]
#[must_use = "it asks nothing before `query` makes a query of it"]
pub struct Find {
    find: Vec<Value>,
    inputs: Vec<Value>,
    clauses: Vec<Value>,
    order: Vec<Value>,
    /// The other parts, by their keyword.
    parts: BTreeMap<Value, Value>,
}

impl Find {
    fn new(find: Vec<Value>) -> Find {
        let [inputs, clauses, order] = [const { Vec::new() }; 3];
        Find { find, inputs, clauses, order, parts: BTreeMap::new() }
    }
}

fn values(elements: impl Many<Element>) -> Vec<Value> {
    elements.many().into_iter().map(|element| element.0).collect()
}

/// Asks for rows, a set of them.
pub fn find(columns: impl Many<Element>) -> Find {
    Find::new(values(columns))
}

/// Asks for the values of one column: `:find [?x ...]`.
pub fn find_all(element: impl Into<Element>) -> Find {
    Find::new(vec![Value::Vector(vec![element.into().0, Value::symbol("...")])])
}

/// Asks for one row: `:find [?x ?y]`.
pub fn find_row(columns: impl Many<Element>) -> Find {
    Find::new(vec![Value::Vector(values(columns))])
}

/// Asks for one value: `:find ?x .`.
pub fn find_one(element: impl Into<Element>) -> Find {
    Find::new(vec![element.into().0, Value::symbol(".")])
}

impl Find {
    fn part(mut self, name: &str, value: Value) -> Find {
        self.parts.insert(Value::keyword(name), value);
        self
    }

    fn number(self, name: &str, number: u64) -> Find {
        self.part(name, Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn names(self, kind: &str, names: impl Many<String>) -> Find {
        let names = names.many().iter().map(|name| Value::symbol(name)).collect();
        self.part(kind, Value::Vector(names))
    }

    /// Something that has to hold. The order of clauses changes neither the answer nor what it costs.
    pub fn clause(mut self, clause: impl Into<Clause>) -> Find {
        self.clauses.push(clause.into().0);
        self
    }

    /// Takes a value, given when the query runs, in the order in which inputs are named here: a variable,
    /// a way to take it apart ([`tuple`](super::tuple), [`each`](super::each), [`rows`](super::rows)), or a
    /// [`Source`]. The default source comes first unless it is named; [`Db::query`](crate::Db::query) is it.
    pub fn input(mut self, input: impl Into<Input>) -> Find {
        self.inputs.push(input.into().0);
        self
    }

    /// Takes [rules](super::rules) as its next input.
    pub fn rules(mut self) -> Find {
        self.inputs.push(Value::symbol("%"));
        self
    }

    /// Variables that keep rows apart before they are aggregated.
    pub fn with<'v>(self, vars: impl Many<Var<'v>>) -> Find {
        let vars = vars.many().into_iter().map(Value::from).collect();
        self.part("with", Value::Vector(vars))
    }

    /// Rows as maps from keywords of these names.
    pub fn keys(self, names: impl Many<String>) -> Find {
        self.names("keys", names)
    }

    /// Rows as maps from these texts.
    pub fn strs(self, names: impl Many<String>) -> Find {
        self.names("strs", names)
    }

    /// Rows as maps from symbols of these names.
    pub fn syms(self, names: impl Many<String>) -> Find {
        self.names("syms", names)
    }

    /// Rows in this order; called again, rows that are equal so far in that one.
    pub fn order_by(mut self, order: impl Into<Order>) -> Find {
        let Order { column, descending } = order.into();
        self.order.push(column);
        self.order.push(Value::keyword(if descending { "desc" } else { "asc" }));
        self
    }

    /// At most so many rows.
    pub fn limit(self, rows: u64) -> Find {
        self.number("limit", rows)
    }

    /// Without the first so many rows.
    pub fn offset(self, rows: u64) -> Find {
        self.number("offset", rows)
    }

    /// Gives up after this time, counted in milliseconds.
    pub fn timeout(self, after: Duration) -> Find {
        self.number("timeout", u64::try_from(after.as_millis()).unwrap_or(u64::MAX))
    }

    /// Gives up when a step, a rule or the answer has more rows.
    pub fn max_rows(self, rows: u64) -> Find {
        self.number("max-rows", rows)
    }

    /// The query as the value that it is.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut parts = self.parts.clone();
        let mut put = |name: &str, items: &[Value]| {
            if !items.is_empty() {
                parts.insert(Value::keyword(name), Value::Vector(items.to_vec()));
            }
        };
        let mut inputs = self.inputs.clone();
        if !inputs.is_empty() && !inputs.contains(&source("").into()) {
            inputs.insert(0, source("").into());
        }
        put("find", &self.find);
        put("in", &inputs);
        put("where", &self.clauses);
        put("order-by", &self.order);
        Value::Map(parts)
    }

    /// Checks the query: make it once, run it often.
    ///
    /// # Errors
    /// Where it is none; errors name the clause, as printed.
    pub fn query(&self) -> Result<Query, QueryError> {
        Query::from_value(&self.to_value())
    }
}

/// As EDN text, which [`Query::parse`] reads.
impl fmt::Display for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

/// What a query takes when it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Input(Value);

impl<B: Into<Binding>> From<B> for Input {
    fn from(binding: B) -> Input {
        Input(binding.into().0)
    }
}

impl From<Source> for Input {
    fn from(source: Source) -> Input {
        Input(source.into())
    }
}
