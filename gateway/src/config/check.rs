//! Settings that are well formed and cannot be meant.

use super::scaling::WORKERS_MAX;
use super::{Config, ConfigError, ProfileName};
use crate::catalog::RESERVED;
use crate::trace::TraceConfig;

impl Config {
    /// Refuses the first setting that is out of its bounds.
    ///
    /// # Errors
    /// [`ConfigError::Setting`].
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.edge.check().map_err(|error| ConfigError::Setting(error.to_string()))?;
        let served = |name: &str| self.models.iter().filter(|m| m.name == name).count();
        let requests = &self.requests;
        let repository = self.repository.as_ref();
        let workers = self.models.iter().map(|model| (model.replicas, model.scaling.as_ref()));
        let workers = workers.chain(repository.map(|all| (all.replicas, all.scaling.as_ref())));
        let scalings = workers.clone().filter_map(|(_, scaling)| scaling);
        let settings = [
            (
                !self.models.is_empty() || self.repository.is_some(),
                "`[[models]]` or a `[repository]` is needed",
            ),
            (
                self.models.iter().all(|model| served(&model.name) == 1),
                "each `[[models]]` needs a name of its own",
            ),
            (served(RESERVED) == 0, "no model can have the name `stats`: its path is taken"),
            (
                workers.clone().all(|(replicas, scaling)| replicas.is_none() || scaling.is_none()),
                "`replicas` and `scaling` say the same thing twice: leave one of them out",
            ),
            (
                workers.clone().all(|(replicas, _)| replicas.is_none_or(|count| count >= 1))
                    && self.workers_at_least() <= WORKERS_MAX,
                "`replicas` must be at least 1 each, and all that always run at most 32 together",
            ),
            (
                scalings.clone().all(|scaling| scaling.is_sound(WORKERS_MAX)),
                "`scaling` needs `max` from 1 to 32 and `min` not above it, `in_flight_per_worker` \
                 from 1 to 4096, `waiting_max` to 4096, `target_percent` from 1 to 100, `tick_ms` \
                 from 10 and `tick_ms` <= `panic_window_ms` <= `stable_window_ms`",
            ),
            (self.worker.spares <= SPARES_MAX, "`worker.spares` must be at most 8"),
            (
                (1..=43_200).contains(&self.client_keys.active_s)
                    && (1..=43_200).contains(&self.client_keys.overlap_s),
                "`client_keys.active_s` and `overlap_s` must be between 1 and 43200",
            ),
            (
                self.workers_at_least() as u128 <= self.client_keys.life().workers_max(),
                "so many workers with keys that live so short need more than the 256 key ids there \
                 are: make `client_keys.active_s` longer or `overlap_s` shorter",
            ),
            (
                self.trace.as_ref().is_none_or(TraceConfig::is_sound),
                "`trace` needs an `endpoint` with `https`, or with `http` on loopback, and \
                 `sample_ratio` from 0 to 1",
            ),
            (self.jwks.is_sound(), "`jwks.refresh_s` must be between 60 and 86400"),
            (
                served(&self.default_model) == 1 || self.repository.is_some(),
                "`default_model` must name one of `[[models]]`",
            ),
            (
                (1..=BODY_BYTES_MAX).contains(&requests.body_bytes_max),
                "`requests.body_bytes_max` must be between 1 and 33554432",
            ),
            (
                (requests.body_bytes_max..=16 << 30).contains(&requests.body_bytes_in_flight_max),
                "`requests.body_bytes_in_flight_max` must be at least `requests.body_bytes_max`",
            ),
            (
                requests.token_cache_entries <= 10_000_000,
                "`requests.token_cache_entries` must be at most 10000000",
            ),
            (
                (1..=3_600_000).contains(&requests.body_timeout_ms),
                "`requests.body_timeout_ms` must be between 1 and 3600000",
            ),
            (
                (1..=4096).contains(&requests.in_flight_max),
                "`requests.in_flight_max` must be between 1 and 4096",
            ),
            (requests.waiting_max <= 65_536, "`requests.waiting_max` must be at most 65536"),
            (requests.waiting_ms <= 60_000, "`requests.waiting_ms` must be at most 60000"),
            (
                (1..=30_000).contains(&requests.answer_timeout_ms),
                "`requests.answer_timeout_ms` must be between 1 and 30000",
            ),
            (
                self.profile != ProfileName::Dev
                    || self.unsafe_remote
                    || [Some(self.edge.listen), self.admin.as_ref().map(|admin| admin.listen)]
                        .iter()
                        .flatten()
                        .all(|listen| listen.ip().is_loopback()),
                "the `dev` profile listens on loopback only, unless `unsafe_remote = true`",
            ),
        ];
        match settings.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(ConfigError::Setting((*rule).to_owned())),
            None => Ok(()),
        }
    }

    /// How many workers run whatever the load, those of the repository apart.
    pub(super) fn workers_at_least(&self) -> usize {
        let each = self.models.iter();
        each.map(|model| self.scaling(model.replicas, model.scaling.as_ref(), true).at_first())
            .sum()
    }
}

/// Half of what a padded message may have on the hop: padding goes up to the next power of two.
const BODY_BYTES_MAX: usize = 32 << 20;
/// Each takes some megabytes and is of use for one start.
const SPARES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use std::fmt::Write as _;

    use super::*;

    const SOUND: &str = r#"
profile = "dev"
policies = "policies"
default_model = "m"
[edge]
listen = "127.0.0.1:0"
cert = "cert.pem"
key = "key.pem"
[audit]
dir = "audit"
key = "audit.pk8"
[receipts]
key = "receipts.pk8"
[worker]
[[models]]
name = "m"
version = "1"
artifact = "m.safetensors"
"#;

    fn said(text: &str) -> Result<(), String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())
    }

    fn model(name: &str, more: &str) -> String {
        format!("[[models]]\nname = \"{name}\"\nversion = \"1\"\nartifact = \"a\"\n{more}\n")
    }

    #[test]
    fn what_is_said_at_its_bounds_is_taken() {
        said(SOUND).unwrap();
        for more in [
            "replicas = 32",
            "scaling = { min = 0, max = 32, tick_ms = 10, panic_window_ms = 10, stable_window_ms = 10 }",
            "[requests]\nbody_bytes_max = 33554432\nin_flight_max = 4096\nwaiting_max = 65536\nwaiting_ms = 60000",
            "[requests]\nanswer_timeout_ms = 30000\nwaiting_max = 0\nwaiting_ms = 0",
            "[client_keys]\nactive_s = 43200\noverlap_s = 43200",
        ] {
            assert_eq!(said(&format!("{SOUND}{more}\n")), Ok(()), "{more}");
        }
    }

    #[test]
    fn what_is_beyond_its_bounds_is_refused_by_name() {
        let more_models = (0..32).fold(String::new(), |mut all, n| {
            let _ = writeln!(all, "{}", model(&format!("m{n}"), ""));
            all
        });
        for (more, named) in [
            (model("m", ""), "a name of its own"),
            (model("stats", ""), "`stats`"),
            ("replicas = 0".into(), "`replicas`"),
            ("replicas = 33".into(), "at most 32 together"),
            (more_models, "at most 32 together"),
            ("replicas = 1\nscaling = {}".into(), "twice"),
            ("scaling = { max = 33 }".into(), "`scaling`"),
            ("scaling = { min = 5, max = 4 }".into(), "`scaling`"),
            ("scaling = { waiting_max = 4097 }".into(), "`scaling`"),
            ("scaling = { target_percent = 101 }".into(), "`scaling`"),
            ("scaling = { tick_ms = 9 }".into(), "`scaling`"),
            ("[client_keys]\nactive_s = 0".into(), "between 1 and 43200"),
            ("[client_keys]\noverlap_s = 43201".into(), "between 1 and 43200"),
            ("replicas = 32\n[client_keys]\nactive_s = 1\noverlap_s = 43200".into(), "key ids"),
            ("[requests]\nbody_bytes_max = 33554433".into(), "`requests.body_bytes_max`"),
            ("[requests]\nbody_bytes_in_flight_max = 1".into(), "body_bytes_in_flight_max"),
            ("[requests]\ntoken_cache_entries = 10000001".into(), "token_cache_entries"),
            ("[requests]\nbody_timeout_ms = 0".into(), "`requests.body_timeout_ms`"),
            ("[requests]\nin_flight_max = 0".into(), "`requests.in_flight_max`"),
            ("[requests]\nin_flight_max = 4097".into(), "`requests.in_flight_max`"),
            ("[requests]\nwaiting_max = 65537".into(), "`requests.waiting_max`"),
            ("[requests]\nwaiting_ms = 60001".into(), "`requests.waiting_ms`"),
            ("[requests]\nanswer_timeout_ms = 30001".into(), "`requests.answer_timeout_ms`"),
            ("[trace]\nendpoint = \"http://10.0.0.5:4318\"".into(), "`trace`"),
            ("[jwks]\nrefresh_s = 59".into(), "`jwks.refresh_s`"),
        ] {
            let refusal = said(&format!("{SOUND}{more}\n")).unwrap_err();
            assert!(refusal.contains(named), "{more}: {refusal}");
        }
        for (from, to, named) in [
            ("default_model = \"m\"", "default_model = \"other\"", "`default_model`"),
            ("127.0.0.1:0", "0.0.0.0:0", "loopback"),
            ("[worker]", "[worker]\nspares = 9", "`worker.spares`"),
        ] {
            let refusal = said(&SOUND.replace(from, to)).unwrap_err();
            assert!(refusal.contains(named), "{to}: {refusal}");
        }
        let (without, _) = SOUND.split_once("[[models]]").unwrap();
        assert!(said(without).unwrap_err().contains("`[[models]]` or a `[repository]`"));
    }
}
