//! The table at the end.

/// A question, and the figures of each engine.
type Line = (String, Vec<(&'static str, Vec<f64>)>);

/// What was measured: a line for each question, a column for each engine.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
}

impl Table {
    /// Notes one run.
    pub(crate) fn add(&mut self, question: &str, engine: &'static str, figure: f64) {
        let known = self.lines.iter().position(|line| line.0 == question);
        let line = known.unwrap_or_else(|| {
            self.lines.push((question.to_owned(), Vec::new()));
            self.lines.len() - 1
        });
        let columns = &mut self.lines[line].1;
        match columns.iter_mut().find(|column| column.0 == engine) {
            Some(column) => column.1.push(figure),
            None => columns.push((engine, vec![figure])),
        }
    }

    /// Prints the medians and how ours compares with the best of the others.
    pub(crate) fn print(&self) {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.lines.iter().flat_map(|line| &line.1) {
            if !names.contains(name) {
                names.push(name);
            }
        }
        print!("\n{:<52}", "");
        names.iter().for_each(|name| print!(" {name:>10}"));
        println!(" {:>12}", "ours / best");
        for (question, columns) in &self.lines {
            print!("{question:<52}");
            let median = |name: &str| columns.iter().find(|c| c.0 == name).map(|c| median(&c.1));
            for name in &names {
                match median(name) {
                    Some(figure) if figure < 10.0 => print!(" {figure:>10.3}"),
                    Some(figure) => print!(" {figure:>10.1}"),
                    None => print!(" {:>10}", "–"),
                }
            }
            let peers = names.iter().skip(1).filter_map(|name| median(name));
            let best = peers.min_by(f64::total_cmp);
            match (names.first().and_then(|name| median(name)), best) {
                (Some(ours), Some(best)) => println!(" {:>12.2}", ours / best),
                _ => println!(" {:>12}", "–"),
            }
        }
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
