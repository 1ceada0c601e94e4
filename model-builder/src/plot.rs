//! Curves as SVG, by hand: lines, two axes, a legend. The same numbers give the same bytes.

use std::fmt::Write as _;

use crate::{Epoch, Roc};

/// The loss of each epoch, on the rows that were learned from and on those that were held back.
#[must_use]
pub fn learning_curve_svg(curve: &[Epoch]) -> String {
    let points = |of: &dyn Fn(&Epoch) -> Option<f32>| -> Vec<[f64; 2]> {
        let point = |(index, epoch)| Some([index as f64 + 1.0, of(epoch)?.into()]);
        curve.iter().enumerate().filter_map(point).collect()
    };
    let seen = points(&|epoch| Some(epoch.loss));
    let held_back = points(&|epoch| epoch.validation_loss);
    let highest = seen.iter().chain(&held_back).map(|[_, loss]| *loss).fold(0.0, f64::max);
    let mut lines = vec![("learned from".to_owned(), seen)];
    if !held_back.is_empty() {
        lines.push(("held back".to_owned(), held_back));
    }
    let ends = [[1.0, (curve.len() as f64).max(2.0)], [0.0, highest.max(f64::MIN_POSITIVE)]];
    Plot { title: "Learning curve", axes: ["epoch", "loss"], ends, diagonal: false, lines }.svg()
}

/// How held-back rows were told apart: a curve for each class, and the diagonal of guessing.
#[must_use]
pub fn roc_svg(roc: &Roc) -> String {
    let line = |curve: &crate::RocCurve| (curve.class.clone(), curve.points.clone());
    Plot {
        title: "ROC, rows that were held back",
        axes: ["others taken for the class", "found of the class"],
        ends: [[0.0, 1.0], [0.0, 1.0]],
        diagonal: true,
        lines: roc.curves.iter().map(line).collect(),
    }
    .svg()
}

struct Plot {
    title: &'static str,
    axes: [&'static str; 2],
    /// The least and the largest value of each axis.
    ends: [[f64; 2]; 2],
    diagonal: bool,
    lines: Vec<(String, Vec<[f64; 2]>)>,
}

impl Plot {
    fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{0}</text>\n",
            self.title
        );
        self.frame(&mut svg);
        for (index, (name, points)) in self.lines.iter().take(COLOURS.len()).enumerate() {
            let colour = COLOURS.get(index).copied().unwrap_or("black");
            let path: Vec<String> = thinned(points).map(|point| self.place(*point)).collect();
            let path = path.join(" ");
            let y = TOP + 16 * (index as u32 + 1);
            let x = WIDTH - RIGHT + 12;
            _ = writeln!(
                svg,
                "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n\
                 <text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">{}</text>",
                escaped(name)
            );
        }
        if let Some(more) = self.lines.len().checked_sub(COLOURS.len()).filter(|more| *more > 0) {
            let (x, y) = (WIDTH - RIGHT + 12, TOP + 16 * (COLOURS.len() as u32 + 1));
            _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">and {more} more</text>");
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The axes, their ends and their names.
    fn frame(&self, svg: &mut String) {
        let [[x_low, x_high], [y_low, y_high]] = self.ends;
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let (below, middle) = (bottom + 18, (LEFT + right) / 2);
        let [x, y] = self.axes;
        _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>\n\
             <text x=\"{LEFT}\" y=\"{below}\">{x_low}</text>\n\
             <text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{x_high}</text>\n\
             <text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{x}</text>\n\
             <text x=\"{0}\" y=\"{bottom}\" text-anchor=\"end\">{y_low}</text>\n\
             <text x=\"{0}\" y=\"{1}\" text-anchor=\"end\">{y_high:.4}</text>\n\
             <text x=\"{LEFT}\" y=\"{2}\">{y}</text>",
            LEFT - 6,
            TOP + 12,
            TOP - 4
        );
        if self.diagonal {
            let ends = format!("x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{right}\" y2=\"{TOP}\"");
            _ = writeln!(svg, "<line {ends} stroke=\"grey\" stroke-dasharray=\"4\"/>");
        }
    }

    fn place(&self, point: [f64; 2]) -> String {
        let [[x_low, x_high], [y_low, y_high]] = self.ends;
        let x = (point[0] - x_low) / (x_high - x_low) * f64::from(WIDTH - LEFT - RIGHT);
        let y = (point[1] - y_low) / (y_high - y_low) * f64::from(HEIGHT - TOP - BOTTOM);
        format!("{:.1},{:.1}", f64::from(LEFT) + x, f64::from(HEIGHT - BOTTOM) - y)
    }
}

/// A picture shows no more points than this.
fn thinned(points: &[[f64; 2]]) -> impl Iterator<Item = &[f64; 2]> {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.last().filter(|_| !(points.len().saturating_sub(1)).is_multiple_of(step));
    points.iter().step_by(step).chain(last)
}

/// Class names come from a table.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WIDTH: u32 = 640;
const HEIGHT: u32 = 400;
const LEFT: u32 = 70;
const RIGHT: u32 = 150;
const TOP: u32 = 60;
const BOTTOM: u32 = 40;
const POINTS_MAX: usize = 1_000;
/// Told apart by whoever sees no red or no green (Okabe and Ito).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

#[cfg(test)]
mod tests {
    use super::{learning_curve_svg, roc_svg, thinned};
    use crate::{Epoch, Roc, RocCurve};

    #[test]
    fn a_learning_curve_has_a_line_for_each_part_of_the_rows() {
        let epoch = |loss, validation_loss| Epoch { loss, validation_loss };
        let both = learning_curve_svg(&[epoch(2.0, Some(3.0)), epoch(1.0, Some(1.5))]);
        assert_eq!(both.matches("<polyline").count(), 2);
        // The lower left and the upper right corner of the frame.
        assert!(both.contains(r#"points="70.0,160.0 490.0,260.0""#), "{both}");
        assert_eq!(learning_curve_svg(&[epoch(2.0, None)]).matches("<polyline").count(), 1);
    }

    #[test]
    fn a_class_name_cannot_become_markup() {
        let class = "<script>\"&".to_owned();
        let curves = vec![RocCurve { class, points: vec![[0.0, 0.0], [1.0, 1.0]] }];
        let svg = roc_svg(&Roc { curves });
        assert!(svg.contains("&lt;script&gt;&quot;&amp;") && !svg.contains("<script"), "{svg}");
    }

    #[test]
    fn no_picture_is_without_bounds() {
        let points: Vec<[f64; 2]> = (0..100_001).map(|at| [f64::from(at), 0.0]).collect();
        let kept: Vec<_> = thinned(&points).collect();
        assert!(kept.len() <= 1_001 && kept.last() == Some(&&[100_000.0, 0.0]));
        let curve = |_| RocCurve { class: "c".to_owned(), points: vec![[0.0, 0.0]] };
        let svg = roc_svg(&Roc { curves: (0..500).map(curve).collect() });
        assert!(svg.matches("<polyline").count() == 7 && svg.contains("and 493 more"));
    }
}
