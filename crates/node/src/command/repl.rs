//! `datom repl`: expressions and queries as they are typed.
//!
//! 1. Ctrl-C ends the expression that is being typed or run, never the session.
//! 2. What an expression defined stays defined, also when a later one fails; so do its macros, and the
//!    namespace that an `ns` began, up to the next `ns`.
//! 3. Who goes through an agent's program asks his queries of the world as that program sees it there.

use std::io::{self, IsTerminal, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daodb::{Db, Limits};
use datom::edn::{self, Form, Node};
use datom::{Keyword, Symbol, Value};
use reedline::{
    ColumnarMenu, DefaultPrompt, DefaultPromptSegment, Emacs, FileBackedHistory, KeyCode,
    KeyModifiers, MenuBuilder, Reedline, ReedlineEvent, ReedlineMenu, Signal, ValidationResult,
    Validator, default_emacs_keybindings,
};
use yin::Program;

use super::complete::Words;
use super::step::{self, Walk};
use super::{Outcome, agent, run::folders};
use crate::cli::{self, Format};
use crate::facts::{QUERY_MEBIBYTES, limits};
use crate::fault::Fault;
use crate::plan::of_plan;
use crate::render::Output;
use crate::reporter::Reporter;
use crate::runner::{Grants, Runner};
use crate::sight;
use crate::world::World;

/// Entries that the history file keeps.
const HISTORY_ENTRIES: usize = 10_000;
const HISTORY_FILE: &str = "repl.history";

const MENU: &str = "completions";

const HELP: &str = "\
An expression of the language, or a query:
  (+ 1 2)
  (def double (fn [x] (* 2 x)))
  (perform :time/now)
  [:find ?n :where [_ :package/name ?n]]
  :explain [:find ?n :where [_ :package/name ?n]]
Tab completes attributes, variables, functions and parts of queries.
An entry goes on over several lines until its brackets are closed.
Ctrl-C cancels the entry or stops what runs; Ctrl-D or :quit ends the session.

Agents:
  :agents     who there is
  :agent NAME goes through the program of one, from its beginning
and there, where queries see the world as the program saw it:
";

const LEAVE: &str = ":leave      back to the world as it is";

pub(super) fn repl(arguments: &cli::World) -> Outcome {
    let world = World::open_or_create(&arguments.dir)?;
    world.state_schema(None)?;
    let mut session = Session::new(&world)?;
    if io::stdin().is_terminal() {
        session.converse()
    } else {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        session.recite(&text)
    }
}

/// A session on a terminal that begins on the way through an agent's program.
pub(super) fn at_agent(world: &World, name: &str) -> Outcome {
    let mut session = Session::new(world)?;
    print!("{}", session.walk(name)?);
    session.converse()
}

struct Session<'w> {
    world: &'w World,
    runner: Runner,
    interrupt: Arc<AtomicBool>,
    entries: usize,
    /// What later entries are read behind: `ns`, definitions and macros, each under its name.
    before: Vec<(Option<Symbol>, Arc<str>)>,
    /// The agent whose program is gone through.
    walk: Option<Walk>,
}

impl<'w> Session<'w> {
    fn new(world: &'w World) -> Result<Self, Box<Fault>> {
        let grants =
            Grants { mint: session_operations(), folders: folders(&[]), ..Grants::default() };
        let mut runner = Runner::new(world, Reporter::silent(), "datom repl", None, &grants)?;
        runner.define("args", &Value::Vector(Vec::new()))?;
        let interrupt = runner.interrupt();
        let flag = interrupt.clone();
        ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).map_err(Fault::new)?;
        Ok(Self { world, runner, interrupt, entries: 0, before: Vec::new(), walk: None })
    }

    /// A person types.
    fn converse(&mut self) -> Outcome {
        let history =
            FileBackedHistory::with_file(HISTORY_ENTRIES, self.world.dir().join(HISTORY_FILE))
                .map_err(|error| Fault::new(format!("the history cannot be kept: {error}")))?;
        let mut keys = default_emacs_keybindings();
        let menu = ReedlineEvent::Menu(MENU.to_owned());
        let tab = ReedlineEvent::UntilFound(vec![menu, ReedlineEvent::MenuNext]);
        keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, tab);
        let menu = Box::new(ColumnarMenu::default().with_name(MENU));
        let mut editor = Reedline::create()
            .with_history(Box::new(history))
            .with_validator(Box::new(Brackets))
            .with_completer(Box::new(Words::new(self.world.database())))
            // What all candidates have in common, and the only one there is, need no choice.
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_menu(ReedlineMenu::EngineCompleter(menu))
            .with_edit_mode(Box::new(Emacs::new(keys)));
        eprintln!("datom {}; :help helps", env!("CARGO_PKG_VERSION"));
        loop {
            let place = match &self.walk {
                Some(walk) => walk.place(),
                None => format!("t {}", self.world.database().db()?.basis()),
            };
            let prompt =
                DefaultPrompt::new(DefaultPromptSegment::Basic(place), DefaultPromptSegment::Empty);
            match editor.read_line(&prompt)? {
                Signal::Success(entry) => match entry.trim() {
                    "" => {}
                    ":quit" | ":exit" => return Ok(()),
                    entry => match self.obey(entry, Format::Auto) {
                        Some(Ok(())) => {}
                        Some(Err(fault)) => report(*fault),
                        None => self.answer(entry, Format::Auto)?,
                    },
                },
                Signal::CtrlD => return Ok(()),
                // Ctrl-C drops what was typed; whatever else the editor reports changes nothing.
                _ => {}
            }
        }
    }

    /// A pipe: every form is an entry, and so is a line that begins with a command; the first failure
    /// ends the session.
    fn recite(&mut self, text: &str) -> Outcome {
        let forms = edn::read_program(text)
            .map_err(|error| Fault::in_edn(&error, "standard input", text))?;
        let mut done = 0;
        for form in forms.iter() {
            let start = form.span.start;
            if start < done {
                continue;
            }
            if matches!(&form.node, Node::Keyword(_)) {
                let line = text.get(start..).and_then(|rest| rest.find('\n'));
                let line = line.map_or(text.len(), |length| start + length);
                let on_line =
                    forms.iter().filter(|other| (start..line).contains(&other.span.start));
                let end = on_line.map(|other| other.span.end).max().unwrap_or(line);
                let entry = text.get(start..end).unwrap_or("");
                if matches!(entry, ":quit" | ":exit") {
                    return Ok(());
                }
                if let Some(outcome) = self.obey(entry, Format::Auto) {
                    outcome?;
                    done = end;
                    continue;
                }
            }
            self.evaluate(form, form.span.of(text).unwrap_or(""))?.print(Format::Auto)?;
        }
        Ok(())
    }

    /// Obeys an entry that is a command; `None` if it is another one.
    fn obey(&mut self, entry: &str, format: Format) -> Option<Outcome> {
        let (command, rest) = entry.split_once(char::is_whitespace).unwrap_or((entry, ""));
        let rest = rest.trim();
        self.interrupt.store(false, Ordering::Relaxed);
        let told = match command {
            ":help" => Ok(format!("{HELP}{}  {LEAVE}\n", step::help())),
            ":explain" => {
                let explained = self.explain(rest);
                return Some(explained.and_then(|plan| Ok(plan.print(format)?)));
            }
            ":agents" => {
                let agents = agent::listed(self.world);
                return Some(agents.and_then(|agents| Ok(agents.print(format)?)));
            }
            ":agent" => self.walk(rest),
            ":leave" => {
                self.walk = None;
                Ok(String::new())
            }
            command if step::commands().any(|name| name == command) => match &mut self.walk {
                Some(walk) => walk.obey(command, rest.split_whitespace().next()),
                None => Err(Fault::new(format!("{command} goes through the program of an agent"))
                    .help("`:agent NAME` begins, `:agents` lists them")
                    .into()),
            },
            _ => return None,
        };
        Some(told.map(|text| print!("{text}")))
    }

    /// Goes to the beginning of an agent's program.
    fn walk(&mut self, name: &str) -> Result<String, Box<Fault>> {
        // A name of several words may stand in quotes.
        let name = match edn::read(name) {
            Ok(Value::Text(text)) => text.to_string(),
            _ => name.to_owned(),
        };
        if name.is_empty() {
            return Err(Fault::new(":agent wants a name").help("`:agents` lists them").into());
        }
        let mut walk = Walk::begin(self.world.database(), &name, self.interrupt.clone())?;
        let shown = walk.shown();
        self.walk = Some(walk);
        Ok(shown)
    }

    /// The database that queries are asked of.
    fn db(&self) -> Result<Db, Box<Fault>> {
        match &self.walk {
            Some(walk) => Ok(walk.seen()),
            None => Ok(self.world.database().db()?),
        }
    }

    /// Prints what an entry gives; a failure is printed too and changes nothing.
    fn answer(&mut self, entry: &str, format: Format) -> Outcome {
        let forms = match edn::read_program(entry) {
            Ok(forms) => forms,
            Err(error) => {
                report(Fault::in_edn(&error, "entry", entry));
                return Ok(());
            }
        };
        for form in &forms {
            match self.evaluate(form, form.span.of(entry).unwrap_or("")) {
                Ok(output) => output.print(format)?,
                Err(fault) => {
                    report(*fault);
                    break;
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, form: &Form, text: &str) -> Result<Output, Box<Fault>> {
        self.interrupt.store(false, Ordering::Relaxed);
        self.entries += 1;
        if is_query(form) {
            let query =
                daodb::Query::parse(text).map_err(|error| Fault::in_query(&error.into(), text))?;
            let answer = self
                .db()?
                .query_with(&query, &[], &self.limits())
                .map_err(|error| Fault::in_query(&error, text))?;
            return Ok(sight::of_answer(answer));
        }
        if let Some(query) = explained(form) {
            let begin = query.span.start - form.span.start;
            let length = query.span.end - query.span.start;
            return self.explain(text.get(begin..begin + length).unwrap_or(""));
        }
        let name = format!("entry {}", self.entries);
        let db = self.world.database().db()?;
        let begins = begins(form);
        let before: Vec<Arc<str>> = match begins {
            Some(Begins::Namespace) => Vec::new(),
            _ => self.before.iter().map(|(_, text)| text.clone()).collect(),
        };
        let program = Program::read_behind(&name, text, &before, &db)?;
        let value = self.runner.run(&program, u64::MAX)?;
        match begins {
            Some(Begins::Namespace) => self.before = vec![(None, text.into())],
            Some(Begins::Definition(name)) => {
                self.before.retain(|(known, _)| known.as_ref() != Some(&name));
                self.before.push((Some(name), text.into()));
            }
            None => {}
        }
        Ok(Output::from_value(value))
    }

    /// What a query may use: Ctrl-C stops it, as it stops a program.
    fn limits(&self) -> Limits {
        Limits { cancel: Some(self.interrupt.clone().into()), ..limits(QUERY_MEBIBYTES) }
    }

    /// The plan of a query with what each step did, and how long it took.
    fn explain(&self, text: &str) -> Result<Output, Box<Fault>> {
        let refused = |error: daodb::Error| Fault::in_query(&error, text);
        let query = daodb::Query::parse(text).map_err(|error| refused(error.into()))?;
        let plan = self.db()?.explain(&query, &[], &self.limits()).map_err(refused)?;
        Ok(of_plan(&plan, true))
    }
}

/// The query of `(explain query)`.
fn explained(form: &Form) -> Option<&Form> {
    let Node::List(items) = &form.node else { return None };
    match items.as_slice() {
        [name, query] if name.to_value() == Value::symbol("explain") && is_query(query) => {
            Some(query)
        }
        _ => None,
    }
}

fn report(fault: Fault) {
    eprintln!("{:?}", miette::Report::new(fault));
}

/// What an entry changes for those behind it.
enum Begins {
    Namespace,
    Definition(Symbol),
}

fn begins(form: &Form) -> Option<Begins> {
    let Node::List(items) = &form.node else { return None };
    match (items.first()?.as_symbol()?.as_str(), items.get(1)?.as_symbol()) {
        ("ns", _) => Some(Begins::Namespace),
        ("def" | "defn" | "defmacro", Some(name)) => Some(Begins::Definition(name.clone())),
        _ => None,
    }
}

/// A vector that begins with `:find`, or a map that has it.
fn is_query(form: &Form) -> bool {
    let find = Value::keyword("find");
    match &form.node {
        Node::Vector(items) => items.first().is_some_and(|first| first.to_value() == find),
        Node::Map(pairs) => pairs.iter().any(|(key, _)| key.to_value() == find),
        _ => false,
    }
}

/// What a session may do without being granted it: everything but writing files.
fn session_operations() -> Vec<Keyword> {
    let names = bridge::handlers::builtin(std::path::Path::new("/")).into_iter();
    names.map(|(name, _)| name).filter(|name| name.as_str() != "fs/write").collect()
}

/// An entry is complete when nothing is open any more.
struct Brackets;

impl Validator for Brackets {
    fn validate(&self, entry: &str) -> ValidationResult {
        match edn::read_program(entry) {
            Err(error) if error.unfinished => ValidationResult::Incomplete,
            _ => ValidationResult::Complete,
        }
    }
}
