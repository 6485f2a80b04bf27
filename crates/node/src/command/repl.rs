//! `datom repl`: expressions and queries as they are typed.
//!
//! 1. Ctrl-C ends the expression that is being typed or run, never the session.
//! 2. What an expression defined stays defined, also when a later one fails; so do its macros, and the
//!    namespace that an `ns` began, up to the next `ns`.

use std::io::{self, IsTerminal, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datom::edn::{self, Form, Node};
use datom::{Keyword, Symbol, Value};
use reedline::{
    ColumnarMenu, DefaultPrompt, DefaultPromptSegment, Emacs, FileBackedHistory, KeyCode,
    KeyModifiers, MenuBuilder, Reedline, ReedlineEvent, ReedlineMenu, Signal, ValidationResult,
    Validator, default_emacs_keybindings,
};
use yin::Program;

use super::complete::Words;
use super::{Outcome, run::folders};
use crate::cli::{self, Format};
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
Ctrl-C cancels the entry or stops what runs; Ctrl-D or :quit ends the session.";

pub(super) fn repl(arguments: &cli::World) -> Outcome {
    let world = World::open_or_create(&arguments.dir)?;
    let mut session = Session::new(&world)?;
    if io::stdin().is_terminal() {
        session.converse()
    } else {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        session.recite(&text)
    }
}

struct Session<'w> {
    world: &'w World,
    runner: Runner,
    interrupt: Arc<AtomicBool>,
    entries: usize,
    /// What later entries are read behind: `ns`, definitions and macros, each under its name.
    before: Vec<(Option<Symbol>, Arc<str>)>,
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
        Ok(Self { world, runner, interrupt, entries: 0, before: Vec::new() })
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
            let t = self.world.database().db()?.basis();
            let prompt = DefaultPrompt::new(
                DefaultPromptSegment::Basic(format!("t {t}")),
                DefaultPromptSegment::Empty,
            );
            match editor.read_line(&prompt)? {
                Signal::Success(entry) => match entry.trim() {
                    "" => {}
                    ":quit" | ":exit" => return Ok(()),
                    ":help" => println!("{HELP}"),
                    entry if entry.starts_with(":explain") => {
                        let query = entry.trim_start_matches(":explain").trim();
                        match self.explain(query) {
                            Ok(plan) => plan.print(Format::Auto)?,
                            Err(fault) => report(*fault),
                        }
                    }
                    entry => self.answer(entry, Format::Auto)?,
                },
                Signal::CtrlD => return Ok(()),
                // Ctrl-C drops what was typed; whatever else the editor reports changes nothing.
                _ => {}
            }
        }
    }

    /// A pipe: every form is an entry; the first failure ends the session.
    fn recite(&mut self, text: &str) -> Outcome {
        let forms = edn::read_program(text)
            .map_err(|error| Fault::in_edn(&error, "standard input", text))?;
        for form in &forms {
            self.evaluate(form, form.span.of(text).unwrap_or(""))?.print(Format::Auto)?;
        }
        Ok(())
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
            let db = self.world.database().db()?;
            let answer = db.query(&query, &[]).map_err(|error| Fault::in_query(&error, text))?;
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

    /// The plan of a query with what each step did, and how long it took.
    fn explain(&self, text: &str) -> Result<Output, Box<Fault>> {
        let refused = |error: daodb::Error| Fault::in_query(&error, text);
        let query = daodb::Query::parse(text).map_err(|error| refused(error.into()))?;
        let db = self.world.database().db()?;
        let plan = db.explain(&query, &[], &daodb::Limits::default()).map_err(refused)?;
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
