//! What operators count, in Prometheus' text format. No name or number comes from a request; labels
//! are names that an admin gave to models, and words of ours.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};

use crate::app::App;
use crate::pool::Standing;

/// Everything there is to count.
pub(super) fn text(app: &App) -> String {
    let mut out = Families(String::new());
    let reloads = app.policy.reloads();
    let flag = u8::from;
    out.put(
        "sealgate_policy_reloads_total",
        "counter",
        "Policy folders read after the start, by result.",
        [("{result=\"in_force\"}", reloads.in_force), ("{result=\"refused\"}", reloads.refused)],
    );
    let newest = flag(app.policy.is_newest());
    out.one("sealgate_policy_newest", "Whether the folder as it is now is in force.", newest);
    let locked = flag(app.emergency.is_locked_down());
    out.one("sealgate_locked_down", "Whether everybody is refused.", locked);
    out.one("sealgate_ready", "Whether requests can be served.", flag(app.is_ready()));
    audit(app, &mut out);
    pools(app, &mut out);
    out.0
}

/// What of the audit log does not work.
fn audit(app: &App, out: &mut Families) {
    let health = app.journal.health();
    let mut failed = |name: &str, help: &str, failed: bool| out.one(name, help, failed.into());
    failed(
        "sealgate_audit_failed",
        "Whether the audit log takes no more records, so that every request is refused.",
        health.failure.is_some(),
    );
    failed(
        "sealgate_audit_checkpoint_copy_failed",
        "Whether the copy of the last checkpoint is not where it should be.",
        health.checkpoint_copy_failed,
    );
    failed(
        "sealgate_audit_proofs_failed",
        "Whether there are no proofs of new records until the gateway starts again.",
        health.proofs_failure.is_some(),
    );
}

/// Pools of one version together, whoever has them.
fn pools(app: &App, out: &mut Families) {
    let mut versions: BTreeMap<(String, String), Vec<Standing>> = BTreeMap::new();
    for pool in app.models.pools() {
        let artifact = pool.artifact();
        let key = (artifact.name.clone(), artifact.version.clone());
        versions.entry(key).or_default().push(pool.standing());
    }
    let mut put = |name: &str, help: &str, each: Each<'_>| {
        let values = versions.iter().flat_map(|((model, version), pools)| {
            let of = format!("model={},version={}", quoted(model), quoted(version));
            each(pools).into_iter().map(move |(label, value)| (format!("{{{of}{label}}}"), value))
        });
        out.put(name, "gauge", help, values);
    };
    put("sealgate_workers", "Worker processes, by state.", &|pools| {
        vec![
            (",state=\"ready\"", sum(pools, |pool| pool.ready)),
            (",state=\"starting\"", sum(pools, |pool| pool.starting)),
            (",state=\"draining\"", sum(pools, |pool| pool.draining)),
        ]
    });
    put("sealgate_workers_wanted", "Workers that the scaler wants.", &|pools| {
        vec![("", sum(pools, |pool| pool.last().map_or(pool.ready, |last| last.wanted)))]
    });
    put("sealgate_workers_needed", "Workers that the load needs: Ro of R = Ra/Ro.", &|pools| {
        vec![("", needed(pools))]
    });
    put("sealgate_scaling_ratio", "R = Ra/Ro: workers ready over workers needed.", &|pools| {
        let needed = needed(pools);
        if needed > 0.0 { vec![("", sum(pools, |pool| pool.ready) / needed)] } else { Vec::new() }
    });
    put("sealgate_requests_present", "Requests that wait for or have a worker.", &|pools| {
        vec![("", sum(pools, |pool| pool.in_flight))]
    });
    put("sealgate_requests_waiting", "Requests that wait for a worker.", &|pools| {
        vec![("", sum(pools, |pool| pool.waiting))]
    });
    put("sealgate_pools_failing", "Pools whose workers keep dying.", &|pools| {
        vec![("", sum(pools, |pool| usize::from(pool.failing_for_s.is_some())))]
    });
}

/// What is counted of a version's pools: a label of its own each, and the number.
type Each<'a> = &'a dyn Fn(&[Standing]) -> Vec<(&'static str, f64)>;

#[expect(clippy::cast_precision_loss, reason = "there are never so many")]
fn sum(pools: &[Standing], count: impl Fn(&Standing) -> usize) -> f64 {
    pools.iter().map(count).sum::<usize>() as f64
}

fn needed(pools: &[Standing]) -> f64 {
    pools.iter().filter_map(|pool| Some(pool.last()?.needed)).sum()
}

/// A label's value, as the format wants it escaped.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

struct Families(String);

impl Families {
    fn put<L: Display, V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn one(&mut self, name: &str, help: &str, value: u8) {
        self.put(name, "gauge", help, [("", value)]);
    }
}
