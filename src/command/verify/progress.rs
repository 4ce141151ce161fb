//! How far the comparison is.
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgupgrade_verify::Progress;

/// On a terminal only.
pub(super) fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3}% {msg}") {
        bar.set_style(style);
    }
    bar
}

pub(super) fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_length(100);
    bar.set_position(progress.percent.into());
    let seconds = bar.elapsed().as_secs().max(1);
    let paused = progress
        .paused
        .map_or_else(String::new, |why| format!(", paused: {why}"));
    bar.set_message(format!(
        "{} of {} tables, {} rows, {} MB/s, {} s left{paused}",
        progress.tables_done,
        progress.tables,
        progress.rows,
        progress.bytes / seconds / 1_000_000,
        bar.eta().as_secs(),
    ));
}
