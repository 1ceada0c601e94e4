//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

use super::Histogram;

/// Families of numbers, as they are written one after the other.
#[derive(Default)]
pub struct Families(String);

impl Families {
    /// A family of numbers, each with its labels.
    pub fn put<L: Display, V: Display>(
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

    /// A number that stands alone.
    pub fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.put(name, kind, help, [("", value)]);
    }

    /// A family of histograms of seconds; those that have counted nothing are left out.
    pub fn histograms<'a, H: AsRef<Histogram>>(
        &mut self,
        name: &str,
        help: &str,
        each: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, H)>,
    ) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (of, histogram) in each {
            let (histogram, count) = (histogram.as_ref(), histogram.as_ref().count());
            if count == 0 {
                continue;
            }
            let bounds = histogram.up_to().map(|(bound, count)| (bound.to_string(), count));
            for (bound, count) in bounds.chain([("+Inf".to_owned(), count)]) {
                let with_bound: Vec<_> = of.iter().copied().chain([("le", &*bound)]).collect();
                let _ = writeln!(self.0, "{name}_bucket{} {count}", labels(&with_bound));
            }
            let of = labels(&of);
            let _ =
                writeln!(self.0, "{name}_sum{of} {}\n{name}_count{of} {count}", histogram.sum_s());
        }
    }

    /// All that was put.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

impl AsRef<Self> for Histogram {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// `{name="value",..}`, or nothing.
#[must_use]
pub fn labels(of: &[(&str, &str)]) -> String {
    if of.is_empty() {
        return String::new();
    }
    let each: Vec<_> = of.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    format!("{{{}}}", each.join(","))
}

/// A label's value, as the format wants it escaped.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_histogram_is_written_as_the_format_asks() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(700));
        let mut families = Families::default();
        families.histograms("a_seconds", "Help.", [(vec![("model", "m")], &histogram)]);
        families.histograms("b_seconds", "Help.", [(vec![], &Histogram::default())]);
        let text = families.text();
        assert!(text.starts_with("# HELP a_seconds Help.\n# TYPE a_seconds histogram\n"), "{text}");
        for line in [
            "a_seconds_bucket{model=\"m\",le=\"0.0005\"} 0\n",
            "a_seconds_bucket{model=\"m\",le=\"0.001\"} 1\n",
            "a_seconds_bucket{model=\"m\",le=\"+Inf\"} 1\n",
            "a_seconds_sum{model=\"m\"} 0.0007\n",
            "a_seconds_count{model=\"m\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} {text}");
        }
        assert!(text.ends_with("# TYPE b_seconds histogram\n"), "{text}");
    }

    #[test]
    fn what_a_label_holds_cannot_end_it() {
        assert_eq!(labels(&[("a", "x\"} 1\n\\")]), r#"{a="x\"} 1\n\\"}"#);
    }
}
