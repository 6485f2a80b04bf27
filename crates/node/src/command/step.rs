//! Going through an agent's program, forwards and back: what `datom agent step` and `datom repl` share.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use daodb::{Database, Db};
use datom::{Symbol, Value};
use yin::{Level, Position};

use super::Outcome;
use crate::agent::travel::{Standing, Travel};
use crate::fault::Fault;

/// A line of source is shown up to so many characters.
const COLUMNS_MAX: usize = 160;
/// A value is shown up to so many characters.
const VALUE_MAX: usize = 400;

/// What can be told to somebody who goes through a program, and what it does.
const COMMANDS: [(&str, &str, &str); 10] = [
    (":step", "[N]", "go on by one step, or N: to the next call, turn of a loop, request or end"),
    (":back", "[N]", "go back by as many"),
    (":to", "N", "go to step N, counted from the program's beginning"),
    (":next", "", "go on to the next request, or the end"),
    (":previous", "", "go back to the request before, or the beginning"),
    (":end", "", "go as far as the program came"),
    (":where", "", "the line of source, with what is about to be done marked, and the names there"),
    (":frames", "", "all calls that wait, innermost first"),
    (":up", "[N]", "look at the caller: its line and its names"),
    (":down", "[N]", "look at what it called"),
];

/// The names of the commands.
pub(super) fn commands() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(name, ..)| *name)
}

/// A line on each command.
pub(super) fn help() -> String {
    let line = |(name, takes, does): &(&str, &str, &str)| {
        format!("  {:<11} {does}\n", format!("{name} {takes}"))
    };
    COMMANDS.iter().map(line).collect()
}

/// Somebody on the way through the program of an agent.
pub(super) struct Walk {
    agent: String,
    travel: Travel,
    /// The call that is looked at, counted from the innermost.
    frame: usize,
    /// Set by whoever wants a long way to end.
    stop: Arc<AtomicBool>,
}

impl Walk {
    /// At the beginning of an agent's program.
    ///
    /// # Errors
    /// There is no such agent, or what was kept of it cannot be read.
    pub(super) fn begin(
        database: &Database,
        agent: &str,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Box<Fault>> {
        let travel = Travel::begin(database, agent)?;
        Ok(Self { agent: agent.to_owned(), travel, frame: 0, stop })
    }

    /// Where it is, in a word.
    pub(super) fn place(&self) -> String {
        format!("{} step {}", self.agent, self.travel.step())
    }

    /// The world as the program sees it there.
    pub(super) fn seen(&self) -> Db {
        self.travel.seen()
    }

    /// Does what a command says, and tells what there is to be seen then.
    ///
    /// # Errors
    /// There is no such command, or it lacks its number.
    pub(super) fn obey(
        &mut self,
        command: &str,
        count: Option<&str>,
    ) -> Result<String, Box<Fault>> {
        let number = |or: Option<u64>| -> Result<u64, Box<Fault>> {
            let Some(text) = count else {
                let message = format!("{command} wants the number of a step");
                return or.ok_or_else(|| Fault::new(message).into());
            };
            text.parse().map_err(|_| Fault::new(format!("{text} is no number of steps")).into())
        };
        let (now, stop) = (self.travel.step(), &self.stop);
        match command {
            ":step" => self.travel.go_to(now.saturating_add(number(Some(1))?), stop)?,
            ":back" => self.travel.go_to(now.saturating_sub(number(Some(1))?), stop)?,
            ":to" => self.travel.go_to(number(None)?, stop)?,
            ":next" => self.travel.go_to_next_request(stop)?,
            ":previous" => self.travel.go_to_previous_request(stop)?,
            ":end" => self.travel.go_to(u64::MAX, stop)?,
            ":where" => return Ok(self.shown()),
            ":frames" => return Ok(self.frames()),
            ":up" | ":down" => {
                let by = usize::try_from(number(Some(1))?).unwrap_or(usize::MAX);
                let last = self.travel.levels().len().saturating_sub(1);
                self.frame = match command {
                    ":up" => self.frame.saturating_add(by).min(last),
                    _ => self.frame.saturating_sub(by),
                };
                return Ok(self.shown());
            }
            other => {
                let message = format!("there is no command {other}");
                let names: Vec<&str> = commands().collect();
                return Err(Fault::new(message)
                    .help(format!("there are {}", names.join(" ")))
                    .into());
            }
        }
        self.frame = 0;
        Ok(self.shown())
    }

    /// Where the program is: the step, the source, and the names with their values.
    pub(super) fn shown(&mut self) -> String {
        let levels = self.travel.levels();
        let mut text = format!("step {}", self.travel.step());
        match self.travel.standing() {
            _ if self.frame > 0 => {}
            Standing::Runs if levels.is_empty() => text.push_str(": the program has not begun"),
            Standing::Runs => {}
            Standing::Asks { op, args, .. } => {
                let args: String = args.iter().map(|arg| format!(" {arg}")).collect();
                let _ = write!(text, ": asks for {}", short(&format!("{op}{args}")));
            }
            Standing::Ended(Ok(value)) => {
                let _ = write!(text, ": ended with {}", short(&value.to_string()));
            }
            Standing::Ended(Err(error)) => {
                let _ = write!(text, ": failed: {error}");
            }
        }
        if let Some(level) = levels.get(self.frame).filter(|_| self.frame > 0) {
            let _ = write!(text, ", #{} {}", self.frame, level.function);
        }
        text.push('\n');
        // The machine's own functions have no source: whoever called them has.
        let with_source = levels.iter().skip(self.frame);
        let Some((level, position)) =
            with_source.into_iter().find_map(|level| Some((level, level.position.as_ref()?)))
        else {
            return text;
        };
        text.push_str(&marked(position));
        text.push_str(&names(level));
        text
    }

    fn frames(&mut self) -> String {
        let mut text = String::new();
        for (at, level) in self.travel.levels().iter().enumerate() {
            let place = level.position.as_ref().map_or("built in".to_owned(), ToString::to_string);
            let names: Vec<String> = level.names.iter().map(name).collect();
            let _ = writeln!(text, "#{at} {} ({place}) {}", level.function, names.join(", "));
        }
        text
    }
}

/// Obeys the commands of a text, a line each. One that cannot be obeyed is told and changes nothing.
///
/// # Errors
/// At the end, if there was such a one.
pub(super) fn recite(walk: &mut Walk, commands: impl BufRead) -> Outcome {
    let mut out = io::stdout().lock();
    let mut wrong = 0;
    for (at, line) in commands.lines().enumerate() {
        let line = line?;
        let mut words = line.split_whitespace();
        let Some(command) = words.next() else { continue };
        if command == ":quit" {
            break;
        }
        let told = match command {
            ":help" => Ok(help()),
            command => walk.obey(command, words.next()),
        };
        match told {
            Ok(text) => out.write_all(text.as_bytes())?,
            Err(fault) => {
                wrong += 1;
                eprintln!("line {}: {:?}", at + 1, miette::Report::new(*fault));
            }
        }
        out.flush()?;
    }
    match wrong {
        0 => Ok(()),
        1 => Err(Fault::new("a command was wrong; the others were obeyed").into()),
        _ => Err(Fault::new(format!("{wrong} commands were wrong; the others were obeyed")).into()),
    }
}

/// The first line of a place with the place underlined.
fn marked(position: &Position) -> String {
    let line = position.source.lines().nth(position.line - 1).unwrap_or("");
    let whole = position.source.get(position.span.start..position.span.end).unwrap_or("");
    let width = whole.lines().next().unwrap_or("").chars().count().max(1);
    let number = position.line.to_string();
    let margin = " ".repeat(number.len());
    let before = position.column - 1;
    let shown: String = line.chars().take(COLUMNS_MAX).collect();
    let mark = match before + width <= COLUMNS_MAX {
        true => format!("{margin} │ {}{}\n", " ".repeat(before), "^".repeat(width)),
        false => String::new(),
    };
    format!("{position}\n{number} │ {shown}\n{mark}")
}

fn names(level: &Level) -> String {
    level.names.iter().map(|named| format!("  {}\n", name(named))).collect()
}

fn name((name, value): &(Symbol, Value)) -> String {
    format!("{name} = {}", short(&value.to_string()))
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
