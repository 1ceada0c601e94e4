//! `cargo bench -p sealgate-policies --bench decide`: what checking a token and deciding cost.
//!
//! Interleaved rounds, medians; on a shared machine only the ratios of one run count. Folders of
//! 10 to 10,000 rules have the same rules about the caller; the rest is about other groups,
//! tenants and models, in the forms that the shipped rules have.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may panic")]
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use sealgate_policies::{Ask, Caller, Folder, GatewayAction, GatewayAsk, PolicySet};
use support::{Issuer, NOW_S, ask, claims, header, load, permit};

fn main() {
    let issuer = Issuer::new();
    let tokens = ["dev-es", "dev-ed", "dev-rs"].map(|kid| {
        let alg = match kid {
            "dev-ed" => "EdDSA",
            "dev-rs" => "RS256",
            _ => "ES256",
        };
        issuer.token(
            &support::but(support::but(header(), "kid", kid.into()), "alg", alg.into()),
            &claims(),
        )
    });
    let folders: Vec<Size> = SIZES.iter().map(|rules| Size::new(&issuer, *rules)).collect();
    for size in &folders {
        assert!(permit(&size.policy, &size.caller(&tokens[0]), &ask()).rules().len() == 1);
    }
    let mut rows = Vec::new();
    for size in &folders {
        rows.extend(size.rows(&tokens[0]));
    }
    rows.extend(tokens_rows(&folders[0], &tokens));
    let medians = interleaved(&mut rows);
    for (row, us) in rows.iter().zip(&medians) {
        let ratio = row.compared_with.map(|first| format!("{:8.2}", us / medians[first]));
        println!("{:<58} {us:>9.2} us {}", row.name, ratio.unwrap_or_default());
    }
}

/// A folder of so many rules.
struct Size {
    rules: usize,
    smallest: bool,
    policy: PolicySet,
}

/// One line of the table.
struct Row<'a> {
    name: String,
    once: Box<dyn FnMut() + 'a>,
    /// The row that it is so many times as slow as.
    compared_with: Option<usize>,
}

impl Size {
    fn new(issuer: &Issuer, rules: usize) -> Self {
        let began = Instant::now();
        let smallest = rules == SIZES[0];
        let rules = rules.max(own_rules(&issuer.folder()));
        let policy = load(&folder(issuer, rules));
        println!("{rules:>6} rules loaded and checked in {:.2} s", began.elapsed().as_secs_f64());
        Self { rules, smallest, policy }
    }

    fn caller(&self, token: &str) -> Caller {
        self.policy.authenticate(token, NOW_S).unwrap()
    }

    fn rows<'a>(&'a self, token: &'a str) -> Vec<Row<'a>> {
        let guarded = Ask { model: "guarded", ..ask() };
        let hourly = Ask { model: "hourly", ..ask() };
        let mut rows = Vec::new();
        let mut row = |what: &str, once: Box<dyn FnMut() + 'a>| {
            let compared_with = (!self.smallest).then_some(rows.len());
            rows.push(Row { name: format!("{what}, {} rules", self.rules), once, compared_with });
        };
        let decide = move |caller: &Caller, ask: &Ask<'_>| {
            drop(black_box(self.policy.decide(caller, ask)));
        };
        let [again, address, time, key] = [(); 4].map(|()| self.caller(token));
        row("decide, repeated caller", Box::new(move || decide(&again, &ask())));
        row(
            "decide, repeated caller, a rule looks at the address",
            Box::new(move || decide(&address, &guarded)),
        );
        row(
            "decide, repeated caller, a rule looks at the time",
            Box::new(move || decide(&time, &hourly)),
        );
        row(
            "key of a remembered decision",
            Box::new(move || drop(black_box(self.policy.cache_key(&key, &ask())))),
        );
        let operator = self.caller(token);
        let usage = GatewayAsk {
            action: GatewayAction::ReadOwnReceipt,
            address: ask().address,
            now_s: NOW_S,
        };
        row(
            "decide what is asked of the gateway",
            Box::new(move || drop(black_box(self.policy.decide_gateway(&operator, &usage)))),
        );
        row(
            "check a token (ES256) and decide, new caller",
            Box::new(move || decide(&self.caller(token), &ask())),
        );
        rows
    }
}

fn tokens_rows<'a>(size: &'a Size, tokens: &'a [String]) -> Vec<Row<'a>> {
    let check = |token: &'a String| -> Box<dyn FnMut() + 'a> {
        Box::new(move || drop(black_box(size.caller(token))))
    };
    let caller = size.caller(&tokens[0]);
    let again: Box<dyn FnMut() + 'a> =
        Box::new(move || size.policy.still_valid(&caller, NOW_S).unwrap());
    let named = ["ES256", "EdDSA", "RS256"].map(|name| format!("check a token, {name}"));
    let checks = named.into_iter().zip(tokens.iter().map(check));
    checks
        .chain([("check a remembered caller again".to_owned(), again)])
        .map(|(name, once)| Row { name, once, compared_with: None })
        .collect()
}

/// The median of each row in microseconds. Every round runs all rows, so that a slow moment of
/// the machine falls on all of them.
fn interleaved(rows: &mut [Row<'_>]) -> Vec<f64> {
    let mut taken = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, taken) in rows.iter_mut().zip(&mut taken) {
            (row.once)();
            let began = Instant::now();
            (0..BATCH).for_each(|_| (row.once)());
            taken.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
        }
    }
    taken
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect()
}

/// The shipped folder with two more models, each with one rule more (about the address, about the
/// time), and rules about others.
fn folder(issuer: &Issuer, rules: usize) -> Folder {
    let shipped = issuer.folder();
    let own = own_rules(&shipped);
    let groups = 1 + rules / 40;
    let (mut roles, mut models, mut others) = (String::new(), String::new(), String::new());
    for n in 0..groups {
        writeln!(roles, "[groups.team-{n}]\n[tenants.clinic-{n}]").unwrap();
        writeln!(models, "[models.model-{n}]\nowner = \"clinic-{n}\"").unwrap();
        writeln!(models, "sensitivity = \"public\"\nmodes = [\"gateway-sealed\"]").unwrap();
    }
    for n in 0..rules.saturating_sub(own) {
        let at = n % groups;
        let scope = match n % 4 {
            0 => format!(
                "permit (principal in Group::\"team-{at}\", action == Action::\"infer\", resource);"
            ),
            1 => format!(
                "forbid (principal, action, resource in Tenant::\"clinic-{at}\") when {{ context.time.hour < 6 }};"
            ),
            2 => format!(
                "permit (principal in Tenant::\"clinic-{at}\", action == Action::\"describe_model\", resource is Model);"
            ),
            _ => format!(
                "forbid (principal, action == Action::\"infer\", resource == Model::\"model-{at}\") when {{ context.rows > 10 }};"
            ),
        };
        writeln!(others, "@id(\"other-{n}\") {scope}").unwrap();
    }
    let own_models = ["guarded", "hourly"].map(|name| format!("[models.{name}]\nowner = \"general-hospital\"\nsensitivity = \"public\"\nmodes = [\"gateway-sealed\"]\n")).concat();
    let hours = "@id(\"hours\") forbid (principal, action == Action::\"infer\", resource == Model::\"hourly\")\nunless { context.time.hour < 23 };";
    let office = "@id(\"office\") forbid (principal, action == Action::\"infer\", resource == Model::\"guarded\")\nunless { context.address.isInRange(ip(\"127.0.0.0/8\")) };";
    let with = |file: &str, more: &str| shipped.text(file).unwrap().to_owned() + more;
    let (roles, models) =
        (with("roles.toml", &roles), with("models.toml", &(models + &own_models)));
    shipped
        .with("roles.toml", &roles)
        .with("models.toml", &models)
        .with("rules/office.cedar", office)
        .with("rules/hours.cedar", hours)
        .with("rules/others.cedar", &others)
}

/// The shipped rules and the two about this folder's models.
fn own_rules(shipped: &Folder) -> usize {
    let files = sealgate_policies::default_folder().iter().filter_map(|(path, _)| {
        let rules = path.ends_with(".cedar");
        shipped.text(path).filter(|_| rules)
    });
    2 + files
        .map(|text| text.lines().filter(|line| line.starts_with("@id(")).count())
        .sum::<usize>()
}

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
const ROUNDS: usize = 60;
const BATCH: u32 = 50;
