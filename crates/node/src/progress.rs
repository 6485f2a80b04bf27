//! Long work shows how far it is, on a terminal's standard error.

use std::sync::OnceLock;

use daodb::Options;
use indicatif::{ProgressBar, ProgressStyle};

const BAR: &str = "rebuilding [{bar:40}] {pos}/{len} transactions, {eta} left";

/// A bar over work of a known length. It is drawn on a terminal only.
pub(crate) fn of(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template = format!("[{{bar:40}}] {{pos}}/{{len}} {what}, {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A counter of work of unknown length. It is drawn on a terminal only.
pub(crate) fn counting(what: &str) -> ProgressBar {
    let bar = ProgressBar::no_length();
    match ProgressStyle::with_template(&format!("{{spinner}} {{pos}} {what}, {{elapsed}}")) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The options with a bar that shows the progress of a rebuild. It appears with the first news and
/// goes with the last.
pub(crate) fn showing(options: Options) -> Options {
    let shown: OnceLock<ProgressBar> = OnceLock::new();
    options.progress(move |progress| {
        let bar = shown.get_or_init(|| {
            let style = ProgressStyle::with_template(BAR);
            let bar = ProgressBar::new(progress.total);
            style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if progress.done == progress.total {
            bar.finish_and_clear();
        }
    })
}
