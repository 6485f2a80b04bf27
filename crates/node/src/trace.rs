//! Traces as facts: which functions a program spends its time in, sampled.
//!
//! 1. A sample is taken after every so many turns of the machine, so the same run has the same samples.
//! 2. What sampling costs is counted, and stated with the samples.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use daodb::Database;
use datom::Value;
use yin::{Active, AgentId, Machine, Observer};

use crate::fault::Fault;
use crate::reporter::Reporter;
use crate::schema;

/// A sample looks at no more waiting calls than this, from the innermost outwards.
const CALLS_MAX: usize = 64;

/// The attributes of traces, as EDN transaction data.
pub(crate) const SCHEMA: &str = r#"
[{:db/ident :trace/program :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The program that was traced."}
 {:db/ident :trace/agent :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "The number of the agent that ran the program, among those of one process."}
 {:db/ident :trace/every :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Turns of the machine between two samples."}
 {:db/ident :trace/samples :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "How many samples were taken."}
 {:db/ident :trace/run-us :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Microseconds that the program ran, sampling included."}
 {:db/ident :trace/cost-us :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Microseconds that sampling took."}
 {:db/ident :trace/functions :db/valueType :db.type/ref :db/cardinality :db.cardinality/many
  :db/isComponent true :db/doc "What the samples found, for each function."}
 {:db/ident :trace/function :db/valueType :db.type/string :db/cardinality :db.cardinality/one
  :db/index true :db/doc "What a function is called."}
 {:db/ident :trace/node :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The lambda, or the form, that was run."}
 {:db/ident :trace/defined-in :db/valueType :db.type/ref :db/cardinality :db.cardinality/one
  :db/doc "The program that has it."}
 {:db/ident :trace/self :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Samples in which a function ran itself."}
 {:db/ident :trace/total :db/valueType :db.type/long :db/cardinality :db.cardinality/one
  :db/doc "Samples in which a function ran or waited."}]
"#;

/// How often a function was found.
#[derive(Clone, Copy, Default)]
struct Found {
    own: i64,
    total: i64,
}

/// Samples of one program's run.
pub(crate) struct Trace {
    every: u64,
    next: u64,
    samples: i64,
    found: BTreeMap<Active, Found>,
    started: Instant,
    cost: Duration,
}

impl Trace {
    pub(crate) fn new(every: u64) -> Self {
        let every = every.max(1);
        Self {
            every,
            next: every,
            samples: 0,
            found: BTreeMap::new(),
            started: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Turns up to the next sample.
    pub(crate) fn left(&self, machine: &Machine) -> u64 {
        self.next.saturating_sub(machine.turns()).max(1)
    }

    /// Takes a sample, if it is time.
    pub(crate) fn look(&mut self, machine: &Machine) {
        if machine.turns() >= self.next {
            self.next = machine.turns() + self.every;
            self.sample(machine);
        }
    }

    fn sample(&mut self, machine: &Machine) {
        let started = Instant::now();
        self.samples += 1;
        let mut seen = Vec::new();
        for (at, active) in machine.active(CALLS_MAX).into_iter().enumerate() {
            if !seen.contains(&active) {
                let found = self.found.entry(active.clone()).or_default();
                found.total += 1;
                found.own += i64::from(at == 0);
                seen.push(active);
            }
        }
        self.cost += started.elapsed();
    }

    /// States what was found.
    pub(crate) fn state(
        self,
        database: &Database,
        reporter: Reporter,
        program: Option<u64>,
    ) -> Result<(), Box<Fault>> {
        let mut data = self.facts("", program.map(Value::Ref), None);
        data.push(schema::reason("datom run", "a trace"));
        let report = database.transact(&data)?;
        let details = format!("{} samples in {} us", self.samples, self.cost.as_micros());
        reporter.committed("trace", details, report.t);
        Ok(())
    }

    /// What was found in the run of a program, by the agent of a number: `name` tells it from others in the same
    /// transaction.
    fn facts(&self, name: &str, program: Option<Value>, agent: Option<u64>) -> Vec<Value> {
        let micros =
            |time: Duration| Value::Int(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
        let mut data = Vec::new();
        let mut functions = Vec::new();
        for (number, (active, found)) in self.found.iter().enumerate() {
            let node = Value::text(&format!("node {name} {number}"));
            let defined_in = Value::text(&format!("program {name} {number}"));
            data.extend([
                map([("db/id", node.clone()), ("yin/hash", Value::Hash(active.node))]),
                map([
                    ("db/id", defined_in.clone()),
                    ("yin.program/hash", Value::Hash(active.program)),
                ]),
            ]);
            functions.push(map([
                ("trace/function", Value::text(&active.function)),
                ("trace/node", node),
                ("trace/defined-in", defined_in),
                ("trace/self", Value::Int(found.own)),
                ("trace/total", Value::Int(found.total)),
            ]));
        }
        let program = program.map(|program| ("trace/program", program));
        let agent = agent.map(|agent| ("trace/agent", Value::Int(agent.cast_signed())));
        let fields = [
            ("trace/every", Value::Int(i64::try_from(self.every).unwrap_or(i64::MAX))),
            ("trace/samples", Value::Int(self.samples)),
            ("trace/run-us", micros(self.started.elapsed())),
            ("trace/cost-us", micros(self.cost)),
            ("trace/functions", Value::Vector(functions)),
        ];
        let fields = fields.into_iter().filter(|(_, value)| *value != Value::Vector(Vec::new()));
        data.push(map(fields.chain(program).chain(agent)));
        data
    }
}

/// Samples of the agents of a scheduler, each apart.
pub(crate) struct Traces {
    every: u64,
    agents: Mutex<HashMap<AgentId, Trace>>,
}

impl Traces {
    pub(crate) fn new(every: u64) -> Arc<Self> {
        Arc::new(Self { every, agents: Mutex::default() })
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Trace>> {
        // What is behind it is whole between any two samples.
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent begins.
    pub(crate) fn begin(&self, agent: AgentId) {
        self.agents().entry(agent).or_insert_with(|| Trace::new(self.every));
    }

    /// An agent has ended.
    pub(crate) fn end(&self, agent: AgentId) -> Option<Trace> {
        self.agents().remove(&agent).filter(|trace| trace.samples > 0)
    }
}

impl Observer for Traces {
    fn look(&self, agent: AgentId, machine: &Machine) {
        self.agents().entry(agent).or_insert_with(|| Trace::new(self.every)).sample(machine);
    }
}

/// What was found of agents that have ended, stated in few transactions.
#[derive(Default)]
pub(crate) struct Traced {
    data: Vec<Value>,
    agents: u64,
    samples: i64,
    cost: Duration,
}

/// Forms of transaction data from which on they are stated.
const FORMS_MIN: usize = 10_000;

impl Traced {
    /// Takes over what was found of an agent that ran a program.
    pub(crate) fn add(
        &mut self,
        trace: &Trace,
        (agent, program): (u64, [u8; 32]),
        (database, reporter): (&Database, Reporter),
    ) -> Result<(), Box<Fault>> {
        let hash = [Value::keyword("yin.program/hash"), Value::Hash(program)];
        let program = Value::Vector(hash.to_vec());
        self.data.extend(trace.facts(&format!("of {agent}"), Some(program), Some(agent)));
        self.agents += 1;
        self.samples += trace.samples;
        self.cost += trace.cost;
        if self.data.len() < FORMS_MIN {
            return Ok(());
        }
        std::mem::take(self).state(database, reporter)
    }

    pub(crate) fn state(
        mut self,
        database: &Database,
        reporter: Reporter,
    ) -> Result<(), Box<Fault>> {
        if self.data.is_empty() {
            return Ok(());
        }
        let Self { agents, samples, cost, .. } = self;
        self.data.push(schema::reason("datom run", &format!("traces of {agents} agents")));
        let t = database.transact(&self.data)?.t;
        let micros = cost.as_micros();
        let details = format!("{samples} samples of {agents} agents in {micros} us");
        reporter.committed("trace", details, t);
        Ok(())
    }
}

fn map(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::map(fields.into_iter().map(|(key, value)| (Value::keyword(key), value)))
}
