//! `datom agent step`: an agent's program step by step, forwards and back.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write as _};

use datom::Value;
use yin::{Level, Position};

use super::Outcome;
use crate::agent::travel::{Standing, Travel};
use crate::fault::Fault;

/// A line of source is shown up to so many characters.
const COLUMNS_MAX: usize = 160;
/// A value is shown up to so many characters.
const VALUE_MAX: usize = 400;

const HELP: &str = "\
:step [N]   go on by one step, or N: to the next call, turn of a loop, request or end
:back [N]   go back by as many
:to N       go to step N, counted from the program's beginning
:end        go as far as the program came
:where      the line of source, with what is about to be done marked, and the names there
:frames     all calls that wait, innermost first
:quit       end";

/// Reads commands, and shows where the program is after each.
pub(super) fn converse(mut travel: Travel) -> Outcome {
    let is_terminal = io::stdin().is_terminal();
    let mut out = io::stdout().lock();
    if is_terminal {
        eprintln!("{HELP}");
        out.write_all(shown(&mut travel).as_bytes())?;
    }
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let Some(command) = words.next() else { continue };
        if command == ":quit" {
            break;
        }
        let told = obey(&mut travel, command, words.next());
        match told {
            Ok(text) => out.write_all(text.as_bytes())?,
            Err(fault) if is_terminal => eprintln!("{:?}", miette::Report::new(*fault)),
            Err(fault) => return Err(fault),
        }
        out.flush()?;
    }
    Ok(())
}

/// What a command shows.
fn obey(travel: &mut Travel, command: &str, count: Option<&str>) -> Result<String, Box<Fault>> {
    let number = |or: Option<u64>| -> Result<u64, Box<Fault>> {
        let Some(text) = count else {
            let message = format!("{command} wants the number of a step");
            return or.ok_or_else(|| Fault::new(message).into());
        };
        text.parse().map_err(|_| Fault::new(format!("{text} is no number of steps")).into())
    };
    let now = travel.step();
    match command {
        ":step" => travel.go_to(now.saturating_add(number(Some(1))?))?,
        ":back" => travel.go_to(now.saturating_sub(number(Some(1))?))?,
        ":to" => travel.go_to(number(None)?)?,
        ":end" => travel.go_to(u64::MAX)?,
        ":where" => {}
        ":frames" => return Ok(frames(travel)),
        ":help" => return Ok(format!("{HELP}\n")),
        other => {
            return Err(Fault::new(format!("there is no command {other}")).help(HELP).into());
        }
    }
    Ok(shown(travel))
}

/// Where the program is: the step, the source, and the names with their values.
pub(super) fn shown(travel: &mut Travel) -> String {
    let levels = travel.levels();
    let mut text = format!("step {}", travel.step());
    match travel.standing() {
        Standing::Runs => {}
        Standing::Asks { op, args, .. } => {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            let _ = write!(text, ": asks for {}", short(&format!("{op} {}", args.join(" "))));
        }
        Standing::Ended(Ok(value)) => {
            let _ = write!(text, ": ended with {}", short(&value.to_string()));
        }
        Standing::Ended(Err(error)) => {
            let _ = write!(text, ": failed: {error}");
        }
    }
    text.push('\n');
    // The machine's own functions have no source: whoever called them has.
    let Some((level, position)) =
        levels.iter().find_map(|level| Some((level, level.position.as_ref()?)))
    else {
        return text;
    };
    text.push_str(&marked(position));
    text.push_str(&names(level));
    text
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
    let mut text = String::new();
    for (name, value) in &level.names {
        let _ = writeln!(text, "  {name} = {}", short(&value.to_string()));
    }
    text
}

fn frames(travel: &mut Travel) -> String {
    let mut text = String::new();
    for (at, level) in travel.levels().iter().enumerate() {
        let place = level.position.as_ref().map_or("built in".to_owned(), ToString::to_string);
        let names: Vec<String> = level
            .names
            .iter()
            .map(|(name, value): &(_, Value)| format!("{name} = {}", short(&value.to_string())))
            .collect();
        let _ = writeln!(text, "#{at} {} ({place}) {}", level.function, names.join(", "));
    }
    text
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_MAX) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
