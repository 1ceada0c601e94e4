//! What operators count, in Prometheus' text format. No name or number comes from a request.

use std::fmt::Write;

use crate::app::App;

/// Everything there is to count.
pub(super) fn text(app: &App) -> String {
    let mut out = String::new();
    let mut put = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    };
    let reloads = app.policy.reloads();
    put(
        "sealgate_policy_reloads_total",
        "counter",
        "Policy folders read after the start, by result.",
        &[("{result=\"in_force\"}", reloads.in_force), ("{result=\"refused\"}", reloads.refused)],
    );
    let newest = u64::from(app.policy.is_newest());
    put(
        "sealgate_policy_newest",
        "gauge",
        "Whether the folder as it is now is in force.",
        &[("", newest)],
    );
    let locked = u64::from(app.emergency.is_locked_down());
    put("sealgate_locked_down", "gauge", "Whether everybody is refused.", &[("", locked)]);
    let ready = u64::from(app.is_ready());
    put("sealgate_ready", "gauge", "Whether requests can be served.", &[("", ready)]);
    out
}
