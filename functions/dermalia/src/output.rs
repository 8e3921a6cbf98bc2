//! What the user sees: steps with their time, progress on a terminal, failures.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use dermalia_analysis::AnalysisError;
use dermalia_scan::ScanError;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// Why a command did not do what it was asked.
pub(crate) enum Failure {
    /// The bundle's fault: one JSON object for stderr.
    Refused(Value),
    /// Ours, or the machine's.
    Fault(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        if error.is_refusal() {
            Self::Refused(json!({
                "error": "refused",
                "code": error.code(),
                "subject": error.subject(),
                "message": error.to_string(),
            }))
        } else {
            Self::Fault(error.into())
        }
    }
}

impl From<AnalysisError> for Failure {
    fn from(error: AnalysisError) -> Self {
        match error {
            AnalysisError::Refused(error) => error.into(),
            error if error.is_refusal() => Self::Refused(json!({
                "error": "refused",
                "code": "nothing_to_measure",
                "subject": null,
                "message": error.to_string(),
            })),
            error => Self::Fault(error.into()),
        }
    }
}

/// Where results and steps go.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// A finished step and how long it took.
    pub(crate) fn step(&self, name: &str, detail: &str, took: Duration) {
        if self.json {
            self.line(
                &json!({ "step": name, "detail": detail, "seconds": took.as_secs_f64() })
                    .to_string(),
            );
        } else {
            self.line(&format!(
                "{name:<12} {detail:<56} {:>7.2} s",
                took.as_secs_f64()
            ));
        }
    }

    /// A result: the text for people, the object for machines.
    pub(crate) fn result(&self, text: &str, value: &Value) {
        if self.json {
            self.line(&value.to_string());
        } else {
            self.line(text);
        }
    }

    /// A word to people; machines do not get it.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            self.line(text);
        }
    }

    /// A moving sign of work on a terminal, nothing elsewhere.
    pub(crate) fn working(&self, what: &str) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner()
            .with_style(style)
            .with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// Bytes that go somewhere, on a terminal; nothing elsewhere.
    pub(crate) fn progress(&self, bytes: u64) -> ProgressBar {
        if self.json || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let template = "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec} {msg}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(bytes).with_style(style)
    }

    /// A failure, on stderr.
    pub(crate) fn failure(&self, failure: &Failure) {
        let text = match failure {
            Failure::Refused(object) => object.to_string(),
            Failure::Fault(error) if self.json => {
                json!({ "error": "fault", "message": format!("{error:#}") }).to_string()
            }
            Failure::Fault(error) => format!("dermalia: {error:#}"),
        };
        // Nobody is left to be told when stderr is closed.
        drop(writeln!(std::io::stderr(), "{text}"));
    }

    fn line(&self, text: &str) {
        // A reader that has gone away (`| head`) is no fault.
        let mut out = std::io::stdout().lock();
        drop(writeln!(out, "{text}").and_then(|()| out.flush()));
    }
}
