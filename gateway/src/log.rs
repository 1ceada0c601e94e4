//! The operators' log on stderr: the life of the process, refusals by workers. No body, token or
//! score.
//!
//! Only this workspace's own events are written, at whatever level: libraries say at `trace` what
//! passes through them, and that is what nobody may read.

use std::fmt;
use std::io::{self, Write};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// `log = "LEVEL"`, or `[log]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogConfig {
    level: Level,
    /// How lines are written.
    pub format: LogFormat,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    /// `error`, `warn`, `info`, `debug` or `trace`. Default: `info`.
    level: Option<String>,
    /// `text` or `json`. Default: `text`.
    #[serde(default)]
    format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: Level::INFO, format: LogFormat::Text }
    }
}

impl LogConfig {
    /// Has lines written from now on. Whoever was first stays.
    pub fn begin(self) {
        let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
        let ours = Targets::new().with_target("sealgate", self.level);
        let registry = tracing_subscriber::registry();
        let _ = match self.format {
            LogFormat::Text => registry.with(lines.with_filter(ours)).try_init(),
            LogFormat::Json => {
                // Everything that an event says on one level, beside `timestamp`, `level`, `target`.
                registry.with(lines.json().flatten_event(true).with_filter(ours)).try_init()
            }
        };
    }

    /// Says why the process ends, in the log's own form.
    pub fn last_words(self, error: &dyn fmt::Display) {
        match self.format {
            LogFormat::Text => drop(writeln!(io::stderr(), "error: {error}")),
            LogFormat::Json => tracing::error!(%error, "ended"),
        }
    }
}

impl<'de> Deserialize<'de> for LogConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LevelOrTable)
    }
}

struct LevelOrTable;

impl<'de> Visitor<'de> for LevelOrTable {
    type Value = LogConfig;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a level, or a table with `level` and `format`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<LogConfig, E> {
        Ok(LogConfig { level: level(text)?, format: LogFormat::Text })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LogConfig, A::Error> {
        let table = LogTable::deserialize(MapAccessDeserializer::new(map))?;
        let level = table.level.as_deref().map_or(Ok(Level::INFO), level)?;
        Ok(LogConfig { level, format: table.format })
    }
}

fn level<E: Error>(text: &str) -> Result<Level, E> {
    match text {
        "error" => Ok(Level::ERROR),
        "warn" => Ok(Level::WARN),
        "info" => Ok(Level::INFO),
        "debug" => Ok(Level::DEBUG),
        "trace" => Ok(Level::TRACE),
        _ => Err(E::custom("`log` must be error, warn, info, debug or trace")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        log: LogConfig,
    }

    fn read(text: &str) -> Result<LogConfig, String> {
        let config = toml::from_str::<Config>(text).map_err(|error| error.message().to_owned())?;
        Ok(config.log)
    }

    #[test]
    fn a_level_alone_or_a_table_is_taken() {
        let (text, json) = (LogFormat::Text, LogFormat::Json);
        for (written, level, format) in [
            ("", Level::INFO, text),
            ("log = 'debug'", Level::DEBUG, text),
            ("[log]", Level::INFO, text),
            ("[log]\nformat = 'json'", Level::INFO, json),
            ("[log]\nlevel = 'warn'\nformat = 'text'", Level::WARN, text),
        ] {
            assert_eq!(read(written).unwrap(), LogConfig { level, format }, "{written}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_and_says_so() {
        for (written, told) in [
            ("log = 'loud'", "`log` must be error, warn, info, debug or trace"),
            ("log = 3", "a level, or a table"),
            ("[log]\nlevel = 'INFO'", "`log` must be"),
            ("[log]\nformat = 'xml'", "unknown variant `xml`"),
            ("[log]\nfile = 'a'", "unknown field `file`"),
        ] {
            let error = read(written).unwrap_err();
            assert!(error.contains(told), "{written}: {error}");
        }
    }
}
