//! Engines taking turns at one question.

use std::time::{Duration, Instant};

/// The longest one engine is measured at one question, and the fewest and most runs.
const TIME: Duration = Duration::from_millis(400);
const RUNS_MIN: usize = 3;
const RUNS_MAX: usize = 51;
/// An engine whose first run took longer is not run again.
const ONCE: Duration = Duration::from_millis(600);

/// Runs the question and gives the number of rows; `None` when it was given up.
type Run = Box<dyn FnMut() -> Option<usize>>;

/// One engine with one question.
pub(crate) struct Engine {
    name: &'static str,
    run: Run,
    times: Vec<Duration>,
    spent: Duration,
    given_up: bool,
}

impl Engine {
    pub(crate) fn new(name: &'static str, run: impl FnMut() -> Option<usize> + 'static) -> Self {
        let run = Box::new(run);
        Self { name, run, times: Vec::new(), spent: Duration::ZERO, given_up: false }
    }

    fn turn(&mut self) -> Option<usize> {
        let started = Instant::now();
        let rows = (self.run)();
        let time = started.elapsed();
        self.spent += time;
        self.times.push(time);
        self.given_up |= rows.is_none();
        rows
    }

    fn wants(&self) -> bool {
        let runs = self.times.len();
        let slow = runs == 1 && self.spent > ONCE;
        !self.given_up && !slow && runs < RUNS_MAX && (runs < RUNS_MIN || self.spent < TIME)
    }

    /// The median in milliseconds, the first run left out where there are more.
    fn median(&self) -> Option<f64> {
        if self.given_up {
            return None;
        }
        let mut times = self.times.clone();
        if times.len() > 1 {
            times.remove(0);
        }
        times.sort_unstable();
        times.get(times.len() / 2).map(|time| time.as_secs_f64() * 1e3)
    }
}

/// Lets the engines take turns.
pub(crate) fn measure(question: &str, mut engines: Vec<Engine>, report: &mut Report) {
    if report.is_alone() {
        engines.truncate(1);
    }
    let mut rows: Option<(usize, &str)> = None;
    for engine in &mut engines {
        let Some(found) = engine.turn() else { continue };
        let (expected, first) = *rows.get_or_insert((found, engine.name));
        assert_eq!(found, expected, "{question}: rows of {} and of {first}", engine.name);
    }
    while engines.iter().any(Engine::wants) {
        for engine in engines.iter_mut().filter(|engine| engine.wants()) {
            engine.turn();
        }
    }
    let times = engines.iter().map(|engine| (engine.name, engine.median())).collect();
    report.add(question, rows.map_or(0, |(rows, _)| rows), times);
}

/// A question: its rows, and milliseconds by engine, ours first.
type Line = (String, usize, Vec<(&'static str, Option<f64>)>);

/// What was measured.
#[derive(Default)]
pub(crate) struct Report {
    /// What was asked for: parts, cases, and whether peers are left out.
    asked: Vec<String>,
    lines: Vec<Line>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn new(asked: Vec<String>) -> Self {
        Self { asked, ..Self::default() }
    }

    /// Whether peers are left out.
    pub(crate) fn is_alone(&self) -> bool {
        self.asked.iter().any(|word| word == "alone")
    }

    /// Whether a case is asked for: it is named, or none of its part is.
    pub(crate) fn takes(&self, case: &str, is_case: impl Fn(&str) -> bool) -> bool {
        !self.asked.iter().any(|word| is_case(word)) || self.asked.iter().any(|word| word == case)
    }

    pub(crate) fn add(
        &mut self,
        question: &str,
        rows: usize,
        times: Vec<(&'static str, Option<f64>)>,
    ) {
        eprintln!("  {question}: {rows} rows");
        self.lines.push((question.to_owned(), rows, times));
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn skip(&mut self, part: &str, why: &str) {
        self.notes.push(format!("{part} is left out: {why}"));
    }

    pub(crate) fn print(&self) {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.lines.iter().flat_map(|(.., times)| times) {
            if !names.contains(name) {
                names.push(name);
            }
        }
        if !self.lines.is_empty() {
            print!("\n{:<24} {:>8}", "milliseconds", "rows");
            names.iter().for_each(|name| print!(" {name:>13}"));
            println!(" {:>12}", "ours / best");
        }
        for (question, rows, times) in &self.lines {
            print!("{question:<24} {rows:>8}");
            for name in &names {
                match times.iter().find(|(known, _)| known == name) {
                    Some((_, Some(time))) => print!(" {time:>13.3}"),
                    Some((_, None)) => print!(" {:>13}", "given up"),
                    None => print!(" {:>13}", ""),
                }
            }
            let own = times.first().and_then(|(_, time)| *time);
            let best = times.iter().skip(1).filter_map(|(_, time)| *time).reduce(f64::min);
            match (own, best) {
                (Some(own), Some(best)) => println!(" {:>12.2}", own / best),
                _ => println!(),
            }
        }
        println!();
        self.notes.iter().for_each(|note| println!("{note}"));
    }
}
