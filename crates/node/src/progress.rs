//! Long work shows how far it is, on a terminal's standard error.

use std::sync::OnceLock;

use daodb::Options;
use indicatif::{ProgressBar, ProgressStyle};

const BAR: &str = "rebuilding [{bar:40}] {pos}/{len} transactions, {eta} left";

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
