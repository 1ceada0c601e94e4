use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use sealgate_keys::ReleaseProfile;
use serde::Deserialize;

/// `function.toml`: what a function is. Unknown members are refused; paths that are not absolute are
/// in the folder of the file.
///
/// ```
/// let text = r#"
/// name = "breast-cancer"
/// version = "1"
/// model = "model.safetensors"
/// release = "rounded:2"
///
/// [sealed]
/// keys = "function.keys"
/// replay = "at-least-once"
///
/// [kek]
/// passphrase_file = "/tmp/kek"
/// "#;
/// let config = sealgate_lambda::Config::parse(text, "/var/task".as_ref())?;
/// assert!(!config.plain);
/// # Ok::<(), sealgate_lambda::ConfigError>(())
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model's name, in paths and in the keyset.
    pub name: String,
    /// The model's version.
    pub version: String,
    /// The model's file: an artifact, or one that `sealgate model seal` has sealed, which `kek` opens.
    pub model: PathBuf,
    /// What may leave: `label`, `rounded:N`, `buckets:N` or `full`. There is no default, because there
    /// is no policy that could narrow it.
    pub release: String,
    /// The most rows of one request. 1,024 unless said otherwise.
    #[serde(default = "rows_max")]
    pub rows_max: NonZeroU32,
    /// Whether events in the clear are answered: then the platform sees rows and scores. False unless
    /// said otherwise.
    #[serde(default)]
    pub plain: bool,
    /// Where the keys are that clients seal to; without it nothing sealed is opened.
    pub sealed: Option<Sealed>,
    /// The key-encryption key that opens `sealed.keys` and a sealed model.
    pub kek: Option<Kek>,
    /// What is written to standard error: `error`, `warn`, `info`. `info` unless said otherwise.
    #[serde(default)]
    pub log: Log,
}

/// Sealed requests. One of `replay` and `replay_folder` must be there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The file of `sealgate-lambda keys`.
    pub keys: PathBuf,
    /// `at-least-once`: nobody remembers what was opened, and the keyset says so.
    pub replay: Option<Replay>,
    /// A folder that all processes of this function version reach, for what was opened.
    pub replay_folder: Option<PathBuf>,
}

/// What becomes of requests that are delivered again, where nobody remembers them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replay {
    /// They are opened again, within 300 seconds of their `Date`.
    AtLeastOnce,
}

/// Where the key-encryption key is: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kek {
    /// A file of 32 bytes, readable for its owner alone (`sealgate keys generate --kek`).
    pub key_file: Option<PathBuf>,
    /// A file with a passphrase, readable for its owner alone.
    pub passphrase_file: Option<PathBuf>,
}

/// How much is written to standard error, which Lambda keeps in CloudWatch.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// What needs a human.
    Error,
    /// Also what was refused by a fault outside of the request.
    Warn,
    /// Also the start.
    #[default]
    Info,
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no configuration.
    #[error("the function's configuration: {0}")]
    Toml(#[from] toml::de::Error),
    /// What it says cannot be.
    #[error("the function's configuration: {0}")]
    Wrong(&'static str),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a text whose paths begin in `folder`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text)?;
        config.check()?;
        for path in config.paths() {
            *path = folder.join(&*path);
        }
        Ok(config)
    }

    /// What may leave.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`] for no release profile.
    pub fn release(&self) -> Result<ReleaseProfile, ConfigError> {
        let unknown =
            ConfigError::Wrong("`release` is not `label`, `rounded:N`, `buckets:N` or `full`");
        self.release.parse().map_err(|_| unknown)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.release()?;
        let wrong = |what| Err(ConfigError::Wrong(what));
        if self.name.is_empty() || self.name.contains('/') || self.version.is_empty() {
            return wrong("`name` and `version` must name a model");
        }
        if self.rows_max.get() > ROWS_MAX {
            return wrong("`rows_max` is above 65536");
        }
        if !self.plain && self.sealed.is_none() {
            return wrong("neither `plain = true` nor `[sealed]`: nothing would be answered");
        }
        if let Some(sealed) = &self.sealed {
            match (sealed.replay, &sealed.replay_folder) {
                (None, None) => return wrong(UNREMEMBERED),
                (Some(_), Some(_)) => {
                    return wrong("`sealed.replay` and `sealed.replay_folder` exclude each other");
                }
                _ => {}
            }
            if self.kek.is_none() {
                return wrong("`sealed.keys` needs a `[kek]` that opens it");
            }
        }
        match &self.kek {
            Some(Kek { key_file: None, passphrase_file: None }) => {
                wrong("`[kek]` needs `key_file` or `passphrase_file`")
            }
            Some(Kek { key_file: Some(_), passphrase_file: Some(_) }) => {
                wrong("`kek.key_file` and `kek.passphrase_file` exclude each other")
            }
            _ => Ok(()),
        }
    }

    fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let sealed = self.sealed.iter_mut().flat_map(|sealed| {
            std::iter::once(&mut sealed.keys).chain(sealed.replay_folder.as_mut())
        });
        let kek = self
            .kek
            .iter_mut()
            .flat_map(|kek| kek.key_file.iter_mut().chain(kek.passphrase_file.as_mut()));
        std::iter::once(&mut self.model).chain(sealed).chain(kek)
    }
}

const fn rows_max() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(1023)
}

/// As many as fit into what Lambda passes on, and more.
const ROWS_MAX: u32 = 1 << 16;
const UNREMEMBERED: &str = "`[sealed]` needs `replay_folder`, where all processes of the function remember \
                            what was opened, or `replay = \"at-least-once\"`, which clients are then told";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const PLAIN: &str =
        "name = 'm'\nversion = '1'\nmodel = 'model.safetensors'\nrelease = 'full'\nplain = true\n";

    fn why(text: &str) -> String {
        Config::parse(text, Path::new("/var/task")).unwrap_err().to_string()
    }

    #[test]
    fn paths_are_in_the_folder_of_the_file_unless_they_are_absolute() {
        let text = format!(
            "{PLAIN}[sealed]\nkeys = 'function.keys'\nreplay = 'at-least-once'\n[kek]\nkey_file = '/tmp/kek'\n"
        );
        let config = Config::parse(&text, Path::new("/var/task")).unwrap();
        assert_eq!(config.model, Path::new("/var/task/model.safetensors"));
        assert_eq!(config.sealed.unwrap().keys, Path::new("/var/task/function.keys"));
        assert_eq!(config.kek.unwrap().key_file.unwrap(), Path::new("/tmp/kek"));
    }

    #[test]
    fn nothing_unknown_is_taken() {
        assert!(why(&format!("{PLAIN}colour = 'red'\n")).contains("colour"));
        assert!(why(&format!("{PLAIN}[kek]\nkey_file = 'a'\ntoken = 'b'\n")).contains("token"));
        assert!(why(&PLAIN.replace("'full'", "'most'")).contains("release"));
    }

    #[test]
    fn sealed_mode_starts_only_with_a_store_or_a_word_to_the_clients() {
        let sealed =
            |more| why(&format!("{PLAIN}[sealed]\nkeys = 'k'\n{more}\n[kek]\nkey_file = 'f'\n"));
        assert!(sealed("").contains("at-least-once"));
        assert!(sealed("replay = 'at-most-once'").contains("at-most-once"));
        assert!(sealed("replay = 'at-least-once'\nreplay_folder = 'f'").contains("exclude"));
        let unopened = why(&format!("{PLAIN}[sealed]\nkeys = 'k'\nreplay = 'at-least-once'\n"));
        assert!(unopened.contains("kek"));
    }

    #[test]
    fn a_function_that_would_answer_nothing_does_not_start() {
        assert!(why(&PLAIN.replace("plain = true\n", "")).contains("nothing would be answered"));
        assert!(why(&PLAIN.replace("release = 'full'\n", "")).contains("release"));
    }

    #[test]
    fn a_request_has_65536_rows_at_most() {
        let rows = |n| Config::parse(&format!("{PLAIN}rows_max = {n}\n"), Path::new("/var/task"));
        assert_eq!(rows(65_536).unwrap().rows_max.get(), 65_536);
        assert!(rows(65_537).unwrap_err().to_string().contains("rows_max"));
        assert!(rows(0).is_err());
        let unsaid = Config::parse(PLAIN, Path::new("/var/task")).unwrap();
        assert_eq!(unsaid.rows_max.get(), 1_024);
    }
}
