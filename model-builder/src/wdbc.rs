//! The data set that comes with the program: Breast Cancer Wisconsin (Diagnostic), CC BY 4.0.
//! Authors, source and changes stand in `data/README.md`.

use crate::{BuildError, Column, Dataset, Target};

/// The table as it is in the repository: 569 rows, `diagnosis` (`M` or `B`) and 30 measures.
#[must_use]
pub fn wdbc_csv() -> &'static [u8] {
    include_bytes!("../data/wdbc.csv")
}

/// The 30 measures and their units, in the order of the table.
///
/// The source documents no pixel size, so a length is in `image unit` and nothing more is claimed.
#[must_use]
pub fn wdbc_features() -> Vec<Column> {
    let column = |(measure, unit): &(&str, &str), statistic| Column {
        name: format!("{measure}_{statistic}"),
        unit: (*unit).to_owned(),
    };
    let each = |statistic| MEASURES.iter().map(move |measure| column(measure, statistic));
    STATISTICS.into_iter().flat_map(each).collect()
}

/// The data set, its classes named `benign` and `malignant`, malignant positive.
///
/// # Errors
///
/// Never with the table in the repository.
pub fn wdbc() -> Result<Dataset, BuildError> {
    let target = Target::new("diagnosis", "M").with_class_names("benign", "malignant");
    Dataset::from_csv("wdbc", wdbc_csv(), &target)?.with_units(&wdbc_features())
}

const MEASURES: [(&str, &str); 10] = [
    ("radius", "image unit"),
    ("texture", "grey level"),
    ("perimeter", "image unit"),
    ("area", "image unit^2"),
    ("smoothness", "1"),
    ("compactness", "1"),
    ("concavity", "1"),
    ("concave_points", "1"),
    ("symmetry", "1"),
    ("fractal_dimension", "1"),
];

/// Over the nuclei of one image: mean, standard error, mean of the three largest.
const STATISTICS: [&str; 3] = ["mean", "se", "worst"];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::{wdbc, wdbc_features};
    use crate::Truth;

    #[test]
    fn the_set_has_569_rows_of_which_212_are_malignant() {
        let data = wdbc().unwrap();
        assert_eq!(data.rows(), 569);
        let Truth::Binary { classes, labels } = data.truth() else { panic!("not two classes") };
        assert_eq!(labels.iter().filter(|label| **label).count(), 212);
        assert_eq!(classes, &["benign", "malignant"]);
    }

    #[test]
    fn the_columns_of_the_table_are_the_documented_features() {
        assert_eq!(wdbc().unwrap().columns(), wdbc_features());
    }

    #[test]
    fn the_first_row_is_the_published_one() {
        let rows = wdbc().unwrap().to_rows().unwrap();
        assert_eq!(rows.values()[..4], [17.99, 10.38, 122.8, 1001.0]);
        assert_eq!(rows.values()[29], 0.1189);
    }
}
