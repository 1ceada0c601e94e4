//! `sealgate-lambda`: the `bootstrap` of a function of AWS Lambda, and what packages it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sealgate_lambda::start::{self, Environment, PROGRAM};
use sealgate_lambda::{Config, Log, Package, StartError, keys};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Rows pass through many buffers that are freed and forgotten; this wipes each of them.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Answer events of AWS Lambda with a model, in the clear or sealed by the client
///
/// Lambda starts it without arguments, as the file `bootstrap` of a package that also holds
/// `function.toml`. The commands are for those who make the package.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make the keys that clients of this version of the function seal to
    ///
    /// They are made for one model, one program and one answer to replays: with another, the function
    /// does not start. The file is sealed for the `[kek]` of the configuration. Printed is what is public.
    Keys {
        /// The function's configuration
        #[arg(long, value_name = "FILE", default_value = "function.toml")]
        config: PathBuf,
        /// File for the keys; one that is there is not overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// File for keyset, key list and evidence, for clients
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        /// Days until the keys end
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=90))]
        days: u16,
        /// The package's `bootstrap`, if it is not this program
        #[arg(long, value_name = "FILE", default_value = PROGRAM)]
        program: PathBuf,
    },
    /// Open a package as Lambda would, and say whether it would start
    Check {
        /// The function's configuration
        #[arg(long, value_name = "FILE", default_value = "function.toml")]
        config: PathBuf,
        /// The package's `bootstrap`, if it is not this program
        #[arg(long, value_name = "FILE", default_value = PROGRAM)]
        program: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked_for = !error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if asked_for { 0 } else { 64 });
        }
    };
    let done = match arguments.command {
        None => run(),
        Some(Command::Keys { config, out, public, days, program }) => {
            make_keys(&config, &program, days, &out, &public).map_err(Failure::Start)
        }
        Some(Command::Check { config, program }) => {
            check(&config, &program).map_err(Failure::Start)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Start(error)) => ended(&error, 78),
        Err(Failure::Runtime(error)) => ended(&*error, 1),
    }
}

enum Failure {
    Start(StartError),
    Runtime(Box<dyn std::error::Error + Send + Sync>),
}

fn ended(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(code)
}

fn run() -> Result<(), Failure> {
    let environment = Environment::of_process();
    environment.check().map_err(Failure::Start)?;
    let config = environment.config().map_err(|error| Failure::Start(error.into()))?;
    log_to_stderr(config.log);
    // The default hook prints a panic's message, which may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(at = panic.location().map(ToString::to_string), "panicked");
    }));
    let (plain, is_sealed) = (config.plain, config.sealed.is_some());
    let handler = start::open(config).map_err(Failure::Start)?;
    let keyset = is_sealed.then(|| hex::encode(handler.function().keyset().digest()));
    tracing::info!(plain, keyset, "the function answers");
    start::serve(&handler).map_err(Failure::Runtime)
}

fn make_keys(
    config: &Path,
    program: &Path,
    days: u16,
    out: &Path,
    public: &Path,
) -> Result<(), StartError> {
    let package = Package::open(Config::read(config)?, program)?;
    let made = keys::make(&package, days, out)?;
    keys::create(public, &made.shown)?;
    let [x_wing, x25519] = made.key_ids;
    let replays = made.keyset.replay.as_deref().unwrap_or("refused");
    say(&format!(
        "wrote       {} and {}\nkeyset      {}\nvoucher     {}\nkey ids     {x_wing} (X-Wing), {x25519} (X25519)\n\
         keys end    {} (seconds since 1970)\nreplays     {replays}",
        out.display(),
        public.display(),
        hex::encode(made.keyset.digest()),
        made.voucher,
        made.keyset.not_after_s,
    ))
}

fn check(config: &Path, program: &Path) -> Result<(), StartError> {
    let handler = Package::open(Config::read(config)?, program)?.handler()?;
    let model = &handler.function().keyset().model;
    say(&format!("it would start: {} version {}, {}", model.name, model.version, model.digest))
}

fn say(words: &str) -> Result<(), StartError> {
    writeln!(io::stdout(), "{words}").map_err(|source| StartError::File {
        doing: "write to",
        path: PathBuf::from("standard output"),
        source,
    })
}

/// A few lines of the function's life; no event, row or score is among them, and no line of a library,
/// at whatever level.
fn log_to_stderr(level: Log) {
    let level = match level {
        Log::Error => tracing::Level::ERROR,
        Log::Warn => tracing::Level::WARN,
        Log::Info => tracing::Level::INFO,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    let ours = Targets::new().with_target("sealgate", level);
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}
