//! One run of one query: inputs are bound, a plan is found or made, rows become the answer.
//!
//! ```text
//!     query, rules ──check──▶ Checked ──(with the form of the inputs) plan──▶ Planned ──run──▶ rows
//!                        kept by the schema                          kept by Checked
//! ```

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use datom::Value;

use super::answer::{self, Answer};
use super::ast::{Binding, Clause, ClauseKind, Find, Input as Expected, PatternRef, Term, Var};
use super::crew::Crew;
use super::distinct::Distinct;
use super::env::{Data, Env};
use super::error::{ErrorKind, Place, QueryError};
use super::explain::Explanation;
use super::kinds;
use super::lift::Lift;
use super::limits::{Limits, Watch};
use super::parse::{self, Parsed};
use super::plan::{Planner, Scope};
use super::plans::{Checked, Form, Planned, Plans, Sources};
use super::program::Program;
use super::run;
use super::source::Source;
use super::space::Space;
use super::syntax::Syntax;
use super::table::Table;
use super::tools::Tools;
use super::{Query, rules_text};
use crate::pull::Pattern;

/// What is given for an input.
pub(crate) enum Given<'s> {
    Source(&'s dyn Source),
    Value(&'s Value),
}

/// Runs a query.
pub(crate) fn execute(
    query: &Query,
    given: &[Given<'_>],
    limits: &Limits,
) -> Result<Answer, QueryError> {
    execute_scanned(query, given, limits).map(|(answer, _)| answer)
}

/// Runs a query and tells how many facts were looked at.
pub(crate) fn execute_scanned(
    query: &Query,
    given: &[Given<'_>],
    limits: &Limits,
) -> Result<(Answer, u64), QueryError> {
    let run = Run::new(query, given, limits)?;
    let patterns = run.patterns()?;
    let planned = run.planned()?;
    let tools = Tools::new(&run.env, &planned.plan, &[])?;
    let words = run.rows(&planned, &tools)?;
    let answer = answer::answer(&run.env, run.parsed, &patterns, words)?;
    Ok((answer, run.env.watch.scanned()))
}

/// Runs a query and tells how.
pub(crate) fn explain(
    query: &Query,
    given: &[Given<'_>],
    limits: &Limits,
) -> Result<Explanation, QueryError> {
    let run = Run::new(query, given, limits)?;
    let planned = run.planned()?;
    let tools = Tools::new(&run.env, &planned.plan, &[])?;
    run.env.timed.set(true);
    let words = run.rows(&planned, &tools)?;
    let scanned = run.env.watch.scanned();
    Explanation::new(&planned.plan, &tools, words.len() as u64 / run.width() as u64, scanned)
}

/// A query with its inputs bound.
pub(super) struct Run<'q, 's> {
    pub(super) parsed: &'q Parsed,
    pub(super) env: Env<'s>,
    /// What `$` means.
    default: usize,
    checked: Arc<Checked>,
    /// Clauses that inputs of many rows became.
    inputs: Vec<Clause>,
    form: Form,
    /// Variables that have one word in the whole run, and a row in which they have it.
    constants: Vec<Var>,
    pub(super) row: Vec<u64>,
    /// Whether an input has no row, so that nothing can match.
    pub(super) empty: bool,
}

impl<'q, 's> Run<'q, 's> {
    pub(super) fn new(
        query: &'q Query,
        given: &[Given<'s>],
        limits: &Limits,
    ) -> Result<Self, QueryError> {
        let parsed = &*query.parsed;
        check_inputs(parsed, given)?;
        let limits = Limits {
            cancel: limits.cancel.clone(),
            timeout: min(limits.timeout, parsed.timeout),
            max_rows: min(limits.max_rows, parsed.max_rows),
            max_bytes: limits.max_bytes,
            threads: limits.threads,
        };
        let watch = Rc::new(Watch::start(&limits));
        let sources = given.iter().filter_map(|given| match given {
            Given::Source(source) => Some(*source),
            Given::Value(_) => None,
        });
        let space = Space::new(sources, watch.clone());
        let default = parsed.default_source();
        let data = data(parsed, given, &space, &watch)?;
        let mut env = Env::new(data, space, watch);
        let checked = check(query, given, &mut env)?;
        env.program = checked.program.clone();
        let row = vec![0; checked.names.len()];
        let mut run = Self {
            parsed,
            env,
            default,
            checked,
            inputs: Vec::new(),
            form: Form::new(),
            constants: Vec::new(),
            row,
            empty: false,
        };
        let checked = run.checked.clone();
        for lifted in &checked.lifted {
            let word = lifted.word(&run.env)?;
            run.constant(lifted.var, word);
        }
        for ((expected, place), given) in parsed.inputs().zip(given) {
            if let (Expected::Binding(binding), Given::Value(value)) = (expected, given) {
                run.bind(binding, value, place)?;
            }
        }
        Ok(run)
    }

    fn constant(&mut self, var: Var, word: u64) {
        let Some(place) = self.row.get_mut(var) else { return };
        if self.constants.contains(&var) {
            self.empty |= *place != word;
            return;
        }
        *place = word;
        self.constants.push(var);
    }

    /// An input becomes constants where it is one row, else a table to be joined.
    fn bind(
        &mut self,
        binding: &Binding,
        value: &Value,
        place: &Arc<Place>,
    ) -> Result<(), QueryError> {
        let mut vars = Vec::new();
        binding.vars(&mut vars);
        let mut rows = Vec::new();
        run::take_apart(&self.env, binding, value, &mut rows).map_err(|error| {
            let error = match error.kind() {
                ErrorKind::Syntax(_) => QueryError::new(ErrorKind::Inputs(error.to_string())),
                _ => error,
            };
            error.at(place)
        })?;
        for row in &mut rows {
            self.env.watch.tick()?;
            for (word, var) in row.iter_mut().zip(&vars) {
                if let Some(at) = self.checked.entities.get(var) {
                    *word = self.env.entity(*at, *word)?;
                }
            }
        }
        if let [row] = rows.as_slice() {
            for (var, word) in vars.iter().zip(row) {
                self.constant(*var, *word);
            }
            self.form.push(None);
            return Ok(());
        }
        self.empty |= rows.is_empty();
        self.form.push(Some(rows.len().checked_ilog2().unwrap_or(0) / 3));
        self.env.watch.take(size_of::<u64>() * vars.len() * rows.len())?;
        let table = Table::new(vars.len(), rows.concat());
        self.env.tables.push(Rc::new(table));
        let terms = vars.into_iter().map(Term::Var).collect();
        let kind = ClauseKind::Rows { table: self.env.tables.len() - 1, terms };
        self.inputs.push(Clause { kind, place: self.parsed.place.clone() });
        Ok(())
    }

    /// Columns of a row: those of `:find`, then those of `:with`.
    pub(super) fn vars(&self) -> impl Iterator<Item = Var> {
        self.parsed.find.iter().map(Find::var).chain(self.parsed.with.iter().copied())
    }

    pub(super) fn width(&self) -> usize {
        (self.parsed.find.len() + self.parsed.with.len()).max(1)
    }

    /// The state that the query reads, if plans of it are kept.
    fn state(&self) -> Option<(u64, u64)> {
        plans(&self.env)?;
        let source = (0..self.env.data.len()).find_map(|at| self.env.facts(at))?;
        Some((source.store(), source.basis()))
    }

    pub(super) fn planned(&self) -> Result<Arc<Planned>, QueryError> {
        let state = self.state();
        if let Some(state) = state
            && let Some(known) = self.checked.plan(&self.env, &self.form, state, &self.row)?
        {
            return Ok(known);
        }
        let checked = &self.checked;
        let mut scope =
            Scope::new(&self.env, &checked.names, self.default, checked.entities.clone());
        scope.constants = self
            .constants
            .iter()
            .map(|var| (*var, self.row.get(*var).copied().unwrap_or(0)))
            .collect();
        let bound: BTreeSet<Var> = self.constants.iter().copied().collect();
        let wanted: BTreeSet<Var> = self.vars().collect();
        let clauses: Vec<&Clause> = checked.clauses.iter().chain(&self.inputs).collect();
        let mut planner = Planner::new(&scope, &clauses, &bound, &wanted);
        planner.run().map_err(|error| self.in_find(error).at(&self.parsed.place))?;
        let plan = planner.finish();
        let vars: Vec<Var> = self.vars().collect();
        let planned = Arc::new(Planned {
            distinct: plan.is_distinct(&vars, self.constants.iter()),
            plan,
            form: self.form.clone(),
            state: state.unwrap_or_default(),
            bound: self.row.clone(),
            guards: scope.guards.take(),
        });
        if state.is_some() && scope.lasting.get() {
            checked.keep(&planned);
        }
        Ok(planned)
    }

    /// A variable that nothing binds, at the place of `:find` that shows it.
    fn in_find(&self, error: QueryError) -> QueryError {
        let ErrorKind::Unbound { variables, .. } = error.kind() else { return error };
        let (find, names) = (&self.parsed.find, &self.parsed.names);
        let shown = |find: &Find| variables.iter().any(|name| name == names.get(find.var()));
        match find.iter().position(shown).and_then(|at| self.parsed.find_places.get(at)) {
            Some(place) => error.at(place),
            None => error,
        }
    }

    /// The distinct rows.
    pub(super) fn rows(
        &self,
        planned: &Planned,
        tools: &Tools<'s>,
    ) -> Result<Vec<u64>, QueryError> {
        self.env.watch.tick()?;
        let vars: Vec<Var> = self.vars().collect();
        let plan = &planned.plan;
        let ordered = answer::wants_order(self.parsed);
        let mut distinct = Distinct::new(self.width(), planned.distinct, ordered);
        if self.empty {
            return Ok(Vec::new());
        }
        let mut row = self.row.clone();
        row.resize(plan.width, 0);
        let crew = Crew { env: &self.env, plan, row: &row, vars: &vars };
        if let Some(parts) = crew.run(tools, (planned.distinct, ordered))? {
            parts.into_iter().try_for_each(|part| distinct.join(part, &self.env.watch))?;
        } else {
            run::run(&self.env, plan, tools, plan.width, &row, &mut |rows| {
                distinct.take(rows, plan.width, &vars, &self.env.watch)
            })?;
        }
        let words = distinct.finish(&self.env.watch)?;
        self.env.watch.rows(words.len() / self.width())?;
        Ok(words)
    }

    /// The pull pattern of each column that has one, with the source it reads.
    pub(super) fn patterns(&self) -> Result<Vec<Option<(usize, Pattern)>>, QueryError> {
        let pattern = |find: &Find| {
            let Find::Pull { source, pattern, written, .. } = find else { return Ok(None) };
            let value = match pattern {
                PatternRef::Const(value) => value.clone(),
                PatternRef::Input(var) => match self.row.get(*var) {
                    Some(word) if self.constants.contains(var) => self.env.space.value(*word)?,
                    _ => {
                        let error = QueryError::syntax("the pull pattern is no single input");
                        return Err(written.locate(error));
                    }
                },
            };
            let located = |error| written.locate(error);
            let facts = self.env.source(*source, self.default).map_err(located)?;
            let pattern = Pattern::parse(&value, facts).map_err(located)?;
            Ok(Some((source.resolve(self.default), pattern)))
        };
        self.parsed.find.iter().map(pattern).collect()
    }
}

/// What stands at each place of `:in`.
fn data<'s>(
    parsed: &Parsed,
    given: &[Given<'s>],
    space: &Space<'s>,
    watch: &Watch,
) -> Result<Vec<Option<Data<'s>>>, QueryError> {
    let at = |((expected, place), given): ((&Expected, &Arc<Place>), &Given<'s>)| {
        Ok(match (expected, given) {
            (Expected::Source(_), Given::Source(source)) => {
                let foreign = space.is_foreign(*source);
                Some(Data::Facts { source: *source, foreign })
            }
            (Expected::Source(name), Given::Value(value)) => {
                let table = relation_table(space, name, value, watch);
                Some(Data::Rows(Rc::new(table.map_err(|error| error.at(place))?)))
            }
            _ => None,
        })
    };
    parsed.inputs().zip(given).map(at).collect()
}

/// Where plans for these sources are kept: all of them must be views of databases of one schema.
fn plans<'s>(env: &Env<'s>) -> Option<&'s Plans> {
    let mut common: Option<&'s Plans> = None;
    for at in 0..env.data.len() {
        match env.data.get(at) {
            Some(Some(Data::Facts { source, .. })) => {
                let plans = source.plans();
                if common.is_some_and(|common| !std::ptr::eq(common, plans)) {
                    return None;
                }
                common = Some(plans);
            }
            Some(Some(Data::Rows(_))) => return None,
            _ => {}
        }
    }
    common
}

/// The query for these sources and rules: checked before, or now.
fn check(
    query: &Query,
    given: &[Given<'_>],
    env: &mut Env<'_>,
) -> Result<Arc<Checked>, QueryError> {
    let parsed = &query.parsed;
    let rules: Vec<&Value> = parsed
        .inputs
        .iter()
        .zip(given)
        .filter_map(|pair| match pair {
            (Expected::Rules, Given::Value(value)) => Some(*value),
            _ => None,
        })
        .collect();
    let sources: Sources = env
        .data
        .iter()
        .map(|data| match data {
            Some(Data::Facts { source, foreign }) => Some((*foreign, source.standing())),
            _ => None,
        })
        .collect();
    let plans = plans(env);
    if let Some(known) = plans.and_then(|plans| plans.find(parsed, &rules, &sources)) {
        return Ok(known);
    }
    let mut named = Vec::new();
    for (at, expected) in parsed.inputs.iter().enumerate() {
        if let Expected::Source(name) = expected {
            named.push((name.clone(), at));
        }
    }
    let mut all = Vec::new();
    for value in &rules {
        let syntax = match value {
            Value::Text(text) => rules_text(text)?,
            value => Syntax::from_value(value)?,
        };
        all.extend(parse::rules(&syntax, value.as_text(), &named)?);
    }
    let default = parsed.default_source();
    kinds::check(env, &parsed.clauses, default)?;
    // Which database a rule reads is known where there is only one.
    if (0..env.data.len()).filter(|at| env.data.get(*at).is_some_and(Option::is_some)).count() == 1
    {
        all.iter().try_for_each(|rule| kinds::check(env, &rule.body, default))?;
    }
    let program = Program::new(all, &env.watch)?;
    program.check_calls(&parsed.clauses)?;
    env.program = Arc::new(program);
    env.type_rules()?;
    let mut names = parsed.names.clone();
    let mut clauses = env.program.expand(&parsed.clauses, &mut names);
    let mut entities = env.entities(&clauses, default);
    for find in &parsed.find {
        if let Find::Pull { source, var, .. } = find {
            entities.entry(*var).or_insert(source.resolve(default));
        }
    }
    let mut lift = Lift { env, names: &mut names, default, lifted: Vec::new() };
    lift.clauses(&mut clauses);
    let lifted = lift.lifted;
    let mut made = Checked::new(parsed, &rules, sources, env.program.clone(), names);
    (made.clauses, made.entities, made.lifted) = (clauses, entities, lifted);
    let checked = Arc::new(made);
    if let Some(plans) = plans {
        plans.keep(&checked);
    }
    Ok(checked)
}

fn min<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn check_inputs(parsed: &Parsed, given: &[Given<'_>]) -> Result<(), QueryError> {
    let refuse = |message: String| QueryError::new(ErrorKind::Inputs(message));
    let (takes, gets) = (parsed.inputs.len(), given.len());
    if takes != gets {
        // The first that is missing, or the query.
        let place = parsed.input_places.get(gets).unwrap_or(&parsed.place);
        let error = refuse(format!("the query takes {takes} input(s), but {gets} were given"));
        return Err(error.at(place));
    }
    for (at, ((expected, place), given)) in parsed.inputs().zip(given).enumerate() {
        match (expected, given) {
            (Expected::Source(_), _) | (_, Given::Value(_)) => {}
            (_, Given::Source(_)) => {
                return Err(refuse(format!("input {} of the query is no source", at + 1)).at(place));
            }
        }
    }
    Ok(())
}

/// A relation given in place of a database: rows of equal width.
fn relation_table(
    space: &Space<'_>,
    name: &str,
    value: &Value,
    watch: &Watch,
) -> Result<Table, QueryError> {
    let refuse = |message: &str| {
        QueryError::new(ErrorKind::Inputs(format!("the relation {name}: {message}")))
    };
    let (mut rows, mut words, mut width, mut held) = (0, Vec::new(), None, 0);
    let mut add = |row: &mut dyn ExactSizeIterator<Item = &Value>| {
        if *width.get_or_insert(row.len()) != row.len() {
            return Err(refuse("its rows differ in length"));
        }
        rows += 1;
        for value in row {
            watch.tick()?;
            words.push(space.word(value)?);
        }
        watch.rows(rows)?;
        watch.grow(&mut held, size_of::<u64>() * words.capacity())
    };
    let item = |item: &Value| match item.as_slice() {
        Some(row) => add(&mut row.iter()),
        None => Err(refuse("its rows are vectors")),
    };
    match value {
        Value::Vector(items) | Value::List(items) => items.iter().try_for_each(item)?,
        Value::Set(items) => items.iter().try_for_each(item)?,
        Value::Map(map) => map.iter().try_for_each(|(k, v)| add(&mut [k, v].into_iter()))?,
        _ => return Err(refuse("a database, or a vector, set or map of rows is wanted")),
    }
    Ok(Table::new(width.unwrap_or(0), words))
}
