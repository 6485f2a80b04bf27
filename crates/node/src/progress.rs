//! Long work shows how far it is, on a terminal's standard error.

use std::sync::OnceLock;
use std::time::Duration;

use daodb::{Options, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over work of a known length. It is drawn on a terminal only.
pub(crate) fn of(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template = format!("{{prefix}} [{{bar:40}}] {{pos}}/{{len}} {what}, {{eta}} left");
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

/// A counter as [`counting`], that appears when the work has taken so long that somebody may wonder.
pub(crate) struct Patient(ProgressBar);

/// How long nobody wonders.
const WONDERED: Duration = Duration::from_millis(300);

impl Patient {
    pub(crate) fn counting(what: &str) -> Self {
        Self(counting(what))
    }

    /// So much is done.
    pub(crate) fn is_at(&self, done: u64) {
        if self.0.elapsed() > WONDERED {
            self.0.set_position(done);
        }
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The options with a bar that shows the progress of a rebuild. It appears with the first news and
/// goes with the last.
pub(crate) fn showing(options: Options) -> Options {
    options.progress(bar("rebuilding", "transactions"))
}

/// Shows how much of something is done: `copying [###---] 3/7 segments`.
pub(crate) fn bar(doing: &str, what: &str) -> impl Fn(Progress) + Send + Sync + 'static {
    let what = what.to_owned();
    let doing = doing.to_owned();
    let shown: OnceLock<ProgressBar> = OnceLock::new();
    move |progress| {
        let bar = shown.get_or_init(|| of(progress.total, &what).with_prefix(doing.clone()));
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if progress.done == progress.total {
            bar.finish_and_clear();
        }
    }
}
