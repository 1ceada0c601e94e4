//! What a month will have cost: a trend and the weekdays, and how far off that may be.
//!
//! With `y_i` what day `i` of the `n` whole days before today cost (no more than [`DAYS_MAX`]):
//!
//! ```text
//! line     a + b i, by least squares
//! weekday  s_w, the mean of y_i - (a + b i) over the days of weekday w; 0 below two weeks.
//!          Line and weekdays are fitted together
//! day h    max(0, a + b h + s_w(h))
//! month    what is spent, and the sum over the days that are left; of today, the part that is left
//! sigma    sqrt(sum of squared residuals / (n - p)), p = 2, or 8 with weekdays
//! range    month -+ 1.28 sigma sqrt(H + L + D^2 / S): 80 % if days err alike and alone
//! H days are left, of which the model knows the level no better than L = H^2 / n, with weekdays
//! the sum of 7 h_w^2 / n over the h_w days of each; D is the sum of how far those days lie from the
//! middle of the n, S the sum of the squares of how far the n do: a slope errs more the farther it goes
//! ```
//!
//! Below three days there is no line but the mean, and below seven no range. Floats are good enough
//! for a guess; what is spent is never computed with them.

/// How the month is expected to end, in units of the currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forecast {
    /// What the whole month is expected to cost.
    pub(super) total: f64,
    /// Between which amounts it lies with 80 %, if enough is known.
    pub(super) range: Option<(f64, f64)>,
    /// From how many whole days that is told.
    pub(super) days: usize,
    /// Whether weekdays are told apart.
    pub(super) weekdays: bool,
}

/// What is known, in units of the currency.
pub(super) struct Known<'a> {
    /// Of each whole day before today, the newest last.
    pub(super) days: &'a [f64],
    /// Of this month, with today.
    pub(super) spent: f64,
    /// Which part of today is over, from 0 to 1.
    pub(super) today_over: f64,
    /// Whole days of this month after today.
    pub(super) days_left: usize,
}

/// The forecast, if there is at least one whole day to tell from.
pub(super) fn forecast(known: &Known<'_>) -> Option<Forecast> {
    let days = known.days.get(known.days.len().saturating_sub(DAYS_MAX)..)?;
    let n = days.len();
    if n == 0 {
        return None;
    }
    let weekdays = n >= WEEKDAY_DAYS;
    let (a, b, seasons) = match n {
        _ if weekdays => line_and_seasons(days),
        LINE_DAYS.. => with_no_seasons(line(days)),
        _ => with_no_seasons((mean(days), 0.0)),
    };
    let at = |day: usize| {
        let season = seasons.get(day % 7).copied().unwrap_or_default();
        (a + b * day as f64 + season).max(0.0)
    };
    // Of today at least what it has cost already.
    let today = (at(n) * (1.0 - known.today_over)).max(0.0);
    let later: f64 = (1..=known.days_left).map(|ahead| at(n + ahead)).sum();
    let total = known.spent + today + later;
    let parameters = if weekdays { 8 } else { 2 };
    let range = (n >= RANGE_DAYS).then(|| {
        let errors = days.iter().enumerate().map(|(day, y)| {
            let season = seasons.get(day % 7).copied().unwrap_or_default();
            (y - (a + b * day as f64 + season)).powi(2)
        });
        let sigma = (errors.sum::<f64>() / (n - parameters) as f64).sqrt();
        let off = Z80 * sigma * spread(n, known, weekdays).sqrt();
        ((total - off).max(known.spent), total + off)
    });
    Some(Forecast { total, range, days: n, weekdays })
}

/// The variance of the sum of the days that are left, in those of one day.
fn spread(n: usize, known: &Known<'_>, weekdays: bool) -> f64 {
    let days = n as f64;
    let today = (n, 1.0 - known.today_over);
    let left = || std::iter::once(today).chain((1..=known.days_left).map(|day| (n + day, 1.0)));
    let sum: f64 = left().map(|(_, part)| part).sum();
    let level = match weekdays {
        false => sum * sum / days,
        true => (0..7)
            .map(|weekday| {
                let of_it: f64 =
                    left().filter(|(day, _)| day % 7 == weekday).map(|(_, part)| part).sum();
                7.0 * of_it * of_it / days
            })
            .sum(),
    };
    let middle = (days - 1.0) / 2.0;
    let away: f64 = left().map(|(day, part)| part * (day as f64 - middle)).sum();
    let squares = days * (days * days - 1.0) / 12.0;
    sum + level + away * away / squares
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Least squares over the days' numbers.
fn line(days: &[f64]) -> (f64, f64) {
    let n = days.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let level = mean(days);
    let places = days.iter().enumerate().map(|(day, y)| (day as f64 - middle, y - level));
    let (xy, xx) = places.fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + x * y, xx + x * x));
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    (level - slope * middle, slope)
}

/// Both by least squares together, or a week that begins with its best days would be taken for a
/// trend: each is fitted to what the other leaves, until neither changes.
fn line_and_seasons(days: &[f64]) -> (f64, f64, [f64; 7]) {
    let (mut a, mut b) = line(days);
    let mut week = [0.0; 7];
    for _ in 0..ROUNDS {
        week = seasons(days, a, b);
        let without: Vec<f64> = days.iter().zip(week.iter().cycle()).map(|(y, s)| y - s).collect();
        (a, b) = line(&without);
    }
    (a, b, week)
}

const fn with_no_seasons((a, b): (f64, f64)) -> (f64, f64, [f64; 7]) {
    (a, b, [0.0; 7])
}

/// How far days seven apart lie above the line, on average.
fn seasons(days: &[f64], a: f64, b: f64) -> [f64; 7] {
    std::array::from_fn(|weekday| {
        let above = days.iter().enumerate().skip(weekday).step_by(7);
        let above: Vec<_> = above.map(|(day, y)| y - (a + b * day as f64)).collect();
        mean(&above)
    })
}

const DAYS_MAX: usize = 56;
const LINE_DAYS: usize = 3;
const RANGE_DAYS: usize = 7;
/// Far more than it takes.
const ROUNDS: usize = 50;
const WEEKDAY_DAYS: usize = 14;
/// Between its 10th and its 90th percentile lie four fifths of a normal distribution.
const Z80: f64 = 1.281_551_565_5;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn known(days: &[f64], spent: f64, days_left: usize) -> Known<'_> {
        Known { days, spent, today_over: 0.0, days_left }
    }

    #[test]
    fn a_month_of_equal_days_goes_on_as_it_was() {
        let told = forecast(&known(&[2.0; 20], 40.0, 9)).unwrap();
        assert!((told.total - 60.0).abs() < 1e-9, "{told:?}");
        let (low, high) = told.range.unwrap();
        assert!((high - low).abs() < 1e-9);
    }

    #[test]
    fn a_trend_goes_on() {
        let days: Vec<f64> = (0..10).map(f64::from).collect();
        let told = forecast(&known(&days, 45.0, 1)).unwrap();
        assert!((told.total - (45.0 + 10.0 + 11.0)).abs() < 1e-9, "{told:?}");
        assert!(!told.weekdays);
    }

    #[test]
    fn weekends_come_again() {
        let day = |day: usize| if day % 7 < 5 { 10.0 } else { 0.0 };
        let days: Vec<f64> = (0..28).map(day).collect();
        let told = forecast(&known(&days, 0.0, 6)).unwrap();
        assert!(told.weekdays);
        // A whole week is left.
        assert!((told.total - 50.0).abs() < 1e-3, "{told:?}");
    }

    #[test]
    fn one_day_gives_a_guess_without_a_range_and_none_gives_none() {
        let told = forecast(&known(&[3.0], 3.0, 1)).unwrap();
        assert_eq!((told.total, told.range), (9.0, None));
        assert_eq!(forecast(&known(&[], 3.0, 1)), None);
    }

    #[test]
    fn of_today_only_what_is_left_is_added() {
        let noon = Known { days: &[4.0; 5], spent: 22.0, today_over: 0.5, days_left: 0 };
        assert!((forecast(&noon).unwrap().total - 24.0).abs() < 1e-9);
    }

    /// With days that err alike and alone, as the range supposes.
    #[test]
    fn four_months_of_five_end_within_the_range() {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut day = || 50.0 + (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let within = (0..1_000)
            .filter(|_| {
                let days: Vec<f64> = (0..28).map(|_| day()).collect();
                let truth: f64 = (0..11).map(|_| day()).sum();
                let (low, high) = forecast(&known(&days, 0.0, 10)).unwrap().range.unwrap();
                (low..=high).contains(&truth)
            })
            .count();
        assert!((700..=900).contains(&within), "{within} of 1,000");
    }

    #[test]
    fn it_is_never_less_than_what_is_spent() {
        let shapes: [fn(usize) -> f64; 4] = [
            |_| 0.0,
            |day| 1e6 - 9e3 * day as f64,
            |day| (day % 5) as f64,
            |day| 1.5_f64.powi(day as i32 / 2),
        ];
        for shape in shapes {
            for (n, days_left) in (1..70).flat_map(|n| [(n, 0), (n, 1), (n, 30)]) {
                let days: Vec<f64> = (0..n).map(shape).collect();
                let known = Known { days: &days, spent: 12.5, today_over: 0.25, days_left };
                let told = forecast(&known).unwrap();
                assert!(told.total >= 12.5 && told.total.is_finite(), "{told:?}");
                if let Some((low, high)) = told.range {
                    assert!(12.5 <= low && low <= told.total && told.total <= high, "{told:?}");
                }
            }
        }
    }
}
